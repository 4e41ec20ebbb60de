# SPDX-License-Identifier: BSD-3-Clause
"""Descriptors that the attacker sends: files as memory that are none, sockets and files whose close()
sleeps, memory without end. And what the operator may allow."""
import contextlib
import os
import signal
import socket
import struct
import time

import pytest
import yaml

from lab import frontend, fuse
from lab.frontend import USER_BASE
from lab.process import wait_for

ATTACKER = {"memory-limit-gib": 8}
GIB = 1 << 30
LINGER_SECONDS = 60
SHARED_ONLY = "neither a memfd nor on tmpfs"


@pytest.fixture
def peer(arena):
    made = arena.connect(start=False)
    yield made
    if made.socket.fileno() >= 0:
        made.close()


class Lingerer:
    """A TCP socket whose close() waits for data that nobody reads. release() ends the waiting."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.socket = socket.create_connection(server.getsockname())
            self.far_end = server.accept()[0]
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, LINGER_SECONDS))
        self.socket.setblocking(False)
        while True:
            try:
                self.socket.send(bytes(1 << 16))
            except BlockingIOError:
                break
        self.socket.setblocking(True)

    def fileno(self):
        return self.socket.fileno()

    def release(self):
        self.far_end.close()
        self.socket.close()


@contextlib.contextmanager
def handing_over(arena, *lingerers):
    """While in here the switch is stopped, so that at the end its copies are the last ones: closing
    ours lingers for nobody."""
    arena.switch.process.send_signal(signal.SIGSTOP)
    try:
        yield
        for each in lingerers:
            each.socket.close()
    finally:
        arena.switch.process.send_signal(signal.SIGCONT)


def send_memory(peer, regions, answered=True):
    """SET_MEM_TABLE of (guest address, size, file); the u64 of the reply."""
    payload = struct.pack("<II", len(regions), 0) + b"".join(
        struct.pack("<QQQQ", address, size, USER_BASE + address, 0) for address, size, _ in regions)
    peer.message(frontend.SET_MEM_TABLE, payload, [fd for _, _, fd in regions],
                 frontend.NEED_REPLY if answered else 0)
    return answered and struct.unpack("<Q", peer.reply())[0]


def memfd(size):
    fd = os.memfd_create("sparse")
    os.ftruncate(fd, size)
    return fd


def said(arena, words, since=0):
    wait_for(lambda: words in arena.switch.log()[since:], 10, f"'{words}' in the log")


@pytest.mark.parametrize("count", [1, 9])
def test_stray_socket_that_lingers(arena, peer, count):
    """One where the message takes none, and more than a message may have."""
    with arena.watched():
        lingerers = [Lingerer() for _ in range(count)]
        with handing_over(arena, *lingerers):
            peer.message(frontend.GET_FEATURES, b"", [each.fileno() for each in lingerers])
        assert peer.hung_up()
        peer.close()
    for each in lingerers:
        each.release()


def test_socket_that_lingers_as_eventfd_and_memory(arena, peer):
    with arena.watched():
        memory, kick = Lingerer(), Lingerer()
        peer.negotiate()
        with handing_over(arena, memory, kick):
            send_memory(peer, [(0, 4096, memory.fileno())], answered=False)
            peer.message(frontend.SET_VRING_KICK, struct.pack("<Q", 1), [kick.fileno()])
        assert peer.hung_up()
        peer.close()
    said(arena, SHARED_ONLY)
    memory.release()
    kick.release()


def test_sockets_that_nobody_received(arena, peer):
    """What lies in a socket unread is closed with it: behind a message that ends the connection, and of
    a second client that is turned away."""
    with arena.watched():
        lingerers = [Lingerer(), Lingerer()]
        peer.ask(frontend.GET_FEATURES)
        with handing_over(arena, *lingerers):
            second = socket.socket(socket.AF_UNIX)
            second.connect(str(arena.switch.socket("attacker")))
            socket.send_fds(second, [b"x"], [lingerers[0].fileno()])
            peer.socket.sendall(struct.pack("<III", frontend.GET_FEATURES, 2, 0))
            socket.send_fds(peer.socket, [b"x"], [lingerers[1].fileno()])
        assert peer.hung_up()
        second.close()
        peer.close()
    for each in lingerers:
        each.release()


def test_more_than_can_be_closed(arena, peer):
    """Behind a socket that lingers wait thousands of descriptors: the port is held, and only that one;
    when they can be closed it goes on."""
    with arena.watched(served=False):
        lingerer = Lingerer()
        harmless = os.eventfd(0)
        peer.socket.settimeout(1)
        header = struct.pack("<III", frontend.GET_FEATURES, 1, 0)
        with handing_over(arena, lingerer):
            # Eight would stay with the message till it is whole.
            socket.send_fds(peer.socket, [header[:1]], [harmless] * 8 + [lingerer.fileno()])
        try:
            for _ in range(20):
                socket.send_fds(peer.socket, [header[1:2]], [harmless] * 253)
        except (OSError, TimeoutError):
            pass  # after a message that is not one, or because nobody reads
        said(arena, "cannot be closed yet")
        time.sleep(3)
        arena.answers()
        held = arena.switch.log().count("cannot be closed yet")
        assert held < 10
        peer.close()
        lingerer.release()
        os.close(harmless)
    arena.serves()


def test_file_on_a_disk(arena, peer):
    """Refused with a reason, unless the operator allows it."""
    file = os.open(arena.bed.path / "disk", os.O_RDWR | os.O_CREAT)
    os.ftruncate(file, 1 << 20)
    peer.negotiate()
    if b"tmpfs" in b"".join(line for line in open("/proc/mounts", "rb")
                            if line.split()[1] == bytes(arena.bed.path.parent)):
        pytest.skip("the test's folder is on tmpfs")
    before = len(arena.switch.log())
    assert send_memory(peer, [(0, 1 << 20, file)]) == 1
    said(arena, f"memory region's file is {SHARED_ONLY}", before)
    peer.message(frontend.SET_PROTOCOL_FEATURES,
                 struct.pack("<Q", frontend.PROTOCOL_REPLY_ACK | 1 << 1))
    peer.message(frontend.SET_LOG_BASE, struct.pack("<QQ", 4096, 0), [file])
    assert struct.unpack("<Q", peer.reply())[0] == 1
    said(arena, f"dirty log's file is {SHARED_ONLY}", before)
    original = arena.switch.config_path.read_text()
    allowed = yaml.safe_load(original)
    allowed["switch"]["guest-memory"] = "any"
    arena.switch.reload(yaml.safe_dump(allowed, sort_keys=False))
    said(arena, "switch.guest-memory: shmem -> any")
    assert send_memory(peer, [(0, 1 << 20, file)]) == 0
    arena.switch.reload(original)
    said(arena, "switch.guest-memory: any -> shmem")
    assert send_memory(peer, [(0, 1 << 20, file)]) == 1
    os.close(file)
    peer.close()


@pytest.fixture
def silent(arena):
    if not fuse.DEVICE.exists():
        pytest.skip("no /dev/fuse")
    made = fuse.Fuse(arena.bed.path / "silent", 1 << 20)
    yield made
    made.close()


def flushes(silent):
    return silent.held.count(fuse.FLUSH)


def send_silent_file(silent, peer):
    """The attacker's own close() is answered, ours is not."""
    file = os.open(silent.file, os.O_RDWR)
    assert send_memory(peer, [(0, 1 << 20, file)]) == 1
    wait_for(lambda: flushes(silent), 10, "the switch to close the file")
    silent.silent = False
    os.close(file)
    silent.silent = True


def test_file_that_is_never_answered_for(arena, peer, silent):
    """FUSE: not even its size is asked for, and closing it waits without anybody who waits for that."""
    with arena.watched():
        peer.negotiate()
        send_silent_file(silent, peer)
        assert fuse.READ not in silent.held
        peer.close()


def test_memory_without_end(arena, peer):
    """Address space is ours: one region beyond the port's limit, and several that are too much together."""
    with arena.watched():
        peer.negotiate()
        endless, large = memfd(1 << 47), memfd(3 * GIB)
        time.sleep(1.1)  # a port says ten things a second
        before = len(arena.switch.log())
        assert send_memory(peer, [(0, (1 << 47) - 4096, endless)]) == 1
        said(arena, "the limit of the port (memory-limit-gib) is 8192 MiB", before)
        assert send_memory(peer, [(i << 40, 3 * GIB, large) for i in range(3)]) == 1
        for _ in range(20):
            # What was refused, or is replaced, counts until it is unmapped, which another thread does.
            def accepted():
                return send_memory(peer, [(0, 3 * GIB, large)]) == 0
            wait_for(accepted, 10, "the memory before to be unmapped")
        assert arena.switch.port("attacker")["mapped_bytes"] <= 8 * GIB
        peer.close()
        os.close(endless)
        os.close(large)


def test_limit_of_all_ports(arena, peer):
    """And it can be changed while a VM is connected, which does not notice."""
    original = arena.switch.config_path.read_text()
    smaller = yaml.safe_load(original)
    smaller["switch"]["memory-limit-gib"] = 1
    peer.negotiate()
    large = memfd(2 * GIB)
    arena.switch.reload(yaml.safe_dump(smaller, sort_keys=False))
    said(arena, "switch.memory-limit-gib: auto -> 1")
    assert send_memory(peer, [(0, 2 * GIB, large)]) == 1
    said(arena, "the limit of all ports (switch.memory-limit-gib) is 1024 MiB")
    arena.switch.reload(original)
    said(arena, "switch.memory-limit-gib: 1 -> auto")
    assert send_memory(peer, [(0, 2 * GIB, large)]) == 0
    assert arena.switch.port("attacker")["memory_bytes"] == 2 * GIB
    os.close(large)
    peer.close()


def test_stops_with_jobs_to_do(arena, peer):
    """SIGTERM while a socket lingers."""
    lingerer = Lingerer()
    with handing_over(arena, lingerer):
        peer.message(frontend.GET_FEATURES, b"", [lingerer.fileno()])
    assert peer.hung_up()
    arena.switch.stop()
    peer.close()
    lingerer.release()
    arena.switch.start()
