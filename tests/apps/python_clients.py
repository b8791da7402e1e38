"""Clients of python_servers.py, in every style of Python's library.

    python_clients.py ADDRESS PORT CONNECTIONS BYTES [CERTIFICATE]

Prints what was right, one line each.
"""

import asyncio
import hashlib
import multiprocessing
import os
import random
import selectors
import socket
import ssl
import sys
import tempfile
import threading
import traceback

ADDRESS, PORT, CONNECTIONS, BYTES = sys.argv[1], *(int(word) for word in sys.argv[2:5])
CERTIFICATE = sys.argv[5] if len(sys.argv) > 5 else None


def made(number):
    return random.Random(number).randbytes(BYTES + number)


async def ask_stream(number, context=None):
    port = PORT + 1 if context else PORT
    reader, writer = await asyncio.open_connection(ADDRESS, port, ssl=context, server_hostname=ADDRESS if context else None)
    data = made(number)

    async def send():
        for start in range(0, len(data), 9001):
            writer.write(data[start : start + 9001])
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    sending = asyncio.create_task(send())
    back = await reader.readexactly(len(data))
    await sending
    if not context:
        back += await reader.read()
    writer.close()
    await writer.wait_closed()
    return back == data


async def ask_all(context=None):
    return all(await asyncio.gather(*(ask_stream(number, context) for number in range(CONNECTIONS))))


def with_streams():
    return asyncio.run(ask_all())


def with_tls():
    return asyncio.run(ask_all(ssl.create_default_context(cafile=CERTIFICATE)))


def with_blocking_tls():
    """In turns: OpenSSL's connections are not for two threads at once."""
    context = ssl.create_default_context(cafile=CERTIFICATE)
    data = made(7)[:100000]
    back = b""
    with socket.create_connection((ADDRESS, PORT + 1)) as plain:
        with context.wrap_socket(plain, server_hostname=ADDRESS) as secret:
            for end in range(7001, len(data) + 7001, 7001):
                secret.sendall(data[len(back) : end])
                while len(back) < min(end, len(data)) and (part := secret.recv(20000)):
                    back += part
    return back == data


def with_selectors():
    """All at once in one thread: connect, write and read without ever waiting elsewhere."""
    selector = selectors.DefaultSelector()
    sums = {}
    for number in range(CONNECTIONS):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex((ADDRESS, PORT))
        data = made(number)
        sums[connection] = (hashlib.sha256(data).digest(), hashlib.sha256())
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE, data)
    right = 0
    while selector.get_map():
        for key, events in selector.select():
            connection, data = key.fileobj, key.data
            if events & selectors.EVENT_WRITE:
                data = data[connection.send(data) :]
                if not data:
                    connection.shutdown(socket.SHUT_WR)
                selector.modify(connection, selectors.EVENT_READ | (selectors.EVENT_WRITE if data else 0), data)
            if events & selectors.EVENT_READ:
                part = connection.recv(100000)
                sums[connection][1].update(part)
                if not part:
                    right += sums[connection][0] == sums[connection][1].digest()
                    selector.unregister(connection)
                    connection.close()
    return right == CONNECTIONS


def ask_blocking(number, results):
    data = made(number)
    with socket.create_connection((ADDRESS, PORT), timeout=120) as connection:

        def send():
            with tempfile.TemporaryFile() as file:
                file.write(data)
                file.seek(0)
                connection.sendfile(file)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        with connection.makefile("rb", buffering=12345) as stream:
            results[number] = stream.read() == data
        sender.join()


def with_threads():
    results = {}
    threads = [threading.Thread(target=ask_blocking, args=(number, results)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(results) == CONNECTIONS and all(results.values())


def write_all(connection, data):
    with connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)


def with_processes():
    """One process writes to a connection, another one reads."""
    context = multiprocessing.get_context("fork")
    pairs = []
    for number in range(min(CONNECTIONS, 6)):
        connection = socket.create_connection((ADDRESS, PORT))
        writer = context.Process(target=write_all, args=(connection, made(number)))
        writer.start()
        pairs.append((number, connection, writer))
    right = True
    for number, connection, writer in pairs:
        with connection.makefile("rb") as stream:
            right &= stream.read() == made(number)
        connection.close()
        writer.join()
    return right


def main():
    claims = [with_streams, with_selectors, with_threads, with_processes]
    if CERTIFICATE:
        claims += [with_tls, with_blocking_tls]
    for claim in claims:
        try:
            verdict = "right" if claim() else "wrong"
        except Exception as error:
            traceback.print_exc()
            verdict = repr(error)
        print(f"{claim.__name__}: {verdict}", flush=True)


if __name__ == "__main__":
    main()
