#!/usr/bin/env python3
"""What `daytona explain --json` says of requests to a server, beside a capture at the server.

usage: explained.py EXPLAINED PACKETS CAUSES

EXPLAINED is its output; PACKETS has a line for each packet, with what tshark calls frame.time_epoch,
tcp.srcport, tcp.dstport, tcp.seq, tcp.len, tcp.ack; CAUSES the words that there are. Prints "ok CLAIM" or "not CLAIM: why" for each claim.
"""

import json
import sys

PORT = 8000
LOSSES = ("single loss", "loss burst")


class Seen:
    """One connection in the capture: a request and its answer."""

    def __init__(self):
        self.begin = self.end = None
        self.sent = []
        self.again = 0
        self.last = self.acked = 0

    def take(self, at, from_server, seq, length, ack):
        if from_server:
            if length > 0 and any(start < seq + length and seq < stop for start, stop in self.sent):
                self.again += 1
            if length > 0:
                self.sent.append((seq, seq + length))
                self.last = max(self.last, seq + length)
        elif length > 0 and self.begin is None:
            self.begin = at
        elif self.last and ack >= self.last:
            if self.acked < self.last:
                self.end = at
            self.acked = self.last

    def took_ms(self):
        """0: the last acknowledgment was still on its way when the capture ended."""
        return 0 if self.end is None else 1000 * (self.end - self.begin)


def read_packets(name):
    connections = {}
    for line in open(name):
        at, source, target, seq, length, ack = line.split()
        from_server = int(source) == PORT
        seen = connections.setdefault(int(target if from_server else source), Seen())
        seen.take(float(at), from_server, int(seq), int(length), int(ack))
    return connections


def judge(claim, wrong):
    print(f"ok {claim}" if not wrong else f"not {claim}: {wrong[:3]}")


def main(explained, packets, causes):
    rows = json.load(open(explained))
    words = [line.split("  ")[0].strip() for line in open(causes)]
    seen = read_packets(packets)
    of = {int(row["remote"].rsplit(":", 1)[1]): row for row in rows}

    judge("ten are told", [len(rows)] if len(rows) != 10 else [])
    judge("slowest first", [] if rows == sorted(rows, key=lambda row: -row["took_ms"]) else ["another order"])
    judge("those left out were not slower in the capture", [
        (port, one.took_ms()) for port, one in seen.items()
        if port not in of and one.took_ms() > 1.05 * rows[-1]["took_ms"] + 20])
    judge("each has a cause", [row["blame"] for row in rows if row["blame"] not in words])
    judge("it is what most of the time went to",
          [row for row in rows if row["charged_ms"][row["blame"]] < max(
              ms for word, ms in row["charged_ms"].items() if word != "round trips")])
    judge("what was charged is the whole time",
          [row for row in rows if abs(sum(row["charged_ms"].values()) - row["took_ms"]) > 0.01 * row["took_ms"] + 1])
    # On a busy machine the engine takes a packet some time after the capture has seen it.
    judge("the time is that of the capture", [
        (port, row["took_ms"], seen[port].took_ms()) for port, row in of.items()
        if not 0.95 * seen[port].took_ms() - 20 < row["took_ms"] < 1.05 * seen[port].took_ms() + 500])
    judge("as many segments were sent again as in the capture", [
        (port, row["retransmissions"], seen[port].again) for port, row in of.items()
        if row["retransmissions"] != seen[port].again])
    judge("nothing is charged to losses where nothing was sent again", [
        port for port, row in of.items()
        if seen[port].again == 0 and sum(row["charged_ms"][word] for word in LOSSES) > 0])
    judge("some of the slowest are slow because of losses",
          [] if any(row["blame"] in LOSSES and seen[port].again > 0 for port, row in of.items()) else ["none"])


main(*sys.argv[1:4])
