# SPDX-License-Identifier: BSD-3-Clause
"""Tags of other types than 802.1Q's, and tags behind tags: no way past port security, and none from an
access port into another network of a trunk.

    red    attacker (bound to its MAC), victim, stacker (bound, with qinq), heir (with qinq)
    trunk  tagged quiet, native red, with qinq: everything of red leaves it untagged
"""
import socket
import struct
import time

import pytest

from lab.bed import mac
from lab.frames import BROADCAST, frame, mac_bytes
from lab.process import wait_for

TYPES = [0x8100, 0x88A8, 0x9100, 0x9200, 0x9300]
ATTACKER_MAC = "02:66:66:66:66:66"
ATTACKER = {"mac": ATTACKER_MAC}
PORTS = {
    "stacker": {"network": "red", "qinq": True, "mac": mac(20)},
    "heir": {"network": "red", "qinq": True},
    "trunk": {"trunk": ["quiet"], "native": "red", "qinq": True},
}
GATEWAY = "10.0.0.77"
GATEWAY_MAC = "02:77:77:77:77:77"
QUIET_VLAN = 40


def tagged(tags, source, payload, ethertype=0x88B5, destination=BROADCAST):
    """A frame with these tags, (type, VLAN id), the outermost first."""
    stack = b"".join(struct.pack("!HH", *tag) for tag in tags)
    return (mac_bytes(destination) + mac_bytes(source) + stack + struct.pack("!H", ethertype) +
            payload).ljust(64, b"\0")


def arp(sender_mac, sender_ip, target_ip):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + mac_bytes(sender_mac) + \
        socket.inet_aton(sender_ip) + bytes(6) + socket.inet_aton(target_ip)


@pytest.fixture(scope="module")
def stations(arena):
    return {"stacker": arena.bed.nic("stacker", 20, addressed=False),
            "heir": arena.bed.nic("heir", 21),
            "trunk": arena.bed.nic("trunk", 22, addressed=False)}


def neighbour(nic):
    done = nic.netns.run("ip", "neigh", "show", GATEWAY, "dev", nic.tap)
    words = done.stdout.split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else None


def know_gateway(nic):
    """An entry that the next ARP may change: Linux ignores those that come within `locktime`."""
    nic.netns.run("sysctl", "-qw", f"net.ipv4.neigh.{nic.tap}.locktime=0")
    nic.netns.run("ip", "neigh", "replace", GATEWAY, "lladdr", GATEWAY_MAC, "dev", nic.tap,
                  "nud", "stale")


def drops(arena, port, reason):
    return arena.switch.port(port)["drops"][reason]


def test_the_victim_believes_what_it_hears(arena, stations):
    """Without port security such an ARP would do it: the tests below are not blind."""
    know_gateway(arena.victim)
    stations["heir"].raw().send(tagged([], mac(21), arp(mac(21), GATEWAY, arena.victim.ip),
                                       0x0806, arena.victim.mac))
    wait_for(lambda: neighbour(arena.victim) == mac(21), 10, "a changed neighbour entry")


@pytest.mark.parametrize("kind", TYPES, ids=hex)
def test_spoofed_arp_behind_a_priority_tag(arena, stations, kind):
    know_gateway(arena.victim)
    know_gateway(stations["heir"])
    spoofed = arp(GATEWAY_MAC[:-2] + "78", GATEWAY, arena.victim.ip)
    stacks = [[(kind, 0)], [(kind, 0), (kind, 0)], [(0x8100, 0), (kind, 0), (kind, 0)]]
    before = drops(arena, "stacker", "spoofed-source")
    with arena.watched():
        peer = arena.connect()
        for tags in stacks:
            peer.send(tagged(tags, ATTACKER_MAC, spoofed, 0x0806))
            stations["stacker"].raw().send(tagged(tags, mac(20), spoofed, 0x0806))
        wait_for(lambda: drops(arena, "stacker", "spoofed-source") == before + len(stacks), 10,
                 "the drops")
        time.sleep(0.3)
        peer.close()
    for nic in (arena.victim, stations["heir"]):
        assert neighbour(nic) == GATEWAY_MAC


@pytest.mark.parametrize("kind", TYPES, ids=hex)
def test_no_tag_of_ones_own_leaves_a_native_network(arena, stations, kind):
    """[88a8:0][8100:40] from an access port of red is not a frame of `quiet` behind the trunk."""
    raw = stations["trunk"].raw()
    raw.drain()
    with arena.watched():
        peer = arena.connect()
        for tags in ([(kind, 0), (0x8100, QUIET_VLAN)], [(0x8100, 0), (kind, QUIET_VLAN)],
                     [(0x8100, 0), (0x8100, 0), (kind, QUIET_VLAN)]):
            peer.send(tagged(tags, ATTACKER_MAC, b"leaked"))
            stations["stacker"].raw().send(tagged(tags, mac(20), b"leaked"))
        stations["stacker"].raw().send(frame(BROADCAST, mac(20), b"the end"))
        seen = []
        wait_for(lambda: seen.extend(raw.collect(0.2, wanted=lambda data: True)) or
                 any(b"the end" in data for data in seen), 10, "the last frame")
        peer.close()
    assert not [data for data in seen if b"leaked" in data]
    assert drops(arena, "attacker", "qinq-not-allowed") >= 3


def test_stacks_pass_between_ports_with_qinq(arena, stations):
    raw = stations["heir"].raw()
    raw.drain()
    stack = [(0x88A8, 7), (0x8100, QUIET_VLAN)]
    stations["stacker"].raw().send(tagged(stack, mac(20), b"service"))
    seen = raw.collect(5, 1, wanted=lambda data: b"service" in data)
    assert len(seen) == 1
    assert seen[0][12:20] == struct.pack("!HHHH", 0x88A8, 7, 0x8100, QUIET_VLAN)
    assert not [data for data in arena.victim.raw().collect(0.3, wanted=lambda data: True)
                if b"service" in data]
