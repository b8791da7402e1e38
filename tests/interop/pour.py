"""A sender that never stops, and its reader; the sender says how its connection does.

    pour.py send PORT SECONDS               one connection; prints a line each 20 ms:
                                            milliseconds, window and threshold (segments),
                                            segments sent again, timeouts in a row
    pour.py read ADDRESS PORT               reads until the end, by a window that stays small;
                                            prints how many bytes
"""
import socket
import struct
import sys
import time


def look(connection):
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    threshold, window = struct.unpack_from("=II", info, 76)
    return window, threshold, struct.unpack_from("=I", info, 100)[0], info[2]


def send(port, seconds):
    with socket.create_server(("", port)) as listener:
        connection = listener.accept()[0]
    begun, looked = time.monotonic(), 0
    connection.settimeout(0.02)
    block = bytes(20000)
    with connection:
        while (now := time.monotonic() - begun) < seconds:
            if now - looked >= 0.02:
                print(int(now * 1000), *look(connection), flush=True)
                looked = now
            try:
                connection.send(block)
            except TimeoutError:
                pass


def read(address):
    total = 0
    with socket.socket() as connection:
        connection.settimeout(60)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 150000)
        connection.connect(address)
        while data := connection.recv(1 << 20):
            total += len(data)
    print(total)


if sys.argv[1] == "send":
    send(int(sys.argv[2]), float(sys.argv[3]))
else:
    read((sys.argv[2], int(sys.argv[3])))
