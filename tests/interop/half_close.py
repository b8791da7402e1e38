"""A question that ends before its answer begins.

half_close.py serve PORT            answers one connection with the SHA-256 of all it has said
half_close.py ask ADDRESS PORT FILE sends the file, shuts that direction, prints the answer
"""

import hashlib
import socket
import sys


def serve(port):
    with socket.create_server(("0.0.0.0", port)) as listener:
        connection, _ = listener.accept()
        with connection:
            heard = hashlib.sha256()
            while data := connection.recv(65536):
                heard.update(data)
            connection.sendall(heard.hexdigest().encode())


def ask(address, port, path):
    with socket.create_connection((address, port)) as connection, open(path, "rb") as file:
        connection.sendfile(file)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(1000):
            answer += data
        print(answer.decode())


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    ask(sys.argv[2], int(sys.argv[3]), sys.argv[4])
