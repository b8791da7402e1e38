"""Producers and competing workers of a beanstalkd.

    beanstalk.py ADDRESS PORT JOBS      prints "N jobs", and what went wrong
"""

import random
import socket
import sys
import threading

ADDRESS, PORT, JOBS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PRODUCERS, WORKERS = 3, 5


class Client:
    def __init__(self):
        self.socket = socket.create_connection((ADDRESS, PORT))
        self.stream = self.socket.makefile("rb")

    def ask(self, words, body=None):
        self.socket.sendall(words + b"\r\n" + (b"" if body is None else body + b"\r\n"))
        return self.stream.readline().split()

    def body(self, length):
        return self.stream.read(length + 2)[:-2]


def job(number):
    return b"%d " % number + random.Random(number).randbytes(number % 40000)


def produce(first):
    client = Client()
    for number in range(first, JOBS, PRODUCERS):
        body = job(number)
        if client.ask(b"put 1 0 60 %d" % len(body), body)[0] != b"INSERTED":
            raise ValueError("not inserted")


def work(done, wrong):
    client = Client()
    while True:
        answer = client.ask(b"reserve-with-timeout 120")
        if answer[0] != b"RESERVED":
            wrong.append(answer)
            return
        body = client.body(int(answer[2]))
        number = int(body.split(b" ", 1)[0])
        if number >= JOBS:
            client.ask(b"delete " + answer[1])
            return
        if body != job(number):
            wrong.append(f"job {number} differs")
        if random.random() < 0.1:
            client.ask(b"release %s 1 0" % answer[1])
        elif client.ask(b"delete " + answer[1]) == [b"DELETED"]:
            done.append(number)


def main():
    done, wrong = [], []
    threads = [threading.Thread(target=work, args=(done, wrong)) for _ in range(WORKERS)]
    threads += [threading.Thread(target=produce, args=(first,)) for first in range(PRODUCERS)]
    for thread in threads:
        thread.start()
    for thread in threads[WORKERS:]:
        thread.join()
    client = Client()
    while len(done) < JOBS and any(thread.is_alive() for thread in threads):
        threads[0].join(0.05)
    for number in range(WORKERS):  # of the lowest priority: the ends
        body = b"%d " % (JOBS + number)
        client.ask(b"put 9 0 60 %d" % len(body), body)
    for thread in threads:
        thread.join()
    if sorted(done) != list(range(JOBS)):
        wrong.append(f"{len(set(done))} different ones")
    print(len(done), "jobs", *wrong)


main()
