"""Clients of memcached, one thread each, who check what they get.

memcached.py ADDRESS PORT CLIENTS ROUNDS    prints "N rounds", and what went wrong
memcached.py ADDRESS PORT STATISTIC         prints one figure of the server's
"""

import random
import socket
import sys
import threading

LARGEST = 1_500_000


class Client:
    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=120)
        self.stream = self.socket.makefile("rb")

    def line(self):
        return self.stream.readline().rstrip(b"\r\n")

    def expect(self, wanted):
        line = self.line()
        if line != wanted:
            raise ValueError(f"{line[:60]!r} instead of {wanted!r}")

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def get(self, *keys):
        self.send(b"get ", b" ".join(keys), b"\r\n")
        found = {}
        while (line := self.line()) != b"END":
            word, key, _, length = line.split()
            if word != b"VALUE":
                raise ValueError(f"{line[:60]!r} instead of a value")
            found[key] = self.stream.read(int(length))
            self.expect(b"")
        return found

    def set(self, key, value):
        self.send(b"set %s 0 0 %d\r\n" % (key, len(value)), value, b"\r\n")
        self.expect(b"STORED")


def live(client, name, number, rounds, shared):
    """Everything a client does, with keys of its own and one counter that it shares."""
    draw = random.Random(number)
    kept = {}
    for turn in range(rounds):
        size = LARGEST if turn == rounds // 2 else draw.choice((1, 100, 1400, 1460, 9000, 60000))
        key = b"%s-%d" % (name, draw.randrange(20))
        kept[key] = draw.randbytes(size)
        client.set(key, kept[key])
        # Two additions in a pipeline; the second is the one that is noticed.
        client.send(b"append %s 0 0 3 noreply\r\nabc\r\nprepend %s 0 0 2\r\nde\r\n" % (key, key))
        client.expect(b"STORED")
        kept[key] = b"de" + kept[key] + b"abc"
        client.send(b"incr %s 1\r\n" % shared)
        if not client.line().isdigit():
            raise ValueError("the counter is no number")
        some = draw.sample(sorted(kept), min(len(kept), 5))
        if client.get(*some, b"never-set") != {key: kept[key] for key in some}:
            raise ValueError("values differ")
        if turn % 10 == 9:
            key = draw.choice(sorted(kept))
            client.send(b"delete %s\r\n" % key)
            client.expect(b"DELETED")
            del kept[key]
    if client.get(*kept) != kept:
        raise ValueError("values differ at the end")
    client.send(b"quit\r\n")
    if client.socket.recv(1):
        raise ValueError("words after quit")


def main(address, clients, rounds):
    wrong = []
    first = Client(address)
    first.send(b"flush_all\r\n")
    first.expect(b"OK")
    first.set(b"counter", b"0")

    def run(number):
        try:
            live(Client(address), b"client%d" % number, number, rounds, b"counter")
        except (OSError, ValueError) as error:
            wrong.append(f"client {number}: {error!r}")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(int(first.get(b"counter")[b"counter"]), "rounds", *wrong)


if len(sys.argv) > 4:
    main((sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4]))
else:
    CLIENT = Client((sys.argv[1], int(sys.argv[2])))
    CLIENT.send(b"stats\r\n")
    while (LINE := CLIENT.line()) != b"END":
        if LINE.split()[1].decode() == sys.argv[3]:
            print(LINE.split()[2].decode())
