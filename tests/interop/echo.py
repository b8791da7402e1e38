"""UDP echoes, to measure a network without TCP.

echo.py serve PORT
echo.py ask ADDRESS PORT COUNT INTERVAL_MS   prints one line: received, duplicates, median RTT in ms
"""

import select
import socket
import statistics
import struct
import sys
import time


def serve(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", port))
        while True:
            data, address = server.recvfrom(2048)
            server.sendto(data, address)


def ask(address, port, count, interval):
    times = {}
    duplicates = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((address, port))
        begun = time.monotonic()
        for number in range(count + 1):
            # The last wait is for stragglers.
            until = begun + (number + 1) * interval if number < count else time.monotonic() + 0.5
            if number < count:
                client.send(struct.pack("!Id", number, time.monotonic()) + bytes(100))
            while (left := until - time.monotonic()) > 0:
                if select.select([client], [], [], left)[0]:
                    back, sent = struct.unpack("!Id", client.recv(2048)[:12])
                    duplicates += back in times
                    times.setdefault(back, time.monotonic() - sent)
    median = statistics.median(times.values()) * 1000 if times else 0
    print(f"received {len(times)} duplicates {duplicates} rtt_ms {median:.2f}")


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]) / 1000)
