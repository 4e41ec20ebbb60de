# SPDX-License-Identifier: BSD-3-Clause
"""A guest moves to another port of the switch while it talks: QEMU's live migration, precopy.

    guest (10.0.0.1) at port a -- vswd [blue] -- c: vsw-nic (10.0.0.3)
        |                          |
        '--> the same at port b ---'

What reaches the guest's memory through the switch while QEMU copies that memory is known to QEMU only
by our dirty log. A page that it missed would be stale at the destination.
"""
import itertools
import mmap
import os
import pathlib
import re

import pytest

from lab.bed import mac
from lab.frames import udp
from lab.guest import nic_arguments
from lab.process import LabError, Process, wait_for
from lab.qmp import Qmp

pytestmark = [pytest.mark.usefixtures("qemu", "tun"), pytest.mark.seconds(180)]

GUEST = "10.0.0.1"
MAC = "52:54:00:00:00:01"


# Debian 12's QEMU loses writes of an emulated CPU while it migrates, where a memory block is a
# multiple of 256 KiB: then it takes the marks of many pages at once and does not tell the CPU, which
# goes on writing without marking. A block of another size it takes page by page.
MEMORY_KIB = 256 * 1024 + 8
# TCP flows that share four queues.
FLOWS = 24


def arguments(socket, **keywords):
    """The words for a guest that this QEMU can migrate."""
    return [*nic_arguments(socket, mac(1), **keywords), "-M", "q35,memory-backend=m0", "-m",
            f"{MEMORY_KIB}K", "-object",
            f"memory-backend-memfd,id=m0,size={MEMORY_KIB}K,share=on"]


def guest_memory(pid):
    """The memory of a QEMU's guest, mapped for reading."""
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            if fd.stat().st_size == MEMORY_KIB * 1024 and "memfd:" in os.readlink(fd):
                with open(fd, "rb") as file:
                    return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        except FileNotFoundError:
            continue
    raise LabError(f"process {pid} holds no guest memory")


class Move:
    """A guest at port a, its empty twin at port b, and what it takes to move it there."""

    def __init__(self, bed, device="", queues=1, paused=False):
        self.device = device
        self.queues = queues
        self.bed = bed
        keys = {"network": "blue", "queues": queues}
        bed.vswd({name: keys for name in "abc"}, workers=min(queues, 2))
        # As many queues, so that two workers send to the guest at once.
        self.nic = bed.nic("c", 3, queues=queues)
        self.channel = bed.path / "migration.sock"
        self.source = self._guest("a")
        self.source.wait_ready()
        if queues > 1:
            self.source.run(f"ethtool -L eth0 combined {queues}")
        self.source.configure(f"{GUEST}/24")
        self.target = self._guest("b", "-incoming", f"unix:{self.channel}", *["-S"] * paused)
        self.monitor = Qmp(bed.path / "qmp-a.sock")
        wait_for(lambda: self.nic.ping(GUEST, 1)[1], 20, "a first answer of the guest")

    def _guest(self, port, *more):
        return self.bed.guest(
            port, 1, arguments(self.bed.path / f"{port}.sock", device=self.device,
                               queues=self.queues), boot=False, own_memory=True,
            cpus=min(self.queues, 2),
            more=[*Qmp.arguments(self.bed.path / f"qmp-{port}.sock"), *more])

    def port_of_guest(self):
        known = {entry["mac"]: entry["port"] for entry in self.bed.switch.vsw("fdb", "show")}
        return known.get(MAC)

    def sent(self, port):
        """Frames that each of the guest's receiveqs at a port has been given."""
        return [queue["tx_packets"] for queue in self.bed.switch.port(port)["per_queue"]]

    def limit(self, mib):
        """Bounds the rate of the copy, MiB a second."""
        self.monitor.run("migrate-set-parameters", **{"max-bandwidth": mib << 20})

    def state(self):
        state = self.monitor.run("query-migrate")
        if state["status"] in ("failed", "cancelled"):
            raise LabError(f"the migration {state['status']}: {state.get('error-desc')}")
        return state

    def begin(self, mib):
        """Begins to migrate at no more than so many MiB a second."""
        wait_for(self.channel.exists, 10, "the target to listen")
        self.monitor.run("migrate-set-parameters", **{"downtime-limit": 20})
        self.limit(mib)
        self.monitor.run("migrate", uri=f"unix:{self.channel}")

    def complete(self):
        """Lets the migration run to its end; what QEMU says about it."""
        self.monitor.run("migrate-set-parameters", **{"downtime-limit": 1000})
        self.limit(8192)
        wait_for(lambda: self.state()["status"] == "completed", 60, "the end", 0.1)
        return self.state()

    def run(self, passes=4):
        """Migrates: slowly until QEMU has gone over the dirty pages some times, then to the end.

        What QEMU says about it.
        """
        self.begin(40)
        wait_for(lambda: self.finished_passes(passes), 60, f"{passes} passes over the dirty pages")
        return self.complete()

    def finished_passes(self, passes):
        """The state, once QEMU has gone over the dirty pages so often, or is done; else None."""
        state = self.state()
        done = state["status"] == "completed" or \
            state.get("ram", {}).get("dirty-sync-count", 0) >= passes
        return state if done else None

    def start_iperf(self, seconds):
        """Has the station send TCP to the guest at a rate that an emulated CPU can take.

        Several queues get many flows, always the same, which reach every queue.
        """
        self.source.run("iperf3 -s -D; "
                        "until grep -q ':1451 ' /proc/net/tcp6; do sleep 0.1; done")
        flows = ["-P", FLOWS, "--cport", 20000] if self.queues > 1 else []
        rate = 200 // FLOWS if flows else 200
        return Process("iperf3", ["iperf3", "-c", GUEST, "-t", seconds, "-i", 1, "-f", "k", "-b",
                                  f"{rate}M", *flows], self.bed.path / "iperf3.log",
                       netns=self.nic.netns)

    def check_moved(self):
        assert self.source.process.alive() and self.target.process.alive()
        wait_for(lambda: self.port_of_guest() == "b", 10, "the FDB to show the new port")
        wait_for(lambda: self.nic.ping(GUEST, 1)[1], 10, "an answer of the guest that moved")
        assert self.nic.ping(GUEST, 10) == (10, 10)
        status, _ = self.target.run("true")
        assert status == 0


# Rings of both layouts, the plainest driver that there is, and many rings.
DEVICES = pytest.mark.parametrize(
    "device, queues", [("", 1), (",packed=on", 1),
                       (",mrg_rxbuf=off,event_idx=off,indirect_desc=off", 1), ("", 4),
                       (",packed=on", 4)],
    ids=["split", "packed", "plain", "split-4", "packed-4"])


@DEVICES
def test_under_load(bed, device, queues):
    """iperf3 into the guest and pings to it go on over the move."""
    move = Move(bed, device, queues)
    assert move.port_of_guest() == "a"
    load = move.start_iperf(12)
    ping = Process("ping", ["ping", "-n", "-i", "0.1", "-c", 100, "-W", 1, GUEST],
                   bed.path / "ping.log", netns=move.nic.netns)
    wait_for(lambda: min(move.sent("a")) > 50, 10, "load on every queue")
    assert "log_all" not in bed.switch.port("a")["features"]
    sent_before = move.sent("b")
    state = move.run()
    assert state["ram"]["dirty-sync-count"] >= 4
    assert load.wait(60) == 0, load.log()
    line = r"^\[SUM\].*?" if queues > 1 else ""
    rates = [float(rate) for rate in re.findall(line + r"([\d.]+) Kbits/sec", load.log(), re.M)]
    assert rates[-1] > 50e3, load.log()  # at the receiver, over all of it
    assert rates[-3] > 50e3, load.log()  # in the last second
    assert ping.wait(60) in (0, 1)
    answers = [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", ping.log())]
    # A small ring that TCP fills loses some now and then, but nothing is away for two seconds.
    gap = max(after - before for before, after in zip([0, *answers], [*answers, 101]))
    assert gap <= 20 and len(answers) >= 50, ping.log()
    move.check_moved()
    moved = [now - old for now, old in zip(move.sent("b"), sent_before)]
    assert len(moved) == queues and min(moved) > 50, "and after the move every queue goes on"
    print(f"\ndown {state['downtime']} ms, {state['ram']['dirty-sync-count']} passes in "
          f"{state['total-time']} ms, {len(answers)} of 100 pings answered, at most "
          f"{gap - 1} in a row not, {rates[-1] / 1000:.0f} Mbit/s")


def different_pages(move):
    """Addresses of the pages that are not the same in both QEMUs, which must be paused."""
    source, target = [guest_memory(guest.process.pid) for guest in (move.source, move.target)]
    try:
        return [hex(page) for page in range(0, len(source), 4096)
                if source[page:page + 4096] != target[page:page + 4096]]
    finally:
        source.close()
        target.close()


@DEVICES
def test_memory_is_the_same(bed, device, queues):
    """Every byte of the two memories is the same, after a migration under load."""
    move = Move(bed, device, queues, paused=True)
    load = move.start_iperf(30)
    wait_for(lambda: min(move.sent("a")) > 50, 10, "load on every queue")
    state = move.run()
    assert state["ram"]["dirty-sync-count"] >= 4
    assert load.alive()  # it was writing all the time
    load.kill()
    assert not different_pages(move)


@DEVICES
def test_what_only_we_write(bed, device, queues):
    """The guest's CPU stands still, so that the one who dirties pages, buffers and rings, is us."""
    move = Move(bed, device, queues, paused=True)
    nic = move.nic
    # After a panic nothing runs, but the NIC's rings are there.
    move.source.send("echo 0 > /proc/sys/kernel/panic; echo c > /proc/sysrq-trigger")
    wait_for(lambda: nic.ping(GUEST, 1)[1] == 0, 20, "the guest to stand still")
    before = move.sent("a")
    move.begin(40)
    wait_for(lambda: move.state().get("ram", {}).get("remaining", MEMORY_KIB << 10) < 16 << 20,
             30, "most of the first pass")
    # From here on so slowly that each pass finds pages that were written in the one before.
    move.monitor.run("migrate-set-parameters", **{"downtime-limit": 1})
    move.limit(1)
    flows = itertools.cycle([udp((MAC, nic.mac), (GUEST, nic.ip), (7, 20000 + flow), bytes(1400),
                                 request=False)[0] for flow in range(FLOWS)])

    def passes_under_datagrams():
        for frame in itertools.islice(flows, queues):
            nic.raw().send(frame)
        return move.finished_passes(4)
    wait_for(passes_under_datagrams, 60, "4 passes over the dirty pages")
    move.complete()
    # Without mergeable buffers the ring has room for few frames, and we are done before.
    least = 5 if "mrg_rxbuf=off" in device or queues > 1 else 20
    assert min(now - old for now, old in zip(move.sent("a"), before)) >= least
    assert not different_pages(move)


def test_given_up_and_tried_again(bed):
    """A migration that is cancelled leaves the guest where it was, and the next one succeeds."""
    move = Move(bed)
    wait_for(move.channel.exists, 10, "the target to listen")
    move.limit(1)
    move.monitor.run("migrate", uri=f"unix:{move.channel}")
    wait_for(lambda: "log_all" in bed.switch.port("a")["features"], 10, "logging to begin")
    assert move.nic.ping(GUEST, 10) == (10, 10)
    move.monitor.run("migrate_cancel")
    wait_for(lambda: "log_all" not in bed.switch.port("a")["features"], 10, "logging to end")
    assert move.nic.ping(GUEST, 10) == (10, 10)
    assert move.port_of_guest() == "a"
    # A target that has begun to read is of no further use.
    move.target.kill()
    move.channel.unlink(missing_ok=True)
    move.target.start()
    move.run(passes=2)
    move.check_moved()
