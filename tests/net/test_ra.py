# SPDX-License-Identifier: BSD-3-Clause
"""Router advertisements of a network, heard by the kernels of its stations.

    vm1 (SLAAC) -- vswd [blue fd00:5::/64] -- gw (a TAP with fd00:5::1, the router)
"""
import json

import pytest

from lab.bed import mac
from lab.dhcp import addresses
from lab.frames import BROADCAST, RawPort, mac_bytes, udp
from lab.netns import Namespace
from lab.process import missing, wait_for

pytestmark = pytest.mark.usefixtures("tun")

LINK_LOCAL = "fe80::5054:ff:fe00:fe"


@pytest.fixture
def spaces(bed):
    """Namespaces with the keys of a TAP port in each; they end after the bed's switch."""
    made = {}

    def make(name, station, ipv6=True, **keys):
        made[name] = Namespace(ipv6=ipv6)
        bed.members.append(made[name])
        made[name].run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0",
                       "net.ipv6.conf.default.router_solicitation_interval=1")
        return {"type": "tap", "ifname": "eth0", "netns": made[name].path, "network": "blue",
                "mac": mac(station), **keys}
    make.of = made
    return make


def blue(**keys):
    return {"blue": {"subnet6": "fd00:5::/64", "mtu": 1400,
                     "ra": {"dns": "fd00:5::53", "search": "lab.example",
                            "routes": ["fd00:9::/32"], **keys}}}


def has_address(space, address):
    return address in addresses(space, "eth0", "-6")


def routes(space):
    return {entry["dst"]: entry.get("gateway")
            for entry in json.loads(space.run("ip", "-j", "-6", "route").stdout)}


def test_slaac_and_the_router(bed, spaces):
    bed.vswd({"gw": spaces("gw", 0xfe, address="fd00:5::1/64", trusted=True),
              "vm1": spaces("vm1", 1)}, blue())
    space = spaces.of["vm1"]
    wait_for(lambda: has_address(space, "fd00:5::5054:ff:fe00:1"), 20, "an address by SLAAC")
    wait_for(lambda: routes(space).get("default") == LINK_LOCAL, 10, "the default route")
    assert "1400" in space.run("sysctl", "-n", "net.ipv6.conf.eth0.mtu").stdout
    wait_for(lambda: space.run("ping", "-c1", "-W1", "fd00:5::1", check=False).returncode == 0, 10,
             "an answer of the router")
    if not missing("rdisc6"):
        said = space.run("rdisc6", "-1", "-w", "3000", "eth0").stdout
        for part in ("fd00:5::/64", "fd00:5::53", "lab.example", "fd00:9::/32", "1400 bytes",
                     LINK_LOCAL):
            assert part in said, said


def test_a_prefix_without_a_router(bed, spaces):
    """Where no port of ours is the gateway, nobody is announced as one."""
    bed.vswd({"vm1": spaces("vm1", 1)}, blue())
    space = spaces.of["vm1"]
    wait_for(lambda: has_address(space, "fd00:5::5054:ff:fe00:1"), 20, "an address by SLAAC")
    assert "default" not in routes(space)


def test_other_routers_are_not_heard(bed, spaces):
    """A port without mac and ip, too; and DHCP replies in a network that has advertisements only."""
    rogue = spaces("rogue", 2, ipv6=False)
    del rogue["mac"]
    bed.vswd({"rogue": rogue, "vm1": spaces("vm1", 1, ipv6=False)}, blue(slaac=False))
    for name in ("rogue", "vm1"):
        spaces.of[name].run("ip", "link", "set", "eth0", "up")
    raw = RawPort(spaces.of["rogue"], "eth0")
    heard = RawPort(spaces.of["vm1"], "eth0")
    source, target = "fe80::2", "ff02::1"
    advert = bytearray(udp(("33:33:00:00:00:01", mac(2)), (target, source), (0, 0), bytes(8))[0])
    advert[14 + 6] = 58
    advert[14 + 7] = 255
    advert[54] = 134
    raw.send(bytes(advert))
    raw.send(udp((BROADCAST, mac(2)), ("255.255.255.255", "10.0.0.9"), (68, 67), bytes(240),
                 request=False)[0])
    wait_for(lambda: bed.switch.port("rogue")["drops"].get("untrusted-server", 0) == 2, 10,
             "two refused frames")
    assert not heard.collect(0.2, 1, lambda data: data[6:12] == mac_bytes(mac(2)))
