# SPDX-License-Identifier: BSD-3-Clause
"""What two stations and the switch leave undone on a frame, and that it is done in the end.

    vsw-nic a (netns, tap0 10.0.0.1) -- vswd [blue] -- (10.0.0.2, tap0 netns) vsw-nic b

A station with offloads hands the switch large TCP and UDP packets without checksums. One without is an
old NIC: the switch cuts and completes for it, and its kernel checks every checksum.
"""
import concurrent.futures
import hashlib
import random
import socket
import struct

import pytest

from lab.frames import ones_complement, payload_of

pytestmark = pytest.mark.usefixtures("tun")

SIZE = 6 << 20
UDP_SEGMENT = 103
TIMEOUT = 60


def options(offload, mtu=1500, mergeable=True):
    words = ["--mtu", mtu, "--offload", "on" if offload else "off"]
    return words + ([] if mergeable else ["--no-mergeable"])


def stations(bed, first, second):
    bed.vswd(["a", "b"])
    return (bed.nic("a", 1, options=options(*first)), bed.nic("b", 2, options=options(*second)))


def address_of(nic, version):
    return nic.ip if version == 4 else "fd00::" + nic.ip.rsplit(".", 1)[1]


def family(version):
    return socket.AF_INET if version == 4 else socket.AF_INET6


def drain(listener):
    connection, _ = listener.accept()
    digest, length = hashlib.sha256(), 0
    with connection:
        connection.settimeout(TIMEOUT)
        while data := connection.recv(1 << 18):
            digest.update(data)
            length += len(data)
    return length, digest.digest()


def transfer(sender, receiver, version):
    """Sends SIZE random bytes by TCP; they must arrive as they were."""
    data = random.randbytes(SIZE)
    with receiver.netns.enter():
        listener = socket.create_server((address_of(receiver, version), 0),
                                        family=family(version))
    with sender.netns.enter():
        client = socket.socket(family(version))
    listener.settimeout(TIMEOUT)
    client.settimeout(TIMEOUT)
    with listener, client, concurrent.futures.ThreadPoolExecutor(1) as pool:
        arrived = pool.submit(drain, listener)
        client.connect(listener.getsockname()[:2])
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert arrived.result(TIMEOUT) == (SIZE, hashlib.sha256(data).digest())


def datagrams(sender, receiver, version, size, count):
    """Sends `count` datagrams in one call, to be cut by somebody (UDP_SEGMENT); all arrive."""
    data = random.randbytes(size * count)
    with receiver.netns.enter():
        server = socket.socket(family(version), socket.SOCK_DGRAM)
        server.bind((address_of(receiver, version), 0))
    with sender.netns.enter():
        client = socket.socket(family(version), socket.SOCK_DGRAM)
    with server, client:
        server.settimeout(10)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        client.sendto(data, server.getsockname()[:2])
        for index in range(count):
            assert server.recv(65536) == data[index * size:(index + 1) * size], index


def checksum_errors(nic):
    """What the kernel of a station found wrong with checksums."""
    found = 0
    for path in ("/proc/net/snmp", "/proc/net/snmp6"):
        lines = nic.netns.run("cat", path).stdout.splitlines()
        for index, line in enumerate(lines):
            words = line.split()
            if path.endswith("6"):
                found += int(words[1]) if "CsumErrors" in words[0] else 0
            elif index % 2 and "InCsumErrors" in lines[index - 1]:
                found += int(words[lines[index - 1].split().index("InCsumErrors")])
    return found


def bytes_a_packet(bed, port):
    counters = bed.switch.port(port)
    return counters["rx_bytes"] / max(counters["rx_packets"], 1)


COMBINATIONS = [
    ((True,), (True,)),
    ((True,), (False,)),
    ((False,), (True,)),
    ((False,), (False,)),
    ((True, 1500, False), (True, 1500, True)),
    ((True, 1500, True), (True, 1500, False)),
    ((True, 9000), (True, 9000)),
    ((True, 9000), (False, 9000)),
    ((False, 9000), (True, 9000, False)),
]


@pytest.mark.parametrize("first, second", COMBINATIONS)
def test_all_combinations(bed, first, second):
    a, b = stations(bed, first, second)
    for version in (4, 6):
        transfer(a, b, version)
        transfer(b, a, version)
        datagrams(a, b, version, 1200, 30)
        datagrams(b, a, version, 1200, 30)
        datagrams(a, b, version, 1, 20)
    assert checksum_errors(a) == 0
    assert checksum_errors(b) == 0
    for port in ("a", "b"):
        drops = bed.switch.port(port)["drops"]
        assert not any(count for reason, count in drops.items() if "malformed" in reason), drops


def test_segments_cross_in_one_piece(bed):
    """With offloads at both ends a large packet is cut by nobody."""
    a, b = stations(bed, (True,), (True,))
    transfer(a, b, 4)
    # The other port's frames are mostly acknowledgements.
    assert bytes_a_packet(bed, "a") > 6000


def test_an_old_nic_sends_no_segments(bed):
    a, b = stations(bed, (False,), (False,))
    transfer(a, b, 4)
    assert bytes_a_packet(bed, "a") <= 1514


def test_the_switch_completes_for_an_old_nic(bed):
    """Frames of a station with offloads, as they are on the wire of one without: whole checksums."""
    a, b = stations(bed, (True,), (False,))
    raw = b.raw()
    transfer(a, b, 4)
    datagrams(a, b, 4, 1200, 30)
    judged = {socket.IPPROTO_TCP: 0, socket.IPPROTO_UDP: 0}
    while (data := raw.receive(0.5)) is not None and sum(judged.values()) < 3000:
        packet = payload_of(data)
        if packet[0] != 0x45 or packet[12:16] != bytes([10, 0, 0, 1]) or packet[9] not in judged:
            continue
        assert len(data) <= 1514
        whole = packet[20:struct.unpack_from("!H", packet, 2)[0]]
        pseudo = packet[12:20] + struct.pack("!HH", packet[9], len(whole))
        assert ones_complement(packet[:20]) == 0xFFFF
        assert ones_complement(pseudo + whole) == 0xFFFF
        judged[packet[9]] += 1
    assert judged[socket.IPPROTO_TCP] > 100


def test_offloads_follow_what_a_user_turns_off(bed):
    """ethtool at the TAP has the last word."""
    a, b = stations(bed, (True,), (True,))
    a.netns.run("ethtool", "-K", a.tap, "tx", "off", "tso", "off")
    transfer(a, b, 4)
    assert bytes_a_packet(bed, "a") <= 1514
    assert checksum_errors(b) == 0


def test_offloads_come_back_with_the_switch(bed):
    a, b = stations(bed, (True,), (True,))
    bed.switch.stop()
    bed.switch.start()
    for nic in (a, b):
        nic.process.wait_log(nic.connected, timeout=20, count=2)
    transfer(a, b, 4)
    assert bytes_a_packet(bed, "a") > 6000


def test_queues(bed):
    bed.vswd({name: {"network": "blue", "queues": 2} for name in ("a", "b")})
    a, b = bed.nic("a", 1, queues=2), bed.nic("b", 2, queues=2)
    for _ in range(4):
        transfer(a, b, 4)
    datagrams(b, a, 6, 1200, 30)


@pytest.mark.parametrize("size", [2, 8, 64])
def test_small_rings_hold_a_segment(bed, size):
    bed.vswd(["a", "b"])
    a, b = (bed.nic(name, number, options=["--queue-size", size])
            for name, number in (("a", 1), ("b", 2)))
    transfer(a, b, 4)
