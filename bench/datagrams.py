#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: bench/datagrams.py send ADDRESS SECONDS
       bench/datagrams.py receive ADDRESS SECONDS

UDP datagrams of 18 bytes, which are frames of 60: 64 of them a system call, cut by whoever is the last that
can do it (UDP_SEGMENT), and received as they come, several at once where they still are together (UDP_GRO).
The receiver prints how many millions a second it got after the first second.
"""
import socket
import sys
import time

PORT, SIZE, SEGMENTS = 9000, 18, 64
UDP_SEGMENT, UDP_GRO = 103, 104


def send(out, address, end):
    out.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
    out.connect((address, PORT))
    burst = bytes(SIZE * SEGMENTS)
    while time.monotonic() < end:
        for _ in range(50):
            out.send(burst)


def receive(into, address, end):
    into.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
    into.bind((address, PORT))
    into.settimeout(0.5)
    print("ready", flush=True)
    room, got, since = bytearray(65536), 0, time.monotonic()
    first = since + 1
    while time.monotonic() < end:
        try:
            for _ in range(50):
                got += into.recv_into(room) // SIZE
        except TimeoutError:
            continue
        if first and time.monotonic() > first:
            got, since, first = 0, time.monotonic(), 0
    print(f"{got / (time.monotonic() - since) / 1e6:.4f}", flush=True)


def main():
    what, address, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as both:
        (send if what == "send" else receive)(both, address, time.monotonic() + seconds)


main()
