# SPDX-License-Identifier: BSD-3-Clause
"""Where packed rings stand, kept for the next vswd: found again, and never believed when it is broken."""
import os
import socket

import pytest

from lab.frames import BROADCAST, frame
from lab.frontend import BUFFER, RX, WRITE
from lab.packed import PackedFrontend
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("tun")

GUEST = "02:77:77:77:77:77"
HEADER = 64  # bytes in front of the records
PORTS = {"guest": {"network": "blue"}, "other": {"network": "blue"}}


class Station:
    """A driver with packed rings that goes on over the ends of the switch, and who hears it."""

    def __init__(self, bed):
        self.switch = bed.vswd(PORTS)
        self.other = bed.nic("other", 1, addressed=False)
        self.path = self.switch.socket("guest")
        self.peer = PackedFrontend(self.path)
        for number in range(64):
            self.peer.offer(RX, self.peer.buffer(128 + number), BUFFER, WRITE)
        self.peer.start()
        self.sent = 0

    def heard(self, seconds=2):
        """True where frames that the driver sends now reach the other, each once and in order."""
        raw = self.other.raw()
        raw.drain()
        first = self.sent
        for _ in range(10):
            self.peer.send(frame(BROADCAST, GUEST, b"number %6d" % self.sent))
            self.sent += 1
        found = [data[14:27] for data in raw.collect(seconds, 10)]
        return found == [b"number %6d" % number for number in range(first, self.sent)]

    def restart(self, meanwhile=lambda: None):
        """The switch is killed and started; the driver connects again and repeats its first base."""
        self.switch.kill()
        meanwhile()
        self.switch.start()
        self.peer.socket.close()
        self.peer.socket = socket.socket(socket.AF_UNIX)
        self.peer.socket.settimeout(5)
        self.peer.socket.connect(str(self.path))
        self.peer.start()
        wait_for(lambda: self.switch.port("other")["running"], 20, "the other to be back")


@pytest.fixture
def station(bed):
    made = Station(bed)
    yield made
    made.peer.close()


def test_found_again(station):
    """Frame after frame over five ends, past the ring's end: what was sent before is not sent again."""
    assert station.heard()
    for _ in range(5):
        station.restart()
        for _ in range(7):
            assert station.heard()
    assert station.switch.port("guest")["state"] == "running"


def record(bed):
    return bed.path / ".positions" / "guest"


def nonsense(path):
    path.write_bytes(os.urandom(path.stat().st_size))


def nothing(path):
    path.write_bytes(b"")


def zeroes(path):
    path.write_bytes(bytes(path.stat().st_size))


def slots_beyond(path):
    """Only the moving part is wrong: places far outside the ring."""
    data = bytearray(path.read_bytes())
    for at in range(HEADER, len(data), 64):
        data[at:at + 12] = b"\xff" * 12
    path.write_bytes(data)


def other_version(path):
    """What a later release may have left, whose records mean something else."""
    data = bytearray(path.read_bytes())
    data[8] += 1
    path.write_bytes(data)


def removed(path):
    path.unlink()


@pytest.mark.parametrize("spoil", [nonsense, nothing, zeroes, slots_beyond, other_version, removed],
                         ids=lambda spoil: spoil.__name__)
def test_a_record_that_is_broken(bed, station, spoil):
    """The rings do not go on, the port says so, and a driver that starts anew is served."""
    assert station.heard()
    station.switch.allow(r"port guest: ring \d is out of service")
    station.restart(lambda: spoil(record(bed)))
    shown = wait_for(lambda: station.switch.port("guest")["state"] == "broken" and
                     station.switch.port("guest"), 5, "the port to say that it is broken")
    assert "restart the guest's driver" in shown["problem"]
    assert not station.heard(0.5)
    station.peer.close()
    fresh = PackedFrontend(station.path).start()
    try:
        station.peer = fresh
        assert station.heard()
    finally:
        station.peer = fresh


def link(path):
    os.rename(path, path.with_name("elsewhere"))
    os.symlink(path.with_name("elsewhere"), path)


def folder(path):
    path.unlink()
    path.mkdir()


def readable(path):
    path.chmod(0o644)


def second_name(path):
    os.link(path, path.with_name("elsewhere"))


def folder_of_others(path):
    path.parent.chmod(0o777)


@pytest.mark.parametrize("spoil", [link, folder, readable, second_name, folder_of_others],
                         ids=lambda spoil: spoil.__name__)
def test_a_record_that_is_not_ours_alone(bed, station, spoil):
    """It is not used, which is said; the port works without."""
    assert station.heard()
    station.switch.allow(r"its packed rings will not survive a restart",
                         r"port guest: ring \d is out of service")
    station.restart(lambda: spoil(record(bed)))
    assert "its packed rings will not survive a restart of the switch" in station.switch.log()
    station.peer.close()
    station.peer = PackedFrontend(station.path).start()
    assert station.heard()


def test_a_record_that_is_cut_while_it_is_used(bed, station):
    """By whoever is root: the switch runs on."""
    assert station.heard()
    os.truncate(record(bed), 0)
    for _ in range(3):
        assert station.heard()
    assert station.switch.process.alive()
