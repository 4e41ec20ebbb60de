# SPDX-License-Identifier: BSD-3-Clause
"""Either side goes away and comes back, politely or not, in both socket modes."""
import os
import socket
import time

import pytest

from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("tun")

# The switch listens, or the station does and the switch dials.
MODES = ["server", "client"]
# What the switch says once while the listener that it dials is not there.
ABSENT = r"cannot connect to .*retrying"


@pytest.fixture(params=MODES)
def couple(bed, request):
    """a reconnects in the mode under test; b is an ordinary port."""
    client = request.param == "client"
    address = bed.path / "nic-a.sock"
    keys = {"mode": "client", "socket": str(address)} if client else {}
    bed.vswd({"a": {"network": "blue", **keys}, "b": {"network": "blue"}})
    if client:
        bed.switch.allow(ABSENT)
    a = bed.nic("a", 1, socket=address if client else None, server=client)
    return bed, a, bed.nic("b", 2)


def both_ways(a, b):
    wait_for(lambda: a.ping(b.ip, 1)[1] == 1, 15, "the first answer")
    assert a.ping(b.ip, 10) == (10, 10) and b.ping(a.ip, 10) == (10, 10)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_station_comes_back(couple, how):
    bed, a, b = couple
    both_ways(a, b)
    for _ in range(3):
        getattr(a, how)()
        wait_for(lambda: not bed.switch.port("a")["connected"], 5, "the switch to notice")
        a.start()
        wait_for(lambda: bed.switch.port("a")["connected"], 10, "the connection")
        both_ways(a, b)


def test_nothing_is_left_of_a_killed_station(couple):
    bed, a, b = couple
    both_ways(a, b)
    a.kill()
    wait_for(lambda: not bed.switch.port("a")["connected"], 5, "the switch to notice")
    fds = bed.switch.process.fds()
    mappings = bed.switch.process.guest_mappings()
    for _ in range(10):
        a.start()
        wait_for(lambda: bed.switch.port("a")["connected"], 10, "the connection")
        a.kill()
        wait_for(lambda: not bed.switch.port("a")["connected"], 5, "the switch to notice")
    wait_for(lambda: bed.switch.process.fds() <= fds, 5, f"fds back to {fds}")
    assert bed.switch.process.guest_mappings() == mappings
    assert b.ping("10.0.0.2", 1)[1] == 1


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_switch_comes_back(couple, how):
    """The stations run on; after the restart they are connected without being touched."""
    bed, a, b = couple
    both_ways(a, b)
    for _ in range(3):
        getattr(bed.switch, how)()
        assert a.process.alive() and b.process.alive()
        bed.switch.start()
        for name in ("a", "b"):
            wait_for(lambda: bed.switch.port(name)["connected"], 10, f"{name} to come back")
        both_ways(a, b)


def test_a_killed_station_disturbs_nobody(bed):
    bed.vswd(["a", "b", "c"])
    a, b, c = bed.nic("a", 1), bed.nic("b", 2), bed.nic("c", 3)
    both_ways(a, b)
    both_ways(c, b)
    from threading import Thread
    result = []
    pinging = Thread(target=lambda: result.append(a.ping(b.ip, 400, interval=0.005)))
    pinging.start()
    for _ in range(3):
        time.sleep(0.3)
        c.kill()
        c.start()
    pinging.join()
    assert result == [(400, 400)]


def test_second_client_is_refused(bed):
    """It is hung up on after a while, the log names its process, and the first one notices nothing."""
    bed.vswd(["a", "b"])
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    both_ways(a, b)
    bed.switch.allow(r"refus|already|second")
    with socket.socket(socket.AF_UNIX) as second:
        second.settimeout(15)
        second.connect(str(bed.switch.socket("a")))
        try:
            assert second.recv(1) == b""
        except ConnectionResetError:
            pass
    wait_for(lambda: f"{os.getpid()}" in bed.switch.log(), 3, "the pid in the log")
    both_ways(a, b)


def test_stations_first(bed):
    """Stations that are started before the switch wait for it."""
    a = bed.nic("a", 1, connect=False)
    b_socket = bed.path / "listening.sock"
    b = bed.nic("b", 2, connect=False, socket=b_socket, server=True)
    time.sleep(0.5)
    bed.vswd({"a": {"network": "blue"},
              "b": {"network": "blue", "mode": "client", "socket": str(b_socket)}})
    bed.switch.allow(ABSENT)
    for nic in (a, b):
        nic.process.wait_log(nic.connected, 15)
        nic.configure()
    both_ways(a, b)


def test_a_socket_that_cannot_be_had_again(bed):
    """A change that needs the port anew is refused, and its folder has gone meanwhile: the port stays in the running
    configuration, with its problem, and its VM comes back when the folder does."""
    folder, away = bed.path / "own", bed.path / "elsewhere"
    folder.mkdir()
    bed.vswd({"a": {"network": "blue", "socket": str(folder / "a.sock")}, "b": {"network": "blue"}})
    bed.switch.allow("No such file")
    a, b = bed.nic("a", 1, socket=folder / "a.sock"), bed.nic("b", 2)
    both_ways(a, b)
    before = bed.switch.vsw("config", "show")
    folder.rename(away)
    refused = bed.switch.vsw_raw("port", "set", "a", "queues=2")
    assert refused.returncode != 0 and "a.sock" in refused.stderr
    assert bed.switch.vsw("config", "show") == before
    port = bed.switch.port("a")
    assert port["state"] == "down" and "No such file" in port["problem"]
    away.rename(folder)
    wait_for(lambda: bed.switch.port("a")["connected"], 20, "the connection")
    assert bed.switch.port("a")["problem"] is None
    both_ways(a, b)
