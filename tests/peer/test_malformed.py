# SPDX-License-Identifier: BSD-3-Clause
"""Malformed message sequences over real sockets: they cost their own connection and nothing else."""
import os
import pathlib
import sys
import threading

import pytest

from lab.process import sanitized, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
malformed = pytest.importorskip("malformed", reason="tests/peer/malformed.py is missing")

pytestmark = pytest.mark.usefixtures("tun")


def run(bed, count, seed):
    """The storm on port `victim` while a and b ping each other; then everything must be as before."""
    switch = bed.vswd(["a", "b", "victim"])
    switch.allow(r".*")
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    assert a.ping(b.ip, 5) == (5, 5)
    fds = switch.process.fds()
    mappings = switch.process.guest_mappings()
    memory = switch.process.resident_kib()
    lost, storm = [], threading.Event()

    def ping():
        while not storm.is_set():
            sent, received = a.ping(b.ip, 20, interval=0.02)
            lost.append(sent - received)

    pinging = threading.Thread(target=ping)
    pinging.start()
    try:
        malformed.run(str(switch.socket("victim")), count, seed)
    finally:
        storm.set()
        pinging.join()
    assert switch.process.alive(), "the daemon is gone"
    wait_for(lambda: not switch.port("victim")["connected"], 10, "the last connection to end")
    wait_for(lambda: switch.process.fds() <= fds, 10, f"fds back to {fds}")
    assert switch.process.guest_mappings() == mappings
    if not sanitized():
        assert switch.process.resident_kib() < memory + 8 * 1024
    assert sum(lost) == 0, f"{sum(lost)} pings of the other ports lost"
    victim = bed.nic("victim", 3)
    wait_for(lambda: victim.ping(b.ip, 1)[1] == 1, 10, "an honest client on the attacked port")


@pytest.mark.seconds(600)
def test_malformed_sequences(bed):
    run(bed, int(os.environ.get("VSW_MALFORMED", 20000 if sanitized() else 100000)), seed=1)


@pytest.mark.long
@pytest.mark.seconds(3000)
@pytest.mark.parametrize("seed", range(2, 7))
def test_malformed_sequences_long(bed, seed):
    run(bed, 300000, seed)
