# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces as members of networks, through TAP ports.

    namespace a (vsw-a 10.0.0.1) -- TAP -- vswd [blue] -- TAP -- (10.0.0.2 vsw-b) namespace b
"""
import json
import os
import re
import subprocess

import pytest

from lab.bed import mac
from lab.frames import BROADCAST, RawPort, frame, payload_of, vlan_of
from lab.process import Process, program, root, wait_for
from lab.taps import spaces, state, tap, wait_state, wait_up  # noqa: F401

pytestmark = pytest.mark.usefixtures("tun")

IO = ["vhost-net", "io_uring", "plain"]


@pytest.fixture
def pair(bed, spaces):
    """Two namespaces on blue. pair(keys of both...) starts the switch."""
    def start(more=None, **keys):
        a, b = spaces(), spaces()
        bed.vswd({"a": tap(a, 1, **keys), "b": tap(b, 2, **keys), **(more or {})})
        wait_up(a, "10.0.0.2")
        return a, b
    return start


def received(done):
    """(sent, received) of a ping's output."""
    match = re.search(r"(\d+) packets transmitted, (\d+) received", done.stdout)
    return int(match[1]), int(match[2])


def ping(space, address, count=10, *more):
    return received(space.run("ping", "-c", count, "-i", "0.02", "-W", 3, *more, address,
                              check=False))


def iperf3(bed, server, client, address, *options):
    """One iperf3 run; the end of its report. What the server has counted is cut off at the client's end, and on
    a busy machine much less than what was sent."""
    log = bed.path / "iperf3-server.log"
    listener = Process("iperf3", ["iperf3", "-s", "-1", "--forceflush"], log, netns=server)
    try:
        listener.wait_log("Server listening")
        done = client.run("iperf3", "-J", "-c", address, *options)
        return json.loads(done.stdout)["end"]
    finally:
        listener.kill()
        log.unlink()


@pytest.mark.parametrize("io", IO)
def test_two_namespaces(bed, pair, monkeypatch, io):
    if io == "vhost-net" and not os.path.exists("/dev/vhost-net"):
        pytest.skip("this kernel has no vhost-net; tests/nested runs this")
    monkeypatch.setenv("VSW_TAP_IO", "plain" if io == "plain" else "")
    a, b = pair(vhost="auto" if io == "vhost-net" else "off")
    wait_up(a, "fd00::2")
    for size in (0, 18, 227, 228, 1472, 1473, 9000, 65000):
        assert ping(a, "10.0.0.2", 3, "-s", size, "-p", "a55a01fe") == (3, 3)
    assert ping(b, "fd00::1", 5, "-s", 3000) == (5, 5)
    assert iperf3(bed, b, a, "10.0.0.2", "-n", "200M")["sum_received"]["bytes"] >= 100 << 20
    assert iperf3(bed, a, b, "fd00::1", "-n", "50M")["sum_received"]["bytes"] >= 25 << 20
    assert iperf3(bed, b, a, "10.0.0.2", "-u", "-b", "50M", "-t", 1)["sum"]["lost_percent"] < 50
    port = bed.switch.port("a")
    if io == "io_uring" and port["io"] == "plain":
        pytest.skip("this kernel has no io_uring for TAPs; the rest passed")
    assert port["io"] == io
    assert port["type"] == "tap" and port["state"] == "running" and port["problem"] is None
    assert port["ifname"] == "vsw1" and port["carrier"] is True and port["found"] is False
    assert port["ifindex"] == json.loads(
        a.run("ip", "-j", "link", "show", "vsw1").stdout)[0]["ifindex"]
    assert port["interface_mac"] == mac(1) and port["interface_mtu"] == 1500
    assert {"checksum", "tso4", "tso6"} <= set(port["offloads"])
    assert port["drops"]["bad-net-header"] == 0
    # Large packets stay whole: the switch sees far fewer than a wire would.
    assert port["rx_bytes"] / port["rx_packets"] > 3000


def test_ends_with_the_switch(bed, pair):
    a, _ = pair()
    bed.switch.stop()
    assert a.run("ip", "link", "show", "vsw1", check=False).returncode != 0


COMBINATIONS = [("tx", "off"), ("tso", "off"), ("gso", "off"), ("sg", "off"), ("gro", "off"),
                ("tx-udp-segmentation", "off")]


@pytest.mark.parametrize("feature, value", [(None, None), *COMBINATIONS],
                         ids=lambda word: word or "all")
@pytest.mark.parametrize("where", ["sender", "receiver", "both"])
def test_offloads(bed, pair, feature, value, where):
    """What one side leaves to the other and what it does itself: the kernel's own checks find nothing wrong.
    Without `tx` the sender's sums are complete, and the receiver checks them."""
    if feature is None and where != "both":
        pytest.skip("nothing is switched off")
    a, b = pair()
    wait_up(a, "fd00::2")
    for space, name in ((a, "sender"), (b, "receiver")):
        if feature and where in (name, "both"):
            space.run("ethtool", "-K", f"vsw{1 if space is a else 2}", feature, value)
    for address in ("10.0.0.2", "fd00::2"):
        assert iperf3(bed, b, a, address, "-n", "20M")["sum_received"]["bytes"] >= 8 << 20
        done = iperf3(bed, b, a, address, "-u", "-b", "20M", "-n", "500K", "-l", 1200)
        assert done["sum"]["packets"] > 0 and done["sum"]["lost_percent"] < 50
    for space in (a, b):
        counts = space.run("nstat", "-az", "TcpInCsumErrors", "UdpInCsumErrors",
                           "IcmpInCsumErrors", "Udp6InCsumErrors", "IpInHdrErrors").stdout
        assert all(line.split()[1] == "0" for line in counts.splitlines()
                   if not line.startswith("#")), counts
    for name in "ab":
        assert bed.switch.port(name)["drops"]["bad-net-header"] == 0


@pytest.mark.parametrize("options", [(), ("--offload", "off")], ids=["offloads", "none"])
def test_beside_a_vm(bed, spaces, options):
    """A virtio driver that takes nothing undone is sent complete checksums and small segments."""
    a = spaces()
    bed.vswd({"a": tap(a, 1), "b": {"network": "blue"}})
    nic = bed.nic("b", 2, options=options)
    wait_up(a, "10.0.0.2")
    for server, client, address in ((nic.netns, a, "10.0.0.2"), (a, nic.netns, "10.0.0.1")):
        done = iperf3(bed, server, client, address, "-n", "20M")
        assert done["sum_received"]["bytes"] >= 8 << 20
    counts = nic.netns.run("nstat", "-az", "TcpInCsumErrors").stdout
    assert counts.splitlines()[-1].split()[1] == "0"


def test_jumbo(pair):
    a, _ = pair(mtu=9000)
    assert ping(a, "10.0.0.2", 5, "-M", "do", "-s", 8972) == (5, 5)
    assert ping(a, "10.0.0.2", 5, "-s", 20000) == (5, 5)


def test_queues(bed, pair):
    """Several flows over several queues and workers."""
    a, b = pair(queues=4)
    assert ping(a, "10.0.0.2", 20) == (20, 20)
    done = iperf3(bed, b, a, "10.0.0.2", "-P", 8, "-n", "100M")
    assert done["sum_received"]["bytes"] >= 50 << 20
    used = [queue for queue in bed.switch.port("a")["per_queue"] if queue["rx_packets"]]
    assert len(bed.switch.port("a")["per_queue"]) == 4 and len(used) > 1


def test_vlans(bed, spaces):
    """Access ports of two networks and a trunk: tags are seen in the trunk's namespace, and there alone."""
    places = {name: spaces(ipv6=False) for name in "act"}
    keys = {"a": {"network": "blue"}, "c": {"network": "green"}, "t": {"trunk": ["blue", "green"]}}
    bed.vswd({name: {"type": "tap", "ifname": "vsw0", "netns": places[name].path, **keys[name]}
              for name in keys})
    raw = {name: RawPort(places[name], "vsw0") for name in keys}

    def hear(sender, tag):
        for port in raw.values():
            port.drain()
        raw[sender].send(frame(BROADCAST, mac(9), b"payload", vlan=tag))
        return {name: [(vlan_of(data), payload_of(data)[:7]) for data in port.collect(0.3)]
                for name, port in raw.items() if name != sender}

    wait_for(lambda: hear("a", None)["t"], 10, "a frame through the switch")
    assert hear("a", None) == {"c": [], "t": [(10, b"payload")]}
    assert hear("c", None) == {"a": [], "t": [(20, b"payload")]}
    assert hear("t", 10) == {"a": [(None, b"payload")], "c": []}
    assert hear("t", 20) == {"a": [], "c": [(None, b"payload")]}
    assert hear("t", None) == {"a": [], "c": []}
    for port in raw.values():
        port.close()


def test_renamed_moved_deleted(bed, pair, spaces):
    a, b = pair()
    other = spaces()
    bed.switch.allow(r"interface vsw2 ")
    b.run("sh", "-c", "ip link set vsw2 down && ip link set vsw2 name eth9 && ip link set eth9 up")
    wait_state(bed, "b", ("away", "interface vsw2 was renamed to eth9"))
    assert ping(a, "10.0.0.2", 2, "-W", 1)[1] == 0
    b.run("sh", "-c", "ip link set eth9 down && ip link set eth9 name vsw2 && ip link set vsw2 up")
    wait_state(bed, "b", ("running", None))
    wait_up(a, "10.0.0.2")

    b.run("ip", "link", "set", "vsw2", "netns", other.holder.pid)
    wait_state(bed, "b", ("away", "interface vsw2 was moved to another network namespace"))
    other.run("ip", "link", "set", "vsw2", "netns", b.holder.pid)
    b.run("ip", "link", "set", "vsw2", "up")
    b.run("ip", "address", "replace", "10.0.0.2/24", "dev", "vsw2")
    wait_state(bed, "b", ("running", None))
    wait_up(a, "10.0.0.2")

    b.run("ip", "link", "set", "vsw2", "down")
    wait_state(bed, "b", ("down", "interface vsw2 is not up"))
    b.run("ip", "link", "set", "vsw2", "up")
    wait_state(bed, "b", ("running", None))

    b.run("ip", "link", "del", "vsw2")
    wait_state(bed, "b", ("away", "interface vsw2 was deleted"))
    b.run("ip", "link", "add", "vsw2", "type", "bridge")
    wait_state(bed, "b",
               ("away", "interface vsw2 exists and is no TAP but of the kind bridge"))
    b.run("ip", "link", "del", "vsw2")
    b.run("ip", "tuntap", "add", "vsw2", "mode", "tap")
    wait_state(bed, "b", ("running", None))
    wait_up(a, "10.0.0.2")
    assert bed.switch.port("b")["returns"] >= 3


def test_attached(bed, spaces):
    """An interface that is there is used, and stays; so does one that shall persist."""
    a, b = spaces(), spaces()
    a.run("ip", "tuntap", "add", "vsw1", "mode", "tap", "multi_queue")
    bed.vswd({"a": tap(a, 1, queues=2), "b": tap(b, 2, persist=True)})
    wait_up(a, "10.0.0.2")
    assert bed.switch.port("a")["found"] is True
    bed.switch.stop()
    a.run("ip", "link", "show", "vsw1")
    assert "NO-CARRIER" in b.run("ip", "link", "show", "vsw2").stdout
    bed.switch.start()
    wait_up(a, "10.0.0.2")


def test_killed(bed, pair):
    """The successor of a switch that was killed has the same names at once."""
    a, _ = pair()
    bed.switch.kill()
    bed.switch.start()
    wait_up(a, "10.0.0.2")


def test_live_changes(bed, spaces):
    """MTU, MAC and addresses change without a loss, and are mended by a reload."""
    a, b, c = spaces(), spaces(), spaces()
    ports = {"a": tap(a, 1), "b": tap(b, 2)}
    bed.vswd(ports)
    wait_up(a, "10.0.0.2")
    index = bed.switch.port("b")["ifindex"]
    flood = subprocess.Popen([*a.prefix(), "ping", "-q", "-i", "0.002", "-c", "1500", "10.0.0.2"],
                             stdout=subprocess.PIPE, text=True)
    bed.switch.reload(bed.text({**ports, "c": tap(c, 3)}))
    bed.switch.force(bed.text({**ports, "b": tap(b, 2, mtu=4000, address=[
        "10.0.0.2/24", "10.0.0.22/24"])}))
    bed.switch.reload(bed.text(ports))
    b.run("ip", "address", "del", "fd00::2/64", "dev", "vsw2")
    bed.switch.reload(bed.text({**ports, "b": tap(b, 2, mtu=1400)}))
    output, _ = flood.communicate(timeout=60)
    assert "1500 packets transmitted, 1500 received" in output
    port = bed.switch.port("b")
    assert port["ifindex"] == index
    wait_for(lambda: bed.switch.port("b")["interface_mtu"] == 1400, 5, "the new MTU")
    shown = b.run("ip", "address", "show", "vsw2").stdout
    assert "10.0.0.22" not in shown and "fd00::2" in shown and "mtu 1400" in shown


def test_handed_over(bed, spaces):
    """A name of an interface changes hands between two ports, within one change."""
    a, b = spaces(), spaces()
    bed.vswd({"a": tap(a, 1), "b": tap(b, 2)})
    wait_up(a, "10.0.0.2")
    bed.switch.force(bed.text({"a": tap(b, 2), "b": tap(a, 1)}))
    wait_up(a, "10.0.0.2")
    assert bed.switch.port("a")["ifname"] == "vsw2"
    bed.switch.force(bed.text({"new": tap(a, 1), "b": tap(b, 2)}))
    wait_up(a, "10.0.0.2")


def test_a_way_of_the_host_goes_by_force_only(bed, spaces):
    """Who has an address behind an interface is not cut off by a slip, nor by a file that lacks the port."""
    a = spaces()
    ports = {"a": tap(a, 1), "idle": tap(a, 2), "hand": tap(a, 3), "vm": {"network": "blue"}}
    del ports["idle"]["address"], ports["hand"]["address"]
    bed.vswd(ports)
    a.run("ip", "address", "add", "10.0.0.3/24", "dev", "vsw3")
    done = bed.switch.vsw_raw("port", "del", "hand")
    assert done.returncode == 1 and "vsw3 in netns" in done.stderr and "10.0.0.3/24" in done.stderr
    wait_for(lambda: bed.switch.port("a")["state"] == "running", 10, "the interface")
    why = f"port a: its interface vsw1 in netns {a.path} is up and has the address 10.0.0.1/24"
    for words in [("port", "del", "a"), ("port", "set", "a", "ifname=other"),
                  ("port", "set", "a", "type=vhost-user", "ifname=", "netns=", "address=", "mac=")]:
        done = bed.switch.vsw_raw(*words)
        assert done.returncode == 1, words
        assert f"vsw: 1 port in use would be cut off (--force does it): {why}" in done.stderr, words
    bed.switch.allow("would be cut off", "configuration not changed")
    bed.switch.reload(bed.text({"vm": ports["vm"]}))
    assert why in bed.switch.log() and len(bed.switch.vsw("port", "show")) == 4
    for words in [("port", "set", "a", "mtu=1400"), ("port", "set", "a", "queues=2"),
                  ("port", "del", "idle"), ("port", "del", "a", "--force")]:
        assert bed.switch.vsw_raw(*words).returncode == 0, words


def test_every_member_is_in_the_manual(bed, spaces):
    """vsw(8) names each member that a port of any kind has in JSON."""
    manual = (root() / "docs/man/vsw.8.scd").read_text().replace("\\_", "_")
    space = spaces()
    switch = bed.vswd({"vm": {"network": "blue"},
                       "i": {"type": "tap", "netns": space.path, "network": "blue"}})
    for shown in [switch.vsw("show"), *switch.vsw("port", "show"), *switch.vsw("network", "show")]:
        for member in shown:
            assert f"_{member}_" in manual, member


def test_shown_for_people(bed, spaces):
    """Where the interface is and how it stands; what is of VMs is not said of it."""
    a = spaces()
    switch = bed.vswd({"a": tap(a, 1), "vm": {"network": "blue"}})
    wait_for(lambda: switch.port("a")["carrier"], 10, "the interface")
    port = switch.port("a")
    assert port["endpoint"] == f"{a.path}/vsw1" and "vm_mac" not in port
    row = switch.vsw_raw("port", "show").stdout.splitlines()[1].split()
    assert row == ["a", "tap", "blue", "running", "-", "1", port["mac"] or port["interface_mac"],
                   f"{a.path}/vsw1"]
    text = switch.vsw_raw("port", "show", "a").stdout
    assert f"  interface       vsw1 in netns {a.path}, made by vswd\n" in text
    assert f"MAC address {port['interface_mac']}, MTU 1500, carrier\n" in text
    assert "interface_mac" not in text and "  address         10.0.0.1/24" in text
    assert (switch.vsw("show")["connected"], switch.vsw("show")["vm_ports"]) == (0, 1)
    done = switch.vsw_raw("port", "args", "a", "--vmm", "qemu")
    assert done.returncode == 1 and "no VMM attaches to it" in done.stderr


def test_many(bed, spaces):
    """200 TAPs in one namespace."""
    a = spaces(ipv6=False)
    ports = {f"p{i}": {"type": "tap", "ifname": f"vsw{i}", "netns": a.path, "network": "blue"}
             for i in range(200)}
    bed.vswd(ports)
    wait_for(lambda: all(port["carrier"] for port in bed.switch.vsw("port", "show")), 20,
             "the carriers of 200 ports")
    raw = {i: RawPort(a, f"vsw{i}") for i in range(200)}

    def heard(i):
        raw[0].send(frame(BROADCAST, mac(1), b"all"))
        return raw[i].collect(1, want=1)
    assert all(heard(i) for i in (1, 57, 199))
    for port in raw.values():
        port.close()
    bed.switch.reload(bed.text({"p0": ports["p0"]}))
    wait_for(lambda: len(bed.switch.vsw("port", "show")) == 1, 10, "one port to be left")
    assert len([link for link in json.loads(a.run("ip", "-j", "link").stdout)
                if link["ifname"].startswith("vsw")]) == 1


def refused(bed, text):
    """What a change of configuration says that fails."""
    path = bed.path / "new.yaml"
    path.write_text(text)
    done = bed.switch.vsw_raw("config", "apply", path)
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_refused(bed, spaces):
    """Each with its reason, and the present configuration stays in force."""
    a, b = spaces(), spaces()
    ports = {"a": tap(a, 1), "b": tap(b, 2)}
    bed.vswd(ports)
    wait_up(a, "10.0.0.2")
    bed.switch.allow("is no TAP", "was made for one queue", "another program", "namespace", "ifname",
                     "refused|rejected|not applied|unchanged")
    a.run("ip", "link", "add", "br7", "type", "bridge")
    a.run("ip", "tuntap", "add", "single", "mode", "tap")
    cases = [
        ({"ifname": "br7"}, "interface br7 exists and is no TAP but of the kind bridge"),
        ({"ifname": "lo"}, "interface lo exists and is no TAP"),
        ({"ifname": "single", "queues": 2}, "TAP single exists and was made for one queue, not 2"),
        ({"ifname": "vsw1"}, "used already by port"),
        ({"ifname": "much-too-long-a-name"}, "is not the name of an interface"),
        ({"ifname": "a/b"}, "is not the name of an interface"),
        ({"netns": "no-such-namespace"}, "cannot open network namespace"),
        ({"netns": "/dev/null"}, "/dev/null is no network namespace"),
        ({"mtu": 70000}, "mtu"),
        ({"address": ["10.0.0.300/24"]}, "address"),
        ({"socket": "/tmp/x"}, "socket"),
    ]
    if not os.path.exists("/dev/vhost-net"):
        cases.append(({"vhost": "on"}, "ports.c.vhost: cannot open /dev/vhost-net"))
    for keys, words in cases:
        said = refused(bed, bed.text({**ports, "c": {
            "type": "tap", "ifname": "vsw3", "netns": a.path, "network": "blue", **keys}}))
        assert words in said, (keys, said)
        assert "ports.c" in said, said
    assert ping(a, "10.0.0.2", 3) == (3, 3)


def test_no_privilege(bed, spaces):
    """Root without CAP_NET_ADMIN, and without /dev/net/tun: the error says what it takes."""
    a = spaces()
    config = bed.path / "config.yaml"
    config.write_text(bed.text({"a": tap(a, 1)}).replace(f"netns: {a.path}", ""))
    vswd = ["/usr/bin/env", program("vswd"), "--config", config, "--control",
            bed.path / "control.sock"]
    done = a.run("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", *vswd,
                 check=False)
    assert done.returncode != 0
    assert "CAP_NET_ADMIN" in done.stdout and "vsw1" in done.stdout
    done = a.run("unshare", "--mount", "sh", "-c",
                 "mount -t tmpfs none /dev/net && exec \"$@\"", "sh", *vswd, check=False)
    assert done.returncode != 0
    assert "/dev/net/tun" in done.stdout and "does not see the device" in done.stdout


def test_default_namespace(bed, spaces):
    """Without `netns` it is the daemon's own."""
    a = spaces()
    config = bed.path / "config.yaml"
    config.write_text(bed.text({"a": tap(a, 1)}).replace(f"netns: {a.path}", ""))
    vswd = Process("vswd", [program("vswd"), "--config", config, "--control",
                            bed.path / "control.sock"], bed.path / "own.log", netns=a)
    try:
        vswd.wait_log("ready")
        assert "10.0.0.1/24" in a.run("ip", "address", "show", "vsw1").stdout
    finally:
        vswd.stop()


def test_a_namespace_keeps_nobody_from_changing(bed, pair):
    """What its root undoes, and does not let be mended, is a warning where something else changes."""
    a, _ = pair()
    bed.switch.allow(r"port a: ")
    a.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/vsw1/disable_ipv6")
    bed.switch.vsw("network", "add", "plum", "vlan=77")
    assert "plum" in str(bed.switch.vsw("network", "show"))
