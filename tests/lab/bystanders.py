# SPDX-License-Identifier: BSD-3-Clause
"""Two stations that talk while somebody else misbehaves: every frame is numbered and checked.

One sends a few hundred frames a second to the other; each carries its number and bytes that follow
from it. A switch that stalls for longer than its rings and the TAP's queue last (about a second),
loses, repeats, reorders or changes a frame shows here.
"""
import struct
import threading
import time

from .frames import frame, is_test, payload_of
from .process import LabError, wait_for

RATE = 400
MAGIC = b"bystander"
HEAD = len(MAGIC) + 8
SIZES = (60, 64, 200, 590, 1400)


def content(number):
    """The payload of a numbered frame; sizes and bytes vary with the number."""
    size = SIZES[number % len(SIZES)]
    return (MAGIC + struct.pack("!Q", number) + bytes([number * 7 + 3 & 0xFF]) * size)[:size]


class Bystanders:
    """Traffic from one vsw-nic (see lab/nic.py) to another, from start() to stop()."""

    def __init__(self, sender, receiver):
        self.sender, self.receiver = sender, receiver
        self.stopping = threading.Event()
        self.sent = 0
        self.expected = 0
        self.faults = []
        self.longest = 0.0  # seconds between two arrivals, ours included: says little by itself
        self.threads = []

    def start(self):
        self.receiver.raw().drain()
        self.threads = [threading.Thread(target=target, daemon=True)
                        for target in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()
        wait_for(lambda: self.expected, 10, "the bystanders' first frame")
        return self

    def _send(self):
        raw = self.sender.raw()
        begin = time.monotonic()
        while not self.stopping.is_set():
            # Late because this process was: catch up slowly, since a burst of our own may be lost.
            if self.sent - RATE * (time.monotonic() - begin) > -RATE / 10:
                self.stopping.wait(1 / RATE)
            else:
                begin = time.monotonic() - self.sent / RATE
            self.sent += 1
            raw.send(frame(self.receiver.mac, self.sender.mac, content(self.sent - 1)))

    def _receive(self):
        raw = self.receiver.raw()
        last = time.monotonic()
        idle = 0
        while idle < 20:
            data = raw.receive(0.1)
            if data is None:
                # After the end of sending, two more seconds for what is under way.
                idle = idle + 1 if self.stopping.is_set() and self.expected < self.sent else \
                    20 if self.stopping.is_set() else 0
                continue
            if is_test(data) and payload_of(data).startswith(MAGIC):
                now = time.monotonic()
                self.longest, last = max(self.longest, now - last), now
                self._judge(payload_of(data))

    def _judge(self, payload):
        number = struct.unpack_from("!Q", payload, len(MAGIC))[0]
        if number != self.expected and len(self.faults) < 20:
            self.faults.append(f"frame {number} came where {self.expected} was next")
        if payload[:SIZES[number % len(SIZES)]] != content(number) and len(self.faults) < 20:
            self.faults.append(f"frame {number} was changed: {payload[:32].hex()}")
        self.expected = number + 1

    def stop(self):
        """Ends the traffic; LabError where a frame did not arrive as it was sent."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
        if self.expected != self.sent:
            self.faults.append(f"{self.sent} sent, but after frame {self.expected - 1} nothing came")
        if self.faults:
            raise LabError("bystanders: " + "; ".join(self.faults))
