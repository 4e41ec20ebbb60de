# SPDX-License-Identifier: BSD-3-Clause
"""Every ring layout of DPDK's virtio driver, with one queue and with four, as client of the switch.

    testpmd: port 0 -- vswd [blue] -- port 1      frames of many flows, both ways at once
"""
import re
import time

import pytest

from lab.process import wait_for
from lab.testpmd import Testpmd, virtio_user

pytestmark = pytest.mark.usefixtures("testpmd")

LAYOUTS = {
    "split": (",in_order=0", {"mrg_rxbuf"}),
    "split-in-order": (",in_order=1", {"mrg_rxbuf", "in_order"}),
    "split-no-mrg": (",mrg_rxbuf=0,in_order=0", set()),
    "split-in-order-no-mrg": (",mrg_rxbuf=0,in_order=1", {"in_order"}),
    "packed": (",packed_vq=1,in_order=0", {"mrg_rxbuf", "ring_packed"}),
    "packed-in-order": (",packed_vq=1,in_order=1", {"mrg_rxbuf", "ring_packed", "in_order"}),
    "packed-no-mrg": (",packed_vq=1,mrg_rxbuf=0,in_order=0", {"ring_packed"}),
    "packed-in-order-no-mrg": (",packed_vq=1,mrg_rxbuf=0,in_order=1", {"ring_packed", "in_order"}),
}
# What may happen to frames of a sender that does not wait for a receiver.
EXPECTED_DROPS = {"receive-ring-full", "receiver-not-ready", "queue-disabled"}


# More than all rings hold (16,384 with four queues): a testpmd whose buffers all lie in full rings,
# because the switch was away, has none left to send and so never looks at its rings again.
MBUFS = 49152


def start(bed, layout, queues, server=False, options=()):
    """The switch, and a testpmd whose ports send new frames, and take what comes, all the time."""
    ports = {}
    for name in ("p0", "p1"):
        mode = {"mode": "client", "socket": str(bed.path / f"{name}.sock")} if server else {}
        ports[name] = {"network": "blue", "queues": queues, **mode}
    bed.vswd(ports)
    if server:
        bed.switch.allow(r"cannot connect to .*trying on")
    extra = LAYOUTS[layout][0]
    vdevs = [virtio_user(number, bed.path / f"p{number}.sock", server=server, queues=queues,
                         extra=extra) for number in (0, 1)]
    made = bed.testpmd(Testpmd, "generator", vdevs, [
        "--forward-mode=flowgen", "--auto-start", f"--rxq={queues}", f"--txq={queues}",
        "--txd=1024", "--rxd=1024", *options], mbufs=MBUFS)
    made.wait_traffic()
    return made


def ports(bed):
    return [bed.switch.port(name) for name in ("p0", "p1")]


def assert_flowing(bed, seconds=1):
    """Frames go in and out at both ports, and none is dropped but for a slow receiver."""
    before = ports(bed)
    time.sleep(seconds)
    for old, new in zip(before, ports(bed)):
        assert new["rx_packets"] - old["rx_packets"] > 5000
        assert new["tx_packets"] - old["tx_packets"] > 5000
        assert not {reason for reason, count in new["drops"].items() if count} - EXPECTED_DROPS
        assert new["ring_errors"] == 0


def received_by_queue(made):
    """Frames that each queue received, as testpmd says at its end: {(port, queue): frames}."""
    found = re.findall(r"Forward Stats for RX Port= *(\d+)/Queue= *(\d+).*?RX-packets: *(\d+)",
                       made.process.log(), re.S)
    return {(int(port), int(queue)): int(count) for port, queue, count in found}


@pytest.mark.parametrize("layout, queues", [
    pytest.param(layout, queues, marks=[pytest.mark.long] if number % 2 == (queues == 4) else [])
    for number, layout in enumerate(LAYOUTS) for queues in (1, 4)])
def test_flows(bed, layout, queues):
    made = start(bed, layout, queues)
    assert_flowing(bed)
    for port in ports(bed):
        ring_features = {"mrg_rxbuf", "in_order", "ring_packed"} & set(port["features"])
        assert ring_features == LAYOUTS[layout][1]
        assert port["queues_running"] == queues
    assert made.stop() == 0
    if queues > 1:
        received = received_by_queue(made)
        assert len(received) == 2 * queues and min(received.values()) > 1000, received


@pytest.mark.parametrize("layout", ["packed", "packed-in-order-no-mrg"])
def test_large_frames(bed, layout):
    """Frames of several mbufs: chains when sent, several buffers when received."""
    start(bed, layout, 1, options=["--txpkts=1000,500,14", "--mbuf-size=2176"])
    assert_flowing(bed)


@pytest.mark.parametrize("layout, queues", [
    ("packed-in-order", 4), pytest.param("packed", 1, marks=pytest.mark.long),
    pytest.param("split", 4, marks=pytest.mark.long)])
def test_client_killed_and_started_again(bed, layout, queues):
    """The rings of a client that died are forgotten: the next one begins afresh."""
    made = start(bed, layout, queues)
    fds = bed.switch.process.fds()
    for _ in range(2):
        made.kill()
        wait_for(lambda: not any(port["connected"] for port in ports(bed)), 5,
                 "the switch to notice")
        made.start()
        made.wait_traffic()
        assert_flowing(bed)
    wait_for(lambda: bed.switch.process.fds() <= fds, 5, f"fds back to {fds}")


@pytest.mark.parametrize("layout, queues", [("split", 1), ("split-in-order", 4), ("packed", 1)])
def test_switch_restarted(bed, layout, queues):
    """testpmd as a server sets its rings up anew for the next switch, which dials it."""
    made = start(bed, layout, queues, server=True)
    for end in ("stop", "kill"):
        getattr(bed.switch, end)()
        bed.switch.start()
        wait_for(lambda: all(port["connected"] for port in ports(bed)), 10, "both connections")
        wait_for(lambda: all(port["queues_running"] == queues for port in ports(bed)), 5,
                 "all queues")
        wait_for(lambda: all(port["rx_packets"] > 10000 for port in ports(bed)), 5, "frames")
        assert_flowing(bed)
    assert made.process.alive()
