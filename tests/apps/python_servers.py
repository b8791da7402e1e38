"""Servers in every style of Python's library; all echo, until the end of the client's stream.

    python_servers.py STYLE PORT [CERTIFICATE KEY]

asyncio     streams; with a certificate also TLS on the next port
protocols   asyncio's protocols and transports
selectors   one selector, all of them level-triggered
epoll       edge-triggered, by select.epoll
forking     socketserver.ForkingTCPServer
threading   socketserver.ThreadingTCPServer, each connection as a pair of files
passing     multiprocessing: workers are sent each connection when its first bytes have come
inheriting  workers are spawned with the connection among their arguments
executing   each connection becomes standard input and output of cat
"""

import array
import asyncio
import multiprocessing
import multiprocessing.reduction
import os
import select
import selectors
import signal
import socket
import socketserver
import ssl
import subprocess
import sys

STYLE, PORT = sys.argv[1], int(sys.argv[2])


def listen():
    return socket.create_server(("", PORT), backlog=128)


def echo(connection):
    with connection:
        try:
            while data := connection.recv(50000):
                connection.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            pass


# ---------------------------------------------------------------------- asyncio


async def echo_streams(reader, writer):
    try:
        while data := await reader.read(50000):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        writer.close()
        await writer.wait_closed()
    except (ConnectionError, ssl.SSLError):
        writer.close()


class Echo(asyncio.Protocol):
    """Writes are not waited for: reading pauses while too much waits."""

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=100000)

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()

    def eof_received(self):
        return None


async def serve_asyncio():
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    if STYLE == "protocols":
        servers = [await loop.create_server(Echo, "0.0.0.0", PORT)]
    else:
        servers = [await asyncio.start_server(echo_streams, "0.0.0.0", PORT)]
        if len(sys.argv) > 3:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(sys.argv[3], sys.argv[4])
            servers.append(await asyncio.start_server(echo_streams, "0.0.0.0", PORT + 1, ssl=context))
    await ended.wait()
    for server in servers:
        server.close()


# ---------------------------------------------------------------------- one thread, many connections


def serve_selectors():
    """Reads a piece only when the last one is written."""
    selector = selectors.DefaultSelector()
    listener = listen()
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setblocking(False)
                selector.register(connection, selectors.EVENT_READ, b"")
                continue
            connection, waiting = key.fileobj, key.data
            try:
                if not waiting:
                    waiting = connection.recv(50000)
                    if not waiting:
                        raise ConnectionError
                waiting = waiting[connection.send(waiting) :]
            except BlockingIOError:
                pass
            except ConnectionError:
                selector.unregister(connection)
                connection.close()
                continue
            wanted = selectors.EVENT_WRITE if waiting else selectors.EVENT_READ
            selector.modify(connection, wanted, waiting)


def carry(connection, waiting, ended):
    """All that can be done now: what is left to write, and whether the stream has ended."""
    try:
        while True:
            if not waiting and not ended:
                waiting = connection.recv(50000)
                ended = not waiting
            if not waiting:
                return waiting, ended
            waiting = waiting[connection.send(waiting) :]
    except BlockingIOError:
        return waiting, ended
    except ConnectionError:
        return b"", True


def serve_epoll():
    edges = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
    poll = select.epoll()
    listener = listen()
    listener.setblocking(False)
    poll.register(listener, select.EPOLLIN | select.EPOLLET)
    connections = {}
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                while True:
                    try:
                        connection, _ = listener.accept()
                    except BlockingIOError:
                        break
                    connection.setblocking(False)
                    connections[connection.fileno()] = (connection, b"", False)
                    poll.register(connection, edges)
                continue
            connection, waiting, ended = connections[number]
            waiting, ended = carry(connection, waiting, ended)
            connections[number] = (connection, waiting, ended)
            if ended and not waiting:
                del connections[number]
                connection.close()


# ---------------------------------------------------------------------- socketserver


class Sockets(socketserver.BaseRequestHandler):
    def handle(self):
        echo(self.request)


class Files(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while data := self.rfile.read1(50000):
                self.wfile.write(data)
        except ConnectionError:
            pass


def serve_socketserver():
    kind = socketserver.ForkingTCPServer if STYLE == "forking" else socketserver.ThreadingTCPServer
    kind.allow_reuse_address = True
    kind.request_queue_size = 128
    kind.max_children = 100
    kind.daemon_threads = True
    with kind(("", PORT), Sockets if STYLE == "forking" else Files) as server:
        server.serve_forever()


# ---------------------------------------------------------------------- other processes


def work(channel):
    """Connections come with the bytes that were read of them."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        room = array.array("i", [0])
        data, ancillary, _, _ = channel.recvmsg(10000, socket.CMSG_SPACE(4))
        if not data:
            return
        room.frombytes(ancillary[0][2])
        connection = socket.socket(fileno=room[1])
        connection.setblocking(True)
        connection.sendall(data)
        echo(connection)


def serve_passing():
    selector = selectors.DefaultSelector()
    channels = []
    for _ in range(12):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        multiprocessing.Process(target=work, args=(theirs,), daemon=True).start()
        theirs.close()
        channels.append(ours)
    listener = listen()
    selector.register(listener, selectors.EVENT_READ)
    turn = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            connection = key.fileobj
            selector.unregister(connection)
            if data := connection.recv(5000):
                turn += 1
                socket.send_fds(channels[turn % len(channels)], [data], [connection.fileno()])
            connection.close()


def serve_inheriting():
    """The arguments of a spawned process are pickled, sockets among them."""
    context = multiprocessing.get_context("spawn")
    listener = listen()
    while True:
        connection, _ = listener.accept()
        context.Process(target=echo, args=(connection,), daemon=True).start()
        connection.close()


def serve_executing():
    listener = listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        subprocess.Popen(["cat"], stdin=connection, stdout=connection)
        connection.close()


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    if STYLE in ("asyncio", "protocols"):
        asyncio.run(serve_asyncio())
    elif STYLE in ("forking", "threading"):
        serve_socketserver()
    else:
        globals()["serve_" + STYLE]()


if __name__ == "__main__":
    main()
