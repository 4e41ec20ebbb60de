# SPDX-License-Identifier: BSD-3-Clause
"""A real DHCP client on a bound port: served by the server that is trusted, never by one that is not.

    blue    client (mac and ip), trusted and rogue (a mac each): both run a DHCP server

And where the switch is the server: starvation, malformed messages, and another server.
"""
import json

import pytest

from lab.bed import mac
from lab.dhcp import DISCOVER, OFFER, HandMade, message
from lab.frames import mac_text, udp
from lab.process import Process, missing, wait_for

pytestmark = pytest.mark.usefixtures("tun")

PORTS = {"client": {"network": "blue", "mac": mac(20), "ip": "10.0.0.20"},
         "trusted": {"network": "blue", "mac": mac(1), "ip": "10.0.0.1", "trusted": True},
         "rogue": {"network": "blue", "mac": mac(2), "ip": "10.0.0.2"}}
HOOK = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/24" dev "$interface"
echo "$serverid" > "{answer}"
"""


@pytest.fixture
def stations(bed):
    """The switch and a station at each port; the client has no address yet."""
    lacking = missing("udhcpc", "udhcpd")
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    bed.vswd(PORTS)
    made = {name: bed.nic(name, number) for name, number in
            (("client", 20), ("trusted", 1), ("rogue", 2))}
    made["client"].netns.run("ip", "addr", "flush", "dev", made["client"].tap)
    return made


@pytest.fixture
def serve(bed, stations):
    """serve(NAME): starts a DHCP server at that station, which leases 10.0.0.20."""
    servers = []

    def start(name):
        path = bed.path / f"udhcpd-{name}.conf"
        path.write_text(f"start 10.0.0.20\nend 10.0.0.20\ninterface {stations[name].tap}\n"
                        f"lease_file {bed.path}/leases-{name}\npidfile {bed.path}/pid-{name}\n"
                        "option subnet 255.255.255.0\n")
        (bed.path / f"leases-{name}").touch()
        servers.append(Process(f"udhcpd {name}", ["udhcpd", "-f", path],
                               bed.path / f"udhcpd-{name}.log", netns=stations[name].netns))
        servers[-1].wait_log("started")
    yield start
    for server in servers:
        server.kill()


def ask(bed, client):
    """Runs the client; the server that it was served by, or None."""
    answer = bed.path / "answer"
    hook = bed.path / "hook"
    hook.write_text(HOOK.format(answer=answer))
    hook.chmod(0o755)
    client.netns.run("udhcpc", "-f", "-n", "-q", "-t", "4", "-T", "1", "-i", client.tap, "-s", hook,
                     check=False)
    return answer.read_text().strip() if answer.exists() else None


def addresses(client):
    shown = json.loads(client.netns.run("ip", "-j", "-4", "addr", "show", "dev", client.tap).stdout)
    return [entry["local"] for entry in shown[0]["addr_info"]]


def test_a_lease_from_the_trusted_server(bed, stations, serve):
    serve("rogue")
    serve("trusted")
    assert ask(bed, stations["client"]) == "10.0.0.1"
    assert addresses(stations["client"]) == ["10.0.0.20"]
    assert stations["client"].ping("10.0.0.1", 3) == (3, 3)
    # The other heard the question as well, and its answer did not pass.
    wait_for(lambda: bed.switch.port("rogue")["drops"]["untrusted-server"], 10, "a refused answer")
    drops = bed.switch.port("client")["drops"]
    assert not {reason for reason in drops if reason.startswith(("spoof", "unver")) and drops[reason]}


def test_no_lease_from_another(bed, stations, serve):
    serve("rogue")
    assert ask(bed, stations["client"]) is None
    assert bed.switch.port("rogue")["drops"]["untrusted-server"] >= 1


def test_a_thousand_addresses_at_one_port(bed):
    """Starvation: one station asks for leases under as many MAC addresses as it likes."""
    lacking = missing("udhcpc")
    if lacking:
        pytest.skip("not installed: udhcpc")
    networks = {"blue": {"subnet": "10.0.0.0/24",
                         "dhcp": {"range": ["10.0.0.100", "10.0.0.199"], "port-limit": 8}}}
    bed.vswd({"hostile": {"network": "blue"}, "client": {"network": "blue"}}, networks,
             **{"state-dir": str(bed.path / "state")})
    hostile = bed.nic("hostile", 2, addressed=False, options=["--offload", "off"])
    client = bed.nic("client", 20)
    client.netns.run("ip", "addr", "flush", "dev", client.tap)
    bed.switch.allow(r"port hostile has as many addresses by DHCP as it may: 8")
    hand = HandMade(hostile.netns, hostile.tap)
    for number in range(1000):
        hand.send(message(DISCOVER, mac_text(number), xid=number), mac_text(number))
        if number % 100 == 50:
            # Malformed ones among them, as long as a frame may be.
            hand.send(message(DISCOVER, mac_text(number), [(61, bytes(255))] * 4), mac_text(number))
            hand.send(message(None, mac_text(number)) + bytes(range(256)) * 4, mac_text(number))
    wait_for(lambda: pool(bed)["port_limit"] >= 100, 20, "many that were refused")
    assert pool(bed)["offered"] + pool(bed)["bound"] <= 8
    assert ask(bed, client) == "10.0.0.1"
    [lease] = [lease for lease in bed.switch.vsw("lease", "show") if lease["port"] == "client"]
    assert lease["state"] == "bound" and addresses(client) == [lease["address"]]


def pool(bed):
    return bed.switch.vsw("network", "show")[0]["dhcp"]["pool"]


def test_another_server_in_a_served_network(bed):
    """A port that has neither `mac` nor `ip` is no server either, where the switch is one."""
    lacking = missing("udhcpc", "udhcpd")
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    networks = {"blue": {"subnet": "10.0.0.0/24", "dhcp": {"range": ["10.0.0.100", "10.0.0.109"]}}}
    bed.vswd({"rogue": {"network": "blue"}, "client": {"network": "blue"}}, networks,
             **{"state-dir": str(bed.path / "state")})
    rogue, client = bed.nic("rogue", 2), bed.nic("client", 20)
    client.netns.run("ip", "addr", "flush", "dev", client.tap)
    offer = message(OFFER, mac(20))
    hand = HandMade(rogue.netns, rogue.tap)
    for _ in range(50):
        hand.raw.send(udp((mac(20), mac(2)), ("255.255.255.255", "10.0.0.2"), (68, 67), offer,
                          request=False)[0])
    assert ask(bed, client) == "10.0.0.1"
    wait_for(lambda: bed.switch.port("rogue")["drops"]["untrusted-server"] == 50, 10, "the drops")
