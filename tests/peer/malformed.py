#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Malformed vhost-user message sequences against a listening socket.

usage: malformed.py SOCKET [--count N] [--seed S]

Each sequence is a connection of its own: messages with wrong numbers, sizes, indices, flags or
descriptors, floods of descriptors, truncated and dribbled bytes, and handshakes that are right
until they are not (absurd memory regions, ring addresses, ring contents). A sequence ends when the
server has read all of it and closed. At the end an honest handshake must still work. The same seed
gives the same sequences. Standard library only; as a module: run(path, count, seed).
"""
import argparse
import array
import mmap
import os
import random
import socket
import struct
import sys
import tempfile
import time

HEADER = struct.Struct("<III")
VERSION, REPLY, NEED_REPLY = 1, 4, 8
LAST_ID = 44
PROTOCOL_FEATURES = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 13 | 1 << 15 | 1 << 16
FEATURES = 1 << 32 | 1 << 30
MEMORY_SIZE = 1 << 20
USER = 0x7F0000000000

# Payload sizes of the specification, by message; 0 for the rest.
SIZES = {2: 8, 5: 40, 6: 16, 8: 8, 9: 40, 10: 8, 11: 8, 12: 8, 13: 8, 14: 8, 16: 8, 18: 8, 19: 8,
         20: 8, 22: 32, 23: 8, 24: 24, 25: 24, 26: 64, 27: 8, 31: 24, 32: 24, 35: 8, 37: 40, 38: 40,
         39: 8, 41: 16, 42: 8}
TAKES_FD = {5, 7, 12, 13, 14, 21, 32, 33, 37, 42}
EDGES = [0, 1, 2, 3, 4, 7, 8, 0xFF, 0x100, 0x101, 0x200, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x10001,
         0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
WIDE_EDGES = EDGES + [1 << 32, (1 << 47) - 1, 1 << 47, 1 << 63, (1 << 64) - 4096, (1 << 64) - 1]
SCM_MAX_FD = 253


class Pool:
    """Descriptors to send, opened once: what arrives at the peer are copies."""

    def __init__(self):
        self.events = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(4)]
        self.pipe = list(os.pipe())
        self.file = tempfile.TemporaryFile()
        self.memory = os.memfd_create("malformed", os.MFD_CLOEXEC)
        os.ftruncate(self.memory, MEMORY_SIZE)
        with mmap.mmap(self.memory, MEMORY_SIZE) as view:
            view.write(random.Random(0).randbytes(MEMORY_SIZE))
        self.short = os.memfd_create("malformed-short", os.MFD_CLOEXEC)
        os.ftruncate(self.short, 4096)
        self.pair = socket.socketpair()

    def all(self):
        return [*self.events, *self.pipe, self.file.fileno(), self.memory, self.short,
                self.pair[0].fileno()]

    def close(self):
        for fd in [*self.events, *self.pipe, self.memory, self.short]:
            os.close(fd)
        self.file.close()
        for end in self.pair:
            end.close()


def message(number, payload=b"", fds=(), flags=VERSION, size=None):
    """(bytes, descriptors) of one message."""
    size = len(payload) if size is None else size
    return HEADER.pack(number & 0xFFFFFFFF, flags, size & 0xFFFFFFFF) + payload, list(fds)


def u64(value):
    return struct.pack("<Q", value & (1 << 64) - 1)


def state(index, number):
    return struct.pack("<II", index & 0xFFFFFFFF, number & 0xFFFFFFFF)


def address(index, descriptor, used, available, flags=0, log=0):
    wide = [value & (1 << 64) - 1 for value in (descriptor, used, available, log)]
    return struct.pack("<II4Q", index & 0xFFFFFFFF, flags, *wide)


def region(guest, size, user, offset):
    return b"".join(u64(value) for value in (guest, size, user, offset))


class Maker:
    """Makes sequences: lists of (bytes, descriptors), each sent with one call."""

    def __init__(self, seed, pool):
        self.random = random.Random(seed)
        self.pool = pool
        self.kinds = [self.noise, self.known, self.known, self.flood, self.truncated, self.dribble,
                      self.indices, self.handshake, self.handshake, self.memory, self.repeats]

    def sequence(self):
        return self.random.choice(self.kinds)()

    def fds(self, count):
        return self.random.choices(self.pool.all(), k=count)

    def flags(self):
        need, reply = VERSION | NEED_REPLY, VERSION | REPLY
        return self.random.choice([VERSION, need, need, reply, 0, 2, 3, 0xFFFFFFFD,
                                   self.random.getrandbits(32)])

    def wide(self):
        return self.random.choice(WIDE_EDGES + [self.random.getrandbits(64)])

    def noise(self):
        """Bytes that are no message at all."""
        number = self.random.randint
        return [(self.random.randbytes(number(1, 64)), self.fds(number(0, 3)))
                for _ in range(number(1, 3))]

    def any_message(self):
        number = self.random.randint(0, LAST_ID + 2)
        if self.random.random() < 0.5:
            number = self.random.choice(EDGES)
        size = SIZES.get(number, 0)
        if self.random.random() < 0.4:
            size = self.random.choice([0, 4, 7, 8, 9, 12, 24, 39, 40, 41, 264, 296, 4096])
        payload = self.random.choice([b"\0" * size, b"\xff" * size, self.random.randbytes(size),
                                      (u64(self.wide()) * (size // 8 + 1))[:size]])
        count = self.random.choice([number in TAKES_FD, number in TAKES_FD, 0, 1, 2, 8, 9])
        return message(number, payload, self.fds(count),
                       self.random.choice([VERSION, VERSION | NEED_REPLY, self.flags()]))

    def known(self):
        return [self.any_message() for _ in range(self.random.randint(1, 6))]

    def flood(self):
        """More descriptors than any message may have, up to what the kernel carries at once."""
        data, _ = self.any_message()
        count = self.random.choice([1, 2, 8, 9, 16, 64, 128, SCM_MAX_FD])
        return [(data, self.fds(count))]

    def truncated(self):
        """A message that ends early, or a size that promises more than comes."""
        data, fds = self.any_message()
        if self.random.random() < 0.5:
            return [(data[:self.random.randint(1, len(data))], fds)]
        return [message(self.random.randint(1, LAST_ID), b"\0" * 8, fds, VERSION,
                        self.random.choice([9, 40, 4096, 4097, 0xFFFF, 0xFFFFFFFF]))]

    def dribble(self):
        data, fds = self.any_message()
        return [(data[i:i + 1], fds if self.random.random() < 0.2 else [])
                for i in range(min(len(data), 24))]

    def indices(self):
        """Ring indices at every edge, as 32 and as 64 bits."""
        sequence = self.negotiation()
        for _ in range(4):
            index = self.random.choice(EDGES)
            number = self.random.choice([8, 9, 10, 11, 12, 13, 14, 18, 23, 35])
            if number in (12, 13, 14):
                payload = u64(self.random.choice(WIDE_EDGES))
                sequence.append(message(number, payload, self.pool.events[:1]))
            elif number == 9:
                places = [self.wide() for _ in range(3)]
                sequence.append(message(number, address(index, *places)))
            else:
                sequence.append(message(number, state(index, self.random.choice(EDGES))))
        return sequence

    def negotiation(self):
        flags = VERSION | (NEED_REPLY if self.random.random() < 0.5 else 0)
        return [message(1), message(15), message(16, u64(PROTOCOL_FEATURES)), message(3),
                message(2, u64(FEATURES), (), flags)]

    def absurd_region(self):
        good = [0, MEMORY_SIZE, USER, 0]
        for _ in range(self.random.randint(0, 2)):
            good[self.random.randrange(4)] = self.wide()
        pool = self.pool
        return region(*good), self.random.choice([pool.memory, pool.memory, pool.short,
                                                  pool.events[0], pool.file.fileno()])

    def memory(self):
        """Memory tables and slots: overlapping, wrapping, empty, with files that are too short."""
        sequence = self.negotiation()
        for _ in range(self.random.randint(1, 6)):
            body, fd = self.absurd_region()
            choice = self.random.random()
            if choice < 0.4:
                count = self.random.choice([0, 1, 1, 1, 2, 8, 9, 0xFFFFFFFF])
                real = min(count, 9)
                payload = struct.pack("<II", count, 0) + body * real
                sequence.append(message(5, payload, [fd] * min(real, 8), VERSION | NEED_REPLY))
            else:
                number = 37 if choice < 0.8 else 38
                sequence.append(message(number, u64(0) + body, [fd] if number == 37 else [],
                                        VERSION | NEED_REPLY))
        return sequence

    def handshake(self):
        """An honest handshake over memory full of noise, with one thing or another gone wrong."""
        sequence = self.negotiation()
        sequence.append(message(5, struct.pack("<II", 1, 0) + region(0, MEMORY_SIZE, USER, 0),
                                [self.pool.memory]))
        for index in range(2):
            base = USER + index * 0x40000
            places = [base, base + 0x20000, base + 0x10000]
            if self.random.random() < 0.5:
                places[self.random.randrange(3)] = self.random.choice(
                    [self.wide(), USER + MEMORY_SIZE - 4, USER - 8, base + 1])
            size = self.random.choice([1, 2, 256, 256, 1024, 3, 32768, 65536, *EDGES[:4]])
            sequence += [
                message(13, u64(index), self.pool.events[:1]),
                message(8, state(index, size)),
                message(10, state(index, self.random.choice(EDGES))),
                message(9, address(index, *places, self.random.randint(0, 1), self.wide())),
                message(12, u64(index), self.pool.events[1:2]),
                message(18, state(index, 1)),
            ]
        for _ in range(self.random.randint(0, 3)):
            sequence.insert(self.random.randrange(len(sequence) + 1), self.any_message())
        if self.random.random() < 0.3:
            self.random.shuffle(sequence)
        return sequence

    def repeats(self):
        """One message many times: nothing may pile up."""
        whole, memory = region(0, MEMORY_SIZE, USER, 0), [self.pool.memory]
        one = self.random.choice([
            message(13, u64(0), self.pool.events[:1]),
            message(14, u64(1), self.pool.events[:1]),
            message(5, struct.pack("<II", 1, 0) + whole, memory),
            message(37, u64(0) + whole, memory),
            message(34), message(39, u64(0)), message(11, state(0, 0)), message(4),
            self.any_message()])
        return self.negotiation() + [one] * self.random.randint(2, 20)


def connect(path, timeout=10.0):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    connection.connect(path)
    return connection


def send(connection, data, fds):
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    connection.sendmsg([data], ancillary)


def play(path, sequence):
    """One connection. False where the server hung up before it was over."""
    with connect(path) as connection:
        try:
            for data, fds in sequence:
                send(connection, data, fds)
            connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            return False
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            return False
    return True


def ask(connection, number, payload=b""):
    send(connection, *message(number, payload))
    data = b""
    while len(data) < HEADER.size or len(data) < HEADER.size + HEADER.unpack_from(data)[2]:
        piece = connection.recv(4096)
        if not piece:
            raise RuntimeError(f"the server closed instead of answering message {number}")
        data += piece
    got, flags, size = HEADER.unpack_from(data)
    if got != number or flags & 7 != VERSION | REPLY or size != 8:
        raise RuntimeError(f"message {number} was answered by {got}, {flags:#x}, {size} bytes")
    return struct.unpack_from("<Q", data, HEADER.size)[0]


def handshake(path):
    """An honest frontend's first questions. Returns the features offered, or raises."""
    with connect(path) as connection:
        features = ask(connection, 1)
        if features >> 30 & 1:
            protocol_features = ask(connection, 15)
            send(connection, *message(16, u64(protocol_features & PROTOCOL_FEATURES)))
            if protocol_features & 1 and ask(connection, 17) == 0:
                raise RuntimeError("no queues")
        send(connection, *message(3))
        return features


def run(path, count=100000, seed=1):
    """Plays `count` sequences, then shakes hands. Returns how many the server cut short."""
    pool = Pool()
    cut = 0
    try:
        maker = Maker(seed, pool)
        for _ in range(count):
            cut += not play(path, maker.sequence())
        handshake(path)
    finally:
        pool.close()
    return cut


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("socket")
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begin = time.monotonic()
    try:
        cut = run(arguments.socket, arguments.count, arguments.seed)
    except (OSError, RuntimeError) as error:
        print(f"malformed: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.count} sequences in {time.monotonic() - begin:.1f} s, "
          f"{cut} cut short by the server; an honest handshake works")
    return 0


if __name__ == "__main__":
    sys.exit(main())
