# SPDX-License-Identifier: BSD-3-Clause
"""DPDK as the peer: its virtio driver as our client, its vhost back-end as the peer of vsw-nic."""
import time

import pytest

from lab.process import wait_for
from lab.testpmd import Testpmd, vhost

pytestmark = pytest.mark.usefixtures("testpmd")


# What the switch says once while the listener that it dials is not there.
ABSENT = r"cannot connect to .*retrying"


def start(bed, server, **keywords):
    """The switch and one testpmd whose two NICs send each other's frames round."""
    client = {"mode": "client"} if server else {}
    ports = {}
    for name in ("p0", "p1"):
        path = {"socket": str(bed.path / f"{name}.sock")} if server else {}
        ports[name] = {"network": "blue", **client, **path, **keywords.pop(name, {})}
        if keywords.get("queues"):
            ports[name]["queues"] = keywords["queues"]
    bed.vswd(ports)
    if server:
        bed.switch.allow(ABSENT)
    return bed.circulate(("p0", "p1"), server=server, **keywords)


def counters(bed):
    return [(port["rx_packets"], port["tx_packets"]) for port in
            (bed.switch.port("p0"), bed.switch.port("p1"))]


def assert_flowing(bed, seconds=1.5):
    """Both counters of both ports rise by many frames."""
    before = counters(bed)
    time.sleep(seconds)
    for old, new in zip(before, counters(bed)):
        assert new[0] - old[0] > 5000 and new[1] - old[1] > 5000, (before, new)


@pytest.mark.parametrize("server", [False, True], ids=["we-listen", "we-dial"])
@pytest.mark.parametrize("extra", ["", ",mrg_rxbuf=0", ",in_order=1", ",mrg_rxbuf=0,in_order=1"],
                         ids=["default", "no-mrg", "in-order", "no-mrg-in-order"])
def test_circulate(bed, server, extra):
    made = start(bed, server, extra=extra)
    made.wait_traffic()
    assert_flowing(bed)
    assert made.stop() == 0
    wait_for(lambda: not any(port["connected"] for port in bed.switch.vsw("port", "show")), 5,
             "the switch to notice the end")


@pytest.mark.parametrize("size", [64, 256, 257, 1500])
def test_sizes(bed, size):
    made = start(bed, False, options=[f"--txpkts={size}"])
    made.wait_traffic()
    port = bed.switch.port("p0")
    assert port["rx_bytes"] / port["rx_packets"] == pytest.approx(size, rel=0.05)


def test_two_queues(bed):
    made = start(bed, False, queues=2, options=["--rxq=2", "--txq=2"])
    made.wait_traffic()
    assert_flowing(bed)
    made.stop()


@pytest.mark.parametrize("server", [False, True], ids=["we-listen", "we-dial"])
def test_killed_and_started_again(bed, server):
    made = start(bed, server)
    made.wait_traffic()
    fds = bed.switch.process.fds()
    for _ in range(3):
        made.kill()
        wait_for(lambda: not any(port["connected"] for port in bed.switch.vsw("port", "show")), 5,
                 "the switch to notice")
        for name in ("p0", "p1"):
            if server:
                (bed.path / f"{name}.sock").unlink(missing_ok=True)
        made.start()
        made.wait_traffic()
        assert_flowing(bed)
    wait_for(lambda: bed.switch.process.fds() <= fds, 5, f"fds back to {fds}")


def test_switch_restarted_under_load(bed):
    """testpmd as a server keeps its NICs while the switch goes and comes."""
    made = start(bed, True)
    made.wait_traffic()
    bed.switch.stop()
    bed.switch.start()
    wait_for(lambda: all(port["connected"] for port in bed.switch.vsw("port", "show")), 10,
             "both ports to be connected again")


@pytest.mark.usefixtures("tun")
@pytest.mark.parametrize("server", [False, True], ids=["dpdk-listens", "nic-listens"])
def test_our_nic_on_their_switch(bed, server):
    """Two vsw-nic with testpmd's vhost between them; no vswd at all."""
    paths = [bed.path / "v0.sock", bed.path / "v1.sock"]

    def switch():
        return bed.testpmd(Testpmd, "vhost", [vhost(i, path, client=server)
                                              for i, path in enumerate(paths)],
                           ["--forward-mode=io", "--auto-start"])
    if server:
        nics = [bed.nic(f"v{i}", i + 1, socket=path, server=True, connect=False)
                for i, path in enumerate(paths)]
        switch()
    else:
        switch()
        wait_for(lambda: all(path.exists() for path in paths), 10, "testpmd's sockets")
        nics = [bed.nic(f"v{i}", i + 1, socket=path, connect=False)
                for i, path in enumerate(paths)]
    for nic in nics:
        nic.process.wait_log(nic.connected, 20)
        nic.configure()
    a, b = nics
    wait_for(lambda: a.ping(b.ip, 1)[1] == 1, 10, "the first answer")
    assert a.ping(b.ip, 50) == (50, 50)
    assert b.ping(a.ip, 20, extra=("-s", "4000")) == (20, 20)
