# SPDX-License-Identifier: BSD-3-Clause
"""A test bed: one folder, one switch, and whatever is attached to it; given back as a whole."""
from .guest import Guest, nic_arguments
from .nic import Nic
from .process import Directory
from .testpmd import Testpmd
from .vswd import Vswd, configuration


def mac(number):
    """The MAC of the bed's station `number` (1..250)."""
    return f"52:54:00:00:00:{number:02x}"


class Bed:
    """Makes things and remembers them. finish() ends all of it and checks how; close() only ends."""

    def __init__(self):
        self.directory = Directory()
        self.path = self.directory.path
        self.switch = None
        self.members = []

    def vswd(self, ports, networks=None, cpus=None, **switch):
        """Starts the daemon. ports: a dict (see configuration()) or a list of ports of `blue`."""
        return self.vswd_text(self.text(ports, networks, **switch), cpus)

    def text(self, ports, networks=None, **switch):
        """The YAML that vswd() would start with."""
        if not isinstance(ports, dict):
            ports = {name: {"network": "blue"} for name in ports}
        return configuration(self.path, ports, networks, **switch)

    def vswd_text(self, text, cpus=None, netns=None):
        self.switch = Vswd(self.path, text, cpus, netns)
        return self.switch

    def nic(self, port, number, addressed=True, socket=None, **keywords):
        """A vsw-nic on a port's socket, 10.0.0.NUMBER; addressed=False: for raw frames only."""
        nic = Nic(socket or self.path / f"{port}.sock", mac(number), self.path / f"nic-{port}.log",
                  address=f"10.0.0.{number}/24" if addressed else None, **keywords)
        self.members.append(nic)
        return nic

    def guest(self, port, number, arguments=None, boot=True, **keywords):
        """A QEMU guest on a port's socket; keywords: those of nic_arguments() and Guest."""
        own = ("cpus", "memory", "shared", "own_memory", "pin", "more", "netns", "old")
        choices = {key: keywords.pop(key) for key in own if key in keywords}
        socket = keywords.pop("socket", self.path / f"{port}.sock")
        if arguments is None:
            arguments = nic_arguments(socket, mac(number), **keywords)
        guest = Guest(port, self.path / f"guest-{port}.log", arguments, boot=boot,
                      **choices)
        self.members.append(guest)
        return guest

    def testpmd(self, maker, name, *arguments, **keywords):
        """A testpmd made by `maker` (Testpmd or Testpmd.circulate)."""
        made = maker(f"{self.path.name}-{name}", self.path / f"{name}.log", *arguments, **keywords)
        self.members.append(made)
        return made

    def circulate(self, ports, **keywords):
        """testpmd with two virtio-user NICs on two ports' sockets, frames going round."""
        paths = [self.path / f"{port}.sock" for port in ports]
        return self.testpmd(Testpmd.circulate, "generator", paths, **keywords)

    def finish(self):
        """Ends everything in order and fails where something did not end as it should."""
        for member in self.members:
            if isinstance(member, Nic) and member.process.alive():
                member.stop()
        if self.switch and self.switch.process.alive():
            self.switch.stop()
        elif self.switch:
            self.switch.check_log()

    def close(self):
        """Ends everything at once. Never fails."""
        for member in reversed(self.members):
            member.close()
        if self.switch and self.switch.process:
            self.switch.kill()
        self.directory.close()

    def logs(self):
        """The ends of all logs, for the report of a failed test."""
        parts = []
        for path in sorted(self.path.glob("*.log")):
            parts.append(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}")
        return "\n".join(parts)
