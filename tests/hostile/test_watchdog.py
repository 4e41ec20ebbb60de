# SPDX-License-Identifier: BSD-3-Clause
"""What a service manager hears: ready, reloading, stopping, and pings while every worker moves on."""
import ctypes
import os
import pathlib
import signal
import socket
import time

import pytest

from lab.process import Process, program, sanitized, wait_for
from lab.vswd import run_tool

LIMIT_US = 1_000_000
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Manager:
    """A vswd with a service manager that listens. Its worker polls, and so is never asleep."""

    def __init__(self, bed, **environment):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(bed.path / "notify"))
        self.socket.settimeout(20)
        config = bed.path / "config.yaml"
        config.write_text(bed.text(["a"], workers=1, poll="busy"))
        self.control = bed.path / "control.sock"
        self.process = Process("vswd", [program("vswd"), "--config", config, "--control",
                                        self.control], bed.path / "vswd.log",
                               env={"NOTIFY_SOCKET": str(bed.path / "notify"), **environment})
        bed.members.append(self)

    def hear(self):
        return self.socket.recv(4096).decode()

    def hear_all(self, seconds):
        """What is said within that time."""
        heard = []
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                heard.append(self.hear())
            except TimeoutError:
                break
        self.socket.settimeout(20)
        return heard

    def worker(self):
        """The id of the worker's thread."""
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == "worker0":
                return int(task.name)
        raise AssertionError("no thread is called a worker")

    def end(self):
        assert self.process.stop(timeout=60 if sanitized() else 10) == 0

    def close(self):
        self.process.kill()
        self.socket.close()


def test_words(bed):
    """Pings that are for another process are not ours to send."""
    manager = Manager(bed, WATCHDOG_USEC=str(LIMIT_US), WATCHDOG_PID="1")
    assert manager.hear() == "READY=1"
    manager.process.send_signal(signal.SIGHUP)
    assert manager.hear().startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert manager.hear() == "READY=1"
    assert manager.hear_all(1) == []
    manager.process.send_signal(signal.SIGTERM)
    assert manager.hear() == "STOPPING=1"
    manager.end()


def test_a_worker_that_hangs_ends_the_pings(bed, root_user):
    """One thread is stopped by a debugger; the control thread goes on, and says so."""
    manager = Manager(bed, WATCHDOG_USEC=str(LIMIT_US))
    assert manager.hear() == "READY=1"
    for _ in range(4):
        assert manager.hear() == "WATCHDOG=1"
    thread = manager.worker()
    if LIBC.ptrace(PTRACE_SEIZE, thread, None, None) != 0:
        pytest.skip(f"no ptrace here: {os.strerror(ctypes.get_errno())}")
    try:
        assert LIBC.ptrace(PTRACE_INTERRUPT, thread, None, None) == 0
        os.waitpid(thread, WALL)
        manager.process.wait_log("worker 0 is stuck", timeout=20)
        manager.hear_all(0.1)
        assert manager.hear_all(2) == []
        done = run_tool("vsw", "--control", manager.control, "show")
        assert done.returncode == 0, done.stderr
    finally:
        assert LIBC.ptrace(PTRACE_DETACH, thread, None, None) == 0
    wait_for(lambda: manager.hear() == "WATCHDOG=1", 20, "a ping")
    manager.end()
