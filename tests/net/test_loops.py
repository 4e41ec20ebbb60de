# SPDX-License-Identifier: BSD-3-Clause
"""A guest that bridges two ports of one network, with and without spanning tree; moves that are no loop;
and what is meant for the next hop."""
import json
import time

import pytest

from lab.bed import mac
from lab.frames import BROADCAST, frame
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("tun")

PORTS = {name: {"network": "blue"} for name in ("a", "b", "left", "right")}


class Bridge:
    """One namespace with a Linux bridge over two vsw-nics: a guest with two NICs."""

    def __init__(self, bed, spanning_tree):
        self.left = bed.nic("left", 11, addressed=False)
        self.right = bed.nic("right", 12, addressed=False)
        run = self.left.netns.run
        # The TAP of one moves to the other's namespace, under another name.
        self.right.netns.run("ip", "link", "set", "tap0", "down")
        self.right.netns.run("ip", "link", "set", "tap0", "name", "tap1")
        self.right.netns.run("ip", "link", "set", "tap1", "netns", self.left.netns.holder.pid)
        run("ip", "link", "add", "br0", "type", "bridge", "stp_state", int(spanning_tree),
            "forward_delay", 400 if spanning_tree else 0)
        for tap in ("tap0", "tap1"):
            run("ip", "link", "set", tap, "master", "br0")
            run("ip", "link", "set", tap, "up")
        run("ip", "link", "set", "br0", "up")

    def states(self):
        shown = self.left.netns.run("bridge", "link", "show").stdout
        return [word for line in shown.splitlines() for kept, word in
                zip(line.split(), line.split()[1:]) if kept == "state"]

    def stop(self):
        self.left.netns.run("ip", "link", "del", "br0")


def floods(nic, seconds):
    """Frames that a station hears within so many seconds."""
    def packets():
        shown = nic.netns.run("ip", "-j", "-s", "link", "show", "dev", nic.tap).stdout
        return json.loads(shown)[0]["stats64"]["rx"]["packets"]
    before = packets()
    time.sleep(seconds)
    return packets() - before


@pytest.mark.seconds(180)
def test_a_bridge_without_spanning_tree(bed):
    switch = bed.vswd(PORTS)
    switch.allow("moves back and forth")
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    bridge = Bridge(bed, False)

    def noticed():
        a.raw().send(frame(BROADCAST, mac(1), b"round and round"))
        return switch.port("right")["held"]
    held = wait_for(noticed, 30, "the loop to be noticed", pause=0.2)[0]
    assert held["network"] == "blue" and held["other"] == "left"
    line = switch.log()
    assert "moves back and forth between ports left and right" in line
    # The rest of the network goes on, and the storm is over.
    wait_for(lambda: floods(b, 0.5) < 500, 20, "the storm to be over")
    assert a.ping(b.ip, 20)[1] >= 19
    shown = switch.vsw("show")
    assert shown["loops"]["noticed"] >= 1 and shown["loops"]["held"] == 1
    assert switch.vsw("network", "show")[0]["held"] == ["right"]
    assert "held" in switch.vsw_raw("port", "show", "right").stdout
    a.raw().send(frame(BROADCAST, mac(1), b"round and round"))
    wait_for(lambda: switch.port("right")["drops"]["loop-held"], 10, "a drop of the held port")
    # It is tried again, noticed again, and held for longer.
    wait_for(lambda: noticed() and switch.vsw("show")["loops"]["noticed"] >= 2, 40,
             "the loop to be noticed again", pause=0.2)
    assert "flooding at port right is held for 20 s" in switch.log()
    # Without the bridge there is no loop, and in the end no hold. Dropping the port drops the hold.
    bridge.stop()
    switch.force(bed.text({name: keys for name, keys in PORTS.items() if name != "right"}))
    wait_for(lambda: switch.vsw("show")["loops"]["held"] == 0, 10, "the hold to be over")
    assert a.ping(b.ip, 5)[1] == 5


@pytest.mark.seconds(180)
def test_a_bridge_with_spanning_tree(bed):
    """It hears its own messages at its other port, and blocks one of them by itself."""
    switch = bed.vswd(PORTS)
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    bridge = Bridge(bed, True)
    wait_for(lambda: sorted(bridge.states()) == ["blocking", "forwarding"], 60,
             "one port to forward and one to block")
    for _ in range(20):
        a.raw().send(frame(BROADCAST, mac(1), b"once around"))
    assert a.ping(b.ip, 5)[1] == 5
    time.sleep(2)
    assert switch.vsw("show")["loops"]["noticed"] == 0
    assert not switch.port("left")["held"] and not switch.port("right")["held"]


def test_moves_that_are_no_loop(bed):
    """A VRRP address whose masters both announce it twice a second, and a migration of 200 addresses."""
    switch = bed.vswd(PORTS)
    a, b = bed.nic("a", 1, addressed=False), bed.nic("b", 2, addressed=False)
    address = "00:00:5e:00:01:07"
    for nic in (a, b):
        for number in range(200):
            nic.raw().send(frame(BROADCAST, f"02:00:00:00:01:{number:02x}", b"here I am"))
    for turn in range(16):
        (a if turn % 2 else b).raw().send(frame(BROADCAST, address, b"gratuitous"))
        time.sleep(0.25)
    time.sleep(1.5)
    assert switch.port("a")["mac_moves"] >= 7
    assert switch.vsw("show")["loops"] == {"noticed": 0, "held": 0}


def test_one_address_at_two_ports_is_only_logged(bed):
    """`loops: log`, and back to `hold` while it goes on."""
    text = bed.text(PORTS, {"blue": {"vlan": 10, "loops": "log"}})
    switch = bed.vswd_text(text)
    switch.allow("moves back and forth")
    a, b = bed.nic("a", 1, addressed=False), bed.nic("b", 2, addressed=False)

    def alternate(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for nic in (a, b):
                nic.raw().send(frame(BROADCAST, "02:00:00:00:02:01", b"here"))
            time.sleep(0.02)
        return switch.vsw("show")["loops"]
    assert alternate(4) == {"noticed": 1, "held": 0}
    assert "nothing is held (loops: log)" in switch.log()
    assert switch.vsw("network", "show")[0]["loops"] == "log"
    switch.reload(text.replace("loops: log", "loops: hold"))
    wait_for(lambda: alternate(1)["held"] == 1, 30, "the younger port to be held")
    switch.reload(text)
    wait_for(lambda: switch.vsw("show")["loops"]["held"] == 0, 10, "the port to be free")
    b.raw().drain()
    a.raw().send(frame(BROADCAST, "02:00:00:00:02:02", b"to all"))
    assert any(b"to all" in data for data in b.raw().collect(2, 1))


GROUPS = {"stp": "01:80:c2:00:00:00", "lacp": "01:80:c2:00:00:02", "802.1x": "01:80:c2:00:00:03",
          "lldp": "01:80:c2:00:00:0e", "pause": "01:80:c2:00:00:01"}


def test_link_local_groups(bed):
    """Each passes where its key says so; pause frames never do; a change takes effect at once."""
    switch = bed.vswd(PORTS)
    a, b = bed.nic("a", 1, addressed=False), bed.nic("b", 2, addressed=False)

    def passing():
        heard = set()
        b.raw().drain()
        for name, group in GROUPS.items():
            a.raw().send(frame(group, mac(1), name.encode()))
        for data in b.raw().collect(0.5):
            heard.add(data[14:].rstrip(b"\0").decode())
        return heard
    assert passing() == {"stp"}
    assert switch.port("a")["drops"]["reserved-multicast"] == 4
    text = bed.text(PORTS)
    every = text.replace("vlan: 10", "vlan: 10\n    stp: drop\n    lldp: pass\n    lacp: pass\n"
                                     "    802.1x: pass")
    assert every != text
    switch.reload(every)
    wait_for(lambda: passing() == {"lacp", "802.1x", "lldp"}, 10, "the new groups to pass")


def test_flood_limit(bed):
    """So many flooded frames a second, and as many others as one likes."""
    switch = bed.vswd({**PORTS, "a": {"network": "blue", "flood-limit": 50}})
    a, b = bed.nic("a", 1, addressed=False), bed.nic("b", 2, addressed=False)
    b.raw().send(frame(BROADCAST, mac(2), b"here I am"))
    wait_for(lambda: switch.port("a")["tx_packets"], 10, "the address to be learned")
    begin = time.monotonic()
    for number in range(1000):
        a.raw().send(frame(BROADCAST, mac(1), b"all %d" % number))
        a.raw().send(frame(mac(2), mac(1), b"one %d" % number))
        if number % 50 == 0:
            time.sleep(0.01)
    heard = b.raw().collect(2)
    seconds = time.monotonic() - begin
    everybody = sum(data[14:].startswith(b"all") for data in heard)
    assert 50 <= everybody <= 50 * (int(seconds) + 2)
    assert switch.port("a")["drops"]["flood-limit"] == 1000 - everybody
    assert sum(data[14:].startswith(b"one") for data in heard) >= 990


def test_two_ports_of_a_secured_guest(bed):
    """A port with a `mac` cannot close a loop: what would come back through it has another address."""
    switch = bed.vswd({**PORTS, "left": {"network": "blue", "mac": mac(11)},
                       "right": {"network": "blue", "mac": mac(12)}})
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    bridge = Bridge(bed, False)
    for _ in range(50):
        a.raw().send(frame(BROADCAST, mac(1), b"round"))
        time.sleep(0.02)
    time.sleep(1.5)
    assert switch.vsw("show")["loops"]["noticed"] == 0
    assert switch.port("right")["drops"]["spoofed-source"]
    assert a.ping(b.ip, 5)[1] == 5
    bridge.stop()
