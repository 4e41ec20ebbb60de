# SPDX-License-Identifier: BSD-3-Clause
"""VLANs and isolation, frame by frame.

    a, b: access ports of blue (10);  c, d: access ports of green (20)
    t: trunk of both, untagged frames belong to green;  u: trunk of blue only, no native network
"""
import itertools
import time

import pytest

from lab.frames import BROADCAST, frame, payload_of, vlan_of
from lab.bed import mac

pytestmark = pytest.mark.usefixtures("tun")

PORTS = {
    "a": {"network": "blue"}, "b": {"network": "blue"},
    "c": {"network": "green"}, "d": {"network": "green"},
    "t": {"trunk": ["blue", 20], "native": "green"}, "u": {"trunk": [10]},
}
# What one broadcast frame from a port, sent with a tag (or None), must look like at each other port:
# port to tag. Ports that are not named must hear nothing.
BROADCASTS = [
    ("a", None, {"b": None, "t": 10, "u": 10}),
    ("c", None, {"d": None, "t": None}),
    ("t", None, {"c": None, "d": None}),
    ("t", 20, {"c": None, "d": None}),
    ("t", 10, {"a": None, "b": None, "u": 10}),
    ("t", 30, {}),
    ("t", 4095, {}),
    ("u", 10, {"a": None, "b": None, "t": 10}),
    ("u", 20, {}),
    ("u", None, {}),
    ("a", 10, {}),
    ("a", 20, {}),
]


@pytest.fixture
def stations(bed):
    bed.vswd(PORTS)
    return {name: bed.nic(name, number, addressed=False)
            for number, name in enumerate(PORTS, 1)}


def hear(stations, sender, sent, quiet=0.3):
    """Sends frames from one station; what each other one received: name to list of frames."""
    raw = {name: nic.raw() for name, nic in stations.items()}
    for port in raw.values():
        port.drain()
    for index, data in enumerate(sent, 1):
        raw[sender].send(data)
        # Room for the receiving TAPs' queues: what is tested here is where frames go.
        if index % 32 == 0:
            time.sleep(0.005)
    return {name: raw[name].collect(quiet) for name in stations if name != sender}


@pytest.mark.parametrize("source, tag, expected", BROADCASTS)
def test_broadcast(stations, source, tag, expected):
    number = list(PORTS).index(source) + 1
    payload = b"to everybody %d" % number
    got = hear(stations, source, [frame(BROADCAST, mac(number), payload, vlan=tag)])
    for name, frames in got.items():
        if name in expected:
            assert [vlan_of(data) for data in frames] == [expected[name]], name
            assert payload_of(frames[0]).startswith(payload), name
        else:
            assert frames == [], f"{name} heard a frame of another network"


def test_priority_tag_is_untagged(stations):
    """A tag with VLAN id 0 carries only a priority (IEEE 802.1Q): the frame is the native one."""
    got = hear(stations, "t", [frame(BROADCAST, mac(5), b"priority", vlan=0xA000)])
    assert len(got["c"]) == 1 and len(got["d"]) == 1
    assert not got["a"] and not got["b"] and not got["u"]


def test_unicast_does_not_cross(stations):
    """Nothing addressed to a station of another network reaches it, known or not."""
    numbers = {name: number for number, name in enumerate(PORTS, 1)}
    for name in "abcd":
        hear(stations, name, [frame(BROADCAST, mac(numbers[name]), b"here I am")], quiet=0.1)
    for source, target in itertools.permutations("abcd", 2):
        same = PORTS[source] == PORTS[target]
        got = hear(stations, source, [frame(mac(numbers[target]), mac(numbers[source]),
                                            f"{source}{target}".encode())] * 10, quiet=0.15)
        assert len(got[target]) == (10 if same else 0)
        if same:
            assert all(not frames for name, frames in got.items() if name != target)
        else:
            assert not any(got[name] for name in "abcd" if PORTS[name] != PORTS[source])


def test_same_mac_in_two_networks(stations):
    """The table is kept for each network: one address may live in several."""
    shared = "02:aa:aa:aa:aa:aa"
    hear(stations, "a", [frame(BROADCAST, shared, b"blue")], quiet=0.1)
    hear(stations, "c", [frame(BROADCAST, shared, b"green")], quiet=0.1)
    assert {name for name, frames in hear(stations, "b", [frame(shared, mac(2))]).items()
            if frames} == {"a"}
    assert {name for name, frames in hear(stations, "d", [frame(shared, mac(4))]).items()
            if frames} == {"c"}


def test_unknown_unicast_floods_within_the_network(stations):
    got = hear(stations, "a", [frame("02:00:00:00:12:34", mac(1), b"who?")])
    assert {name for name, frames in got.items() if frames} == {"b", "t", "u"}


def test_trunk_to_trunk_unicast(stations):
    hear(stations, "u", [frame(BROADCAST, mac(6), vlan=10)], quiet=0.1)
    got = hear(stations, "t", [frame(mac(6), mac(5), b"tagged", vlan=10)] * 5)
    assert [vlan_of(data) for data in got["u"]] == [10] * 5
    assert not any(frames for name, frames in got.items() if name != "u")


def test_no_leak_under_load(stations):
    """Thousands of random frames in blue: green's access ports hear not one of them."""
    sent = [frame(BROADCAST if i % 3 else f"02:00:00:00:00:{i % 256:02x}", mac(1), b"%d" % i)
            for i in range(3000)]
    got = hear(stations, "a", sent, quiet=1)
    assert got["c"] == [] and got["d"] == []
    assert len(got["b"]) == len(sent), "and blue hears them all"


def test_ping_across_a_trunk(bed):
    """A kernel on each side: access port to access port while the trunk carries the same VLAN."""
    bed.vswd(PORTS)
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    c, d = bed.nic("c", 1), bed.nic("d", 3)
    assert a.ping(b.ip, 5) == (5, 5)
    assert c.ping("10.0.0.3", 5) == (5, 5)
    assert a.ping("10.0.0.3", 3)[1] == 0, "the same subnet in another network is out of reach"
    assert d.ping(b.ip, 3)[1] == 0
