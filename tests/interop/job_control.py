"""A shell in miniature on a terminal of its own, with one job: `daytona run` of a program.

    job_control.py COMMAND...

Types ^Z, continues the job, types ^C, and prints what the shell saw of the job and what the
program printed. COMMAND is to print "ready" when it runs, "continued" on SIGCONT, and
"interrupted" before it dies of SIGINT.
"""
import os
import pty
import select
import signal
import sys


def shell(command, report):
    """The session leader: starts the job in the foreground and reports each change of it."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(command[0], command)
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            os.write(report, b"stopped by %d\n" % os.WSTOPSIG(status))
            os.tcsetpgrp(0, os.getpgrp())
            # `fg`
            os.tcsetpgrp(0, job)
            os.killpg(job, signal.SIGCONT)
        else:
            end = -status if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            os.write(report, b"ended with %d\n" % (end if os.WIFEXITED(status) else -os.WTERMSIG(status)))
            os._exit(0)


def wait_for(word, descriptor, heard):
    """Reads until the word was heard once more; 20 seconds."""
    while word not in heard[0]:
        if not select.select([descriptor], [], [], 20)[0]:
            sys.exit(f"no {word} within 20 seconds, only {heard[0]}")
        try:
            more = os.read(descriptor, 4096)
        except OSError:  # the terminal's other side is closed
            more = b""
        if not more:
            sys.exit(f"the end before {word}: {heard[0]}")
        heard[0] += more
    heard[0] = heard[0].split(word, 1)[1]


def main():
    reader, writer = os.pipe()
    pid, terminal = pty.fork()
    if pid == 0:
        os.close(reader)
        shell(sys.argv[1:], writer)
    os.close(writer)
    printed, seen = [b""], [b""]
    wait_for(b"ready", terminal, printed)
    os.write(terminal, b"\x1a")  # ^Z
    wait_for(b"stopped by 20\n", reader, seen)
    print("the shell sees it stop")
    wait_for(b"continued", terminal, printed)
    print("the program is continued")
    os.write(terminal, b"\x03")  # ^C
    wait_for(b"interrupted", terminal, printed)
    print("the program is interrupted")
    wait_for(b"ended with -2\n", reader, seen)
    print("the shell sees it die of SIGINT")
    os.waitpid(pid, 0)


main()
