# SPDX-License-Identifier: BSD-3-Clause
"""A file system of our own in user space that does not answer: one file, spoken over /dev/fuse.

Of the FUSE protocol (linux/fuse.h, 7.31) only what opening one file needs. While `silent`, reads and
flushes are taken and never answered, so that whoever touches or closes the file waits.
"""
import ctypes
import os
import select
import struct
import threading
from pathlib import Path

from .process import LabError

DEVICE = Path("/dev/fuse")
(LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, INTERRUPT, BATCH_FORGET) = (
    1, 2, 3, 14, 15, 18, 25, 26, 36, 42)
ROOT, FILE = 1, 2
ENOSYS, ENOENT = 38, 2
MNT_DETACH = 2
DIRECTORY_MODE, FILE_MODE = 0o040755, 0o100666

libc = ctypes.CDLL(None, use_errno=True)


class Fuse:
    """Mounts at a folder, which it makes; file: the path of a file of `size` bytes in it."""

    def __init__(self, folder, size):
        self.folder, self.size = folder, size
        self.silent = True
        self.held = []  # opcodes that were not answered
        folder.mkdir()
        self.device = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0"
        if libc.mount(b"silent", bytes(folder), b"fuse", 0, options.encode()):
            number = ctypes.get_errno()
            os.close(self.device)
            raise LabError(f"mount of a FUSE file system: {os.strerror(number)}")
        self.stop = os.eventfd(0, os.EFD_CLOEXEC)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def file(self):
        return self.folder / "file"

    def _attributes(self, node):
        mode = DIRECTORY_MODE if node == ROOT else FILE_MODE
        return struct.pack("<QQQQQQIIIIIIIIII", node, self.size, self.size // 512, 0, 0, 0, 0, 0, 0,
                           mode, 1, 0, 0, 0, 4096, 0)

    def _answer(self, opcode, node, body):
        """The reply's payload, a negative errno, or None for no reply at all."""
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHH32x", 7, 31, 0, 0, 12, 10, 1 << 17, 1, 32, 0)
        if opcode == LOOKUP:
            if body.rstrip(b"\0") != b"file":
                return -ENOENT
            return struct.pack("<QQQQII", FILE, 0, 60, 60, 0, 0) + self._attributes(FILE)
        if opcode == GETATTR:
            return struct.pack("<QII", 60, 0, 0) + self._attributes(node)
        if opcode == OPEN:
            return struct.pack("<QII", 1, 0, 0)
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
            return None
        if opcode in (READ, FLUSH) and self.silent:
            self.held.append(opcode)
            return None
        return b"" if opcode in (RELEASE, FLUSH) else -ENOSYS

    def _serve(self):
        while True:
            ready, _, _ = select.select([self.device, self.stop], [], [])
            if self.stop in ready:
                return
            try:
                request = os.read(self.device, 1 << 18)
                _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
                answer = self._answer(opcode, node, request[40:])
                if answer is None:
                    continue
                status, body = (answer, b"") if isinstance(answer, int) else (0, answer)
                os.write(self.device, struct.pack("<IiQ", 16 + len(body), status, unique) + body)
            except OSError:
                continue  # the request is no more

    def close(self):
        """Whoever waits is let go with an error: the kernel ends what has no server."""
        os.eventfd_write(self.stop, 1)
        self.thread.join()
        os.close(self.device)
        libc.umount2(bytes(self.folder), MNT_DETACH)
        self.folder.rmdir()
        os.close(self.stop)
