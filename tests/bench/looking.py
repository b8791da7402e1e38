#!/usr/bin/env python3
"""The two ends of tests/bench/looking.sh.

usage: looking.py hold PORT               echoes, on as many connections as come
       looking.py keep ADDRESS PORT COUNT RATE
                                          opens COUNT connections, says "open", and then sends and reads
                                          back RATE messages of 100 bytes a second, each on the next one
"""

import selectors
import socket
import sys
import time

MESSAGE = bytes(100)


def hold(port):
    chosen = selectors.DefaultSelector()
    listener = socket.create_server(("0.0.0.0", port), backlog=4096)
    chosen.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in chosen.select():
            if key.fileobj is listener:
                chosen.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            data = key.fileobj.recv(4096)
            if not data:
                return
            key.fileobj.sendall(data)


def keep(address, port, count, rate):
    connections = [socket.create_connection((address, port)) for _ in range(count)]
    print("open", flush=True)
    started = time.monotonic()
    sent = 0
    while True:
        due = int((time.monotonic() - started) * rate)
        for connection in (connections[i % count] for i in range(sent, due)):
            connection.sendall(MESSAGE)
            connection.recv(4096)
        sent = due
        time.sleep(0.01)


if sys.argv[1] == "hold":
    hold(int(sys.argv[2]))
else:
    keep(sys.argv[2], *map(int, sys.argv[3:6]))
