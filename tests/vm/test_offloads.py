# SPDX-License-Identifier: BSD-3-Clause
"""Checksums and segments that guests leave to the switch, in every pairing that it must finish.

    guest a (offloads as one test wants) -- vswd -- guest b (as another does), or a vsw-nic, which
                                                    takes none: its kernel checks every checksum

A receiver that a frame reaches unfinished or finished wrongly counts it: no such counter may rise.
"""
import re

import pytest

from lab.frames import udp
from lab.frontend import (F_CSUM, F_HOST_UFO, F_HOST_USO, F_PROTOCOL_FEATURES, F_VERSION_1,
                          GSO_UDP, GSO_UDP_L4, Frontend, net_header)
from lab.bed import mac
from lab.health import assert_guest_healthy, assert_healthy, counters, in_guest, in_netns
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("qemu")

# The station is an old NIC: it leaves nothing to others, and takes nothing unfinished.
OLD = ["--offload", "off"]
RATE = 50e6


def device(*off):
    """Options of QEMU's device: these features switched off."""
    return "".join(f",{name}=off" for name in off)


TOWARDS_GUEST = ("guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo")
FROM_GUEST = ("gso", "host_tso4", "host_tso6", "host_ecn", "host_ufo")
DEVICES = {
    "all": "",
    "none": device("csum", "guest_csum", *TOWARDS_GUEST, *FROM_GUEST),
    # Checksums, but no segments: the pieces keep the request for a checksum.
    "checksum": device(*TOWARDS_GUEST, *FROM_GUEST),
    "send-only": device("guest_csum", *TOWARDS_GUEST),
    "receive-only": device("csum", *FROM_GUEST),
    # Large frames without mergeable buffers: chains of many descriptors in the receive ring.
    "no-mergeable": ",mrg_rxbuf=off",
    "packed": ",packed=on",
    "packed-none": ",packed=on" + device("csum", "guest_csum", *TOWARDS_GUEST, *FROM_GUEST),
}


def start(bed, devices, ports="ab", **port_keys):
    """The switch unless there is one, and guests number 1, 2, ... with these devices, addressed."""
    if bed.switch is None:
        bed.vswd({name: {"network": "blue", **port_keys} for name in ports})
    guests = [bed.guest(port, number, boot=False, device=DEVICES[kind])
              for number, (port, kind) in enumerate(zip(ports, devices), 1)]
    for number, guest in enumerate(guests, 1):
        guest.wait_ready()
        guest.configure(f"10.0.0.{number}/24")
        guest.configure6(f"fd00::{number}/64")
    return guests


def tcp(client, server, address, *options):
    """A second of TCP between two guests, over the address's protocol: bits a second."""
    server.wait_listening()
    six = "-6 " if ":" in address else ""
    return client.iperf3(address, 1, six + " ".join(options))


def station_iperf3(nic, server, address, *options):
    """The same from a vsw-nic to a guest; what iperf3 printed."""
    server.wait_listening()
    six = ("-6",) if ":" in address else ()
    return nic.netns.run("iperf3", "-f", "k", "-t", 1, "-c", address, *six, *options).stdout


def drops(bed, *ports):
    """Reasons for which frames were dropped at these ports, but for slow receivers."""
    slow = ("receive-ring-full", "receiver-not-ready", "flooded-not-ready")
    return {f"{name} {reason}": count for name in ports
            for reason, count in bed.switch.port(name)["drops"].items()
            if count and reason not in slow}


def average(bed, name, direction, before):
    """Bytes of the average frame since `before`: many where segments cross in one piece."""
    now = bed.switch.port(name)
    return ((now[f"{direction}_bytes"] - before[f"{direction}_bytes"]) /
            max(1, now[f"{direction}_packets"] - before[f"{direction}_packets"]))


@pytest.mark.parametrize("devices", [
    ("all", "all"), ("none", "none"), ("all", "none"), ("checksum", "all"),
    ("packed", "none"), pytest.param(("no-mergeable", "all"), marks=pytest.mark.long),
    pytest.param(("send-only", "receive-only"), marks=pytest.mark.long),
    pytest.param(("packed", "packed-none"), marks=pytest.mark.long),
    pytest.param(("no-mergeable", "none"), marks=pytest.mark.long),
    pytest.param(("checksum", "none"), marks=pytest.mark.long),
    pytest.param(("send-only", "all"), marks=pytest.mark.long)], ids="-to-".join)
def test_between_guests(bed, devices):
    a, b = start(bed, devices)
    a.wait_ping("10.0.0.2")
    b.serve()
    before = bed.switch.port("b")
    assert tcp(a, b, "10.0.0.2") > RATE
    large = average(bed, "b", "tx", before)
    if devices[0] in ("all", "no-mergeable") and devices[1] == "all":
        assert large > 3000, "segments of two guests that know them cross in one piece"
    elif "none" in devices[1]:
        assert large < 1515, "a receiver without offloads gets frames of a wire's size"
    assert tcp(a, b, "10.0.0.2", "-R") > RATE
    assert tcp(a, b, "fd00::2") > RATE
    assert tcp(a, b, "fd00::2", "-R") > RATE
    for guest in (a, b):
        assert_guest_healthy(guest)
    assert not drops(bed, "a", "b")


@pytest.mark.usefixtures("tun")
@pytest.mark.parametrize("kind", ["all", pytest.param("packed", marks=pytest.mark.long)])
def test_guest_and_station(bed, kind):
    """A receiver that takes nothing unfinished: TCP over both protocols, both ways, and UDP."""
    bed.vswd(["a", "b"])
    (a,) = start(bed, [kind], "a")
    nic = bed.nic("b", 2, options=OLD)
    a.serve()
    wait_for(lambda: nic.ping("10.0.0.1", 1)[1], 10, "the guest's first answer")
    for options in (("10.0.0.1",), ("10.0.0.1", "-R"), ("fd00::1",), ("fd00::1", "-R")):
        shown = station_iperf3(nic, a, *options)
        rate = float(re.findall(r"([\d.]+) Kbits/sec", shown)[-1])
        assert rate * 1000 > RATE, shown
    # Datagrams larger than the MTU: the guest leaves no checksum to us in fragments.
    for options in (("-l", 1400), ("-l", 4000), ("-l", 1400, "-R"), ("-l", 4000, "-R")):
        station_iperf3(nic, a, "10.0.0.1", "-u", "-b", "10M", *options)
    tap = in_netns(nic.netns)
    assert_healthy(tap, nic.tap)
    assert_guest_healthy(a)
    received = counters(tap)
    assert received["TcpInSegs"] > 5000 and received["UdpInDatagrams"] > 500
    assert not drops(bed, "a", "b")


@pytest.mark.usefixtures("tun")
@pytest.mark.parametrize("kinds", [
    ("all", "none"), ("none", "all"), pytest.param(("all", "all"), marks=pytest.mark.long)],
    ids="-trunk-".join)
def test_between_trunk_and_access(bed, kinds):
    """A tag put in, or taken out, moves what an offload request refers to.

        a: access port of blue -- vswd -- b: trunk, eth0.10 in the guest;  c: vsw-nic at blue
    """
    bed.vswd({"a": {"network": "blue"}, "b": {"trunk": ["blue"]}, "c": {"network": "blue"}})
    nic = bed.nic("c", 3, options=OLD)
    a, b = (bed.guest(name, number, boot=False, device=DEVICES[kind])
            for number, (name, kind) in enumerate(zip("ab", kinds), 1))
    a.wait_ready()
    b.wait_ready()
    a.configure("10.0.0.1/24")
    a.configure6("fd00::1/64")
    # Only what is tagged may leave: the NIC itself must not speak.
    b.run("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    b.run("ip link add link eth0 name eth0.10 type vlan id 10 && ip link set eth0 up && "
          "ip link set eth0.10 up && ip addr add 10.0.0.2/24 dev eth0.10")
    b.configure6("fd00::2/64", "eth0.10")
    a.wait_ping("10.0.0.2")
    b.serve()
    assert tcp(a, b, "10.0.0.2") > RATE
    assert tcp(a, b, "10.0.0.2", "-R") > RATE
    assert tcp(a, b, "fd00::2") > RATE
    assert tcp(a, b, "fd00::2", "-R") > RATE
    station_iperf3(nic, b, "10.0.0.2", "-R")
    station_iperf3(nic, b, "fd00::2", "-R")
    assert_healthy(in_netns(nic.netns), nic.tap)
    assert counters(in_netns(nic.netns))["TcpInSegs"] > 5000
    for guest in (a, b):
        assert_guest_healthy(guest)
    assert_healthy(in_guest(b), "eth0.10")
    assert not drops(bed, "a", "b", "c")


@pytest.mark.parametrize("kind", ["all", "none"])
def test_datagrams_for_a_guest(bed, kind):
    """UFO and USO requests: no guest of this kernel makes them, so a driver of our own does.

    Nobody listens, so the guest's kernel counts each datagram whose checksum it has found right.
    """
    bed.vswd(["a", "b"])
    (a,) = start(bed, [kind], "a")
    sender = Frontend(bed.path / "b.sock", F_VERSION_1 | F_PROTOCOL_FEATURES | F_CSUM | F_HOST_UFO |
                      F_HOST_USO).start()
    try:
        for gso_type, size, expected in ((GSO_UDP, 1480, 1), (GSO_UDP_L4, 1400, 6)):
            for to, source, prefix in (("10.0.0.1", "10.0.0.9", "Udp"),
                                       ("fd00::1", "fd00::9", "Udp6")):
                data, at = udp((mac(1), mac(9)), (to, source), (7000, 7001), bytes(range(256)) * 30)
                before = counters(in_guest(a))
                sender.send_large(net_header(at, 6, gso_type, size), data)
                wait_for(lambda: counters(in_guest(a))[f"{prefix}NoPorts"] -
                         before[f"{prefix}NoPorts"] == expected, 5,
                         f"{expected} datagrams of {prefix} at the guest")
        reassembled = counters(in_guest(a))["IpReasmOKs"]
        assert reassembled == (0 if kind == "all" else 1), "whole where the guest knows UFO"
        assert_guest_healthy(a)
        assert not drops(bed, "a", "b")
    finally:
        sender.close()
