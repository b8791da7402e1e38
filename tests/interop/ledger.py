"""Stands in for a program on Daytona that has died: writes a ledger of its own, with rows that are
true and rows that are not (preload/ledger_row.h).

    ledger.py LOCAL:PORT:REMOTE:PORT...
"""
import os
import socket
import struct
import sys

ROW = struct.Struct("=QQ")


def number(address):
    return struct.unpack("!I", socket.inet_aton(address))[0]


def row(text):
    local, local_port, remote, remote_port = text.split(":")
    return ROW.pack(number(local) << 32 | number(remote), int(local_port) << 48 | int(remote_port) << 32 | 7)


directory = os.environ["DAYTONA_LEDGER"]
rows = [row(text) for text in sys.argv[1:]]
with open(f"{directory}/1.rows", "wb") as ledger:
    ledger.write(b"".join(rows))
    ledger.seek(1 << 20)  # behind a hole
    ledger.write(ROW.pack(0, 0) + rows[0][:9])  # and cut short
with open(f"{directory}/2.empty", "wb"):
    pass
os.symlink(f"{directory}/1.rows", f"{directory}/3.link")
os.mkfifo(f"{directory}/4.pipe")
with open(f"{directory}/5.huge", "wb") as ledger:
    ledger.truncate(1 << 40)
