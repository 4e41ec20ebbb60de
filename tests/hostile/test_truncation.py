# SPDX-License-Identifier: BSD-3-Clause
"""Guest memory that is taken away under as many pages as a ring can name, while frames come for it."""
import contextlib
import os
import struct
import threading
import time

import pytest

from lab import frontend
from lab.frames import BROADCAST, frame
from lab.frontend import NEXT, RX, TX, USER_BASE, WRITE, Frontend
from lab.process import wait_for

PORTS = {"sender": {"network": "red"}}
SIZE = 32768
# Buffers of a chain that frames are copied into; as many as a ring has break it before any is touched.
CHAIN = 4000
PAGE = 4096
# A second region of guest memory: a buffer of one byte on every other page of it.
REGION = 1 << 32
REGION_SIZE = SIZE * 2 * PAGE
# The receive ring lies in the first one, which stays.
DESCRIPTORS, AVAILABLE, USED = 0x100000, 0x180000, 0x1A0000


class Scattered(Frontend):
    """One of its rings is one chain of one-byte buffers, each on a page of its own, offered 256 times."""

    def __init__(self, path, ring=RX, chain=CHAIN):
        super().__init__(path)
        self.ring, self.chain = ring, chain

    def share_memory(self):
        self.region_fd = os.memfd_create("region", os.MFD_CLOEXEC)
        os.ftruncate(self.region_fd, REGION_SIZE)
        self.message(frontend.SET_MEM_TABLE, struct.pack(
            "<IIQQQQQQQQ", 2, 0, 0, frontend.MEMORY, USER_BASE, 0,
            REGION, REGION_SIZE, USER_BASE + REGION, 0), [self.memory_fd, self.region_fd])

    def start(self):
        self.negotiate()
        self.share_memory()
        ring, write = self.ring, WRITE if self.ring == RX else 0
        for slot in range(self.chain):
            last = slot == self.chain - 1
            struct.pack_into("<QIHH", self.memory, DESCRIPTORS + 16 * slot,
                             REGION + slot * 2 * PAGE, 1, write | (0 if last else NEXT),
                             0 if last else slot + 1)
        struct.pack_into("<HH", self.memory, AVAILABLE, 0, 256)
        self.start_ring(TX if ring == RX else RX)
        self.message(frontend.SET_VRING_NUM, struct.pack("<II", ring, SIZE))
        self.message(frontend.SET_VRING_BASE, struct.pack("<II", ring, 0))
        self.message(frontend.SET_VRING_ADDR, struct.pack(
            "<IIQQQQ", ring, 0, USER_BASE + DESCRIPTORS, USER_BASE + USED, USER_BASE + AVAILABLE, 0))
        self.message(frontend.SET_VRING_CALL, struct.pack("<Q", ring), [self.call[ring]])
        self.message(frontend.SET_VRING_KICK, struct.pack("<Q", ring), [self.kick[ring]])
        self.message(frontend.SET_VRING_ENABLE, struct.pack("<II", ring, 1))
        self.ask(frontend.GET_FEATURES)
        return self

    def take_away(self):
        os.ftruncate(self.region_fd, 0)

    def close(self):
        super().close()
        os.close(self.region_fd)


@pytest.fixture
def neighbour(arena):
    """Somebody in the attacker's network, who sends large frames."""
    made = Frontend(arena.switch.socket("sender")).start()
    yield made
    made.close()
    wait_for(lambda: not arena.switch.port("sender")["connected"], 10, "the sender to be gone")


def flood(neighbour):
    data = frame(BROADCAST, "02:00:00:00:00:77", bytes(3900))
    for _ in range(8):
        neighbour.send_large(bytes(frontend.HEADER), data)


def connect(arena, *shape):
    wait_for(lambda: not arena.switch.port("attacker")["connected"], 10, "the port to be free")
    return Scattered(arena.switch.socket("attacker"), *shape).start()


def maps(arena):
    with open(f"/proc/{arena.switch.process.pid}/maps", encoding="ascii") as lines:
        return sum(1 for _ in lines)


def test_every_page_of_a_ring_is_gone(arena, neighbour):
    """One fault, one mapping: neither a mapping nor the time of a fault for each page."""
    before = maps(arena)
    with arena.watched():
        for _ in range(3):
            peer = connect(arena)
            peer.take_away()
            flood(neighbour)
            assert peer.hung_up(10)
            assert maps(arena) < before + 100
            peer.close()


@pytest.mark.parametrize("gone", [False, True], ids=["there", "gone"])
def test_receive_chain_of_a_whole_ring(arena, neighbour, gone):
    """32,768 buffers are more than a frame needs: the ring is stopped, and none of them is touched, whether their
    memory is there or not."""
    before, errors = maps(arena), arena.switch.port("attacker")["ring_errors"]
    with arena.watched():
        with contextlib.closing(connect(arena, RX, SIZE)) as peer:
            if gone:
                peer.take_away()
            flood(neighbour)
            wait_for(lambda: arena.switch.port("attacker")["ring_errors"] > errors, 10,
                     "the ring to be stopped")
            assert struct.unpack_from("<H", peer.memory, USED + 2)[0] == 0
            assert not peer.hung_up(0.5), "no fault ended the connection"
            assert os.stat(peer.region_fd).st_blocks == 0
            assert maps(arena) < before + 100


@pytest.mark.parametrize("gone", [False, True], ids=["there", "gone"])
def test_transmit_chain_of_a_whole_ring(arena, gone):
    """32,768 bytes, each on a page of its own, are a frame as long as a ring allows, which has no source address:
    it is dropped, each time, and no more is read than the head. Where the memory is gone that is one fault."""
    raw = arena.victim.raw()
    before, memory = maps(arena), arena.switch.process.resident_kib()
    # Before it connects: a ring that starts is visited without being asked.
    dropped = arena.switch.port("attacker")["drops"]["bad-source"]
    with arena.watched():
        with contextlib.closing(connect(arena, TX, SIZE)) as peer:
            if gone:
                peer.take_away()
            raw.drain()
            peer.notify()
            if gone:
                assert peer.hung_up(10)
            else:
                wait_for(lambda: struct.unpack_from("<H", peer.memory, USED + 2)[0] == 256, 10,
                         "all of them to be given back")
                # But for those that were taken before the ring was enabled, which nobody judges.
                assert arena.switch.port("attacker")["drops"]["bad-source"] >= dropped + 200
                assert os.stat(peer.region_fd).st_blocks <= 2 * 256 * PAGE // 512
            assert raw.collect(0.3) == []
            assert maps(arena) < before + 100
            assert arena.switch.process.resident_kib() < memory + 8 * 1024


def test_memory_goes_under_traffic(arena, neighbour):
    """The truncation meets the copying of a frame wherever it happens to be."""
    stopping = threading.Event()

    def send():
        while not stopping.is_set():
            flood(neighbour)
            time.sleep(0.005)

    thread = threading.Thread(target=send, daemon=True)
    with arena.watched():
        thread.start()
        try:
            for round_ in range(12):
                peer = connect(arena)
                time.sleep(0.003 * round_)
                peer.take_away()
                assert peer.hung_up(10)
                peer.close()
        finally:
            stopping.set()
            thread.join()
