# SPDX-License-Identifier: BSD-3-Clause
"""The switches that are compared. Each is started afresh for every run, bound to one core.

A class offers: name; lacking() -> what is missing here, or ""; start(bed, core, ports, macs) -> paths
of so many vhost-user sockets, with room for so many learned addresses; ports_most: how many it can
have; learns: it has a table of addresses; server: True where the switch dials and the generator
listens; warmed() to be called when the measurement begins; cycles() -> cycles a frame since then, or
None; close(). options, where there are any: more words for vsw-bench.
"""
import os
import pathlib
import re
import signal
import subprocess

from lab.netns import Namespace
from lab.process import LabError, Process, missing, program, wait_for
from lab.testpmd import TESTPMD, Testpmd, vhost

HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
# Of 2 MiB: OVS's packet buffers and 1 GiB of its DPDK memory.
HUGEPAGES_WANTED = 700
OVS_VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
OVS_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class Virtswitch:
    name = "virtswitch"
    server = False
    learns = True
    ports_most = 1000
    settings = {}

    @staticmethod
    def lacking():
        return "" if program("vswd") and program("vsw") else "not built"

    def start(self, bed, core, ports=2, macs=1000):
        self.bed = bed
        names = [f"p{number}" for number in range(ports)]
        bed.vswd(names, cpus=[core], workers=1, fdb={"size": max(65536, 2 * macs)},
                 **self.settings)
        return [bed.switch.socket(name) for name in names]

    def warmed(self):
        self.bed.switch.vsw("worker", "show", "--reset")

    def cycles(self):
        shown = self.bed.switch.vsw("worker", "show")
        return max(worker["cycles_per_frame"] for worker in shown)

    def close(self):
        self.bed.switch.stop()


class Busy(Virtswitch):
    """virtswitch that never sleeps."""

    name = "busy"
    settings = {"poll": "busy"}


class Memcpy:
    """No switch at all: one core that copies between the two guests' memories, and nothing else."""

    name = "memcpy"
    learns = False
    ports_most = 0
    server = False

    @staticmethod
    def lacking():
        return "" if program("vsw-bench") else "not built"

    def start(self, bed, core, ports=2, macs=1000):
        self.options = ["--null-copy", "--null-cpu", core]
        return []

    def warmed(self):
        pass

    def cycles(self):
        return None

    def close(self):
        pass


class TestpmdIo:
    """DPDK's own vhost with no switching at all: what comes in at one port leaves by the other."""

    name = "testpmd-io"
    server = False
    learns = False
    ports_most = 32  # RTE_MAX_ETHPORTS of Debian's DPDK

    @staticmethod
    def lacking():
        return f"{TESTPMD} is not installed" if missing(TESTPMD) else ""

    def start(self, bed, core, ports=2, macs=1000):
        paths = [bed.path / f"p{number}.sock" for number in range(ports)]
        other = next(cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != core)
        # Its main thread only prints; the forwarding core is the other of the two.
        self.made = bed.testpmd(Testpmd, "switch", [vhost(i, p) for i, p in enumerate(paths)],
                                ["--forward-mode=io", "--auto-start", "--record-core-cycles"],
                                cores=f"{other},{core}", main=other, memory=512, mbufs=16384)
        wait_for(lambda: all(path.exists() for path in paths), 15, "testpmd's sockets")
        return paths

    def warmed(self):
        pass

    def cycles(self):
        """It tells only at its end, over its whole life."""
        self.made.stop()
        found = re.findall(r"CPU cycles/packet=([\d.]+)", self.made.process.log())
        return float(found[-1]) if found else None

    def close(self):
        self.made.kill()


class OvsDpdk:
    """Open vSwitch with its user-space datapath, one poll thread, the NORMAL action."""

    name = "ovs-dpdk"
    server = True
    learns = True
    ports_most = 64  # each takes a second and packet buffers to add

    def __init__(self):
        self.processes = []
        self.netns = None

    @staticmethod
    def lacking():
        if not os.path.exists(OVS_VSWITCHD):
            return "openvswitch-switch-dpdk is not installed"
        if os.geteuid() != 0:
            return "needs root (huge pages)"
        return ""

    def start(self, bed, core, ports=2, macs=1000):
        self.folder = bed.path / "ovs"
        self.folder.mkdir()
        self.env = {f"OVS_{key}": str(self.folder) for key in ("RUNDIR", "DBDIR", "LOGDIR",
                                                               "SYSCONFDIR")}
        self.netns = Namespace()
        other = next(cpu for cpu in sorted(os.sched_getaffinity(0)) if cpu != core)
        self._database()
        self._set("other_config:dpdk-init=true", f"other_config:dpdk-lcore-mask={1 << other:#x}",
                  f"other_config:pmd-cpu-mask={1 << core:#x}",
                  "other_config:dpdk-extra=--no-pci --no-telemetry --in-memory "
                  f"--file-prefix={bed.path.name}")
        self._daemon("ovs-vswitchd", OVS_VSWITCHD, f"unix:{self.folder}/db.sock",
                     f"--unixctl={self.folder}/vswitchd.ctl")
        self._vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
                    f"other_config:mac-table-size={max(8192, 2 * macs)}")
        paths = [bed.path / f"p{number}.sock" for number in range(ports)]
        for number, path in enumerate(paths):
            self._vsctl("add-port", "br0", f"v{number}", "--", "set", "Interface", f"v{number}",
                        "type=dpdkvhostuserclient", f"options:vhost-server-path={path}")
        return paths

    def _database(self):
        subprocess.run(["ovsdb-tool", "create", f"{self.folder}/conf.db", OVS_SCHEMA], check=True,
                       env={**os.environ, **self.env})
        self._daemon("ovsdb-server", "ovsdb-server", f"{self.folder}/conf.db",
                     f"--remote=punix:{self.folder}/db.sock",
                     f"--unixctl={self.folder}/ovsdb.ctl")
        wait_for(lambda: (self.folder / "db.sock").exists(), 10, "ovsdb-server's socket")
        self._vsctl("--no-wait", "init")

    def _daemon(self, name, *command):
        self.processes.append(Process(name, command, self.folder / f"{name}.log",
                                      netns=self.netns, env=self.env))

    def _vsctl(self, *words):
        done = subprocess.run(["ovs-vsctl", f"--db=unix:{self.folder}/db.sock", "-t", "30", *words],
                              env={**os.environ, **self.env}, capture_output=True, text=True)
        if done.returncode != 0:
            raise LabError(f"ovs-vsctl {' '.join(words)}: {done.stderr}")

    def _set(self, *pairs):
        self._vsctl("--no-wait", "set", "Open_vSwitch", ".",
                    *(f'{key}="{value}"' if " " in value else f"{key}={value}"
                      for key, value in (pair.split("=", 1) for pair in pairs)))

    def _appctl(self, *words):
        return subprocess.run(["ovs-appctl", "-t", f"{self.folder}/vswitchd.ctl", *words],
                              env={**os.environ, **self.env}, capture_output=True,
                              text=True).stdout

    def warmed(self):
        self._appctl("dpif-netdev/pmd-stats-clear")

    def cycles(self):
        found = re.search(r"avg processing cycles per packet: ([\d.]+)",
                          self._appctl("dpif-netdev/pmd-stats-show"))
        return float(found.group(1)) if found else None

    def close(self):
        for process in reversed(self.processes):
            try:
                process.stop(signal.SIGTERM, timeout=10)
            except LabError:
                process.kill()
        if self.netns:
            self.netns.close()


class HugePages:
    """Takes the huge pages that OVS needs and puts the old number back."""

    def __enter__(self):
        self.old = HUGEPAGES.read_text().strip()
        if int(self.old) < HUGEPAGES_WANTED:
            HUGEPAGES.write_text(str(HUGEPAGES_WANTED))
        return int(HUGEPAGES.read_text())

    def __exit__(self, *_):
        HUGEPAGES.write_text(self.old)
