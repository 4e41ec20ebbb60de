# SPDX-License-Identifier: BSD-3-Clause
"""Every ring layout of DPDK's virtio driver, with one queue and with four, as client of the switch.

    testpmd: port 0 -- vswd [blue] -- port 1      frames of many flows, both ways at once
"""
import itertools
import re
import struct
import time

import pytest

from lab.frames import mac_bytes, mac_text, udp
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
# flowgen sends from one address at both of its ports.
NETWORKS = {"blue": {"vlan": 10, "loops": "log"}}
RING_FEATURES = {"mrg_rxbuf", "in_order", "ring_packed"}
# What may happen to frames of a sender that does not wait for a receiver.
EXPECTED_DROPS = {"receive-ring-full", "receiver-not-ready", "flooded-not-ready",
                  "queue-disabled"}


# More than all rings hold (16,384 with four queues): a testpmd whose buffers all lie in full rings,
# because the switch was away, has none left to send and so never looks at its rings again.
MBUFS = 49152


def start(bed, layout, queues, server=False, options=()):
    """The switch, and a testpmd whose ports send new frames, and take what comes, all the time."""
    ports = {}
    for name in ("p0", "p1"):
        mode = {"mode": "client", "socket": str(bed.path / f"{name}.sock")} if server else {}
        ports[name] = {"network": "blue", "queues": queues, **mode}
    bed.vswd(ports, NETWORKS)
    bed.switch.allow(r"moves back and forth .*nothing is held")
    if server:
        bed.switch.allow(r"cannot connect to .*retrying")
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


def every_layout(odd):
    """Each layout with one queue and with four; of every two cases one is long, chosen by `odd`."""
    return pytest.mark.parametrize("layout, queues", [
        pytest.param(layout, queues,
                     marks=[pytest.mark.long] if (number + odd) % 2 == (queues == 4) else [])
        for number, layout in enumerate(LAYOUTS) for queues in (1, 4)])


@every_layout(odd=False)
def test_flows(bed, layout, queues):
    made = start(bed, layout, queues)
    assert_flowing(bed)
    for port in ports(bed):
        assert RING_FEATURES & set(port["features"]) == LAYOUTS[layout][1]
        assert port["queues_running"] == queues
    assert made.stop() == 0
    if queues > 1:
        received = received_by_queue(made)
        assert len(received) == 2 * queues and min(received.values()) > 1000, received


# Frames of each direction of test_content_and_order, in bursts that no ring is too small for; flows
# that share the queues; lengths around those at which the switch copies in another way.
FRAMES, BURST, FLOWS = 6144, 64, 24
LENGTHS = (60, 64, 255, 256, 257, 511, 1000, 1514)


def numbered(target, first_flow):
    """Frames without end, each of another content, of flows first_flow and following in turn."""
    pattern = bytes(range(251)) * 8
    for number in itertools.count():
        flow = first_flow + number % FLOWS
        length = LENGTHS[number // FLOWS % len(LENGTHS)] - 14 - 20 - 8
        payload = struct.pack("!II", flow, number) + pattern[number % 251:]
        yield udp((target, mac_text(flow)), ("10.1.0.1", "10.1.0.2"), (7000, 20000 + flow),
                  payload[:length], request=False)[0]


def by_flow(frames):
    """Frames in their order, sorted by sender."""
    found = {}
    for data in frames:
        found.setdefault(data[6:12], []).append(data)
    return found


@pytest.mark.usefixtures("tun")
@every_layout(odd=True)
def test_content_and_order(bed, layout, queues):
    """What testpmd hands on from port to port arrives byte for byte, and each flow in its order.

        x: vsw-nic -- [blue] -- 0: testpmd :1 -- [green] -- y: vsw-nic
    """
    networks = {"x": "blue", "p0": "blue", "p1": "green", "y": "green"}
    bed.vswd({name: {"network": network, "queues": queues if name.startswith("p") else 1}
              for name, network in networks.items()})
    stations = [bed.nic(name, number, addressed=False) for number, name in enumerate("xy", 1)]
    vdevs = [virtio_user(number, bed.path / f"p{number}.sock", queues=queues, ring=256,
                         extra=LAYOUTS[layout][0]) for number in (0, 1)]
    made = bed.testpmd(Testpmd, "forwarder", vdevs, [
        "--forward-mode=io", "--auto-start", f"--rxq={queues}", f"--txq={queues}", "--txd=256",
        "--rxd=256"])
    # Its rings run before there are buffers in them.
    made.process.wait_log(r"packet forwarding packets/burst", 20)
    wait_for(lambda: all(port["queues_running"] == queues for port in ports(bed)), 20, "all queues")
    raws = [station.raw() for station in stations]
    streams = [numbered(stations[1].mac, 0), numbered(stations[0].mac, FLOWS)]
    senders = {mac_bytes(mac_text(flow)) for flow in range(2 * FLOWS)}
    for _ in range(FRAMES // BURST):
        bursts = [list(itertools.islice(stream, BURST)) for stream in streams]
        for frames in zip(*bursts):
            for raw, data in zip(raws, frames):
                raw.send(data)
        for raw, sent in zip(reversed(raws), bursts):
            got = raw.collect(10, BURST, lambda data: data[6:12] in senders)
            assert by_flow(got) == by_flow(sent)
    for port in ports(bed):
        assert RING_FEATURES & set(port["features"]) == LAYOUTS[layout][1]
        assert not {reason: count for reason, count in port["drops"].items() if count}
        assert port["ring_errors"] == 0
        # More than once round each ring.
        assert min(queue["tx_packets"] for queue in port["per_queue"]) > 512
        assert min(queue["rx_packets"] for queue in port["per_queue"]) > 512
    assert made.stop() == 0


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


@pytest.mark.parametrize("layout, queues", [
    ("split", 1), ("split-in-order", 4), ("packed", 1), ("packed-in-order", 4)])
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
