# SPDX-License-Identifier: BSD-3-Clause
"""Interfaces that are there as members of networks, through packet ports.

    namespace a (eth0 10.0.0.1) -- veth -- p1 | host: vswd [blue] | p2 -- veth -- (10.0.0.2 eth0) b
"""
import json
import re
import socket
import subprocess

import pytest

from lab.bed import mac
from lab.frames import BROADCAST, RawPort, frame, payload_of, vlan_of
from lab.netns import Namespace
from lab.process import Process, program, wait_for
from test_tap import iperf3, ping, refused, wait_state, wait_up

pytestmark = pytest.mark.usefixtures("tun")


class Host:
    """A namespace that stands for the host, and others that hang on it by pairs of veths."""

    def __init__(self):
        self.space = Namespace()
        self.path = self.space.path
        self.ends = []

    def run(self, *words, **keywords):
        return self.space.run(*words, **keywords)

    def end(self, number, ipv6=True):
        """A namespace with eth0, 10.0.0.NUMBER and fd00::NUMBER, whose other end is pNUMBER here."""
        end = Namespace(ipv6)
        self.ends.append(end)
        self.wire(number, end)
        end.run("ip", "address", "add", f"10.0.0.{number}/24", "dev", "eth0")
        if ipv6:
            end.run("ip", "address", "add", f"fd00::{number}/64", "dev", "eth0", "nodad")
        return end

    def wire(self, number, end, station=None):
        self.run("ip", "link", "add", f"p{number}", "type", "veth", "peer", "name", "eth0",
                 "netns", end.holder.pid)
        end.run("ip", "link", "set", "eth0", "address", mac(station or number), "up")

    def port(self, number, **keys):
        return {"type": "packet", "ifname": f"p{number}", "netns": self.path, "network": "blue",
                **keys}

    def guards(self):
        """How many interfaces are kept from the stack."""
        return self.run("nft", "list", "ruleset").stdout.count("table netdev virtswitch-")

    def close(self):
        for one in [*self.ends, self.space]:
            one.close()


@pytest.fixture
def host():
    made = Host()
    if not made.space.guards_interfaces():
        made.close()
        pytest.skip("no nft, or the kernel has no nf_tables for network devices")
    yield made
    made.close()


@pytest.fixture
def bed(host, bed):
    """One that ends before the interfaces do."""
    return bed


@pytest.fixture
def pair(bed, host):
    """Two namespaces on blue. pair(keys of both...) starts the switch."""
    def start(more=None, **keys):
        a, b = host.end(1), host.end(2)
        bed.vswd({"a": host.port(1, **keys), "b": host.port(2, **keys), **(more or {})})
        wait_up(a, "10.0.0.2")
        return a, b
    return start


def sums_are_right(*spaces):
    for space in spaces:
        counts = space.run("nstat", "-az", "TcpInCsumErrors", "UdpInCsumErrors",
                           "IcmpInCsumErrors", "Udp6InCsumErrors", "IpInHdrErrors").stdout
        assert all(line.split()[1] == "0" for line in counts.splitlines()
                   if not line.startswith("#")), counts


def test_two_namespaces(bed, pair):
    a, b = pair()
    wait_up(a, "fd00::2")
    for size in (0, 18, 227, 228, 1472, 1473, 9000, 65000):
        assert ping(a, "10.0.0.2", 3, "-s", size, "-p", "a55a01fe") == (3, 3)
    assert ping(b, "fd00::1", 5, "-s", 3000) == (5, 5)
    assert iperf3(bed, b, a, "10.0.0.2", "-n", "200M")["sum_received"]["bytes"] >= 100 << 20
    assert iperf3(bed, a, b, "fd00::1", "-n", "50M")["sum_received"]["bytes"] >= 25 << 20
    assert iperf3(bed, b, a, "10.0.0.2", "-u", "-b", "50M", "-t", 1)["sum"]["lost_percent"] < 50
    sums_are_right(a, b)
    port = bed.switch.port("a")
    assert port["type"] == "packet" and port["state"] == "running" and port["problem"] is None
    assert port["ifname"] == "p1" and port["carrier"] is True and port["guarded"] is True
    assert port["interface_mtu"] == 1500 and {"checksum", "tso4", "tso6"} <= set(port["offloads"])
    assert port["drops"]["bad-net-header"] == 0
    # Large packets stay whole: the switch sees far fewer than a wire would.
    assert port["rx_bytes"] / port["rx_packets"] > 3000


@pytest.mark.parametrize("feature", ["tx", "tso", "gso", "gro", "tx-udp-segmentation", "rx"])
def test_offloads(bed, pair, feature):
    """Whatever one end does itself or leaves undone, the other's checks find nothing wrong."""
    a, b = pair()
    wait_up(a, "fd00::2")
    a.run("ethtool", "-K", "eth0", feature, "off")
    for server, client in ((b, a), (a, b)):
        for net in ("10.0.0.", "fd00::"):
            address = f"{net}{2 if server is b else 1}"
            done = iperf3(bed, server, client, address, "-n", "20M")
            assert done["sum_received"]["bytes"] >= 8 << 20
            done = iperf3(bed, server, client, address, "-u", "-b", "20M", "-n", "500K", "-l", 1200)
            assert done["sum"]["packets"] > 0 and done["sum"]["lost_percent"] < 50
    sums_are_right(a, b)
    for name in "ab":
        assert bed.switch.port(name)["drops"]["bad-net-header"] == 0


def test_beside_a_vm(bed, host):
    """A virtio driver that takes nothing undone is sent complete checksums and small segments."""
    a = host.end(1)
    bed.vswd({"a": host.port(1), "b": {"network": "blue"}})
    nic = bed.nic("b", 2, options=("--offload", "off"))
    wait_up(a, "10.0.0.2")
    for server, client, address in ((nic.netns, a, "10.0.0.2"), (a, nic.netns, "10.0.0.1")):
        done = iperf3(bed, server, client, address, "-n", "20M")
        assert done["sum_received"]["bytes"] >= 8 << 20
    sums_are_right(a, nic.netns)


def test_jumbo(bed, host, pair):
    """The MTU is followed, up and down."""
    a, b = pair()
    for name in ("p1", "p2"):
        host.run("ip", "link", "set", name, "mtu", 9000)
    for end in (a, b):
        end.run("ip", "link", "set", "eth0", "mtu", 9000)
    wait_for(lambda: bed.switch.port("b")["interface_mtu"] == 9000, 5, "the new MTU")
    assert ping(a, "10.0.0.2", 5, "-M", "do", "-s", 8972) == (5, 5)
    assert ping(a, "10.0.0.2", 5, "-s", 20000) == (5, 5)
    host.run("ip", "link", "set", "p2", "mtu", 1400)
    wait_for(lambda: bed.switch.port("b")["interface_mtu"] == 1400, 5, "the new MTU")
    assert ping(a, "10.0.0.2", 2, "-M", "do", "-s", 2000, "-W", 1)[1] == 0
    assert bed.switch.port("b")["drops"]["mtu-exceeded"] >= 2


def test_vlans(bed, host):
    """Access ports of two networks and a trunk: tags on the trunk's wire alone, with GSO as well."""
    ends = {name: host.end(number, ipv6=False) for number, name in ((1, "a"), (2, "c"), (3, "t"))}
    bed.vswd({"a": host.port(1), "c": host.port(2, network="green"),
              "t": {"type": "packet", "ifname": "p3", "netns": host.path,
                    "trunk": ["blue", "green"]}})
    raw = {name: RawPort(ends[name], "eth0") for name in ends}

    def hear(sender, tag):
        for port in raw.values():
            port.drain()
        raw[sender].send(frame(BROADCAST, mac(9), b"payload", vlan=tag))
        return {name: [(vlan_of(data), payload_of(data)[:7]) for data in port.collect(0.3)]
                for name, port in raw.items() if name != sender}

    for sender, tag, receiver in (("a", None, "t"), ("t", 10, "a"), ("t", 20, "c")):
        wait_for(lambda: hear(sender, tag)[receiver], 10, f"a frame to {receiver}")
    assert hear("a", None) == {"c": [], "t": [(10, b"payload")]}
    assert hear("c", None) == {"a": [], "t": [(20, b"payload")]}
    assert hear("t", 10) == {"a": [(None, b"payload")], "c": []}
    assert hear("t", 20) == {"a": [], "c": [(None, b"payload")]}
    assert hear("t", None) == {"a": [], "c": []}
    for port in raw.values():
        port.close()


def test_the_stack_is_silent(bed, host):
    """The host has an address in the guests' network elsewhere, and would answer to ARP for it on any
    interface; not where a port is. With `shared` it does."""
    a, b = host.end(1), host.end(2)
    host.run("ip", "address", "add", "10.0.0.9/24", "dev", "lo")
    host.run("ip", "link", "set", "p1", "up")

    def answers():
        return arp(a, "10.0.0.9") > 0

    wait_for(answers, 10, "the host's own answer")
    ports = {"a": host.port(1), "b": host.port(2)}
    bed.vswd(ports)
    wait_up(a, "10.0.0.2")
    assert host.guards() == 2 and not answers()
    bed.switch.reload(bed.text({**ports, "a": host.port(1, shared=True)}))
    wait_for(answers, 10, "both to answer")
    assert host.guards() == 1 and bed.switch.port("a")["guarded"] is False
    bed.switch.reload(bed.text(ports))
    wait_for(lambda: host.guards() == 2, 5, "the guard")
    assert not answers()
    bed.switch.stop()
    assert host.guards() == 0 and answers()


def arp(space, address, seconds=0.5):
    """How many answers there are to a request from a namespace, sent by hand."""
    raw = RawPort(space, "eth0")
    try:
        raw.drain()
        sender = bytes.fromhex(mac(1).replace(":", "")) + socket.inet_aton("10.0.0.1")
        raw.send(frame(BROADCAST, mac(1), b"\0\1\x08\0\6\4\0\1" + sender + bytes(6) +
                       socket.inet_aton(address), ethertype=0x0806))
        return sum(data[12:14] == b"\x08\x06" and data[21] == 2 and
                   data[28:32] == socket.inet_aton(address) for data in
                   raw.collect(seconds, wanted=lambda data: True))
    finally:
        raw.close()


def test_one_answer(bed, host):
    """Behind two packet ports of one switch: each request is answered once, and nobody hears himself."""
    a, b = host.end(1), host.end(2)
    bed.vswd({"a": host.port(1), "b": host.port(2)})
    wait_up(a, "10.0.0.2")
    assert [arp(a, "10.0.0.2") for _ in range(3)] == [1, 1, 1]
    raw = RawPort(a, "eth0")
    raw.drain()
    raw.send(frame(BROADCAST, mac(1), b"mine"))
    assert raw.collect(0.3) == []
    raw.close()
    # What the host itself sends through the interface is not the port's to hear.
    before = bed.switch.port("a")["rx_packets"]
    out = RawPort(host.space, "p1")
    out.send(frame(BROADCAST, mac(7), b"the host's"))
    assert bed.switch.port("a")["rx_packets"] == before
    out.close()


def test_away_and_back(bed, host, pair):
    a, b = pair()
    other = host.end(5)
    bed.switch.allow(r"interface p2 ")
    host.run("sh", "-c", "ip link set p2 down && ip link set p2 name x9 && ip link set x9 up")
    wait_state(bed, "b", ("away", "interface p2 was renamed to x9"))
    assert host.guards() == 1
    assert ping(a, "10.0.0.2", 2, "-W", 1)[1] == 0
    host.run("sh", "-c", "ip link set x9 down && ip link set x9 name p2")
    wait_state(bed, "b", ("running", None))
    wait_up(a, "10.0.0.2")
    assert host.guards() == 2

    gone = "interface p2 was deleted, or moved to another network namespace"
    host.run("ip", "link", "set", "p2", "netns", other.holder.pid)
    wait_state(bed, "b", ("away", gone))
    other.run("ip", "link", "set", "p2", "netns", host.space.holder.pid)
    wait_state(bed, "b", ("running", None))
    wait_up(a, "10.0.0.2")

    host.run("ip", "link", "set", "p2", "down")
    wait_state(bed, "b", ("down", "interface p2 is not up"))
    host.run("ip", "link", "set", "p2", "up")
    b.run("ip", "link", "set", "eth0", "down")
    wait_state(bed, "b", ("no-carrier", "interface p2 has no carrier"))
    b.run("ip", "link", "set", "eth0", "up")
    wait_state(bed, "b", ("running", None))

    host.run("ip", "link", "del", "p2")
    wait_state(bed, "b", ("away", gone))
    host.wire(7, b, station=2)
    host.run("ip", "address", "add", "192.0.2.1/24", "dev", "p7")
    host.run("ip", "link", "set", "p7", "name", "p2")
    wait_state(bed, "b", ("away", "interface p2 has the address 192.0.2.1/24"))
    assert host.guards() == 1
    host.run("ip", "address", "del", "192.0.2.1/24", "dev", "p2")
    b.run("ip", "address", "add", "10.0.0.2/24", "dev", "eth0")
    wait_state(bed, "b", ("running", None))
    wait_up(a, "10.0.0.2")
    assert bed.switch.port("b")["returns"] >= 3


def test_a_namespace_made_anew(bed, host):
    """As when a container starts again: the name leads to another namespace, and the port goes there."""
    a, b, c = host.end(1), host.end(2), host.end(3)
    link = bed.path / "space"
    link.symlink_to(host.path)
    bed.vswd({"a": host.port(1), "b": {**host.port(2), "netns": str(link)}})
    bed.switch.allow("port b2?: ", "ports.b2.")
    wait_up(a, "10.0.0.2")
    link.unlink()
    wait_state(bed, "b", ("away", f"cannot find network namespace {link}: No such file or directory"))
    assert host.guards() == 1
    # A change that is refused does not lose it.
    text = bed.text({"a": host.port(1), "b2": {**host.port(2), "netns": str(link)}})
    assert "ports.b2" in refused(bed, text)
    assert bed.switch.port("b")["state"] == "away"
    other = Namespace()
    host.ends.append(other)
    link.symlink_to(other.path)
    wait_state(bed, "b", ("away", "there is no interface p2"))
    other.run("ip", "link", "add", "p2", "type", "veth", "peer", "name", "eth9", "netns",
              c.holder.pid)
    c.run("sh", "-c", "ip address del 10.0.0.3/24 dev eth0; ip address add 10.0.0.9/24 dev eth9; "
          "ip link set eth9 up")
    wait_up(a, "10.0.0.9")
    assert bed.switch.port("b")["state"] == "running"
    # At once, without a moment in between.
    temporary = bed.path / "other"
    temporary.symlink_to(host.path)
    temporary.rename(link)
    wait_up(a, "10.0.0.2")
    assert host.guards() == 2


def test_killed(bed, host, pair):
    """Nothing is left of a switch that was killed, and its successor goes on at once."""
    a, _ = pair()
    assert host.guards() == 2
    bed.switch.kill()
    assert host.guards() == 0
    bed.switch.start()
    wait_up(a, "10.0.0.2")
    assert host.guards() == 2


def test_reload_under_traffic(bed, host, pair):
    a, b = pair()
    host.end(3)
    ports = {"a": host.port(1), "b": host.port(2)}
    flood = subprocess.Popen([*a.prefix(), "ping", "-q", "-i", "0.002", "-c", "1000", "10.0.0.2"],
                             stdout=subprocess.PIPE, text=True)
    bed.switch.reload(bed.text({**ports, "c": host.port(3)}))
    bed.switch.reload(bed.text({**ports, "b": host.port(2, up=False)}))
    bed.switch.reload(bed.text(ports))
    output, _ = flood.communicate(timeout=60)
    assert "1000 packets transmitted, 1000 received" in output


def test_refused(bed, host, pair):
    """Each with its reason, and the present configuration stays in force."""
    a, _ = pair()
    ports = {"a": host.port(1), "b": host.port(2)}
    host.end(3)
    bed.switch.allow("interface", "namespace", "refused|rejected|not applied|unchanged")
    host.run("ip", "link", "add", "br7", "type", "bridge")
    for name in ("d1", "d2"):
        host.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
        host.run("ip", "link", "set", f"{name}-peer", "up")
    host.run("ip", "link", "set", "d1", "master", "br7")
    host.run("ip", "address", "add", "192.0.2.1/24", "dev", "d2")
    host.run("ip", "link", "add", "link", "p3", "name", "m3", "type", "macvlan")
    cases = [
        ({"ifname": "d1"}, "interface d1 is a member of br7"),
        ({"ifname": "d2"}, "interface d2 has the address 192.0.2.1/24"),
        ({"ifname": "p3"}, "interface p3 carries m3"),
        ({"ifname": "lo"}, "interface lo is no Ethernet"),
        ({"ifname": "no-such"}, "there is no interface no-such"),
        ({"ifname": "p1"}, "used already by port"),
        ({"type": "tap", "ifname": "p1"}, "used already by port"),
        ({"ifname": "much-too-long-a-name"}, "is not the name of an interface"),
        ({"netns": "no-such-namespace"}, "cannot open network namespace"),
        ({"mtu": 1500}, "mtu"),
    ]
    for keys, words in cases:
        said = refused(bed, bed.text({**ports, "c": host.port(3, **keys)}))
        assert words in said, (keys, said)
        assert "ports.c" in said, said
    for name in ("d1", "d2", "p3"):
        bed.switch.reload(bed.text({**ports, "c": {**host.port(3, shared=True), "ifname": name}}))
        assert bed.switch.port("c")["state"] == "running", bed.switch.port("c")
    assert ping(a, "10.0.0.2", 3) == (3, 3)


def test_no_privilege(bed, host):
    """Root without CAP_NET_RAW or CAP_NET_ADMIN: the error says what it takes."""
    host.end(1)
    config = bed.path / "config.yaml"
    config.write_text(bed.text({"a": host.port(1)}).replace(f"netns: {host.path}", ""))
    for capability in ("net_raw", "net_admin"):
        done = host.run("setpriv", "--bounding-set", f"-{capability}", "--inh-caps",
                        f"-{capability}", "/usr/bin/env", program("vswd"), "--config", config,
                        "--control", bed.path / "control.sock", check=False)
        assert done.returncode != 0
        assert f"CAP_{capability.upper()}" in done.stdout and "ports.a" in done.stdout
