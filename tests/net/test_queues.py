# SPDX-License-Identifier: BSD-3-Clause
"""A VMM that uses more queue pairs than its port has: it may set them up, as QEMU does for all that a guest
might enable; a pair that is enabled ends the connection, in words that say what to do."""
import struct

import pytest

from lab import frontend
from lab.bed import mac
from lab.frames import BROADCAST, frame
from lab.frontend import GET_FEATURES, SET_VRING_ENABLE, TX, Frontend
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("tun")

# Of the second queue pair.
RX1, TX1 = 2, 3


class TwoPairs(Frontend):
    """One that has rings of two pairs to set up, and enables those of the first."""

    def __init__(self, path):
        super().__init__(path)
        self.kick += [frontend.eventfd(), frontend.eventfd()]
        self.call += [frontend.eventfd(), frontend.eventfd()]
        self.available += [0, 0]

    def message(self, request, payload=b"", fds=(), flags=0):
        if request != SET_VRING_ENABLE or struct.unpack("<II", payload)[0] < RX1:
            super().message(request, payload, fds, flags)

    def enable(self, ring):
        super().message(SET_VRING_ENABLE, struct.pack("<II", ring, 1))


def crosses(guest, nic, text):
    """A frame of the guest arrives at the other station."""
    nic.raw().drain()
    guest.send(frame(BROADCAST, mac(1), text))
    return nic.raw().collect(5, 1, wanted=lambda data: text in data)


def test_a_pair_too_many(bed):
    switch = bed.vswd({"a": {"network": "blue"}, "b": {"network": "blue"}})
    b = bed.nic("b", 2, addressed=False)
    guest = TwoPairs(switch.socket("a")).start()
    try:
        for ring in (RX1, TX1):
            guest.start_ring(ring)
        guest.ask(GET_FEATURES)
        assert crosses(guest, b, b"set up, not enabled")
        # A sender gets its buffer back after the frame has arrived.
        wait_for(lambda: guest.used(TX) == 1, 5, "the buffer to come back")
        assert guest.used(TX1) == 0
        port = switch.port("a")
        assert (port["queues"], port["queues_running"], port["state"]) == (1, 1, "running")
        switch.allow("the VM uses queue pair 2, but the port has 1")
        guest.enable(TX1)
        assert guest.hung_up()
    finally:
        guest.close()
    wait_for(lambda: not switch.port("a")["connected"], 10, "the end of the connection")
    assert "raise the port's 'queues'" in switch.port("a")["problem"]
    again = TwoPairs(switch.socket("a")).start()
    try:
        assert crosses(again, b, b"within its limit")
        wait_for(lambda: switch.port("a")["problem"] is None, 10, "the problem to be over")
    finally:
        again.close()
