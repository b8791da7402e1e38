"""Servers whose connections are served by another process than the one whose socket it was.

inherit.py serve PORT STYLE [COUNT]   serves COUNT connections (default 4), then ends; STYLE:
    fork       a child for each connection, the parent closes it
    prefork    as many children accept on the parent's listener
    orphans    the same, but the parent ends at once
    spawn      cat, with the connection as its standard input and output
    daemon     the parent listens and ends, its child goes on
    become     the server itself becomes cat
    successor  the server itself becomes another program, which has no child that it does not know of
    heir       the listener itself goes to a program that is executed, with an environment of its own, and serves
    pass       another process gets each connection through SCM_RIGHTS
    names      like fork; the child sends back what the socket says of itself
    unread     like fork; the child closes without reading
    refused    like fork; the child reads to the end, then writes until it is told that nobody reads
    wait_reset like fork; the child reads until its connection breaks and says how
inherit.py ask ADDRESS PORT STYLE [COUNT]   prints one line for each connection
inherit.py disturb   as another user, at the host of the server, by the twins' abstract names: connects to
    them, asks engines about sockets of its own, and sends them descriptors; prints what came of it
"""

import ctypes
import errno
import os
import re
import socket
import struct
import sys
import threading

DATA = os.urandom(1) * 10 + bytes(range(256)) * 8000


def echo(client):
    while data := client.recv(65536):
        client.sendall(data)


def tell_names(client):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    told = (client.getsockname(), client.getpeername(),
            client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            len(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)),
            client.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET)
    client.sendall(repr(told).encode())


def leave_unread(client):
    client.recv(1)


def write_until_refused(client):
    while client.recv(65536):
        pass
    try:
        while True:
            client.send(b"nobody reads this")
    except OSError as error:
        assert error.errno in (errno.EPIPE, errno.ECONNRESET), error


def wait_for_reset(client):
    client.sendall(b"ready")
    try:
        while client.recv(65536):
            pass
        said = "end of stream"
    except OSError as error:
        said = errno.errorcode[error.errno]
    os.write(1, said.encode() + b"\n")  # at once: other children write, too


IN_CHILD = {"fork": echo, "names": tell_names, "unread": leave_unread, "refused": write_until_refused,
            "wait_reset": wait_for_reset}


def fork_for_each(listener, count, serve):
    for _ in range(count):
        client = listener.accept()[0]
        if os.fork() == 0:
            listener.close()
            serve(client)
            client.close()
            os._exit(0)
        client.close()
    for _ in range(count):
        os.wait()


def fork_before(listener, count):
    for _ in range(count):
        if os.fork() == 0:
            client, address = listener.accept()
            assert address == client.getpeername(), address
            echo(client)
            client.close()
            os._exit(0)


def fork_before_and_wait(listener, count):
    fork_before(listener, count)
    for _ in range(count):
        os.wait()


def spawn_for_each(listener, count):
    for _ in range(count):
        client = listener.accept()[0]
        child = os.posix_spawn("/bin/cat", ["cat"], os.environ,
                               file_actions=[(os.POSIX_SPAWN_DUP2, client.fileno(), 0),
                                             (os.POSIX_SPAWN_DUP2, client.fileno(), 1)])
        client.close()
        os.waitpid(child, 0)


def become(listener, count):
    client = listener.accept()[0]
    os.dup2(client.fileno(), 0)
    os.dup2(client.fileno(), 1)
    os.execvp("cat", ["cat"])


def check_listener(listener):
    """It is what it was, in whichever process."""
    assert listener.getsockname() == ("0.0.0.0", PORT), listener.getsockname()
    assert listener.family == socket.AF_INET, listener.family
    assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    listener.listen(32)


def become_successor(listener, count):
    os.set_inheritable(listener.fileno(), True)
    words = [sys.executable, __file__, "inherit", str(PORT), str(count), str(listener.fileno())]
    os.execve(sys.executable, words, {"KEPT": "yes"})


def leave_to_heir(listener, count):
    if os.fork() == 0:
        check_listener(listener)
        become_successor(listener, count)
    listener.close()
    os.wait()


def has_children():
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def inherit(count, descriptor):
    assert os.environ["KEPT"] == "yes"
    assert not has_children()
    listener = socket.socket(fileno=descriptor)
    check_listener(listener)
    fork_for_each(listener, count, echo)


def daemonise(listener, count):
    if os.fork() > 0:
        os._exit(0)
    os.setsid()
    for _ in range(count):
        client = listener.accept()[0]
        echo(client)
        client.close()


def pass_on(listener, count):
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        listener.close()
        for _ in range(count):
            client = socket.socket(fileno=socket.recv_fds(theirs, 1, 1)[1][0])
            echo(client)
            client.close()
        os._exit(0)
    for _ in range(count):
        client = listener.accept()[0]
        socket.send_fds(ours, [b"x"], [client.fileno()])
        client.close()
    os.wait()


def serve(port, style, count):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(16)
    others = {"prefork": fork_before_and_wait, "orphans": fork_before, "spawn": spawn_for_each, "daemon": daemonise,
              "become": become, "heir": leave_to_heir, "successor": become_successor, "pass": pass_on}
    if style in others:
        others[style](listener, count)
    else:
        fork_for_each(listener, count, IN_CHILD[style])


def ask_echo(client):
    def write():
        client.sendall(DATA)
        client.shutdown(socket.SHUT_WR)

    writer = threading.Thread(target=write)
    writer.start()
    back = b"".join(iter(lambda: client.recv(65536), b""))
    writer.join()
    return "same" if back == DATA else f"{len(back)} of {len(DATA)} bytes"


def ask_names(client):
    told = client.recv(4096).decode()
    right = repr((client.getpeername(), client.getsockname(), 1, 104, True))
    return "right" if told == right else told + " instead of " + right


def ask_unread(client):
    client.sendall(b"never read")
    try:
        return "end of stream" if client.recv(10) == b"" else "data"
    except OSError as error:
        return errno.errorcode[error.errno]


def ask_and_refuse(client):
    client.shutdown(socket.SHUT_WR)
    client.recv(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return "refused"


def ask_reset(client):
    client.recv(5, socket.MSG_WAITALL)
    client.sendall(b"some")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return "reset"


def ask(address, port, style, count):
    how = {"names": ask_names, "unread": ask_unread, "refused": ask_and_refuse,
           "wait_reset": ask_reset}.get(style, ask_echo)
    clients = [socket.create_connection((address, port), timeout=30) for _ in range(count)]
    for client in clients:
        with client:
            print(how(client), flush=True)


CLONE_NEWNET = 0x40000000
NOBODY = 65534
REMOTE_BRIDGE = 0


def socket_named(name):
    """A socket whose other end has that name, which is free in another network namespace."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        assert ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0
        listener, other = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        listener.bind(name)
        listener.listen()
        other.connect(name)
        socket.send_fds(theirs, [b"x"], [other.fileno()])
        os._exit(0)
    sent = socket.recv_fds(ours, 1, 1)[1][0]
    os.wait()
    return sent


def forge(engine, index, generation):
    """What an engine says when it is shown a socket that is not its own."""
    question = struct.pack("=16xIIIIiiI320x", REMOTE_BRIDGE, index, generation, 0, 0, 0, 0)
    forged = socket_named(b"\0%s-%08x-%08x" % (engine, index, generation))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
        asker.bind("")
        asker.connect(b"\0" + engine)
        socket.send_fds(asker, [question], [forged])
        result = struct.unpack("=i", asker.recv(1000)[:4])[0]
        for _ in range(50):
            socket.send_fds(asker, [b"x"], [forged, forged])
    return errno.errorcode.get(-result, str(result))


def connect_to(engine, index, generation, own_name):
    with socket.socket(socket.AF_UNIX) as stranger:
        if own_name is not None:
            stranger.bind(own_name)
        stranger.connect(b"\0%s-%08x-%08x" % (engine, index, generation))
        stranger.settimeout(5)
        try:
            socket.send_fds(stranger, [b"x"], [os.open("/dev/null", os.O_RDONLY)])
            return "closed" if stranger.recv(1) == b"" else "served"
        except (BrokenPipeError, ConnectionResetError):
            return "closed"


def disturb():
    with open("/proc/net/unix", "rb") as sockets:
        found = re.search(rb"@(daytona-[0-9a-f]{16})-([0-9a-f]{8})-([0-9a-f]{8})", sockets.read())
    listener = found[1], int(found[2], 16), int(found[3], 16)
    answer = forge(*listener)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    print(answer, connect_to(*listener, None), connect_to(*listener, b"\0" + found[1] + b"-ffffffff-0000ffff"))


arguments = sys.argv[2:]
PORT = int(arguments[0]) if sys.argv[1] in ("serve", "inherit") else None
if sys.argv[1] == "serve":
    serve(PORT, arguments[1], int((arguments[2:] or [4])[0]))
elif sys.argv[1] == "inherit":
    inherit(int(arguments[1]), int(arguments[2]))
elif sys.argv[1] == "disturb":
    disturb()
else:
    ask(arguments[0], int(arguments[1]), arguments[2], int((arguments[3:] or [4])[0]))
