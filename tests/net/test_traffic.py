# SPDX-License-Identifier: BSD-3-Clause
"""Two stations on one network: the protocols a guest speaks get through.

    vsw-nic a (netns, tap0 10.0.0.1) -- vswd [blue] -- (10.0.0.2, tap0 netns) vsw-nic b
"""
import json

import pytest

from lab.process import Process

pytestmark = pytest.mark.usefixtures("tun")


@pytest.fixture
def pair(bed):
    bed.vswd(["a", "b"])
    return bed, bed.nic("a", 1), bed.nic("b", 2)


def iperf3(bed, server, client, *options):
    """One iperf3 run from client to server; the parsed end section of its report."""
    log = bed.path / "iperf3-server.log"
    listener = Process("iperf3", ["iperf3", "-s", "-1", "--forceflush"], log, netns=server.netns)
    try:
        listener.wait_log("Server listening")
        done = client.netns.run("iperf3", "-J", "-c", server.ip, "-t", 2, *options)
        return json.loads(done.stdout)["end"]
    finally:
        listener.kill()


def test_ping_both_ways(pair):
    bed, a, b = pair
    assert a.ping(b.ip, 20) == (20, 20)
    assert b.ping(a.ip, 20) == (20, 20)
    for name in ("a", "b"):
        port = bed.switch.port(name)
        assert port["connected"] and port["network"] == "blue" and port["type"] == "vhost-user"
        assert port["rx_packets"] >= 40 and port["tx_packets"] >= 40
        assert port["rx_bytes"] >= 40 * 98


@pytest.mark.parametrize("size", [0, 1, 18, 19, 237, 238, 239, 240, 241, 1472, 1473, 9000, 65000])
def test_ping_sizes(pair, size):
    """Around the head that is copied apart, around the MTU, and in fragments; -p checks bytes."""
    _, a, b = pair
    assert a.ping(b.ip, 5, extra=("-s", size, "-p", "a55a01fe")) == (5, 5)


def test_ipv6(pair):
    _, a, b = pair
    assert a.ping("fd00::2", 10) == (10, 10)
    assert b.ping("fd00::1", 10, extra=("-s", "3000")) == (10, 10)


def test_multicast_reaches_the_other(pair):
    _, a, _ = pair
    done = a.netns.run("ping", "-c", 3, "-W", 1, f"ff02::1%{a.tap}")
    assert "fd00::" in done.stdout or "DUP" in done.stdout or "fe80::" in done.stdout


@pytest.mark.parametrize("options", [(), ("-R",), ("-P", "4"), ("--bidir",)],
                         ids=["to", "from", "four", "both"])
def test_tcp(pair, options):
    bed, a, b = pair
    end = iperf3(bed, b, a, *options)
    assert end["sum_received"]["bits_per_second"] > 20e6
    drops = {name: bed.switch.port(name)["drops"] for name in ("a", "b")}
    assert not any(reason for kinds in drops.values() for reason, count in kinds.items()
                   if count and "malformed" in reason), drops


@pytest.mark.alone
def test_udp(pair):
    bed, a, b = pair
    end = iperf3(bed, b, a, "-u", "-b", "20M", "-l", "1000")
    assert end["sum"]["packets"] > 4000
    assert end["sum"]["lost_percent"] < 1


@pytest.mark.alone
def test_udp_small(pair):
    bed, a, b = pair
    end = iperf3(bed, b, a, "-u", "-b", "5M", "-l", "64")
    assert end["sum"]["packets"] > 10000
    assert end["sum"]["lost_percent"] < 2


def test_mtu_path_carries_every_byte(pair):
    """A file's checksum survives the switch: every byte, not only every frame."""
    bed, a, b = pair
    source, copy = bed.path / "source", bed.path / "copy"
    source.write_bytes(bytes(range(256)) * 40000)
    receive = ("import socket,sys;s=socket.create_server(('10.0.0.2',7000));print('up',flush=True);"
               "c=s.accept()[0];f=open(sys.argv[1],'wb')\n"
               "while d:=c.recv(65536): f.write(d)")
    send = ("import socket,sys;s=socket.create_connection(('10.0.0.2',7000));"
            "s.sendall(open(sys.argv[1],'rb').read())")
    server = Process("receiver", ["/usr/bin/python3", "-c", receive, copy],
                     bed.path / "receiver.log", netns=b.netns)
    try:
        server.wait_log("up")
        a.netns.run("/usr/bin/python3", "-c", send, source)
        assert server.wait(20) == 0
    finally:
        server.kill()
    assert copy.read_bytes() == source.read_bytes()


def test_two_queues(bed):
    """A multi-queue port and a single-queue one exchange traffic."""
    bed.vswd({"a": {"network": "blue", "queues": 2}, "b": {"network": "blue"}})
    a, b = bed.nic("a", 1, queues=2), bed.nic("b", 2)
    assert a.ping(b.ip, 20) == (20, 20)
    assert iperf3(bed, b, a, "-P", "4")["sum_received"]["bits_per_second"] > 20e6


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("poll", ["adaptive", "busy"])
def test_workers_and_polling(bed, workers, poll):
    bed.vswd(["a", "b"], workers=workers, poll=poll)
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    assert a.ping(b.ip, 20) == (20, 20)
    shown = bed.switch.vsw("worker", "show")
    assert len(shown) == workers
    for worker in shown:
        for key in ("id", "cpu", "busy_percent", "wakeups", "frames", "batches",
                    "cycles_per_frame"):
            assert key in worker
    assert sum(worker["frames"] for worker in shown) >= 40
