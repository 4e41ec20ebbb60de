# SPDX-License-Identifier: BSD-3-Clause
"""The arena: one worker serves an attacker and two bystanders who must not notice.

A module may set SWITCH (keys of `switch`), PORTS (more ports: name to keys), NETWORKS (more networks: name
to VLAN) or ATTACKER (keys of the attacker's port) to change the configuration that all its tests share, and
CPUS, a list, to which the switch is bound.
"""
import contextlib
import time

import pytest

from lab import frontend
from lab.bed import Bed
from lab.bystanders import Bystanders
from lab.frames import BROADCAST, frame
from lab.frontend import Frontend
from lab.process import LabError, program, sanitized, wait_for

ATTACKER_MAC = "02:66:66:66:66:66"
CONTROL_SECONDS = 2


class Arena:
    """A switch with one worker. Networks: `red` (ports attacker and victim) and `quiet` (one, two).

    victim: a vsw-nic, 10.0.0.1; bystanders one and two exchange numbered frames while watched().
    """

    def __init__(self, bed, module):
        self.bed = bed
        ports = {"attacker": {"network": "red", **getattr(module, "ATTACKER", {})},
                 "victim": {"network": "red"},
                 "one": {"network": "quiet"}, "two": {"network": "quiet"},
                 **getattr(module, "PORTS", {})}
        settings = {"workers": 1, **getattr(module, "SWITCH", {})}
        self.switch = bed.vswd(ports, {"red": 30, "quiet": 40, **getattr(module, "NETWORKS", {})},
                               cpus=getattr(module, "CPUS", None), **settings)
        self.switch.allow(r"\battacker\b")
        self.victim = bed.nic("victim", 1)
        self.one = bed.nic("one", 11, addressed=False)
        self.two = bed.nic("two", 12, addressed=False)

    def connect(self, features=0, start=True):
        """A Frontend on the attacker's port once that is free; start=False: only connected."""
        wait_for(lambda: not self.switch.port("attacker")["connected"], 10, "the port to be free")
        peer = Frontend(self.switch.socket("attacker"), frontend.F_VERSION_1 |
                        frontend.F_PROTOCOL_FEATURES | features)
        return peer.start() if start else peer

    def answers(self):
        """Fails unless the daemon lives and answers within CONTROL_SECONDS."""
        begin = time.monotonic()
        self.switch.vsw("port", "show")
        spent = time.monotonic() - begin
        limit = CONTROL_SECONDS * (5 if sanitized() else 1)
        assert spent < limit, f"the control thread took {spent:.1f} s"

    def serves(self):
        """Fails unless an honest client of the attacked port is heard by the victim."""
        peer = self.connect()
        try:
            raw = self.victim.raw()
            raw.drain()

            def heard():
                peer.send(frame(BROADCAST, ATTACKER_MAC, b"honest"))
                return any(b"honest" in data for data in raw.collect(0.5, 1))
            wait_for(heard, 10, "an honest frame of the attacked port")
        finally:
            peer.close()

    def _judge(self, traffic):
        """Ends the bystanders' traffic; where frames are missing, says where they went."""
        try:
            traffic.stop()
        except LabError as error:
            shown = {name: self.switch.port(name) for name in ("one", "two")}
            drops = {name: {reason: count for reason, count in port["drops"].items() if count}
                     for name, port in shown.items()}
            links = [nic.netns.run("ip", "-s", "link", "show", "dev", nic.tap).stdout
                     for nic in (self.one, self.two)]
            raise LabError(f"{error}\n{drops}\n" + "".join(links)) from None

    @contextlib.contextmanager
    def watched(self, served=True):
        """While in here the bystanders talk. At the end: no frame of theirs was lost, repeated,
        reordered or changed, the daemon answers, and (served) the attacked port is usable."""
        wait_for(lambda: all(self.switch.port(name)["running"] for name in ("one", "two")), 20,
                 "the bystanders to be connected")
        traffic = Bystanders(self.one, self.two).start()
        try:
            yield traffic
        finally:
            try:
                assert self.switch.process.alive(), self.switch.log()[-4000:]
                self.answers()
            finally:
                self._judge(traffic)
        if served:
            self.serves()


@pytest.fixture(scope="module")
def arena(request, tun):
    """One Arena for all tests of a module: the switch must survive each of them."""
    if program("vswd") is None:
        pytest.fail("vswd is not built")
    bed = Bed()
    try:
        yield Arena(bed, request.module)
        bed.finish()
    except BaseException:
        print(bed.logs())
        raise
    finally:
        bed.close()
