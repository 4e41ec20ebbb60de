# SPDX-License-Identifier: BSD-3-Clause
"""TAP ports whose frames the kernel's vhost-net carries.

    namespace a (vsw1 10.0.0.1) -- TAP -- vhost-net -- vswd [blue] -- vhost-net -- TAP -- (10.0.0.2 vsw2) b
"""
import json
import re

import pytest

from lab.bed import mac
from lab.netns import Namespace
from lab.process import Process, wait_for

# Everything is emulated, and slow.
pytestmark = pytest.mark.seconds(300)


@pytest.fixture
def spaces(bed):
    """Two namespaces, which end after the bed's switch: it would say that they are gone."""
    made = [Namespace(), Namespace()]
    for space in made:
        bed.members.append(space)
        space.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
    return made


def tap(space, number, **keys):
    return {"type": "tap", "ifname": f"vsw{number}", "netns": space.path, "network": "blue",
            "mac": mac(number), "address": [f"10.0.0.{number}/24", f"fd00::{number}/64"],
            "vhost": "on", **keys}


def wait_up(space, address):
    wait_for(lambda: space.run("ping", "-c1", "-W1", address, check=False).returncode == 0, 20,
             f"an answer from {address}")


def ping(space, address, size):
    done = space.run("ping", "-c3", "-i0.1", "-W3", f"-s{size}", "-pa55a01fe", address, check=False)
    return int(re.search(r"(\d+) received", done.stdout)[1])


def iperf3(bed, server, client, *options):
    """Bytes that arrived."""
    log = bed.path / "iperf3-server.log"
    listener = Process("iperf3", ["iperf3", "-s", "-1", "--forceflush"], log, netns=server)
    try:
        listener.wait_log("Server listening", timeout=30)
        done = client.run("iperf3", "-J", *options)
        return json.loads(done.stdout)["end"]["sum_received"]["bytes"]
    finally:
        listener.kill()
        log.unlink()


def no_errors(bed, spaces):
    for space in spaces:
        counts = space.run("nstat", "-az", "TcpInCsumErrors", "UdpInCsumErrors",
                           "IcmpInCsumErrors", "Udp6InCsumErrors").stdout
        assert all(line.split()[1] == "0" for line in counts.splitlines()
                   if not line.startswith("#")), counts
    for name in "ab":
        drops = bed.switch.port(name)["drops"]
        assert not drops["bad-net-header"] and not drops["ring-error"], drops


def test_frames(bed, spaces):
    """All lengths, both families, and TCP whose segments stay whole."""
    a, b = spaces
    bed.vswd({"a": tap(a, 1), "b": tap(b, 2)})
    wait_up(a, "10.0.0.2")
    wait_up(b, "fd00::1")
    for size in (18, 227, 228, 1472, 1473, 9000, 65000):
        assert ping(a, "10.0.0.2", size) == 3
    assert iperf3(bed, b, a, "-c", "10.0.0.2", "-n", "20M") >= 10 << 20
    assert iperf3(bed, a, b, "-c", "fd00::1", "-n", "10M") >= 5 << 20
    assert iperf3(bed, b, a, "-c", "10.0.0.2", "-u", "-b", "5M", "-t", "1") > 100000
    port = bed.switch.port("a")
    assert port["io"] == "vhost-net" and port["state"] == "running" and port["carrier"] is True
    assert port["rx_bytes"] / port["rx_packets"] > 3000
    no_errors(bed, spaces)


def test_beside_the_other_ways(bed, spaces):
    """To a port that reads and writes; one side finishes what it sends by itself."""
    a, b = spaces
    bed.vswd({"a": tap(a, 1), "b": tap(b, 2, vhost="off")})
    wait_up(a, "10.0.0.2")
    a.run("ethtool", "-K", "vsw1", "tx", "off")
    assert iperf3(bed, b, a, "-c", "10.0.0.2", "-n", "5M") >= 2 << 20
    assert iperf3(bed, a, b, "-c", "10.0.0.1", "-n", "10M") >= 5 << 20
    assert bed.switch.port("b")["io"] == "plain"
    no_errors(bed, spaces)


def test_queues(bed, spaces):
    """A device for each queue: flows are spread over them in both directions."""
    a, b = spaces
    bed.vswd({"a": tap(a, 1, queues=4), "b": tap(b, 2, queues=4)})
    wait_up(a, "10.0.0.2")
    assert iperf3(bed, b, a, "-c", "10.0.0.2", "-P", "8", "-n", "10M") >= 5 << 20
    queues = bed.switch.port("b")["per_queue"]
    assert len(queues) == 4 and sum(queue["tx_packets"] > 0 for queue in queues) > 1
    devices = [link for link in bed.switch.process.links() if link == "/dev/vhost-net"]
    assert len(devices) == 8
    no_errors(bed, spaces)


def test_lifecycle(bed, spaces):
    """With its interface a device goes, and is made anew with it; each change of the key, too."""
    a, b = spaces
    bed.vswd({"a": tap(a, 1), "b": tap(b, 2)})
    bed.switch.allow(r"was deleted", r"was renamed", r"is not up")
    wait_up(a, "10.0.0.2")

    def devices():
        return bed.switch.process.links().count("/dev/vhost-net")

    a.run("ip", "link", "del", "vsw1")
    wait_for(lambda: bed.switch.port("a")["state"] == "away", 10, "the port to see it")
    a.run("ip", "tuntap", "add", "vsw1", "mode", "tap")
    wait_for(lambda: bed.switch.port("a")["state"] == "running", 20, "the port to come back")
    wait_up(a, "10.0.0.2")
    assert bed.switch.port("a")["io"] == "vhost-net" and devices() == 2
    b.run("ip", "link", "set", "vsw2", "down")
    b.run("ip", "link", "set", "vsw2", "name", "other")
    wait_for(lambda: bed.switch.port("b")["state"] == "away", 10, "the port to see it")
    b.run("ip", "link", "set", "other", "name", "vsw2")
    b.run("ip", "link", "set", "vsw2", "up")
    wait_up(a, "10.0.0.2")
    bed.switch.vsw("port", "set", "a", "vhost=off")
    wait_up(a, "10.0.0.2")
    assert bed.switch.port("a")["io"] == "plain" and devices() == 1
    bed.switch.vsw("port", "set", "a", "vhost=auto")
    wait_up(a, "10.0.0.2")
    assert bed.switch.port("a")["io"] == "vhost-net" and devices() == 2
    bed.switch.vsw("port", "del", "b")
    assert devices() == 1
