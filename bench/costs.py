# SPDX-License-Identifier: BSD-3-Clause
"""What virtswitch costs where no frame moves: idling, memory, and the time to start."""
import statistics
import time

from lab import measure
from lab.bed import Bed
from lab.process import LabError, Process, program

IDLE_SECONDS = 10
SETTLE_SECONDS = 3
# Connected guests: a few, those of an idle host, as many as a node may have.
GUESTS = (2, 64, 256)


def _connected(bed, count, cpu):
    """A switch with so many guests whose drivers run and are silent."""
    names = [f"p{number}" for number in range(count)]
    bed.vswd(names)
    ports = [f"--port={bed.switch.socket(name)}" for name in names]
    guests = Process("vsw-bench", [program("vsw-bench"), "--hold", "--connect", 60, "--cpu", cpu,
                                   *ports], bed.path / "hold.log")
    try:
        guests.wait_log("^ready$", 90)
        time.sleep(SETTLE_SECONDS)
    except BaseException:
        guests.kill()
        raise
    return guests


def _idle(count, cpu):
    bed = Bed()
    try:
        guests = _connected(bed, count, cpu)
        try:
            share, wakeups = measure.idle(bed, IDLE_SECONDS)
            resident = bed.switch.process.resident_kib() / 1024
        finally:
            guests.kill()
    finally:
        bed.close()
    return {f"idle_{count}_ports_cpu_percent": 100 * share,
            f"idle_{count}_ports_wakeups_per_second": wakeups,
            f"resident_{count}_ports_mib": resident}


def _start():
    bed = Bed()
    try:
        starts = [measure.start_up(bed, 100, number) for number in range(5)]
    finally:
        bed.close()
    return {"start_100_ports_ms": 1000 * statistics.median(start[0] for start in starts)}


def _wake(cores):
    median, most = cores.wake()
    return {"machine_wake_p50_us": median, "machine_wake_p99_us": most}


def costs(cpu, cores):
    """All of it: a figure for each name, or why there is none. cpu: of the guests."""
    found = {}
    for name, measured in [(f"idle_{count}", lambda count=count: _idle(count, cpu))
                           for count in GUESTS] + [("start", _start), ("wake", lambda: _wake(cores))]:
        try:
            found.update(measured())
        except (LabError, OSError) as error:
            found[f"{name}_error"] = str(error)
    return found
