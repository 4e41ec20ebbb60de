# SPDX-License-Identifier: BSD-3-Clause
"""Eventfds that the attacker makes blocking after the switch has them: full ones, where writing would
wait, and empty ones, where reading would. O_NONBLOCK belongs to the open file, which both have."""
import os
import select
import struct
import threading
import time

import pytest

from lab import frontend
from lab.frames import BROADCAST, frame
from lab.frontend import RX, TX
from lab.process import wait_for

FULL = 2**64 - 2
PROTOCOL_LOG_SHMFD = 1 << 1
F_LOG_ALL = 1 << 26


def fill(fd):
    """From now on write() waits for somebody who reads."""
    while select.select([fd], [], [], 0)[0]:
        os.eventfd_read(fd)
    os.eventfd_write(fd, FULL)
    os.set_blocking(fd, True)


def flood(arena, peer, count=20):
    """Frames for the attacker: the worker copies them into its ring and signals it."""
    raw = arena.victim.raw()
    before = peer.used(RX)
    for _ in range(count):
        raw.send(frame(BROADCAST, arena.victim.mac, b"for the attacker"))
        time.sleep(0.01)
    wait_for(lambda: peer.used(RX) != before, 10, "frames in the attacker's ring")


@pytest.fixture
def peer(arena):
    made = arena.connect()
    yield made
    if made.socket.fileno() >= 0:
        made.close()


def test_call_of_the_receive_queue(arena, peer):
    with arena.watched():
        fill(peer.call[RX])
        flood(arena, peer)
        # A change of a ring waits for every worker: one that slept would show here.
        peer.message(frontend.SET_VRING_ENABLE, struct.pack("<II", RX, 0))
        peer.ask(frontend.GET_FEATURES)
        arena.answers()
        peer.close()


def test_call_of_the_send_queue(arena, peer):
    with arena.watched():
        fill(peer.call[TX])
        for _ in range(20):
            peer.send(frame(BROADCAST, "02:66:66:66:66:66", b"mine"))
            time.sleep(0.01)
        peer.ask(frontend.GET_FEATURES)
        peer.close()


@pytest.mark.parametrize("message", [frontend.SET_VRING_CALL, frontend.SET_VRING_KICK])
def test_call_signalled_by_the_control_thread(arena, peer, message):
    """It signals whenever a ring gets another call descriptor, or starts."""
    with arena.watched():
        full = os.eventfd(0)
        fill(full)
        peer.message(frontend.SET_VRING_CALL, struct.pack("<Q", RX), [full])
        peer.message(message, struct.pack("<Q", RX),
                     [full if message == frontend.SET_VRING_CALL else peer.kick[RX]])
        peer.ask(frontend.GET_FEATURES)
        arena.answers()
        os.close(full)
        peer.close()


def test_error(arena, peer):
    with arena.watched():
        error = os.eventfd(0)
        peer.message(frontend.SET_VRING_ERR, struct.pack("<Q", TX), [error])
        peer.ask(frontend.GET_FEATURES)
        fill(error)
        peer.descriptor(TX, 0, frontend.MEMORY, 64)
        peer.offer(TX, 0)
        peer.notify()
        wait_for(lambda: arena.switch.port("attacker")["ring_errors"], 10, "the ring to break")
        arena.answers()
        os.close(error)
        peer.close()


def test_dirty_log(arena):
    peer = arena.connect(start=False)
    log, signal = os.memfd_create("log"), os.eventfd(0)
    os.ftruncate(log, 1 << 20)
    with arena.watched():
        peer.negotiate()
        peer.message(frontend.SET_PROTOCOL_FEATURES, struct.pack(
            "<Q", frontend.PROTOCOL_REPLY_ACK | PROTOCOL_LOG_SHMFD))
        peer.message(frontend.SET_FEATURES, struct.pack("<Q", peer.features | F_LOG_ALL))
        peer.share_memory()
        peer.message(frontend.SET_LOG_BASE, struct.pack("<QQ", 1 << 20, 0), [log])
        assert peer.reply() == bytes(8)
        peer.message(frontend.SET_LOG_FD, b"", [signal])
        for index in range(64):
            peer.descriptor(RX, index, peer.buffer(128 + index), frontend.BUFFER, frontend.WRITE)
            peer.offer(RX, index)
        for ring in (RX, TX):
            peer.start_ring(ring)
        peer.ask(frontend.GET_FEATURES)
        flood(arena, peer, 3)
        assert os.eventfd_read(signal) > 0
        fill(signal)
        flood(arena, peer)
        peer.ask(frontend.GET_FEATURES)
        peer.close()
    os.close(log)
    os.close(signal)


def test_kick_that_would_be_read(arena):
    """Five seconds after a driver's start the control thread wants to know whether it kicked."""
    peer = arena.connect(start=False)
    with arena.watched():
        peer.negotiate()
        peer.share_memory()
        for ring in (RX, TX):
            peer.start_ring(ring)
        peer.ask(frontend.GET_FEATURES)
        os.set_blocking(peer.kick[RX], True)
        time.sleep(6.5)
        arena.answers()
        peer.close()


def test_memory_that_is_not_shared_is_still_noticed(arena):
    """The same look, for an honest guest whose memory we see as zeros."""
    peer = arena.connect(start=False)
    peer.negotiate()
    peer.share_memory()
    peer.kick[RX] = os.eventfd(1, os.EFD_NONBLOCK)
    for ring in (RX, TX):
        peer.start_ring(ring)
    peer.ask(frontend.GET_FEATURES)
    peer.notify(RX)
    peer.ask(frontend.GET_FEATURES)
    wait_for(lambda: "the VM does not share its memory" in arena.switch.log(), 10,
             "a line about memory")
    peer.close()


def test_kicks_without_end(arena, peer):
    """Both kick eventfds are written as fast as a thread can, and nothing is in the rings."""
    stopping = threading.Event()

    def kick():
        while not stopping.is_set():
            for fd in peer.kick:
                for _ in range(200):
                    os.eventfd_write(fd, 1)

    with arena.watched():
        thread = threading.Thread(target=kick, daemon=True)
        thread.start()
        time.sleep(3)
        arena.answers()
        stopping.set()
        thread.join()
        peer.close()


def test_stops_when_told(arena):
    """With an attacker whose eventfd is full and blocking, and frames for it, SIGTERM still ends it."""
    peer = arena.connect()
    fill(peer.call[RX])
    flood(arena, peer)
    arena.switch.stop()
    peer.close()
    arena.switch.start()


def test_watched_by_a_multitude(arena, peer):
    """Each epoll that watches the call eventfd is told within the switch's system call: a hundred thousand
    make it a millisecond. Such a guest is interrupted rarely, but never not at all, and when they are gone
    as usual."""
    copies = [os.dup(peer.call[RX]) for _ in range(300)]
    epolls = [select.epoll() for _ in range(300)]
    for epoll in epolls:
        for copy in copies:
            epoll.register(copy, select.EPOLLIN)
    counted = os.dup(peer.call[RX])
    with arena.watched():
        assert frames_for(arena, peer, 1200) >= 600
        assert arena.switch.port("attacker")["owed_signals"] > 0
        signals = os.eventfd_read(counted) if select.select([counted], [], [], 3)[0] else 0
        assert 0 < signals < 300
        # The last frame, alone: its signal comes, though late.
        frames_for(arena, peer, 1)
        wait_for(lambda: select.select([counted], [], [], 0)[0], 10, "the signal of a lone frame")
        assert "is interrupted rarely from now on" in arena.switch.log()
        for epoll in epolls:
            epoll.close()
        for copy in copies:
            os.close(copy)

        def at_once():
            before = arena.switch.port("attacker")["owed_signals"]
            frames_for(arena, peer, 40)
            return arena.switch.port("attacker")["owed_signals"] == before
        wait_for(at_once, 30, "signals that are sent at once")
        os.close(counted)
        peer.close()
    assert arena.switch.log().count("is interrupted rarely from now on") == 1


def frames_for(arena, peer, count):
    """Sends so many frames to the attacker, who gives each buffer back; how many came so far."""
    raw = arena.victim.raw()
    given = getattr(peer, "given", 0)
    first = given

    def give_back():
        nonlocal given
        for _ in range((peer.used(RX) - given) & 0xFFFF):
            peer.offer(RX, given % 64)
            given += 1
        return given > first

    for _ in range(count):
        raw.send(frame(BROADCAST, arena.victim.mac, b"one of many"))
        time.sleep(0.001)
        give_back()
    wait_for(give_back, 10, "a frame in the attacker's ring")
    peer.given = given
    return given - first
