# SPDX-License-Identifier: BSD-3-Clause
"""What the switch costs: the same measurements for the tests' limits and the benchmark's table."""
import pathlib
import time

from .process import LabError, Process, program


def _waited():
    """What this thread has waited so far for a processor that others had, in seconds."""
    return int(pathlib.Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def start_up(bed, ports=100, tag=""):
    """(seconds from fork to the `ready` line, resident KiB then, seconds of its own) of a daemon with many ports.

    Of its own are those in which nobody waited for a processor that others had. Threads wait at the same time, so on a
    loaded machine too much is taken off: but it is never less than the processor time.
    """
    path = bed.path / "many.yaml"
    networks = {f"n{i}": 100 + i for i in range(10)}
    path.write_text(bed.text({f"p{i}": {"network": f"n{i % 10}"} for i in range(ports)}, networks))
    log = bed.path / f"start{tag}.log"
    waited = _waited()
    begin = time.monotonic()
    daemon = Process("vswd", [program("vswd"), "--config", path, "--control",
                              bed.path / "control.sock"], log)
    try:
        while b" ready" not in log.read_bytes():
            if not daemon.alive() or time.monotonic() - begin > 10:
                raise LabError(f"vswd did not start:\n{log.read_text()}")
            time.sleep(0.001)
        spent = time.monotonic() - begin
        own = max(daemon.cpu_seconds(), spent - (_waited() - waited) - daemon.waited_seconds())
        resident = daemon.resident_kib()
        status = daemon.stop()
        if status != 0:
            raise LabError(f"vswd ended with status {status}:\n{log.read_text()}")
        return spent, resident, own
    finally:
        daemon.kill()


def idle(bed, seconds):
    """(share of a core, returns from sleep a second) of the bed's switch over some seconds.

    The wake-ups are the kernel's count over all threads, so none can be forgotten.
    """
    daemon = bed.switch.process
    cpu, wakeups = daemon.cpu_seconds(), daemon.wakeups()
    time.sleep(seconds)
    return ((daemon.cpu_seconds() - cpu) / seconds, (daemon.wakeups() - wakeups) / seconds)
