"""A program that uses sockets, readiness and descriptors in ordinary ways, all of it on the
kernel. What it asks the kernel for must not depend on a library that has nothing to do."""
import os
import select
import socket
import sys

sys.stdout.write("begin\n")
sys.stdout.flush()
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(5)
client = socket.socket()
client.connect(server.getsockname())
peer, _ = server.accept()
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
client.sendall(b"hello")
peer.recv(100)
poll = select.poll()
poll.register(peer, select.POLLIN)
poll.poll(0)
select.select([peer], [client], [], 0)
epoll = select.epoll()
epoll.register(peer, select.EPOLLIN)
epoll.poll(0)
copy = os.dup(peer.fileno())
os.dup2(copy, 20)
os.close(copy)
os.close(20)
peer.setblocking(False)
client.shutdown(socket.SHUT_WR)
peer.recv(1)
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
for end in (client, peer, server):
    end.close()
os.closerange(30, 40)
