# SPDX-License-Identifier: BSD-3-Clause
"""Packets that cost the worker much more than they cost their sender: to be cut into as many pieces as a
packet may ask for, flooded to eight receivers. A neighbour on the same worker keeps its share of its time.

        attacker -- [red] -- victim, r0 ... r7 (rings full, or emptied)
            left -- [rated] -- right

Both senders have a backlog all the time. What the worker spends on each it counts in cycles of its own
processor, so the result does not depend on how fast that is or on who else wants it.
"""
import contextlib
import ctypes
import os
import struct
import threading
import time

import pytest

from lab import frontend
from lab.frames import BROADCAST, frame, udp
from lab.frontend import RX, TX, Frontend
from lab.process import wait_for

RECEIVERS = [f"r{number}" for number in range(8)]
PORTS = {**{name: {"network": "red"} for name in RECEIVERS},
         "left": {"network": "rated"}, "right": {"network": "rated"}}
NETWORKS = {"rated": 50}
# For the switch alone, where there are more.
CPUS = sorted(os.sched_getaffinity(0))[:1] if len(os.sched_getaffinity(0)) > 1 else None
MAC = "02:66:66:66:66:66"
PAYLOAD = 2048
SPANS = 9


class Endless(Frontend):
    """A driver that offers all buffers of one ring again and again, as long as somebody calls again(): a ring of
    the largest size, whose descriptors are all the same buffer, so that it never runs dry between two calls.
    """

    SIZE = 32768
    PARTS = 1 << 20, 2 << 20, 3 << 20  # where descriptors, available and used ring lie

    def __init__(self, path, ring, whole=None, features=0, offered=SIZE):
        super().__init__(path, frontend.F_VERSION_1 | frontend.F_PROTOCOL_FEATURES | features)
        self.ring = ring
        descriptors, available, used = self.PARTS
        address = self.buffer(0)
        if whole:
            self.memory[address:address + len(whole)] = whole
        one = struct.pack("<QIHH", address, len(whole) if whole else frontend.BUFFER,
                          0 if whole else frontend.WRITE, 0)
        self.memory[descriptors:descriptors + 16 * self.SIZE] = one * self.SIZE
        struct.pack_into(f"<{self.SIZE}H", self.memory, available + 4, *range(self.SIZE))
        # Written by one store: struct.pack_into() writes zeros first, which the switch may see.
        self.index = ctypes.c_uint16.from_buffer(self.memory, available + 2)
        self.index.value = offered
        self.negotiate()
        self.share_memory()
        base = frontend.USER_BASE
        self.message(frontend.SET_VRING_NUM, struct.pack("<II", ring, self.SIZE))
        self.message(frontend.SET_VRING_BASE, struct.pack("<II", ring, 0))
        self.message(frontend.SET_VRING_ADDR, struct.pack(
            "<IIQQQQ", ring, 0, base + descriptors, base + used, base + available, 0))
        self.message(frontend.SET_VRING_CALL, struct.pack("<Q", ring), [self.call[ring]])
        self.message(frontend.SET_VRING_KICK, struct.pack("<Q", ring), [self.kick[ring]])
        self.message(frontend.SET_VRING_ENABLE, struct.pack("<II", ring, 1))
        # The other ring of the pair has nothing in it.
        self.start_ring(frontend.TX if ring == RX else RX)
        self.ask(frontend.GET_FEATURES)

    def again(self):
        used = struct.unpack_from("<H", self.memory, self.PARTS[2] + 2)[0]
        self.index.value = used + self.SIZE & 0xFFFF
        self.notify(self.ring)

    def close(self):
        del self.index
        super().close()


@contextlib.contextmanager
def offering(rings):
    """While in here the buffers of all of these are offered again."""
    stopping = threading.Event()

    def run():
        while not stopping.wait(0.0005):
            for ring in rings:
                ring.again()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@pytest.fixture(scope="module", autouse=True)
def apart():
    """The switch has a processor, and all of us the other: see CPUS."""
    before = os.sched_getaffinity(0)
    if CPUS:
        os.sched_setaffinity(0, before - set(CPUS))
    yield
    os.sched_setaffinity(0, before)


def shares(arena):
    """Of the cycles that the worker spends on the frames of both, the neighbour's part: in several spans."""
    def spent():
        ports = {port["name"]: port for port in arena.switch.vsw("port", "show", "-s")}
        return [ports[name]["worker_cycles"] for name in ("left", "attacker")]
    found = []
    before = spent()
    for _ in range(SPANS):
        time.sleep(0.2)
        now = spent()
        left, attacker = (b - a for a, b in zip(before, now))
        found.append(left / (left + attacker))
        before = now
    return found


@pytest.mark.parametrize("size, emptied", [(1, False), (16, False), (16, True)],
                         ids=["refused", "full", "emptied"])
def test_tiny_segments(arena, size, emptied):
    """USO: 2,048 datagrams a packet, which is refused, or 128. Two queues with a backlog share the worker: the
    neighbour's fair share is half of the time, and it has nine tenths of that at least."""
    data, at = udp((BROADCAST, MAC), ("10.0.0.255", "10.0.0.9"), (9, 9), bytes(PAYLOAD))
    attack = frontend.net_header(at, 6, frontend.GSO_UDP_L4, size) + data
    honest = bytes(frontend.HEADER) + frame("52:54:00:00:00:0b", "52:54:00:00:00:0a", bytes(100))
    switch = arena.switch
    refused = switch.port("attacker")["drops"]["bad-net-header"]
    with arena.watched(), contextlib.ExitStack() as stack:
        def endless(name, *arguments, **keywords):
            ring = Endless(switch.socket(name), *arguments, **keywords)
            stack.callback(ring.close)
            return ring
        receivers = [endless(name, RX, offered=Endless.SIZE if emptied else 0) for name in RECEIVERS]
        rings = [endless("left", TX, honest), endless("right", RX),
                 endless("attacker", TX, attack, frontend.F_CSUM | frontend.F_HOST_USO)]
        with offering(rings + receivers * emptied):
            wait_for(lambda: switch.port("attacker")["worker_cycles"], 10, "the attack")
            before = switch.port("right")["tx_packets"]
            found = sorted(shares(arena))
            assert switch.port("right")["tx_packets"] > before
            assert not emptied or switch.port("r7")["tx_packets"] > 0
    print(f"size {size}, rings {'emptied' if emptied else 'full'}: {[f'{x:.3f}' for x in found]}")
    refused = switch.port("attacker")["drops"]["bad-net-header"] - refused
    assert (refused > 0) == (size == 1)
    # The middle one: in some the process that fills the rings may have had to wait for its processor.
    assert found[SPANS // 2] >= 0.9 * 0.5
    assert found[SPANS // 2] <= 0.6, "the attacker has its share, too: it was there"
    for name in RECEIVERS:
        wait_for(lambda name=name: not switch.port(name)["connected"], 10, "free ports")
