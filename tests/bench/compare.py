#!/usr/bin/env python3
"""Daytona beside the kernel's TCP: the same work on the same pair of network namespaces, in turn.

usage: compare.py [--rounds N] [--seconds N] [--work NAME,...] [--topology NAME,...] [--side NAME,...]
                  [--record FILE] [--list]

A round does one work with the kernel's TCP on both sides and then with each side asked for; what is
printed is the median and the range of the ratio to the kernel in the same round: more is better,
but for processor time. Machines are noisy; ratios within a round are what can be compared.

Sides: client and server (that side is Daytona's, the other the kernel's), both, and client-raw and
server-raw with DAYTONA_TX=raw. Topologies: veth (as it is), plain (veth without offloads), loopback.

--record adds one line of JSON for each measurement to FILE, with commit and machine.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("B", "build")
RUN = os.path.join(BUILD, "daytona-run")
RATES = os.path.join(BUILD, "tests", "interop", "rates")
ADDRESS = "10.98.7.2"
LIMIT = 120  # seconds that any one command may take


class Failed(Exception):
    pass


def sh(*words, check=True):
    return subprocess.run(words, check=check, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


# ---------------------------------------------------------------------- the network

class Network:
    """Two namespaces and a veth pair, or one and its loopback device."""

    def __init__(self, topology):
        self.client = f"bench-c-{os.getpid()}"
        self.server = self.client if topology == "loopback" else f"bench-s-{os.getpid()}"
        self.address = "127.0.0.1" if topology == "loopback" else ADDRESS
        self.topology = topology

    def __enter__(self):
        for name in {self.client, self.server}:
            sh("ip", "netns", "add", name)
            sh("ip", "-n", name, "link", "set", "lo", "up")
        if self.topology != "loopback":
            self.wire()
        return self

    def wire(self):
        sh("ip", "-n", self.client, "link", "add", "b0", "type", "veth", "peer", "name", "b1", "netns", self.server)
        for name, device, address in ((self.client, "b0", "10.98.7.1"), (self.server, "b1", ADDRESS)):
            sh("ip", "-n", name, "address", "add", address + "/24", "dev", device)
            sh("ip", "-n", name, "link", "set", device, "up")
            if self.topology == "plain":
                sh("ip", "netns", "exec", name, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off",
                   "tx", "off", check=False)

    def __exit__(self, *_):
        for name in {self.client, self.server}:
            for pid in sh("ip", "netns", "pids", name, check=False).stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            sh("ip", "netns", "delete", name, check=False)


class Host:
    """One side of a measurement: a namespace, and whose TCP its programs use."""

    def __init__(self, namespace, daytona, raw):
        self.prefix = ["ip", "netns", "exec", namespace]
        self.daytona = daytona
        self.environment = dict(os.environ, DAYTONA_LOG="error", **({"DAYTONA_TX": "raw"} if raw else {}))

    def words(self, option, port, command):
        run = [RUN, option, str(port), "--"] if self.daytona else []
        return self.prefix + run + list(command)

    def run(self, port, command):
        done = subprocess.run(self.words("--connect", port, command), env=self.environment, timeout=LIMIT,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)}: status {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
        return done.stdout

    @contextlib.contextmanager
    def serving(self, port, command):
        server = subprocess.Popen(self.words("--listen", port, command), env=self.environment,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        try:
            self.wait_until_it_listens(port, server)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
            server.stderr.close()

    def wait_until_it_listens(self, port, server):
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and server.poll() is None:
            # Daytona's listeners hold a muted one of the kernel's.
            if sh(*self.prefix, "ss", "-Hltn", f"sport = :{port}").stdout.strip():
                return
            time.sleep(0.05)
        raise Failed(f"no server on port {port}: {server.stderr.read().decode()[-300:] if server.poll() else 'silent'}")


# ---------------------------------------------------------------------- the works

def iperf3(*options):
    def measure(client, server, address, seconds):
        with server.serving(5201, ["iperf3", "-s", "-1"]):
            report = json.loads(client.run(5201, ["iperf3", "-J", "-c", address, "-t", str(seconds), *options]))
        if "error" in report:
            raise Failed(report["error"])
        received = report["end"]["sum_received"]
        use = report["end"]["cpu_utilization_percent"]
        gigabytes = received["bytes"] / 1e9
        return {"Gbit/s": received["bits_per_second"] / 1e9,
                "client CPU s/GB": use["host_total"] / 100 * seconds / gigabytes,
                "server CPU s/GB": use["remote_total"] / 100 * seconds / gigabytes}
    return measure


def rates(server_words, client_words):
    def measure(client, server, address, seconds):
        with server.serving(7000, [RATES, server_words, "7000"]):
            report = json.loads(client.run(7000, [RATES, client_words, address, "7000", str(seconds)]))
        return {"per s": report["rate"], "p50 us": report["p50_us"], "p99 us": report["p99_us"]}
    return measure


NGINX = """
daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
        client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
        uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
        server {{ listen 8000 backlog=4096; root {root}; }} }}
"""


def wrk(size, connections, keep_alive=True):
    def measure(client, server, address, seconds):
        with tempfile.TemporaryDirectory(prefix="daytona-bench-") as root:
            os.chmod(root, 0o755)
            with open(f"{root}/file", "wb") as file:
                file.write(os.urandom(size))
            with open(f"{root}/nginx.conf", "w") as file:
                file.write(NGINX.format(root=root))
            with server.serving(8000, ["nginx", "-c", f"{root}/nginx.conf"]):
                extra = [] if keep_alive else ["-H", "Connection: close"]
                text = client.run(8000, ["wrk", "-t", "1", "-c", str(connections), "-d", str(seconds), "--latency", *extra,
                                         f"http://{address}:8000/file"])
        unit = {"us": 1, "ms": 1e3, "s": 1e6}
        p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
        return {"requests/s": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
                "p99 us": float(p99.group(1)) * unit[p99.group(2)]}
    return measure


def redis(*options):
    def measure(client, server, address, seconds):
        command = ["redis-server", "--port", "6390", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]
        with server.serving(6390, command):
            text = client.run(6390, ["redis-benchmark", "-h", address, "-p", "6390", "-t", "get", "-n",
                                     str(40000 * seconds), "-q", *options])
        return {"requests/s": float(re.findall(r"GET: ([\d.]+) requests", text)[-1])}
    return measure


WORKS = {
    "bulk out": iperf3(),
    "bulk in": iperf3("-R"),
    "bulk out x8": iperf3("-P", "8"),
    "bulk in x8": iperf3("-P", "8", "-R"),
    "ping-pong": rates("echo", "ping"),
    "connect": rates("hang-up", "connect"),
    "http 1k x64": wrk(1000, 64),
    "http 1k x1000": wrk(1000, 1000),
    "http 1k x64 close": wrk(1000, 64, keep_alive=False),
    "http 100k x64": wrk(100000, 64),
    "redis": redis(),
    "redis pipelined": redis("-P", "16"),
}
SIDES = {  # client is Daytona's, server is, raw
    "kernel": (False, False, False),
    "client": (True, False, False),
    "server": (False, True, False),
    "both": (True, True, False),
    "client-raw": (True, False, True),
    "server-raw": (False, True, True),
}
LESS_IS_BETTER = ("us", "GB")


# ---------------------------------------------------------------------- the rounds

def measure(work, network, side, seconds):
    client, server, raw = SIDES[side]
    try:
        return WORKS[work](Host(network.client, client, raw), Host(network.server, server, raw), network.address,
                           seconds)
    except (Failed, subprocess.TimeoutExpired, AttributeError, ValueError, KeyError) as error:
        print(f"  {work}, {network.topology}, {side}: {error}", file=sys.stderr)
        return None


def show(work, topology, side, pairs):
    """pairs: (Daytona's, the kernel's) figures of each round."""
    for name in pairs[0][1]:
        ratios = sorted(ours[name] / kernels[name] for ours, kernels in pairs if kernels[name])
        if not ratios:
            continue
        middle = statistics.median(ours[name] for ours, _ in pairs)
        base = statistics.median(kernels[name] for _, kernels in pairs)
        note = " (less is better)" if name.endswith(LESS_IS_BETTER) else ""
        print(f"{work:18} {topology:9} {side:11} {name:16} {statistics.median(ratios):6.2f}"
              f"  [{ratios[0]:.2f} .. {ratios[-1]:.2f}]   {middle:.4g} of {base:.4g}{note}", flush=True)


def commit():
    return sh("git", "describe", "--always", "--dirty", check=False).stdout.strip()


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())


def compare(arguments):
    machine = {"commit": commit(), "processor": processor(), "processors": os.cpu_count(), "kernel": platform.release()}
    record = open(arguments.record, "a") if arguments.record else None
    for topology in arguments.topology:
        with Network(topology) as network:
            for work in arguments.work:
                pairs = {side: [] for side in arguments.side}
                for number in range(arguments.rounds):
                    kernels = measure(work, network, "kernel", arguments.seconds)
                    for side in arguments.side if kernels else ():
                        ours = measure(work, network, side, arguments.seconds)
                        if ours is None:
                            continue
                        pairs[side].append((ours, kernels))
                        if record:
                            line = {"work": work, "topology": topology, "side": side, "round": number,
                                    "daytona": ours, "kernel_tcp": kernels, **machine}
                            record.write(json.dumps(line) + "\n")
                            record.flush()
                for side, of_side in pairs.items():
                    if of_side:
                        show(work, topology, side, of_side)


def names(known):
    def read(text):
        wanted = text.split(",")
        for name in wanted:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return wanted
    return read


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    topologies = ("veth", "plain", "loopback")
    sides = [side for side in SIDES if side != "kernel"]
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--work", type=names(WORKS), default=list(WORKS))
    parser.add_argument("--topology", type=names(topologies), default=list(topologies))
    parser.add_argument("--side", type=names(sides), default=["client", "server", "both"])
    parser.add_argument("--record", metavar="FILE")
    parser.add_argument("--list", action="store_true", help="names what can be measured")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(WORKS))
        return
    if os.geteuid() != 0:
        sys.exit("compare.py: network namespaces need root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    compare(arguments)


if __name__ == "__main__":
    main()
