# SPDX-License-Identifier: BSD-3-Clause
"""Unmodified Linux guests under QEMU: what an operator does with virtual machines.

    guest a (eth0 10.0.0.1) -- vhost-user -- vswd [blue] -- vhost-user -- (10.0.0.2 eth0) guest b
"""
import re
import shlex
import time

import pytest

from lab.guest import QEMU, device_words
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("qemu")


def start(bed, modes, reconnect=False, **keywords):
    """The switch and two guests, one for each of the two modes ("server": the switch listens)."""
    ports = {}
    for name, mode in zip("ab", modes):
        keys = {} if mode == "server" else \
            {"mode": "client", "socket": str(bed.path / f"qemu-{name}.sock")}
        ports[name] = {"network": "blue", **keys}
        if keywords.get("queues"):
            ports[name]["queues"] = keywords["queues"]
    bed.vswd(ports)
    if "client" in modes:
        bed.switch.allow(r"cannot connect to .*retrying")
    guests = []
    for number, (name, mode) in enumerate(zip("ab", modes), 1):
        more = {"reconnect": reconnect} if mode == "server" else \
            {"socket": bed.path / f"qemu-{name}.sock", "server": True}
        guests.append(bed.guest(name, number, boot=False, **more, **keywords))
    for number, guest in enumerate(guests, 1):
        guest.wait_ready()
        guest.configure(f"10.0.0.{number}/24")
    return guests


def talk(a, b):
    a.wait_ping("10.0.0.2")
    assert a.ping("10.0.0.2") == (5, 5)
    assert b.ping("10.0.0.1") == (5, 5)


@pytest.mark.parametrize("modes", [("server", "server"), ("client", "client"),
                                   ("server", "client")], ids="-".join)
def test_ping_and_tcp(bed, modes):
    a, b = start(bed, modes)
    talk(a, b)
    b.run("iperf3 -s -D")
    assert a.iperf3("10.0.0.2") > 50e6
    assert a.iperf3("10.0.0.2", extra="-R") > 50e6
    for name, mode in zip("ab", modes):
        port = bed.switch.port(name)
        assert port["connected"] and port["mode"] == mode
        assert port["rx_packets"] > 100 and port["tx_packets"] > 100
        assert port["features"]
    known = {entry["mac"]: entry["port"] for entry in bed.switch.vsw("fdb", "show")}
    assert known["52:54:00:00:00:01"] == "a" and known["52:54:00:00:00:02"] == "b"


def test_two_queues(bed):
    a, b = start(bed, ("server", "server"), queues=2, cpus=2)
    talk(a, b)
    for guest in (a, b):
        guest.run("ethtool -L eth0 combined 2")
        assert "Combined:\t2" in guest.run("ethtool -l eth0")[1].split("Current")[1]
    b.run("iperf3 -s -D")
    assert a.iperf3("10.0.0.2", extra="-P 4") > 50e6
    a.run("ethtool -L eth0 combined 1")
    talk(a, b)


def test_reboot(bed):
    a, b = start(bed, ("server", "client"))
    talk(a, b)
    for guest, address in ((a, "10.0.0.1/24"), (b, "10.0.0.2/24")):
        guest.reboot()
        guest.configure(address)
        talk(a, b)


@pytest.mark.parametrize("mode", ["server", "client"])
def test_killed_and_started_again(bed, mode):
    a, b = start(bed, (mode, "server"))
    talk(a, b)
    a.kill()
    wait_for(lambda: not bed.switch.port("a")["connected"], 5, "the switch to notice")
    a.start()
    a.wait_ready()
    a.configure("10.0.0.1/24")
    talk(a, b)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_switch_restarted(bed, how):
    """QEMU's reconnecting (and our dialling) mend the link without the guests doing anything."""
    a, b = start(bed, ("server", "client") if how == "stop" else ("server", "server"),
                 reconnect=True)
    talk(a, b)
    getattr(bed.switch, how)()
    time.sleep(0.5)
    bed.switch.start()
    a.wait_ping("10.0.0.2", timeout=20)
    talk(a, b)


@pytest.mark.parametrize("mode", ["server", "client"])
def test_port_args_for_qemu(bed, mode):
    """The words that `vsw port args` prints, pasted behind a bare QEMU command, make a NIC.

    One that comes back: the switch is restarted under it.
    """
    keys = [{"network": "blue", "queues": 2, "mtu": 1400}, {"network": "blue"}]
    if mode == "client":
        for name, entry in zip("ab", keys):
            entry.update(mode="client", socket=str(bed.path / f"qemu,{name}.sock"))
    bed.vswd(dict(zip("ab", keys)))
    bed.switch.allow(r"cannot connect to .*retrying")
    guests = []
    for number, name in enumerate("ab", 1):
        shown = bed.switch.vsw_raw("port", "args", name, "--vmm", "qemu", "--qemu", QEMU,
                                   "--memory", "256M")
        assert shown.returncode == 0, shown.stderr
        words = [re.sub(r",vectors=\d+", "", word) + device_words()
                 if word.startswith("virtio-net-pci") else word
                 for word in shlex.split(shown.stdout)]
        guests.append(bed.guest(name, number, arguments=words, own_memory=True, boot=False))
    for number, guest in enumerate(guests, 1):
        guest.wait_ready()
        guest.configure(f"10.0.0.{number}/24")
    assert "mtu 1400" in guests[0].run("ip link show eth0")[1]
    talk(*guests)
    bed.switch.stop()
    bed.switch.start()
    guests[0].wait_ping("10.0.0.2", timeout=20)
    talk(*guests)


@pytest.mark.parametrize("memory", ["private", "anonymous"])
def test_memory_that_is_not_shared(bed, memory):
    """Log and port tell the cause and the flag that mends it, as long as it lasts."""
    bed.vswd(["a"])
    bed.switch.allow(r"shar", r"memory")
    own = ["-M", "q35", "-m", "256"] if memory == "anonymous" else []
    guest = bed.guest("a", 1, shared=False, own_memory=bool(own), more=own)
    guest.run("ip link set eth0 up", check=False)
    wait_for(lambda: "share=on" in (bed.switch.port("a")["problem"] or ""), 10, "the explanation")
    assert bed.switch.port("a")["state"] == "no-memory"
    assert "share=on" in bed.switch.log()
    shown = bed.switch.vsw_raw("port", "show").stdout
    assert "no-memory" in shown and "share=on" in shown
    time.sleep(2)
    assert bed.switch.port("a")["state"] == "no-memory", "it stays in view"


def test_ring_sizes_and_features(bed):
    """Larger rings, no mergeable buffers, no indirect descriptors, no event index: all legal."""
    bed.vswd(["a", "b"])
    a = bed.guest("a", 1, boot=False, device=",rx_queue_size=1024,mrg_rxbuf=off")
    b = bed.guest("b", 2, boot=False, device=",indirect_desc=off,event_idx=off")
    for number, guest in enumerate((a, b), 1):
        guest.wait_ready()
        guest.configure(f"10.0.0.{number}/24")
    talk(a, b)
    b.run("iperf3 -s -D")
    assert a.iperf3("10.0.0.2") > 50e6
    assert a.iperf3("10.0.0.2", extra="-R") > 50e6


@pytest.mark.usefixtures("tun")
def test_guest_and_station(bed):
    """A real driver at one end, ours at the other."""
    bed.vswd(["a", "b"])
    nic = bed.nic("b", 2)
    a = bed.guest("a", 1)
    a.configure("10.0.0.1/24")
    a.wait_ping("10.0.0.2")
    assert nic.ping("10.0.0.1", 20) == (20, 20)
