#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""usage: bench/flood.py INTERFACE DESTINATION SECONDS

Sends frames of 60 bytes (64 with their FCS), of a type that no kernel takes further, as fast as the
interface takes them: 64 a system call, past its queueing discipline.
"""
import ctypes
import socket
import sys
import time

BURST = 64
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20
ETHERTYPE = 0x88B5


class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32),
                ("pieces", ctypes.POINTER(Piece)), ("piece_count", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("sent", ctypes.c_uint)]


def main():
    interface, destination, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.bind((interface, 0))
    out.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    own = out.getsockname()[4]
    frame = ctypes.create_string_buffer(
        bytes.fromhex(destination.replace(":", "")) + own + ETHERTYPE.to_bytes(2, "big") + bytes(46))
    piece = Piece(ctypes.addressof(frame), 60)
    messages = (Message * BURST)(*[Message(pieces=ctypes.pointer(piece), piece_count=1)
                                   for _ in range(BURST)])
    send = ctypes.CDLL(None).sendmmsg
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(50):
            send(out.fileno(), messages, BURST, 0)


main()
