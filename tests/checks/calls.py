"""Compares preload/calls.table with what there is: the rows of preload/calls.def, the functions of
the C library that take a descriptor, or make, wait for or end one, and the tests that rows name.

usage: calls.py LIBC TABLE INTERCEPTED, the last a file with one intercepted name a line."""
import os
import re
import subprocess
import sys

# All functions of these headers, and of the others those with a parameter that is a descriptor.
WHOLE = "sys/socket.h sys/epoll.h poll.h sys/select.h spawn.h sys/sendfile.h sys/uio.h"
OTHERS = """unistd.h fcntl.h signal.h stdio.h sys/ioctl.h sys/eventfd.h sys/signalfd.h sys/timerfd.h
    sys/inotify.h sys/fanotify.h sys/stat.h sys/statvfs.h sys/vfs.h sys/mman.h sys/file.h sched.h pty.h utmp.h
    termios.h sys/time.h sys/xattr.h dirent.h stdlib.h aio.h netdb.h arpa/inet.h netinet/in.h sys/wait.h"""
DESCRIPTOR = re.compile(
    r"\bint (__)?(\w*fd\w*|fildes|sock\w*|s|file_descriptor|sd|filedes)\b|\bpollfd\b|\bfd_set\b")
PROCESS = set("""abort clone daemon execl execle execlp execv execve execveat execvp execvpe exit fork _Fork
    forkpty on_exit popen quick_exit sigaction signal sigset siginterrupt sysv_signal syscall system vfork _exit
    _Exit fopen freopen fclose fcloseall aio_read aio_write lio_listio getaddrinfo splice tee vmsplice""".split())


def prototypes(headers):
    """Name and parameters of every function that the headers declare."""
    source = "".join(f"#include <{header}>\n" for header in headers.split())
    text = subprocess.run(["cc", "-E", "-P", "-D_GNU_SOURCE", "-x", "c", "-"], input=source, text=True,
                          capture_output=True, check=True).stdout
    text = re.sub(r"__attribute__ *\(\(.*?\)\)|\{[^{}]*\}", " ", text.replace("\n", " "), flags=re.S)
    for declaration in text.split(";"):
        found = re.search(r"\b(\w+) \((.*)\)", re.sub(r"\s+", " ", declaration))
        if found and "typedef" not in declaration:
            yield found.group(1), found.group(2)


def exported(libc):
    lines = subprocess.run(["nm", "-D", "--defined-only", libc], text=True, capture_output=True,
                           check=True).stdout.splitlines()
    return {line.split()[2].split("@")[0] for line in lines if line.split()[1] in "TWi"}


def plain(name):
    """The name of which this may be another: __read_chk, _IO_fdopen, sendfile64."""
    name = re.sub(r"^_+(libc_|IO_)?", "", name)
    name = re.sub(r"_(chk|2)$", "", name)
    return re.sub(r"64(v2)?(_2)?$", r"\1", name)


def to_decide(libc):
    names = {name for name, _ in prototypes(WHOLE)} | PROCESS
    names |= {name for name, parameters in prototypes(OTHERS) if DESCRIPTOR.search(parameters)}
    return {name for name in exported(libc) if name in names or plain(name) in names}


def rows(path):
    for line in open(path, encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            names, how, tests = (part.strip() for part in line.split("|"))
            yield names.split(), how, tests


def test_exists(test):
    """PATH, or PATH:CLAIM with the claim's name or text in that file."""
    path, _, claim = test.partition(":")
    path = os.path.join("tests", path)
    return os.path.exists(path) and (not claim or claim in open(path, encoding="utf-8").read())


def complaints(libc, table, intercepted):
    seen, ours = {}, set(open(intercepted, encoding="utf-8").read().split())
    for names, how, tests in rows(table):
        for name in names:
            if name in seen:
                yield f"{name} has two rows"
            seen[name] = how
            if (name in ours) == how.startswith("kernel:"):
                yield f"{name}: preload/calls.def says otherwise than '{how}'"
        if not how.startswith("kernel:") and tests == "-":
            yield f"{names[0]}: no test is named"
        for test in tests.split() if tests != "-" else []:
            if not test_exists(test):
                yield f"{names[0]}: there is no tests/{test}"
    for name in sorted(ours - set(seen)):
        yield f"{name} is intercepted and has no row"
    for name in sorted(to_decide(libc) - set(seen)):
        yield f"{name} of the C library is undecided"


def main():
    found = list(complaints(*sys.argv[1:4]))
    print("\n".join(found) if found else f"{sum(len(row[0]) for row in rows(sys.argv[2]))} calls decided")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
