# SPDX-License-Identifier: BSD-3-Clause
"""Offload requests that no common kernel makes, finished for a receiver that takes none.

    a: a driver of our own that asks for checksums, USO and UFO -- vswd -- b: vsw-nic (10.0.0.2)

The kernel behind b checks every checksum, puts fragments together and hands the bytes to a socket.
"""
import socket

import pytest

from lab.bed import mac
from lab.frames import udp
from lab.frontend import (F_CSUM, F_HOST_UFO, F_HOST_USO, F_PROTOCOL_FEATURES, F_VERSION_1,
                          F_NOTIFICATION_DATA, F_ORDER_PLATFORM, GSO_NONE, GSO_UDP, GSO_UDP_L4,
                          Frontend, net_header)
from lab.health import assert_healthy, in_netns
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("tun")

FEATURES = F_VERSION_1 | F_PROTOCOL_FEATURES | F_CSUM | F_HOST_UFO | F_HOST_USO
UDP_CHECKSUM = 6
PORT = 7000


def contents(length):
    return bytes((at * 7 + at // 256) % 256 for at in range(length))


def listen(nic, address):
    """A UDP socket behind the NIC."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with nic.netns.enter():
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.bind((address, PORT))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    made.settimeout(3)
    return made


@pytest.fixture(params=[None, 10], ids=["access", "trunk"])
def link(request, bed):
    """(send(...), the NIC, the bed); the sender's frames come tagged through a trunk, or not."""
    vlan = request.param
    bed.vswd({"a": {"network": "blue"} if vlan is None else {"trunk": ["blue"]},
              "b": {"network": "blue"}})
    nic = bed.nic("b", 2)
    sender = Frontend(bed.path / "a.sock", FEATURES).start()
    wait_for(lambda: bed.switch.port("b")["running"], 5, "the NIC's driver")

    def send(address, payload, gso_type, size):
        source = "fd00::9" if ":" in address else "10.0.0.9"
        data, at = udp((mac(2), mac(9)), (address, source), (PORT, 7001), payload, vlan)
        sender.send_large(net_header(at, UDP_CHECKSUM, gso_type, size), data)
    yield send, nic, bed
    sender.close()


@pytest.mark.parametrize("address", ["10.0.0.2", "fd00::2"])
@pytest.mark.parametrize("gso_type, size, length", [
    (GSO_NONE, 0, 1), (GSO_NONE, 0, 64), (GSO_NONE, 0, 1400), (GSO_NONE, 0, 1401),
    (GSO_UDP_L4, 1000, 1001), (GSO_UDP_L4, 1400, 63000), (GSO_UDP_L4, 101, 5000),
    (GSO_UDP, 1448, 1449), (GSO_UDP, 1400, 9000), (GSO_UDP, 1448, 63001)])
def test_datagrams(link, address, gso_type, size, length):
    send, nic, bed = link
    with listen(nic, address) as receiver:
        payload = contents(length)
        step = size if gso_type == GSO_UDP_L4 else length
        for _ in range(3):
            send(address, payload, gso_type, size)
            for at in range(0, length, step):
                assert receiver.recv(1 << 16) == payload[at:at + step], f"datagram at {at}"
    assert_healthy(in_netns(nic.netns), nic.tap)
    assert bed.switch.port("a")["drops"]["bad-net-header"] == 0


@pytest.mark.parametrize("header, why", [
    (lambda at: net_header(at + 2, UDP_CHECKSUM), "starts elsewhere"),
    (lambda at: net_header(at, 16), "TCP's place in a UDP header"),
    (lambda at: net_header(at, UDP_CHECKSUM, 1, 1000), "TSO of a UDP datagram, not negotiated"),
    (lambda at: net_header(at, UDP_CHECKSUM, GSO_UDP_L4, 0), "pieces of no size"),
    (lambda at: net_header(60000, UDP_CHECKSUM), "outside the frame"),
    (lambda at: net_header(at, UDP_CHECKSUM, 77, 1000), "a kind that does not exist"),
], ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "")
def test_request_that_does_not_fit(bed, header, why):
    """Such a frame is dropped with the reason; the next honest one crosses."""
    bed.vswd(["a", "b"])
    nic = bed.nic("b", 2)
    sender = Frontend(bed.path / "a.sock", FEATURES).start()
    try:
        with listen(nic, "10.0.0.2") as receiver:
            data, at = udp((mac(2), mac(9)), ("10.0.0.2", "10.0.0.9"), (PORT, 7001), contents(3000))
            sender.send_large(header(at), data)
            wait_for(lambda: bed.switch.port("a")["drops"]["bad-net-header"] == 1, 3, why)
            data, at = udp((mac(2), mac(9)), ("10.0.0.2", "10.0.0.9"), (PORT, 7001), b"honest")
            sender.send_large(net_header(at, UDP_CHECKSUM), data)
            assert receiver.recv(100) == b"honest"
        assert bed.switch.port("a")["connected"]
    finally:
        sender.close()


def test_features_that_ask_nothing_of_the_switch(bed):
    """ORDER_PLATFORM and NOTIFICATION_DATA are the driver's own affair; frames pass as ever."""
    bed.vswd(["a", "b"])
    nic = bed.nic("b", 2)
    sender = Frontend(bed.path / "a.sock", F_VERSION_1 | F_PROTOCOL_FEATURES | F_ORDER_PLATFORM |
                      F_NOTIFICATION_DATA).start()
    wait_for(lambda: bed.switch.port("b")["running"], 5, "the NIC's driver")
    with listen(nic, "10.0.0.2") as receiver:
        data, _ = udp((mac(2), mac(9)), ("10.0.0.2", "10.0.0.9"), (PORT, 7001), b"hello",
                      request=False)
        sender.send(data)
        assert receiver.recv(100) == b"hello"
    assert {"order_platform", "notification_data"} <= set(bed.switch.port("a")["features"])
    sender.close()
