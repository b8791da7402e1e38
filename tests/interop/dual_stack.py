"""Echoes over TCP, for clients of both address families.

dual_stack.py serve PORT {block,poll,epoll}   on [::]; prints the address of each client, as accept
                                              and as getpeername tell it
dual_stack.py ask ADDRESS PORT COUNT          COUNT connections at once, another text through each;
                                              prints how many came back right
"""

import selectors
import socket
import sys
import threading


def accept(listener):
    client, address = listener.accept()
    print(address[0], client.getpeername()[0], flush=True)
    return client


def echo_all(client):
    with client:
        while data := client.recv(65536):
            client.sendall(data)


def echo_some(selector, client):
    data = client.recv(65536)
    if data:
        client.sendall(data)
    else:
        selector.unregister(client)
        client.close()


def serve(port, style):
    with socket.socket(socket.AF_INET6) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", port))
        listener.listen(4)
        if style == "block":
            while True:
                threading.Thread(target=echo_all, args=[accept(listener)], daemon=True).start()
        selector = selectors.PollSelector() if style == "poll" else selectors.EpollSelector()
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    selector.register(accept(listener), selectors.EVENT_READ)
                else:
                    echo_some(selector, key.fileobj)


def ask(address, port, count):
    clients = [socket.create_connection((address, port), timeout=20) for _ in range(count)]
    right = 0
    for number, client in enumerate(clients):
        client.sendall(b"text %d" % number)
        client.shutdown(socket.SHUT_WR)
    for number, client in enumerate(clients):
        with client:
            right += b"".join(iter(lambda: client.recv(65536), b"")) == b"text %d" % number
    print(right)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]), sys.argv[3])
else:
    ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
