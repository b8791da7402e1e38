"""A connection with pauses: lines go there and come back, and each is compared.

    exchange.py serve PORT                              one connection, until its end
    exchange.py ask ADDRESS PORT COUNT PAUSE_MS         prints "exchanged N", and what went wrong
"""
import hashlib
import socket
import sys
import time

BYTES = 600


def serve(port):
    with socket.create_server(("", port)) as listener:
        connection = listener.accept()[0]
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)


def block(number):
    return (hashlib.sha256(str(number).encode()).hexdigest() * BYTES)[:BYTES].encode()


def receive(connection, length):
    data = b""
    while len(data) < length and (part := connection.recv(length - len(data))):
        data += part
    return data


def ask(address, count, pause):
    done, wrong = 0, ""
    try:
        with socket.create_connection(address, timeout=20) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for done in range(count):
                connection.sendall(block(done))
                if receive(connection, BYTES) != block(done):
                    wrong = " WRONG DATA"
                    break
                time.sleep(pause)
            else:
                done = count
            connection.shutdown(socket.SHUT_WR)
            wrong += "" if connection.recv(1) == b"" else " MORE DATA"
    except OSError as error:
        wrong = f" {error}"
    print(f"exchanged {done}{wrong}", flush=True)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    ask((sys.argv[2], int(sys.argv[3])), int(sys.argv[4]), int(sys.argv[5]) / 1000)
