"""The two ends of the transfer that tests/interop/state.sh looks at, and the second opinion on it.

    seen.py sink PORT BYTES             accepts one connection, reads so many bytes, answers with one,
                                        and waits for its end
    seen.py send ADDRESS PORT BYTES OTHER  sends them, waits for the answer, says "ready", and stays; it
                                        also has a connection to port OTHER, and a UDP socket
    seen.py judge PACKETS STATE         compares a table of packets with what `daytona stat --json` says
                                        of their sender; prints "ok CLAIM" or "NO CLAIM: why"
"""
import json
import signal
import socket
import sys


def sink(port, size):
    with socket.create_server(("", port)) as listener:
        print("listening", flush=True)
        connection = listener.accept()[0]
    with connection:
        while size > 0:
            size -= len(connection.recv(1 << 16))
        connection.sendall(b"!")
        while connection.recv(1 << 16):
            pass


def send(address, port, size, other):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.create_connection(
        (address, other)
    ) as on_kernel, socket.create_connection((address, port)) as connection:
        datagrams.bind(("", 0))
        connection.sendall(bytes(size))
        assert connection.recv(1) == b"!"
        print("ready", flush=True)
        signal.pause()
        on_kernel.close()


# ------------------------------------------------------------------ the second opinion


class Wire:
    """What a capture at the sender says, by the numbers in the headers alone."""

    def __init__(self, path, port):
        self.sent = self.again = self.segments = self.flight_max = 0
        self.repeats = self.flagged = 0
        self.round_trips = []
        first = highest = acked = None
        for line in open(path):
            source, seq, length, ack, flags, again, late, round_trip = line.rstrip("\n").split("|")
            length = int(length)
            if int(source) != port:
                acked = max(acked or 0, int(ack))
                if round_trip:
                    self.round_trips.append(float(round_trip) * 1e6)
                continue
            begin = int(seq)
            if int(flags, 16) & 2:
                continue
            first = begin if first is None else first
            end = begin + length
            highest = begin if highest is None else highest
            self.sent += length
            self.segments += length > 0
            self.again += max(0, min(end, highest) - begin)
            self.repeats += length > 0 and begin < highest
            self.flagged += length > 0 and bool(again or late)
            highest = max(highest, end)
            if acked is not None:
                self.flight_max = max(self.flight_max, highest - acked)


def judge(packets, path):
    rows = [row for row in json.load(open(path)) if row.get("data_octets_out", 0) or 0 > 1000]
    state = max(rows, key=lambda row: row["data_octets_out"])
    wire = Wire(packets, state["local_port"])
    low, high = min(wire.round_trips), max(wire.round_trips)
    mss = state["cur_mss"]

    def claim(text, good, why):
        print(f"ok {text}" if good else f"NO {text}: {why}")

    def equal(text, told, seen):
        claim(text, told == seen, f"told {told}, seen {seen}")

    equal("DataOctetsOut is what the capture has", state["data_octets_out"], wire.sent)
    equal("DataSegsOut too", state["data_segs_out"], wire.segments)
    equal("OctetsRetrans is what repeats earlier numbers", state["octets_retrans"], wire.again)
    equal("SegsRetrans too", state["segs_retrans"], wire.repeats)
    equal("tshark calls as many retransmissions, or late", wire.flagged, wire.repeats)
    claim("something was sent again", wire.again > 0, "nothing was lost")
    equal("all of it is acknowledged", state["thru_octets_acked"], wire.sent - wire.again)
    # The stack reads its clock before a packet leaves and after the answer is here: not sooner than the
    # capture, but for what a timestamp of 1 ms may be rounded by.
    claim("MinRTT is no shorter than tshark's", state["min_rtt"] >= low - 1000, f"{state['min_rtt']}, {low}")
    claim("and no longer than its longest", state["min_rtt"] <= high, f"{state['min_rtt']}, {high}")
    mean = state["sum_rtt"] / state["count_rtt"]
    claim("the mean is between MinRTT and MaxRTT", state["min_rtt"] <= mean <= state["max_rtt"], mean)
    window = max(state["max_ss_cwnd"], state["max_ca_cwnd"])
    claim("no more was in the network than the largest cwnd", state["max_pipe_size"] <= window + mss,
          f"{state['max_pipe_size']}, {window}")
    # The capture sees an acknowledgment before the stack does.
    claim("the most unacknowledged is at least what the capture shows",
          state["max_retx_queue"] >= wire.flight_max, f"{state['max_retx_queue']}, {wire.flight_max}")
    spans = state["snd_lim_time_rwin"] + state["snd_lim_time_cwnd"] + state["snd_lim_time_snd"]
    equal("SndLimTime adds up to the connection's life", spans, state["elapsed_micro_secs"])


if sys.argv[1] == "sink":
    sink(int(sys.argv[2]), int(sys.argv[3]))
elif sys.argv[1] == "send":
    send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
else:
    judge(sys.argv[2], sys.argv[3])
