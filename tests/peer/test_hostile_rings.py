# SPDX-License-Identifier: BSD-3-Clause
"""A hostile driver: nonsense in the rings, memory that goes away, descriptors that are none.

Each case costs the attacker's own port at most: a and b talk on, and an honest client of the
attacked port is served afterwards.
"""
import os
import struct

import pytest

from lab import frontend
from lab.bed import Bed, mac
from lab.frames import BROADCAST, frame
from lab.frontend import BUFFER, INDIRECT, NEXT, RING, RX, TX, WRITE, Frontend
from lab.process import program, wait_for

pytestmark = pytest.mark.usefixtures("tun")

ATTACKER = "02:66:66:66:66:66"


def chain(peer, *descriptors):
    """Offers a chain of (address, length, flags, next) from descriptor 0 on, and kicks."""
    for index, words in enumerate(descriptors):
        peer.descriptor(TX, index, *words)
    peer.offer(TX, 0)
    peer.notify()


def table(peer, *descriptors):
    """Writes an indirect table; its guest address."""
    address = peer.buffer(100)
    data = b"".join(struct.pack("<QIHH", *words) for words in descriptors)
    peer.memory[address:address + len(data)] = data
    return address


def jump(peer):
    peer.show(TX, peer.available[TX] + RING + 1)
    peer.notify()


def backwards(peer):
    peer.show(TX, peer.available[TX] - 1)
    peer.notify()


def head_out_of_range(peer):
    peer.offer(TX, 0xFFFF)
    peer.notify()


def loop(peer):
    chain(peer, (peer.buffer(0), 64, NEXT, 1), (peer.buffer(1), 64, NEXT, 0))


def loop_of_nothing(peer):
    chain(peer, (peer.buffer(0), 0, NEXT, 0))


def next_out_of_range(peer):
    chain(peer, (peer.buffer(0), 64, NEXT, RING))


def outside(peer):
    chain(peer, (frontend.MEMORY, 64, 0, 0))


def across_the_end(peer):
    chain(peer, (frontend.MEMORY - 16, 64, 0, 0))


def wraps(peer):
    chain(peer, (2**64 - 16, 64, 0, 0))


def wraps_length(peer):
    chain(peer, (peer.buffer(0), 2**32 - 1, 0, 0))


def nothing(peer):
    chain(peer, (peer.buffer(0), 0, 0, 0))


def half_a_header(peer):
    chain(peer, (peer.buffer(0), 6, 0, 0))


def only_a_header(peer):
    chain(peer, (peer.buffer(0), 12, 0, 0))


def a_runt(peer):
    chain(peer, (peer.buffer(0), 12 + 13, 0, 0))


def to_be_written(peer):
    chain(peer, (peer.buffer(0), 76, WRITE, 0))


def giant(peer):
    chain(peer, *((peer.buffer(1), 3 << 20, NEXT, i + 1) for i in range(100)),
          (peer.buffer(1), 3 << 20, 0, 0))


def crumbs(peer):
    chain(peer, *((peer.buffer(0) + i, 1, NEXT, i + 1) for i in range(RING - 1)),
          (peer.buffer(1), 1, 0, 0))


def indirect_odd(peer):
    chain(peer, (table(peer, (peer.buffer(0), 64, 0, 0)), 17, INDIRECT, 0))


def indirect_empty(peer):
    chain(peer, (table(peer, (peer.buffer(0), 64, 0, 0)), 0, INDIRECT, 0))


def indirect_huge(peer):
    chain(peer, (table(peer, (peer.buffer(0), 64, 0, 0)), 16 << 16, INDIRECT, 0))


def indirect_nested(peer):
    inner = (peer.buffer(100), 16, INDIRECT, 0)
    chain(peer, (table(peer, inner), 16, INDIRECT, 0))


def indirect_loop(peer):
    chain(peer, (table(peer, (peer.buffer(0), 64, NEXT, 0)), 16, INDIRECT, 0))


def indirect_outside(peer):
    chain(peer, (frontend.MEMORY - 8, 32, INDIRECT, 0))


def indirect_and_next(peer):
    chain(peer, (table(peer, (peer.buffer(0), 64, 0, 0)), 16, INDIRECT | NEXT, 1),
          (peer.buffer(1), 64, 0, 0))


def receive_loop(peer):
    for index in range(64):
        peer.descriptor(RX, index, peer.buffer(128), BUFFER, WRITE | NEXT, index)
    peer.notify(RX)


def receive_read_only(peer):
    for index in range(64):
        peer.descriptor(RX, index, peer.buffer(128), BUFFER, 0)
    peer.notify(RX)


def receive_outside(peer):
    for index in range(64):
        peer.descriptor(RX, index, 2**63, BUFFER, WRITE)
    peer.notify(RX)


def receive_tiny(peer):
    for index in range(64):
        peer.descriptor(RX, index, peer.buffer(128), 1, WRITE)
    peer.notify(RX)


def memory_gone(peer):
    peer.truncate(0)
    peer.notify()


def buffers_gone(peer):
    address, length = peer.fill(0, frame(BROADCAST, ATTACKER, b"gone"))
    chain(peer, (peer.buffer(200), length, 0, 0))
    peer.truncate(peer.buffer(0))
    for _ in range(3):
        peer.notify()


FAULTS = [jump, backwards, head_out_of_range, loop, loop_of_nothing, next_out_of_range, outside,
          across_the_end, wraps, wraps_length, nothing, half_a_header, only_a_header, a_runt,
          to_be_written, giant, crumbs, indirect_odd, indirect_empty, indirect_huge,
          indirect_nested, indirect_loop, indirect_outside, indirect_and_next, receive_loop,
          receive_read_only, receive_outside, receive_tiny, memory_gone, buffers_gone]


@pytest.fixture(scope="module")
def arena():
    """One switch for all cases: it must survive each of them."""
    if program("vswd") is None:
        pytest.fail("vswd is not built")
    bed = Bed()
    try:
        switch = bed.vswd(["a", "b", "victim"])
        switch.allow(r"victim", r"similar lines were held back")
        bed.a, bed.b = bed.nic("a", 1), bed.nic("b", 2)
        assert bed.a.ping(bed.b.ip, 5) == (5, 5)
        yield bed
        bed.finish()
    except BaseException:
        print(bed.logs())
        raise
    finally:
        bed.close()


def connect(arena, features=0):
    """An honest start, shown by a frame that b hears."""
    wait_for(lambda: not arena.switch.port("victim")["connected"], 5, "the port to be free")
    peer = Frontend(arena.switch.socket("victim"), frontend.F_VERSION_1 |
                    frontend.F_PROTOCOL_FEATURES | features).start()
    raw = arena.b.raw()
    raw.drain()
    peer.send(frame(BROADCAST, ATTACKER, b"honest"))
    assert any(b"honest" in data for data in raw.collect(2, 1)), "an honest frame gets through"
    return peer


@pytest.mark.parametrize("features", [0, frontend.F_INDIRECT | frontend.F_EVENT_IDX |
                                      frontend.F_MRG_RXBUF], ids=["plain", "all"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_ring_fault(arena, fault, features):
    fds = arena.switch.process.fds()
    peer = connect(arena, features)
    try:
        fault(peer)
        # Broadcasts from the others meet the attacker's receive ring.
        for _ in range(10):
            arena.a.raw().send(frame(BROADCAST, mac(1), b"to all"))
        assert arena.a.ping(arena.b.ip, 5, interval=0.01) == (5, 5)
        assert arena.switch.process.alive()
    finally:
        peer.close()
    connect(arena).close()
    wait_for(lambda: arena.switch.process.fds() <= fds, 5, f"fds back to {fds}")


def test_memory_that_keeps_going_away(arena):
    """Truncation in the middle of traffic, again and again; only that port may suffer."""
    for round_ in range(50):
        wait_for(lambda: not arena.switch.port("victim")["connected"], 5, "the port to be free")
        peer = Frontend(arena.switch.socket("victim")).start()
        try:
            for index in range(round_ % 7):
                peer.send(frame(BROADCAST, ATTACKER, b"%d" % index))
            peer.truncate(0 if round_ % 2 else peer.buffer(0))
            peer.notify()
            peer.notify(RX)
            for _ in range(3):
                arena.a.raw().send(frame(BROADCAST, mac(1), b"to all"))
        finally:
            peer.close()
        assert arena.switch.process.alive()
    assert arena.a.ping(arena.b.ip, 20, interval=0.01) == (20, 20)
    connect(arena).close()


@pytest.mark.parametrize("what", ["file", "pipe", "full"])
def test_call_that_is_no_eventfd(arena, what):
    """A "call" that would block or fail must not stop a worker."""
    wait_for(lambda: not arena.switch.port("victim")["connected"], 5, "the port to be free")
    peer = Frontend(arena.switch.socket("victim"))
    extra = []
    try:
        if what == "file":
            extra = [os.memfd_create("call")]
        elif what == "pipe":
            extra = list(reversed(os.pipe()))
        else:
            extra = [os.eventfd(0, 0)]
            os.eventfd_write(extra[0], 2**64 - 2)
        peer.negotiate()
        peer.share_memory()
        for index in range(64):
            peer.descriptor(RX, index, peer.buffer(128), BUFFER, WRITE)
            peer.offer(RX, index)
        try:
            for ring in (RX, TX):
                peer.start_ring(ring, call=extra[0])
            for index in range(20):
                peer.send(frame(BROADCAST, ATTACKER, b"%d" % index))
        except (BrokenPipeError, ConnectionResetError):
            pass
        for _ in range(20):
            arena.a.raw().send(frame(BROADCAST, mac(1), b"to all"))
        assert arena.a.ping(arena.b.ip, 20, interval=0.01) == (20, 20)
    finally:
        peer.close()
        for fd in extra:
            os.close(fd)
    connect(arena).close()


def test_a_flood_does_not_starve_the_others(arena):
    """An attacker whose ring never runs empty; the others' latency stays bounded."""
    peer = connect(arena)
    try:
        address, length = peer.fill(0, frame(mac(9), ATTACKER, bytes(1000)))
        for index in range(RING):
            peer.descriptor(TX, index, address, length)
        lost = 0
        for _ in range(20):
            for _ in range(100):
                peer.show(TX, peer.used(TX) + RING - 1)
                peer.notify()
            sent, received = arena.a.ping(arena.b.ip, 2, interval=0.01)
            lost += sent - received
        assert lost == 0
    finally:
        peer.close()


def test_stalled_message(arena):
    """Half a header, and then nothing: the port is not blocked for ever and nobody else is."""
    wait_for(lambda: not arena.switch.port("victim")["connected"], 5, "the port to be free")
    peer = Frontend(arena.switch.socket("victim"))
    try:
        peer.socket.send(b"\1\0\0\0\1\0")
        assert arena.a.ping(arena.b.ip, 20, interval=0.01) == (20, 20)
        assert peer.hung_up(timeout=30), "an incomplete message has a deadline"
    finally:
        peer.close()
    connect(arena).close()


def test_replies_that_nobody_reads(arena):
    """Questions without end whose answers are not taken: bounded memory, nobody waits."""
    wait_for(lambda: not arena.switch.port("victim")["connected"], 5, "the port to be free")
    memory = arena.switch.process.resident_kib()
    peer = Frontend(arena.switch.socket("victim"))
    try:
        peer.socket.settimeout(0.5)
        try:
            for _ in range(200000):
                peer.message(frontend.GET_FEATURES)
        except OSError:
            pass
        assert arena.a.ping(arena.b.ip, 20, interval=0.01) == (20, 20)
        assert arena.switch.process.resident_kib() < memory + 4096
    finally:
        peer.close()
    connect(arena).close()
