"""Questions that travel with the SYN.

fast_open.py serve PORT COUNT      answers COUNT connections, each: "early" when the question came
                                   with the SYN, else "late"
fast_open.py ask ADDRESS PORT      asks by sendto() with MSG_FASTOPEN; prints what was answered, and
                                   how TCP_INFO has it
fast_open.py connect ADDRESS PORT  the same by connect() with TCP_FASTOPEN_CONNECT
"""

import socket
import sys

TCP_FASTOPEN_CONNECT = 30
TCPI_OPT_SYN_DATA = 32
QUESTION = b"what time is it?"


def came_with_syn(connection):
    information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return "early" if information[5] & TCPI_OPT_SYN_DATA else "late"


def serve(port, count):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
        listener.bind(("0.0.0.0", port))
        listener.listen(5)
        for _ in range(count):
            connection, _ = listener.accept()
            with connection:
                if connection.recv(1000) == QUESTION:
                    connection.sendall(came_with_syn(connection).encode())


def hear(connection):
    answer = b""
    while data := connection.recv(1000):
        answer += data
    print(answer.decode(), came_with_syn(connection))


def ask(address, port):
    with socket.socket() as connection:
        assert connection.sendto(QUESTION, socket.MSG_FASTOPEN, (address, port)) == len(QUESTION)
        hear(connection)


def connect(address, port):
    with socket.socket() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        connection.connect((address, port))
        connection.sendall(QUESTION)
        hear(connection)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]), int(sys.argv[3]))
else:
    # One process: the cookie of the first question serves the others.
    for way in sys.argv[1].split(","):
        {"ask": ask, "connect": connect}[way](sys.argv[2], int(sys.argv[3]))
