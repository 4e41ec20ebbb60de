# SPDX-License-Identifier: BSD-3-Clause
"""Two network namespaces, and what connects them: vswd with two TAP ports, through io_uring or plain; vswd
with two packet ports at two veths, or with two vsw-nic; or the kernel's own bridge between two veths. iperf3,
ping, a flood of small frames and small datagrams go through it.

The switch has one core; both ends of the traffic share the other, so that what is compared does the same
work with the same processor. A vsw-nic is on neither: the kernel puts it where there is room. Figures: gbps of
TCP; mpps of frames, or of datagrams, that arrived; core_mpps, what the switch's core moves in a second in
which it has always something to do; cpu_mpps, the same by the processor time of its thread, which leaves out
what others did with the core meanwhile; p50_us and p99_us of ping.
"""
import json
import os
import pathlib
import re
import statistics
import time

from lab.netns import Namespace
from lab.process import LabError, Process, missing, program, wait_for

ADDRESSES = ("10.9.0.1", "10.9.0.2")
PINGS = 1500
FLOOD = pathlib.Path(__file__).with_name("flood.py")


class TapPair:
    """vswd with two TAP ports: the switch of the series that stands for virtswitch."""

    environment = ""

    def start(self, bed, core, ends):
        os.environ["VSW_TAP_IO"] = self.environment
        try:
            self.bed = bed
            bed.vswd({f"p{i}": {"type": "tap", "ifname": "end0", "netns": end.path,
                                "network": "blue", "address": [f"{ADDRESSES[i]}/24"]}
                      for i, end in enumerate(ends)}, cpus=[core], workers=1)
        finally:
            del os.environ["VSW_TAP_IO"]

    def warmed(self):
        self.bed.switch.vsw("worker", "show", "--reset")
        self.since = _worker_seconds(self.bed.switch.process.child.pid)

    def figures(self):
        """Of the switch's core since warmed()."""
        worker = max(self.bed.switch.vsw("worker", "show"), key=lambda one: one["frames"])
        used = _worker_seconds(self.bed.switch.process.child.pid) - self.since
        busy = worker["seconds"] * worker["busy_percent"] / 100
        return {"cycles": worker["cycles_per_frame"],
                "core_mpps": worker["frames"] / busy / 1e6 if busy else None,
                "cpu_mpps": worker["frames"] / used / 1e6 if used else None}

    def close(self):
        self.bed.switch.stop()


def _worker_seconds(pid):
    """Processor time of the one worker of a vswd, its idle polling included."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("worker"):
            return int((task / "schedstat").read_text().split()[0]) / 1e9
    raise LabError("vswd has no worker")


class PlainPair(TapPair):
    environment = "plain"


class NicPair(TapPair):
    """Two vsw-nic at vhost-user ports of vswd."""

    def start(self, bed, core, ends):
        self.bed, self.nics = bed, []
        bed.vswd(["p0", "p1"], cpus=[core], workers=1)
        for i, end in enumerate(ends):
            nic = Process(f"vsw-nic {i}", [program("vsw-nic"), "--socket", bed.path / f"p{i}.sock",
                                           "--tap", "end0"], bed.path / f"nic{i}.log", netns=end)
            self.nics.append(nic)
            nic.wait_log(r"info: connected\b", timeout=20)
            end.run("ip", "address", "add", f"{ADDRESSES[i]}/24", "dev", "end0")
            end.run("ip", "link", "set", "end0", "up")

    def close(self):
        for nic in self.nics:
            nic.kill()
        super().close()


def _veths(ends):
    """A namespace with one end of a pair for each of `ends`, which has the other as its end0."""
    middle = Namespace(ipv6=False)
    for i, end in enumerate(ends):
        middle.run("ip", "link", "add", f"p{i}", "type", "veth", "peer", "name", "end0", "netns",
                   end.holder.pid)
        end.run("ip", "address", "add", f"{ADDRESSES[i]}/24", "dev", "end0")
        end.run("ip", "link", "set", "end0", "up")
    return middle


class PacketPair(TapPair):
    """vswd with two packet ports: virtswitch in the series of that name."""

    def start(self, bed, core, ends):
        self.bed, self.middle = bed, _veths(ends)
        bed.vswd({f"p{i}": {"type": "packet", "netns": self.middle.path, "network": "blue"}
                  for i in range(len(ends))}, cpus=[core], workers=1)

    def close(self):
        super().close()
        self.middle.close()


class BridgePair:
    """The kernel's bridge: it runs on the core of whoever sends."""

    def start(self, bed, core, ends):
        self.middle = _veths(ends)
        self.middle.run("ip", "link", "add", "br0", "type", "bridge")
        self.middle.run("ip", "link", "set", "br0", "up")
        for i in range(len(ends)):
            self.middle.run("ip", "link", "set", f"p{i}", "master", "br0", "up")

    def warmed(self):
        pass

    def figures(self):
        return {"cycles": None, "core_mpps": None, "cpu_mpps": None}

    def close(self):
        self.middle.close()


class Yardstick:
    """Stands among the switches for a pair that is no vhost-user switch."""

    learns = False
    ports_most = 0

    @staticmethod
    def lacking():
        return ""


class Plain(Yardstick):
    name = "plain"


class NicSwitch(Yardstick):
    name = "vsw-nic"


class Bridge(Yardstick):
    name = "bridge"


PAIRS = {"virtswitch": TapPair, "packet": PacketPair, "plain": PlainPair, "vsw-nic": NicPair,
         "bridge": BridgePair}


def lacking():
    if missing("iperf3", "ping", "ip"):
        return "iperf3, ping or ip is not installed"
    return "" if all(program(name) for name in ("vswd", "vsw", "vsw-nic")) else "not built"


def _frames(space):
    shown = json.loads(space.run("ip", "-j", "-s", "link", "show", "end0").stdout)
    return shown[0]["stats64"]["rx"]["packets"]


def _moved(pair, ends, seconds):
    """Frames a second that arrive at the second end, and what the switch says of them."""
    pair.warmed()
    before, since = _frames(ends[1]), time.monotonic()
    time.sleep(seconds)
    moved = (_frames(ends[1]) - before) / (time.monotonic() - since) / 1e6
    return {"mpps": moved, **pair.figures()}


def _stream(bed, pair, ends, core, seconds, warm):
    """TCP from the first end to the second."""
    server = Process("iperf3", ["iperf3", "-s", "-1", "--forceflush"], bed.path / "server.log",
                     netns=ends[1], cpus=[core])
    client = None
    try:
        server.wait_log("Server listening")
        client = Process("iperf3", ["iperf3", "-J", "-c", ADDRESSES[1], "-O", warm, "-t", seconds],
                         bed.path / "client.log", netns=ends[0], cpus=[core])
        time.sleep(warm)
        figures = _moved(pair, ends, seconds - 0.5)
        client.wait(seconds + 20)
        end = json.loads(client.log())["end"]
        return {**figures, "gbps": end["sum_received"]["bits_per_second"] / 1e9}
    finally:
        server.kill()
        if client:
            client.kill()


def _flood(bed, pair, ends, core, seconds, warm):
    """Frames of 64 bytes, more than any of the switches moves."""
    shown = json.loads(ends[1].run("ip", "-j", "link", "show", "end0").stdout)
    sender = Process("flood", [FLOOD, "end0", shown[0]["address"], warm + seconds + 1],
                     bed.path / "flood.log", netns=ends[0], cpus=[core])
    try:
        time.sleep(warm)
        return _moved(pair, ends, seconds)
    finally:
        sender.kill()


def _datagrams(bed, pair, ends, core, seconds, warm):
    """Small UDP datagrams, 64 a system call of the sender."""
    tool = pathlib.Path(__file__).with_name("datagrams.py")
    receiver = Process("receiver", [tool, "receive", ADDRESSES[1], warm + seconds],
                       bed.path / "receiver.log", netns=ends[1], cpus=[core])
    sender = None
    try:
        receiver.wait_log("^ready$")
        sender = Process("sender", [tool, "send", ADDRESSES[1], warm + seconds + 1],
                         bed.path / "sender.log", netns=ends[0], cpus=[core])
        time.sleep(warm)
        figures = _moved(pair, ends, seconds - 0.5)
        receiver.wait(seconds + 20)
        return {**figures, "mpps": float(receiver.log().split()[-1])}
    finally:
        receiver.kill()
        if sender:
            sender.kill()


def _ping(space, core):
    done = space.run("taskset", "-c", core, "ping", "-i", "0.001", "-c", PINGS, ADDRESSES[1])
    times = sorted(float(found) * 1000 for found in re.findall(r"time=([\d.]+)", done.stdout))
    if len(times) < PINGS / 2:
        raise LabError(f"{len(times)} of {PINGS} pings came back")
    return {"p50_us": statistics.median(times), "p99_us": times[len(times) * 99 // 100]}


def run(bed, name, what, cores, seconds, warm):
    """One fresh pair and one kind of traffic: "tcp", "flood", "udp" or "ping"."""
    pair, ends = PAIRS[name](), [Namespace(ipv6=False), Namespace(ipv6=False)]
    generator, switch = cores
    try:
        pair.start(bed, switch, ends)
        wait_for(lambda: ends[0].run("ping", "-c1", "-W1", ADDRESSES[1],
                                     check=False).returncode == 0, 20, "the other end")
        if what == "ping":
            pair.warmed()
            times = _ping(ends[0], generator)
            return {"mpps": 0, **pair.figures(), **times}
        measure = {"tcp": _stream, "flood": _flood, "udp": _datagrams}[what]
        return measure(bed, pair, ends, generator, seconds, warm)
    finally:
        pair.close()
        for end in ends:
            end.close()
