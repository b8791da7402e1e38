"""A connection whose segments are signed (TCP MD5, RFC 2385; a key "ao:..." is one of TCP-AO, RFC 5925).

signed.py serve PORT PEER KEY [PREFIX]   answers one connection with the SHA-256 of all it has said
signed.py ask ADDRESS PORT KEY           says half a megabyte, prints "right" if the answer is;
                                         "silence" when there is none within three seconds
"""

import errno
import hashlib
import socket
import struct
import sys

TCP_MD5SIG = 14
TCP_MD5SIG_EXT = 32
TCP_AO_ADD_KEY = 38
TCP_MD5SIG_FLAG_PREFIX = 1
SAID = bytes(range(256)) * 2048


def set_ao_key(sock, peer, key, prefix):
    value = struct.pack(
        "=16s112x64siIHBBBBBB80s",
        struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(peer)),
        b"hmac(sha1)",
        0,
        0,
        0,
        32 if prefix is None else prefix,
        7,
        7,
        12,
        0,
        len(key),
        key.encode(),
    )
    sock.setsockopt(socket.IPPROTO_TCP, TCP_AO_ADD_KEY, value)


def set_key(sock, peer, key, prefix=None):
    if key.startswith("ao:"):
        set_ao_key(sock, peer, key, prefix)
        return
    address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(peer))
    value = struct.pack(
        "=128sBBHi80s",
        address,
        0 if prefix is None else TCP_MD5SIG_FLAG_PREFIX,
        prefix or 0,
        len(key),
        0,
        key.encode(),
    )
    sock.setsockopt(
        socket.IPPROTO_TCP, TCP_MD5SIG if prefix is None else TCP_MD5SIG_EXT, value
    )


def serve(port, peer, key, prefix=None):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        set_key(listener, peer, key, None if prefix is None else int(prefix))
        listener.bind(("0.0.0.0", int(port)))
        listener.listen(5)
        connection, _ = listener.accept()
        with connection:
            heard = hashlib.sha256()
            while data := connection.recv(65536):
                heard.update(data)
            connection.sendall(heard.digest())


def ask(address, port, key):
    with socket.socket() as connection:
        set_key(connection, address, key)
        connection.settimeout(3)
        try:
            connection.connect((address, int(port)))
        except TimeoutError:
            print("silence")
            return
        except OSError as error:
            print(errno.errorcode[error.errno])
            return
        connection.settimeout(30)
        connection.sendall(SAID)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(1000):
            answer += data
        print("right" if answer == hashlib.sha256(SAID).digest() else "wrong")


{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
