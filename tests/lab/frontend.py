# SPDX-License-Identifier: BSD-3-Clause
"""A vhost-user front-end in Python whose rings lie open, so that a test can put nonsense in them.

It speaks the split ring with the queue pair 0 of a port. All sizes are bytes. It is slow, and does
only what it is told: an honest frame is send(), everything else is up to the test.
"""
import array
import ctypes
import mmap
import os
import socket
import struct

F_VERSION_1 = 1 << 32
F_PROTOCOL_FEATURES = 1 << 30
F_INDIRECT = 1 << 28
F_EVENT_IDX = 1 << 29
F_MRG_RXBUF = 1 << 15
F_ORDER_PLATFORM, F_NOTIFICATION_DATA = 1 << 36, 1 << 38
F_CSUM, F_HOST_UFO, F_HOST_USO = 1 << 0, 1 << 14, 1 << 56
PROTOCOL_MQ, PROTOCOL_RARP, PROTOCOL_REPLY_ACK = 1 << 0, 1 << 2, 1 << 3

(GET_FEATURES, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE, SET_LOG_BASE, SET_LOG_FD,
 SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL,
 SET_VRING_ERR, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM,
 SET_VRING_ENABLE, SEND_RARP) = range(1, 20)
VERSION, NEED_REPLY = 1, 1 << 3

NEXT, WRITE, INDIRECT = 1, 2, 4
RX, TX = 0, 1
RING = 256
HEADER = 12

USER_BASE = 0x7F0000000000
MEMORY = 4 << 20
# Where things lie in the guest's memory: for each ring a block with its three parts, then buffers.
DESCRIPTORS, AVAILABLE, USED = 0x0, 0x1000, 0x2000
BLOCK = 0x4000
BUFFERS = 0x10000
BUFFER = 2048
# Send buffers for frames larger than that: so many of 64 KiB, from this buffer on.
LARGE_FIRST, LARGE_COUNT, LARGE = 256, 16, 1 << 16

# The net header's flag and kinds of segmentation (VIRTIO 1.3, 5.1.6).
NEEDS_CSUM = 1
GSO_NONE, GSO_UDP, GSO_UDP_L4 = 0, 3, 5


def net_header(checksum_start, checksum_offset, gso_type=GSO_NONE, gso_size=0):
    """A net header that asks for a checksum, and for segmentation where gso_type says so."""
    return struct.pack("<BBHHHHH", NEEDS_CSUM, gso_type, checksum_start + 8 if gso_type else 0,
                       gso_size, checksum_start, checksum_offset, 0)


def eventfd():
    """A non-blocking eventfd."""
    return os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)


class Frontend:
    """A connection and a guest's memory. features: what to acknowledge of what is offered."""

    def __init__(self, path, features=F_VERSION_1 | F_PROTOCOL_FEATURES):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(str(path))
        self.memory_fd = os.memfd_create("guest", os.MFD_CLOEXEC)
        os.ftruncate(self.memory_fd, MEMORY)
        self.memory = mmap.mmap(self.memory_fd, MEMORY)
        self.kick, self.call = [eventfd(), eventfd()], [eventfd(), eventfd()]
        self.features = features
        self.available = [0, 0]

    def message(self, request, payload=b"", fds=(), flags=0):
        """Sends one message."""
        data = struct.pack("<III", request, VERSION | flags, len(payload)) + payload
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([data], ancillary)

    def reply(self):
        """The payload of the next reply; b"" where the switch has hung up."""
        header = self.socket.recv(12, socket.MSG_WAITALL)
        if len(header) < 12:
            return b""
        size = struct.unpack("<III", header)[2]
        return self.socket.recv(size, socket.MSG_WAITALL) if size else b""

    def ask(self, request, payload=b""):
        """Sends a message that has a u64 reply; that number."""
        self.message(request, payload)
        return struct.unpack("<Q", self.reply())[0]

    def negotiate(self, protocol=PROTOCOL_REPLY_ACK):
        offered = self.ask(GET_FEATURES)
        self.message(SET_OWNER)
        self.features &= offered
        self.ask(GET_PROTOCOL_FEATURES)
        self.message(SET_PROTOCOL_FEATURES, struct.pack("<Q", protocol))
        self.message(SET_FEATURES, struct.pack("<Q", self.features))

    def share_memory(self):
        self.message(SET_MEM_TABLE, struct.pack("<IIQQQQ", 1, 0, 0, MEMORY, USER_BASE, 0),
                     [self.memory_fd])

    def start_ring(self, ring, kick=None, call=None):
        base = USER_BASE + ring * BLOCK
        self.message(SET_VRING_NUM, struct.pack("<II", ring, RING))
        self.message(SET_VRING_BASE, struct.pack("<II", ring, 0))
        self.message(SET_VRING_ADDR, struct.pack("<IIQQQQ", ring, 0, base + DESCRIPTORS,
                                                 base + USED, base + AVAILABLE, 0))
        self.message(SET_VRING_CALL, struct.pack("<Q", ring),
                     [self.call[ring] if call is None else call])
        self.message(SET_VRING_KICK, struct.pack("<Q", ring),
                     [self.kick[ring] if kick is None else kick])
        self.message(SET_VRING_ENABLE, struct.pack("<II", ring, 1))

    def start(self):
        """Everything an honest driver does, receive buffers included; returns when it is done."""
        self.negotiate()
        self.share_memory()
        for index in range(64):
            self.descriptor(RX, index, self.buffer(128 + index), BUFFER, WRITE)
            self.offer(RX, index)
        for ring in (RX, TX):
            self.start_ring(ring)
        self.ask(GET_FEATURES)
        return self

    @staticmethod
    def buffer(index):
        """Guest address of one of the buffers; the first 128 are for sending."""
        return BUFFERS + index * BUFFER

    def descriptor(self, ring, index, address, length, flags=0, following=0):
        struct.pack_into("<QIHH", self.memory, ring * BLOCK + DESCRIPTORS + 16 * index, address,
                         length, flags, following)

    def offer(self, ring, head):
        """Puts a chain's head in the available ring and shows it."""
        at = ring * BLOCK + AVAILABLE
        struct.pack_into("<H", self.memory, at + 4 + 2 * (self.available[ring] % RING), head)
        self.show(ring, self.available[ring] + 1)

    def show(self, ring, index):
        """Sets the available index, whatever it is."""
        self.available[ring] = index & 0xFFFF
        # One store, as a guest's processor makes it: pack_into() writes zeroes first.
        ctypes.c_uint16.from_buffer(self.memory, ring * BLOCK + AVAILABLE + 2).value = \
            self.available[ring]

    def used(self, ring):
        return struct.unpack_from("<H", self.memory, ring * BLOCK + USED + 2)[0]

    def notify(self, ring=TX):
        os.eventfd_write(self.kick[ring], 1)

    def fill(self, index, data):
        """Writes net header and frame into a send buffer; guest address and length."""
        address = self.buffer(index)
        whole = bytes(HEADER) + data
        self.memory[address:address + len(whole)] = whole
        return address, len(whole)

    def send(self, data):
        """An honest frame: one descriptor, one kick."""
        slot = self.available[TX] % 64
        address, length = self.fill(slot, data)
        self.descriptor(TX, slot, address, length)
        self.offer(TX, slot)
        self.notify()

    def send_large(self, header, data):
        """An honest frame of up to 64 KiB, with a net header that asks for something."""
        slot = self.available[TX] % LARGE_COUNT
        address = self.buffer(LARGE_FIRST) + slot * LARGE
        whole = header + data
        self.memory[address:address + len(whole)] = whole
        self.descriptor(TX, slot, address, len(whole))
        self.offer(TX, slot)
        self.notify()

    def truncate(self, size):
        """Takes the memory away from under everybody who has it mapped (we do not touch it then)."""
        os.ftruncate(self.memory_fd, size)

    def hung_up(self, timeout=3):
        """True where the switch ends the connection within that time."""
        self.socket.settimeout(timeout)
        try:
            while self.socket.recv(4096):
                pass
            return True
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()
        self.memory.close()
        for fd in (self.memory_fd, *self.kick, *self.call):
            os.close(fd)
