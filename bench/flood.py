#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: bench/flood.py INTERFACE DESTINATION SECONDS

Sends frames of 60 bytes (64 with their FCS), of a type that no kernel takes further, as fast as the
interface takes them: from a ring that is shared with the kernel, past its queueing discipline, a few
hundred a system call. With sendmmsg() a frame costs its sender more than it costs the switch, which then
finds few at a time.
"""
import contextlib
import mmap
import socket
import struct
import sys
import time

BURST, SLOT = 256, 128
SOL_PACKET, PACKET_VERSION, PACKET_TX_RING = 263, 10, 13
PACKET_VNET_HDR, PACKET_QDISC_BYPASS = 15, 20
TPACKET_V2 = 1
SEND_REQUEST = 1
ETHERTYPE = 0x88B5


def slot(frame):
    """struct tpacket2_hdr; a net header whose only word, hdr_len, is that all of the frame shall lie in one
    piece, as it does when a kernel sends it; the frame."""
    net_header = struct.pack("=BBHHHH", 0, 0, len(frame), 0, 0, 0)
    length = len(net_header) + len(frame)
    header = struct.pack("=IIIHHIIHH4x", SEND_REQUEST, length, length, 0, 0, 0, 0, 0, 0)
    return (header + net_header + frame).ljust(SLOT, b"\0")


def main():
    interface, destination, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
    out.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    out.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    out.setsockopt(SOL_PACKET, PACKET_TX_RING, struct.pack("IIII", BURST * SLOT, 1, SLOT, BURST))
    out.bind((interface, 0))
    ring = mmap.mmap(out.fileno(), BURST * SLOT)
    full = slot(bytes.fromhex(destination.replace(":", "")) + out.getsockname()[4] +
                ETHERTYPE.to_bytes(2, "big") + bytes(46)) * BURST
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20):
            ring[:] = full
            # The interface has taken no more of them.
            with contextlib.suppress(OSError):
                out.send(b"")


main()
