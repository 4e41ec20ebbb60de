# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces without a name: each lives exactly as long as the process that holds it."""
import ctypes
import os
import subprocess

from .process import LabError, die_with_parent, wait_for

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A fresh network namespace. ipv6=False keeps the kernel from speaking IPv6 in it."""

    def __init__(self, ipv6=True):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent)
        self.path = f"/proc/{self.holder.pid}/ns/net"
        own = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(self.path) != own, 5, "a network namespace")
        self.run("ip", "link", "set", "lo", "up")
        if not ipv6:
            self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                     "net.ipv6.conf.default.disable_ipv6=1")

    def prefix(self):
        """The words to put before a command that is to run in here."""
        return ["nsenter", f"--net={self.path}"]

    def run(self, *command, check=True, timeout=60):
        """Runs a command in here; its CompletedProcess with text output."""
        done = subprocess.run(self.prefix() + [str(word) for word in command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=timeout)
        if check and done.returncode != 0:
            raise LabError(f"{' '.join(map(str, command))}: status {done.returncode}\n"
                           f"{done.stdout}")
        return done

    def enter(self):
        """A context manager: sockets made inside belong to this namespace for ever."""
        return _Inside(self.path)

    def guards_interfaces(self):
        """Whether the kernel has what keeps its stack from a packet port's interface."""
        return self.run("sh", "-c", "nft add table netdev probe && nft delete table netdev probe",
                        check=False).returncode == 0

    def close(self):
        self.holder.kill()
        self.holder.wait()


class _Inside:
    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(self.path, os.O_RDONLY)
        try:
            self._move(there)
        finally:
            os.close(there)

    def __exit__(self, *_):
        self._move(self.home)
        os.close(self.home)

    @staticmethod
    def _move(fd):
        if _libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
