"""Programs of a server, and one that would like to know what others do.

    server_process.py serve PORT              echoes in a child for each connection; says how each ends
    server_process.py ask ADDRESS PORT BYTES  has them echoed, and says "same"
    server_process.py hold ADDRESS PORT       connects, says "ready", and then how it ends
    server_process.py slow PORT               reads what was sent to it when the connection is over
    server_process.py inherited ADDRESS PORT  the same, and a program without the library reads
    server_process.py bind PORT               says what it gets for it
    server_process.py few ADDRESS PORT FREE   what it gets with FREE numbers left for descriptors
    server_process.py refused ADDRESS PORT    how an attempt to connect ends within seconds
    server_process.py again ADDRESS PORT      a non-blocking attempt that fails, and another one
    server_process.py attempt_to ADDRESS PORT    begins to connect, says "ready", and waits to be killed
    server_process.py hoard ADDRESS PORT      has as many connections as it can get
    server_process.py leave PORT              to each client 300,000 bytes, and is killed; the second
                                              time with something unread
    server_process.py locks PID               what a server captures can be changed by nobody
    server_process.py meddle SOCKET PORT PID  tries to disturb the server PID and who listens on PORT
"""
import ctypes
import errno
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time

REMOTE_SET_OPTION, REMOTE_LOCAL, REMOTE_LISTEN, REMOTE_CLOSED = 3, 4, 10, 15
VERSION = b"0.1.0/2"
SO_DETACH_FILTER, SO_LOCK_FILTER = 27, 44
CLOSE_WAIT, LAST_ACK = 8, 9
BYTES = 300000


def name_of(error):
    return errno.errorcode[error.errno]


def state_of(connection):
    try:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except OSError:
        return 0


def how_it_ends(connection):
    try:
        return "end" if connection.recv(1) == b"" else "data"
    except OSError as error:
        return name_of(error)


def serve(port):
    listener = socket.create_server(("", port), backlog=64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            try:
                for data in iter(lambda: connection.recv(65536), b""):
                    connection.sendall(data)
                print("end", flush=True)
            except OSError as error:
                print(name_of(error), flush=True)
            os._exit(0)
        connection.close()


def ask(address, port, length):
    data = os.urandom(length)
    with socket.create_connection((address, port), timeout=20) as connection:
        child = os.fork()
        if child == 0:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            os._exit(0)
        back = b"".join(iter(lambda: connection.recv(65536), b""))
        os.waitpid(child, 0)
    print("same" if back == data else "%d other bytes" % len(back))


def hold(address, port):
    connection = socket.create_connection((address, port), timeout=20)
    connection.settimeout(None)
    connection.sendall(b"x")
    connection.recv(1)
    print("ready", flush=True)
    print(how_it_ends(connection), flush=True)


def inherited(address, port):
    connection = socket.create_connection((address, port), timeout=20)
    connection.settimeout(None)
    connection.sendall(b"x")
    connection.recv(1)
    print("ready", flush=True)
    reader = "import os, sys\ntry: print(os.read(0, 1))\nexcept OSError as e: print(e.strerror)"
    subprocess.run([sys.executable, "-c", reader], stdin=connection, env={}, check=False)


def slow(port):
    """Both ends have closed before the last one to do so reads."""
    data = os.urandom(20000)
    with socket.create_server(("", port)) as listener:
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        other, _ = listener.accept()
    other.sendall(data)
    other.close()
    watched = select.poll()
    watched.register(connection, select.POLLRDHUP)
    watched.poll(20000)
    connection.shutdown(socket.SHUT_WR)
    until = time.monotonic() + 20
    while state_of(connection) in (CLOSE_WAIT, LAST_ACK) and time.monotonic() < until:
        watched.poll(1)
    events = watched.poll(0)[0][1]
    back = b"".join(iter(lambda: connection.recv(65536), b""))
    print("reset" if events & select.POLLERR else "no reset", "same" if back == data else len(back))


def bind(port):
    try:
        socket.create_server(("", port)).close()
        print("bound")
    except OSError as error:
        print(name_of(error))


def few(address, port, numbers):
    """With one number the server can be asked, and what it sends has none."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    connection, listener = socket.socket(), socket.socket()
    listener.bind(("", port + 10 + numbers))
    held = []
    try:
        while True:
            held.append(os.dup(0))
    except OSError:
        for number in held[-numbers:]:
            os.close(number)
    for action in lambda: connection.connect((address, port)), listener.listen:
        try:
            action()
            print("worked", end=" ")
        except OSError as error:
            print(name_of(error), end=" ")
    try:
        connection.sendall(b"x")
        print(connection.recv(1).decode())
    except OSError as error:
        print(name_of(error))


def refused(address, port):
    try:
        socket.create_connection((address, port), timeout=20).close()
        print("connected")
    except OSError as error:
        print(errno.errorcode.get(error.errno, "no answer"))


def begin(connection, address, port):
    try:
        connection.connect((address, port))
        return "connected"
    except OSError as error:
        return name_of(error)


def again(address, port):
    connection, watched = socket.socket(), select.poll()
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 12345)
    said = [begin(connection, address, port)]
    watched.register(connection, select.POLLOUT)
    watched.poll(20000)
    said.append(begin(connection, address, port))
    with socket.create_server(("", port)):
        said.append(begin(connection, address, port))
        watched.modify(connection, select.POLLOUT)
        watched.poll(20000)
        said.append(begin(connection, address, port))
        connection.send(b"x")
        said.append(str(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)))
    print(*said)


def attempt_to(address, port):
    connection = socket.socket()
    connection.setblocking(False)
    begin(connection, address, port)
    print("pid", os.getpid())
    print("ready", flush=True)
    signal.pause()


def hoard(address, port):
    connections = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (4000, 4000))
    try:
        while len(connections) < 3000:
            connections.append(socket.create_connection((address, port), timeout=20))
    except OSError as error:
        print(name_of(error), "enough" if len(connections) > 10 else len(connections), flush=True)
    connections[0].sendall(b"x")
    print(connections[0].recv(1).decode(), flush=True)
    print("ready", flush=True)
    signal.pause()


def leave(port):
    listener = socket.create_server(("", port), backlog=64)
    print("ready", flush=True)
    for unread in (False, True):
        connection, _ = listener.accept()
        if os.fork() == 0:
            if unread:
                connection.recv(1, socket.MSG_PEEK)
            connection.sendall(bytes(BYTES))
            os.kill(os.getpid(), signal.SIGKILL)
        connection.close()
        os.wait()


def forged(what, index, generation, level=0, option=0, value=b"", version=VERSION):
    return struct.pack("=16sIIIIiiI320s", version, what, index, generation, 0, level, option, len(value), value)


def answer_to(address, question, descriptors=()):
    asker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    asker.bind("")
    asker.settimeout(10)
    asker.connect(address)
    socket.send_fds(asker, [question], descriptors)
    return struct.unpack("=i", asker.recv(1000)[:4])[0]


def attempt(words, action):
    try:
        action()
        print(words, "worked")
    except OSError as error:
        print(words, name_of(error))


def rob(pid):
    process = os.pidfd_open(pid)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(438, process, 3, 0) < 0: # pidfd_getfd
        raise OSError(ctypes.get_errno(), "")


def locks(pid):
    """Run by root: whether the filters of its packet sockets can be taken away."""
    process = os.pidfd_open(pid)
    libc = ctypes.CDLL(None, use_errno=True)
    said = set()
    for number in os.listdir("/proc/%d/fd" % pid):
        if not os.readlink("/proc/%d/fd/%s" % (pid, number)).startswith("socket:"):
            continue
        packets = socket.socket(fileno=libc.syscall(438, process, int(number), 0)) # pidfd_getfd
        filtered = packets.family == socket.AF_PACKET and packets.getsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER)
        if not filtered:
            continue
        said.add("locked")
        try:
            packets.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            said.add("unlocked")
        except OSError as error:
            said.add(name_of(error))
    print(*sorted(said, reverse=True))


def take_port(port):
    listener = socket.socket()
    for option in socket.SO_REUSEADDR, socket.SO_REUSEPORT:
        listener.setsockopt(socket.SOL_SOCKET, option, 1)
    listener.bind(("", port))
    listener.listen()


def meddle(front, port, pid):
    with open("/proc/net/unix", "rb") as sockets:
        names = set(re.findall(rb"@(daytona-[0-9a-f]{16})-([0-9a-f]{8})-([0-9a-f]{8})", sockets.read()))
    own, other = socket.socketpair()
    told = set()
    for engine, index, generation in names:
        for address in front, b"\0" + engine:
            for what in REMOTE_LOCAL, REMOTE_SET_OPTION, REMOTE_CLOSED:
                linger = forged(what, int(index, 16), int(generation, 16), socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
                for descriptors in (), (own.fileno(),):
                    told.add((what, answer_to(address, linger, descriptors)))
    print("names", len(names) > 0)
    print("told", sorted(told))
    print("no socket", answer_to(front, forged(REMOTE_LISTEN, 0, 0), (own.fileno(),)))
    print("version", errno.errorcode[-answer_to(front, forged(REMOTE_LISTEN, 0, 0, version=b"0.0.9/7"))])
    print("noise", {answer_to(front, os.urandom(length)) for length in (1, 16, 100, 363, 365, 2000)})
    attempt("descriptors", lambda: os.listdir("/proc/%d/fd" % pid))
    attempt("memory", lambda: open("/proc/%d/mem" % pid, "rb"))
    attempt("robbing", lambda: rob(pid))
    attempt("killing", lambda: os.kill(pid, signal.SIGKILL))
    attempt("the port", lambda: take_port(port))


def main():
    words = [int(word) if word.isdigit() else word for word in sys.argv[2:]]
    globals()[sys.argv[1]](*words)


main()
