"""One end of some connections that carry data both ways, and then wait: says how they end.

    waiter.py COUNT listen PORT
    waiter.py COUNT connect ADDRESS PORT

Prints "ready" when every connection is idle. Then, on SIGUSR1, sends a byte on each; when all have
ended, prints how, as in "300 ECONNRESET" or "1 end". On SIGUSR2 it exits with all of them open.
"""
import collections
import errno
import os
import selectors
import signal
import socket
import sys

BYTES = 100000


def open_connections(count, role, address):
    if role == "connect":
        return [socket.create_connection(address, timeout=20) for _ in range(count)]
    listener = socket.create_server(("", address[1]), backlog=1024)
    connections = [listener.accept()[0] for _ in range(count)]
    listener.close()
    return connections


def exchange(connection):
    connection.settimeout(20)
    connection.sendall(bytes(BYTES))
    left = BYTES
    while left > 0:
        left -= len(connection.recv(left)) or sys.exit("the other end left early")
    connection.settimeout(None)


def outcome(connection):
    try:
        return "end" if connection.recv(1) == b"" else "data"
    except OSError as error:
        return errno.errorcode[error.errno]


def send_on_all(selector):
    for key in list(selector.get_map().values()):
        key.fileobj.send(b"x", socket.MSG_NOSIGNAL)


def main():
    count, role = int(sys.argv[1]), sys.argv[2]
    address = (sys.argv[3], int(sys.argv[4])) if role == "connect" else ("", int(sys.argv[3]))
    connections = open_connections(count, role, address)
    for connection in connections:
        exchange(connection)
    selector = selectors.DefaultSelector()
    for connection in connections:
        selector.register(connection, selectors.EVENT_READ)
    signal.signal(signal.SIGUSR1, lambda *_: send_on_all(selector))
    signal.signal(signal.SIGUSR2, lambda *_: os._exit(0))
    print("ready", flush=True)
    ended = collections.Counter()
    if count == 1:  # in the receiving call itself
        ended[outcome(connections[0])] += 1
    while sum(ended.values()) < count:
        for key, _ in selector.select():
            selector.unregister(key.fileobj)
            ended[outcome(key.fileobj)] += 1
    print(*(f"{number} {name}" for name, number in sorted(ended.items())), flush=True)


main()
