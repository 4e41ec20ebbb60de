# SPDX-License-Identifier: BSD-3-Clause
"""The front-end of frontend.py with packed rings (VIRTIO 1.3, 2.8) of any size, which lie open as well.

Its guest memory: buffers, then for each ring a block with the two event structures and descriptors. The
receive ring's descriptors are the last bytes of it: who runs out of them runs out of guest memory.
"""
import ctypes
import struct

from . import frontend
from .frontend import RX, TX, USER_BASE, Frontend

F_RING_PACKED = 1 << 34
AVAIL, USED = 1 << 7, 1 << 15
BLOCK = 4096 + 32768 * 16  # the event structures, then room for the largest ring at the block's end
FRESH = 0x80008000
EVENT_DISABLE = 1


class PackedFrontend(Frontend):
    """size: entries of either ring."""

    def __init__(self, path, features=0, size=256):
        super().__init__(path, frontend.F_VERSION_1 | frontend.F_PROTOCOL_FEATURES |
                         F_RING_PACKED | features)
        self.size = size
        self.slot, self.lap = [0, 0], [True, True]

    @staticmethod
    def buffer(index):
        return index * frontend.BUFFER

    @staticmethod
    def events(ring):
        """Guest address of a ring's two event structures: the device's, then the driver's."""
        return frontend.MEMORY - (ring + 1) * BLOCK

    def descriptors(self, ring):
        """Guest address of a ring's descriptors."""
        return self.events(ring) + BLOCK - 16 * self.size

    def start_ring(self, ring, kick=None, call=None):
        events, descriptors = USER_BASE + self.events(ring), USER_BASE + self.descriptors(ring)
        self.message(frontend.SET_VRING_NUM, struct.pack("<II", ring, self.size))
        self.message(frontend.SET_VRING_BASE, struct.pack("<II", ring, FRESH))
        self.message(frontend.SET_VRING_ADDR, struct.pack(
            "<IIQQQQ", ring, 0, descriptors, events, events + 4, 0))
        self.message(frontend.SET_VRING_CALL, struct.pack("<Q", ring),
                     [self.call[ring] if call is None else call])
        self.message(frontend.SET_VRING_KICK, struct.pack("<Q", ring),
                     [self.kick[ring] if kick is None else kick])
        self.message(frontend.SET_VRING_ENABLE, struct.pack("<II", ring, 1))

    def start(self):
        """Everything an honest driver does, but for receive buffers: offer() some before."""
        self.negotiate()
        self.share_memory()
        for ring in (RX, TX):
            self.start_ring(ring)
        self.ask(frontend.GET_FEATURES)
        return self

    def offer(self, ring, address, length, flags=0):
        """Makes the next slot available: a chain of one buffer, or with NEXT a part of one."""
        at = self.descriptors(ring) + 16 * self.slot[ring]
        state = AVAIL if self.lap[ring] else USED
        struct.pack_into("<QIH", self.memory, at, address, length, self.slot[ring])
        struct.pack_into("<H", self.memory, at + 14, flags | state)
        self.slot[ring] += 1
        if self.slot[ring] == self.size:
            self.slot[ring], self.lap[ring] = 0, not self.lap[ring]

    def flags_at(self, ring, slot):
        """A descriptor's flags as a place to write to: one store, as a guest's processor makes it."""
        return ctypes.c_uint16.from_buffer(self.memory, self.descriptors(ring) + 16 * slot + 14)

    def used(self, ring):
        """Slots of this lap that are used."""
        mask = AVAIL | USED
        return sum(struct.unpack_from("<H", self.memory, self.descriptors(ring) + 16 * slot + 14)[0] & mask
                   in (0, mask) for slot in range(self.size))

    def send(self, data):
        slot = self.slot[TX] % 64
        address, length = self.fill(slot, data)
        self.offer(TX, address, length)
        self.notify()
