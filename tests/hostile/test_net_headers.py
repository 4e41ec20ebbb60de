# SPDX-License-Identifier: BSD-3-Clause
"""A namespace behind a packet port sends whatever headers of virtio-net its kernel lets out.

    attacker eth0 -- veth -- p1 | vswd [blue] | p2 -- veth -- (10.0.0.2 eth0) victim
                                              | p3 -- veth -- (10.0.0.3 eth0) bystander
"""
import random
import socket
import struct

import pytest

from lab.bed import mac
from lab.frames import mac_bytes, udp
from lab.netns import Namespace
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("tun")

SOL_PACKET, PACKET_VNET_HDR = 263, 15
FRAMES = 20000


@pytest.fixture
def spaces():
    """The namespace of the switch's interfaces, and three behind them."""
    host = Namespace(ipv6=False)
    if not host.guards_interfaces():
        host.close()
        pytest.skip("no nft, or the kernel has no nf_tables for network devices")
    ends = [Namespace(ipv6=False) for _ in range(3)]
    for number, end in enumerate(ends, 1):
        host.run("ip", "link", "add", f"p{number}", "type", "veth", "peer", "name", "eth0",
                 "netns", end.holder.pid)
        end.run("ip", "link", "set", "eth0", "address", mac(number), "up")
        end.run("ip", "address", "add", f"10.0.0.{number}/24", "dev", "eth0")
    yield host, ends
    for one in [*ends, host]:
        one.close()


@pytest.fixture
def bed(spaces, bed):
    """One that ends before the interfaces do."""
    return bed


def bodies():
    """Frames for the victim: TCP, UDP, with a tag, fragments, cut short, and noise."""
    to, own = mac_bytes(mac(2)), mac_bytes(mac(1))
    datagram, _ = udp((mac(2), mac(1)), ("10.0.0.2", "10.0.0.1"), (9, 9), bytes(3000))
    tagged, _ = udp((mac(2), mac(1)), ("10.0.0.2", "10.0.0.1"), (9, 9), bytes(600), vlan=10)
    six, _ = udp((mac(2), mac(1)), ("fd00::2", "fd00::1"), (9, 9), bytes(900))
    tcp = bytearray(datagram)
    tcp[23] = socket.IPPROTO_TCP
    tcp[46] = 0x50
    short = bytearray(tcp)
    short[46] = 0xf0
    fragment = bytearray(datagram)
    fragment[20:22] = b"\x20\x03"
    return [datagram, tagged, six, bytes(tcp), bytes(short), bytes(fragment), datagram[:50],
            tcp[:40], to + own + b"\x88\xb5" + bytes(60), to + own + b"\x08\x00" + b"\x4f" * 40]


def header(chance):
    """Headers that are right but for one field, and ones that are not right at all."""
    right = [1, chance.choice([0, 0, 1, 3, 4, 5, 0x81]), chance.choice([54, 42, 62]),
             chance.choice([536, 1, 8, 1448, 0xffff]), chance.choice([34, 38, 54]),
             chance.choice([16, 6])]
    for _ in range(chance.choice([0, 1, 1, 6])):
        at = chance.randrange(6)
        right[at] = chance.choice([0, 1, 14, 0xff, 0x100, 0xfff0]) if at > 1 else \
            chance.randrange(256)
    return struct.pack("=BBHHHH", *right)


def test_headers(bed, spaces):
    host, (attacker, victim, bystander) = spaces
    bed.vswd({f"p{number}": {"type": "packet", "netns": host.path, "network": "blue"}
              for number in (1, 2, 3)})
    for end, address in ((attacker, "10.0.0.2"), (bystander, "10.0.0.2")):
        wait_for(lambda end=end, address=address: end.run(
            "ping", "-c1", "-W1", address, check=False).returncode == 0, 20, "an answer")
    chance, frames = random.Random(5), bodies()
    with attacker.enter():
        out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with out:
        out.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        out.bind(("eth0", 0))
        sent = 0
        for _ in range(FRAMES):
            try:
                out.send(header(chance) + bytes(chance.choice(frames)))
                sent += 1
            except OSError:
                pass
    # The kernel has refused most of what it does not like, and left us the rest.
    assert sent > FRAMES / 50

    def settled():
        port = bed.switch.port("p1")
        return port["drops"]["bad-net-header"] > 0 and port["rx_packets"] > 0
    wait_for(settled, 10, "frames of both kinds")
    done = bystander.run("ping", "-c", 20, "-i", "0.02", "-W", 3, "10.0.0.2")
    assert "20 received" in done.stdout
    assert attacker.run("ping", "-c1", "-W", 3, "10.0.0.2", check=False).returncode == 0
    assert bed.switch.port("p2")["drops"]["bad-net-header"] == 0
