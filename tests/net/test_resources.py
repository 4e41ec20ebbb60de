# SPDX-License-Identifier: BSD-3-Clause
"""What the switch costs: start-up time, memory, and an idle host's processor."""
import time

import pytest

from lab import measure
from lab.process import sanitized

pytestmark = [pytest.mark.alone, pytest.mark.skipif(
    sanitized(), reason="says nothing about an instrumented build")]

START_SECONDS = 0.100
RESIDENT_KIB = 30 * 1024
IDLE_CPU = 0.005
IDLE_WAKEUPS = 20


def test_start_with_many_ports(bed):
    """What others have of the processor meanwhile is not the switch's."""
    runs = [measure.start_up(bed, 100, number) for number in range(5)]
    spent = sorted(run[2] for run in runs)
    assert spent[2] < START_SECONDS, f"{[round(1000 * seconds) for seconds in spent]} ms"
    assert max(run[1] for run in runs) < RESIDENT_KIB


@pytest.mark.usefixtures("tun")
def test_idle(bed):
    """Two connected ports and nothing to do: neither processor time nor wake-ups."""
    bed.vswd(["a", "b"])
    a, b = bed.nic("a", 1, addressed=False), bed.nic("b", 2, addressed=False)
    time.sleep(1)
    shown = sum(worker["wakeups"] for worker in bed.switch.vsw("worker", "show"))
    cpu, wakeups = measure.idle(bed, 5)
    more = sum(worker["wakeups"] for worker in bed.switch.vsw("worker", "show")) - shown
    assert cpu < IDLE_CPU
    assert wakeups <= IDLE_WAKEUPS
    assert more / 5 <= IDLE_WAKEUPS
    assert a.process.alive() and b.process.alive()


@pytest.mark.usefixtures("tun")
def test_wakes_from_idle(bed):
    """After a rest the first frame goes through without waiting for another."""
    bed.vswd(["a", "b"])
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    a.ping(b.ip, 2)
    for _ in range(3):
        time.sleep(1.2)
        assert a.ping(b.ip, 1, extra=("-W", "0.3")) == (1, 1)


@pytest.mark.usefixtures("tun")
def test_resident_memory(bed):
    bed.vswd(["a", "b"])
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    assert a.ping(b.ip, 50) == (50, 50)
    assert bed.switch.process.resident_kib() < RESIDENT_KIB
