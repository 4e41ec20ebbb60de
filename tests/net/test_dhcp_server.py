# SPDX-License-Identifier: BSD-3-Clause
"""DHCP of a network, asked by the clients that guests have, and by hand.

    blue 10.0.0.0/24    stations with clients -- vswd, which is the server 10.0.0.1
"""
import json
import re
import time

import pytest

from lab.bed import mac
from lab.dhcp import ACK, DECLINE, DISCOVER, NAK, OFFER, RELEASE, REQUEST, HandMade, Udhcpc, addresses, \
    number, values
from lab.frames import mac_text
from lab.netns import Namespace
from lab.process import Process, missing, wait_for

pytestmark = pytest.mark.usefixtures("tun")

DHCP = {"range": ["10.0.0.100", "10.0.0.149"], "lease-time": 3600, "dns": ["10.0.0.53", "10.0.0.2"],
        "search": ["lab.example", "b.example"], "ntp": "10.0.0.4",
        "routes": {"10.9.0.0/16": "10.0.0.254"}, "options": {150: "10.0.0.5", 43: "0x0102ff"}}


def blue(dhcp=True, **keys):
    return {"blue": {"vlan": 10, "subnet": "10.0.0.0/24", "mtu": 1400, "domain": "lab.example",
                     "dhcp": dhcp, **keys}}


@pytest.fixture
def spaces(bed):
    """Namespaces with a TAP port each: space("vm1") is the port's keys and the namespace. They end after the
    bed's switch, which would say that they are gone."""
    made = {}

    def make(name, station, **keys):
        made[name] = Namespace(ipv6=False)
        bed.members.append(made[name])
        return {"type": "tap", "ifname": "eth0", "netns": made[name].path, "network": "blue",
                "mac": mac(station), **keys}
    make.of = made
    return make


def start(bed, ports, networks=None):
    return bed.vswd(ports, networks or blue(), **{"state-dir": str(bed.path / "state")})


def client(bed, spaces, name):
    lacking = missing("udhcpc")
    if lacking:
        pytest.skip("not installed: udhcpc")
    space = spaces.of[name]
    space.run("ip", "link", "set", "eth0", "up")
    return Udhcpc(space, "eth0", bed.path, name)


def leases(bed, **wanted):
    return [lease for lease in bed.switch.vsw("lease", "show")
            if all(lease[key] == value for key, value in wanted.items())]


def test_udhcpc_is_told_all(bed, spaces):
    start(bed, {"vm1": spaces("vm1", 1)}, blue(DHCP))
    told = client(bed, spaces, "vm1").ask("-O", "search", "-O", "staticroutes", "-O", "mtu", "-O",
                                          "ntpsrv", "-O", "hostname", "-O", "150", "-O", "43")
    assert told["serverid"] == "10.0.0.1" and told["router"] == "10.0.0.1"
    assert told["subnet"] == "255.255.255.0" and told["mask"] == "24"
    assert told["dns"] == "10.0.0.53 10.0.0.2"
    assert told["domain"] == "blue.lab.example" and told["search"] == "lab.example b.example"
    assert told["lease"] == "3600" and told["mtu"] == "1400" and told["ntpsrv"] == "10.0.0.4"
    assert told["staticroutes"] == "10.9.0.0/16 10.0.0.254 0.0.0.0/0 10.0.0.1"
    assert told["hostname"] == "vm1"
    assert told["opt150"] == "0a000005" and told["opt43"] == "0102ff"
    assert addresses(spaces.of["vm1"], "eth0") == [told["ip"]]
    assert 100 <= int(told["ip"].rsplit(".", 1)[1]) <= 149
    [lease] = leases(bed)
    assert lease["address"] == told["ip"] and lease["port"] == "vm1" and lease["mac"] == mac(1)
    assert lease["state"] == "bound" and 3500 < lease["seconds"] <= 3600


def test_an_address_of_the_port(bed, spaces):
    """Static: no lease, and no journal is needed for it."""
    start(bed, {"vm1": spaces("vm1", 1, ip=["10.0.0.7", "fd00::7"]), "vm2": spaces("vm2", 2)})
    assert client(bed, spaces, "vm1").ask()["ip"] == "10.0.0.7"
    second = client(bed, spaces, "vm2").ask()
    assert second["ip"] not in ("10.0.0.7", "10.0.0.1")
    assert [lease["state"] for lease in leases(bed, port="vm1")] == ["static"]
    assert spaces.of["vm1"].run("ping", "-c1", "-W2", second["ip"]).returncode == 0


def test_a_network_without_a_gateway(bed, spaces):
    """The server is reached all the same: it answers for its address."""
    start(bed, {"vm1": spaces("vm1", 1)}, blue({"lease-time": 60}, gateway="none"))
    told = client(bed, spaces, "vm1").ask()
    assert "router" not in told and told["serverid"] == "10.0.0.1"
    space = spaces.of["vm1"]
    space.run("arping", "-c1", "-I", "eth0", "-f", "-w", "3", "10.0.0.1") if not missing("arping") \
        else space.run("ping", "-c1", "-W1", "10.0.0.1", check=False)
    neighbours = json.loads(space.run("ip", "-j", "neigh").stdout)
    assert missing("arping") == [] or neighbours[0]["lladdr"].startswith("02:76:")


def test_renewing_after_restarts(bed, spaces):
    """A lease is the client's after SIGKILL of vswd, too; and it renews by asking the server only."""
    start(bed, {"vm1": spaces("vm1", 1), "vm2": spaces("vm2", 2)})
    told = client(bed, spaces, "vm1").ask()
    bed.switch.process.kill()
    bed.switch.start()
    [lease] = leases(bed)
    assert lease["address"] == told["ip"] and lease["port"] == "vm1"
    hand = None
    wait_for(lambda: "eth0" in spaces.of["vm1"].run("ip", "link").stdout, 10, "the TAP")
    assert client(bed, spaces, "vm1").ask()["ip"] == told["ip"]
    # Nobody else gets it, even who asks for it.
    client(bed, spaces, "vm2")
    hand = HandMade(spaces.of["vm2"], "eth0")
    reply = hand.ask(REQUEST, mac(2), [(50, number(told["ip"]))])
    assert reply.kind == NAK


def test_messages_by_hand(bed, spaces):
    start(bed, {"vm1": spaces("vm1", 1), "vm2": spaces("vm2", 2)})
    client(bed, spaces, "vm1")
    client(bed, spaces, "vm2")
    one = HandMade(spaces.of["vm1"], "eth0")
    two = HandMade(spaces.of["vm2"], "eth0")
    address = one.lease(mac(1))
    assert address
    # Renewal is unicast, to whatever MAC address has the gateway's IP address.
    ack = one.ask(REQUEST, mac(1), ciaddr=address)
    assert (ack.kind, ack.yours) == (ACK, address)
    # At another port the same client is another one.
    assert two.ask(REQUEST, mac(2), [(61, b"\x01" + bytes(6)), (50, number(address))]).kind == NAK
    # From another network.
    assert two.ask(REQUEST, mac(2), [(50, number("192.168.1.5"))]).kind == NAK
    # Released, it is free; declined, it is nobody's.
    one.ask(RELEASE, mac(1), [(54, number("10.0.0.1"))], ciaddr=address, seconds=0.1)
    wait_for(lambda: not leases(bed), 5, "the release")
    assert one.lease(mac(1)) == address
    one.ask(DECLINE, mac(1), [(50, number(address)), (54, number("10.0.0.1"))], seconds=0.1)
    wait_for(lambda: leases(bed, state="declined"), 5, "the quarantine")
    assert one.lease(mac(1)) not in (None, address)
    # Rapid commit.
    rapid = two.ask(DISCOVER, mac(2), [(80, b"")])
    assert rapid.kind == ACK and 80 in rapid.options
    # What is malformed is ignored, and the next one is served.
    for options in ([(50, b"\x0a")], [(61, b"")], [(55, bytes(range(255)))], [(52, b"\x03")]):
        two.ask(DISCOVER, mac(2), options, seconds=0.05)
    two.send(b"\x01" * 20, mac(2))
    two.send(bytes(300), mac(2))
    assert two.ask(DISCOVER, mac(2)).kind == OFFER


def test_the_pool_is_used_up(bed, spaces):
    networks = blue({"range": ["10.0.0.100", "10.0.0.101"], "port-limit": 1})
    start(bed, {name: spaces(name, n) for n, name in enumerate(("vm1", "vm2", "vm3"), 1)}, networks)
    for name in ("vm1", "vm2"):
        assert client(bed, spaces, name).ask()
    bed.switch.allow(r"no address of dhcp\.range is left for port vm3: 2 of 2 are in use")
    assert client(bed, spaces, "vm3").ask(tries=1) is None
    [drop] = [drop for drop in bed.switch.vsw("drops") if drop["name"] == "no-lease"]
    assert drop["count"] >= 1 and drop["ports"]["(local)"] >= 1
    shown = bed.switch.vsw_raw("lease", "show").stdout
    assert "no address is left of 2" in shown and "requests while none was left" in shown
    bed.switch.vsw("lease", "del", leases(bed, port="vm1")[0]["address"], "--network", "blue")
    assert client(bed, spaces, "vm3").ask()
