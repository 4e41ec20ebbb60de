# SPDX-License-Identifier: BSD-3-Clause
"""What the switch learns, how long it remembers it, and what one port can do to that memory."""
import time

import pytest

from lab import frontend
from lab.bed import mac
from lab.frames import BROADCAST, frame, mac_text
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("tun")


def entries(switch):
    """MAC to entry of `vsw fdb show`."""
    return {entry["mac"]: entry for entry in switch.vsw("fdb", "show")}


def three(bed, ports=("a", "b", "c"), **options):
    bed.vswd(list(ports) if not isinstance(ports, dict) else ports, **options)
    return [bed.nic(name, number, addressed=False) for number, name in enumerate(ports, 1)]


def announce(nic, address=None):
    nic.raw().send(frame(BROADCAST, address or nic.mac, b"announce"))


def learned(switch, address, port):
    wait_for(lambda: entries(switch).get(address, {}).get("port") == port, 3,
             f"{address} at {port}")


def test_learns_and_forwards_to_one_port(bed):
    a, b, c = three(bed)
    announce(b)
    learned(bed.switch, b.mac, "b")
    entry = entries(bed.switch)[b.mac]
    assert entry["network"] == "blue" and 0 <= entry["age"] <= 3
    for nic in (a, b, c):
        nic.raw().drain()
    for _ in range(10):
        a.raw().send(frame(b.mac, a.mac, b"for b"))
    assert len(b.raw().collect(1, 10)) == 10
    assert c.raw().collect(0.2) == []


def test_a_vm_is_announced(bed):
    """SEND_RARP, as a VMM sends it after a migration for a guest that cannot announce itself: every other
    port of the network hears it, the trunk with its tag, and the address is where the VM is."""
    bed.vswd({"vm": {"network": "blue"}, "b": {"network": "blue"}, "g": {"network": "green"},
              "t": {"trunk": ["blue", "green"]}}, {"blue": 10, "green": 20})
    b, g, t = (bed.nic(name, number, addressed=False)
               for number, name in enumerate(("b", "g", "t"), 2))
    client = frontend.Frontend(bed.switch.socket("vm"))
    client.negotiate(frontend.PROTOCOL_REPLY_ACK | frontend.PROTOCOL_RARP)
    station = bytes.fromhex("525400123456")
    for nic in (b, g, t):
        nic.raw().drain()
    client.message(frontend.SEND_RARP, station + bytes(2))
    rarp = b"\xff" * 6 + station + bytes.fromhex("8035 0001 0800 06 04 0003") + \
        (station + bytes(4)) * 2 + bytes(18)
    heard = {name: nic.raw().collect(timeout, 1, lambda data: data[6:12] == station)
             for name, nic, timeout in (("b", b, 5), ("t", t, 5), ("g", g, 0.2))}
    assert heard == {"b": [rarp], "t": [rarp[:12] + bytes.fromhex("8100 000a") + rarp[12:]], "g": []}
    learned(bed.switch, "52:54:00:12:34:56", "vm")
    assert bed.switch.port("vm")["rx_packets"] == 0
    client.close()


def test_multicast_source_is_not_learned(bed):
    a, b, _ = three(bed)
    a.raw().send(frame(BROADCAST, "03:00:00:00:00:01", b"odd"))
    announce(a)
    learned(bed.switch, a.mac, "a")
    assert "03:00:00:00:00:01" not in entries(bed.switch)
    assert all(data[6:12] != bytes.fromhex("030000000001") for data in b.raw().collect(0.2))


def test_hairpin_is_suppressed(bed):
    """A frame for a station behind the port it came from goes nowhere."""
    a, b, c = three(bed)
    announce(a)
    announce(a, "02:00:00:00:00:99")
    learned(bed.switch, "02:00:00:00:00:99", "a")
    for nic in (a, b, c):
        nic.raw().drain()
    a.raw().send(frame("02:00:00:00:00:99", a.mac, b"to myself"))
    assert [nic.raw().collect(0.2) for nic in (a, b, c)] == [[], [], []]


def test_ageing(bed):
    a, b, c = three(bed, fdb={"ageing": 2})
    announce(b)
    learned(bed.switch, b.mac, "b")
    begin = time.monotonic()
    wait_for(lambda: b.mac not in entries(bed.switch), 8, "ageing")
    assert time.monotonic() - begin > 1
    for nic in (b, c):
        nic.raw().drain()
    a.raw().send(frame(b.mac, a.mac, b"where are you"))
    assert len(b.raw().collect(1, 1)) == 1 and len(c.raw().collect(1, 1)) == 1, "floods again"


def test_use_keeps_an_entry_young(bed):
    _, b, _ = three(bed, fdb={"ageing": 2})
    for _ in range(16):
        announce(b)
        time.sleep(0.25)
        assert b.mac in entries(bed.switch)


def test_move(bed):
    """A station that moved is reached at its new port at once, and the move is counted."""
    a, b, c = three(bed)
    wanderer = "02:00:00:00:00:77"
    announce(b, wanderer)
    learned(bed.switch, wanderer, "b")
    announce(c, wanderer)
    learned(bed.switch, wanderer, "c")
    for nic in (b, c):
        nic.raw().drain()
    a.raw().send(frame(wanderer, a.mac, b"found you"))
    assert len(c.raw().collect(1, 1)) == 1
    assert b.raw().collect(0.2) == []


def test_entries_go_with_their_port(bed):
    _, b, _ = three(bed)
    announce(b)
    learned(bed.switch, b.mac, "b")
    bed.switch.force(bed.text(["a", "c"]))
    wait_for(lambda: b.mac not in entries(bed.switch), 3, "the port's entries to go")


@pytest.mark.parametrize("size", [1024, 65536])
def test_mac_flood_does_not_evict_the_others(bed, size):
    """More addresses than the table holds from one port: the others' entries stay, traffic too."""
    a, b, attacker = three(bed, fdb={"size": size, "ageing": 300})
    announce(a)
    announce(b)
    learned(bed.switch, a.mac, "a")
    learned(bed.switch, b.mac, "b")
    raw = attacker.raw()
    count = size + size // 2
    for i in range(count):
        raw.send(frame(a.mac, mac_text(i), b"flood"))
        if i % 64 == 0:
            time.sleep(0.001)
    time.sleep(0.3)
    known = entries(bed.switch)
    assert known[a.mac]["port"] == "a" and known[b.mac]["port"] == "b"
    assert len(known) <= size
    attacker.raw().drain()
    b.raw().drain()
    for _ in range(50):
        a.raw().send(frame(b.mac, a.mac, b"still unicast"))
    assert len(b.raw().collect(2, 50)) == 50
    assert attacker.raw().collect(0.2) == [], "nothing floods to the attacker"
    announce(a, "02:00:00:00:00:55")
    learned(bed.switch, "02:00:00:00:00:55", "a")


def test_port_security(bed):
    """With `mac:`, other source addresses are dropped, counted, and not learned."""
    a, b, _ = three(bed, {"a": {"network": "blue", "mac": mac(1)}, "b": {"network": "blue"},
                          "c": {"network": "blue"}})
    b.raw().drain()
    before = sum(bed.switch.port("a")["drops"].values())
    for i in range(20):
        a.raw().send(frame(BROADCAST, mac_text(i), b"spoofed"))
    a.raw().send(frame(BROADCAST, a.mac, b"honest"))
    heard = b.raw().collect(0.5)
    assert len(heard) == 1 and b"honest" in heard[0]
    wait_for(lambda: sum(bed.switch.port("a")["drops"].values()) >= before + 20, 3, "drops")
    assert set(entries(bed.switch)) & {mac_text(i) for i in range(20)} == set()
    announce(b, a.mac)
    wait_for(lambda: bed.switch.port("b")["drops"].get("source-bound-elsewhere"), 3,
             "the frame that claims a's address from b to be dropped")
    assert entries(bed.switch).get(a.mac, {"port": "a"})["port"] == "a"


ZERO = "00:00:00:00:00:00"
# What a sends and b must not hear, with the reason that counts them.
DROPPED = [
    ("pause", frame("01:80:c2:00:00:01", mac(1)), "reserved-multicast"),
    ("LLDP", frame("01:80:c2:00:00:0e", mac(1)), "reserved-multicast"),
    ("zero source", frame(BROADCAST, ZERO), "bad-source"),
    ("broadcast source", frame(BROADCAST, BROADCAST), "bad-source"),
    ("multicast source", frame(BROADCAST, "33:33:00:00:00:01"), "bad-source"),
    ("tagged", frame(BROADCAST, mac(1), vlan=10), "vlan-not-allowed"),
    ("twice tagged", frame(BROADCAST, mac(1), b"\0\x14\x88\xb5", vlan=0, ethertype=0x8100),
     "qinq-not-allowed"),
]


@pytest.fixture
def two(bed):
    return three(bed, ("a", "b"))


@pytest.mark.parametrize("what, data, reason", DROPPED, ids=[row[0] for row in DROPPED])
def test_dropped_with_a_reason(bed, two, what, data, reason):
    a, b = two
    b.raw().drain()
    before = bed.switch.port("a")["drops"].get(reason, 0)
    for _ in range(5):
        a.raw().send(data)
    a.raw().send(frame(BROADCAST, a.mac, b"the last"))
    heard = b.raw().collect(1, wanted=lambda got: got[6:12] in (data[6:12], bytes.fromhex(
        a.mac.replace(":", ""))) and got[12:14] in (b"\x88\xb5", b"\x81\x00"), want=2)
    assert len(heard) == 1 and b"the last" in heard[0]
    wait_for(lambda: bed.switch.port("a")["drops"].get(reason, 0) == before + 5, 3,
             f"{reason} to count them")
    told = bed.switch.vsw_raw("drops").stdout
    assert reason in told


def test_a_port_without_vm_counts(bed):
    """Frames for a port nobody is connected to are counted there: those that are lost apart from copies of
    what every port gets."""
    bed.vswd({"a": {"network": "blue"}, "empty": {"network": "blue", "mac": mac(2)}})
    a = bed.nic("a", 1, addressed=False)

    def drops():
        counted = bed.switch.port("empty")["drops"]
        return counted["receiver-not-ready"], counted["flooded-not-ready"]
    before = drops()
    a.raw().send(frame(mac(2), a.mac, b"for this port alone"))
    wait_for(lambda: drops()[0] == before[0] + 1, 5, "a frame that is lost")
    before = drops()
    for destination in (BROADCAST, "01:00:5e:00:00:01", "02:99:99:99:99:99"):
        a.raw().send(frame(destination, a.mac, b"for everybody"))
    wait_for(lambda: drops()[1] >= before[1] + 3, 5, "copies that nobody was there for")
    assert drops()[0] == before[0]
