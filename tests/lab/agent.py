# SPDX-License-Identifier: BSD-3-Clause
"""The agent in a Linux guest (image.py), at the other end of a serial line, whoever started the VM."""
import itertools
import re
import threading
import time

from .process import LabError


class Agent:
    """Runs commands in the guest. run() returns output and exit status just as on the host.

    listen() takes the two directions of the line; alive() and log() of a subclass tell of its VM.
    """

    interface = "eth0"

    def __init__(self, name):
        self.name = name
        self.ids = itertools.count(1)
        self.reader = None

    def alive(self):
        raise NotImplementedError

    def log(self):
        return ""

    def listen(self, receive, transmit):
        """A new line: receive() returns bytes, none at its end; transmit(bytes)."""
        self.console = ""
        self.transmit = transmit
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, args=(receive,), daemon=True)
        self.reader.start()

    def _read(self, receive):
        while True:
            try:
                data = receive()
            except OSError:
                data = b""
            with self.changed:
                self.console += data.decode(errors="replace").replace("\r", "")
                self.changed.notify_all()
            if not data:
                return

    def _expect(self, pattern, timeout, what):
        """The first match of a pattern on the console, whose text up to it is then forgotten."""
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                found = re.search(pattern, self.console, re.M | re.S)
                if found:
                    self.console = self.console[found.end():]
                    return found
                left = end - time.monotonic()
                if left <= 0 or not self.alive():
                    raise LabError(f"{self.name}: {what}: not within {timeout} s; console:\n"
                                   f"{self.console[-3000:]}\n{self.log()[-2000:]}")
                self.changed.wait(min(left, 0.5))

    def wait_ready(self, timeout=60):
        """Waits for the agent of a guest that boots; its uptime in seconds at that moment."""
        return float(self._expect(r"AGENT-READY ([\d.]+)\n", timeout, "boot").group(1))

    def send(self, command):
        """Has the guest run a command line whose end nobody waits for; the command's number."""
        number = next(self.ids)
        self.transmit(f"{number} {command}\n".encode())
        return number

    def run(self, command, timeout=30, check=True):
        """Runs a shell command line in the guest: (status, output); check: status must be 0."""
        number = self.send(command)
        found = self._expect(rf"AGENT-BEGIN {number}\n(.*?)AGENT-END {number} (\d+)\n", timeout,
                             command)
        output, status = found.group(1), int(found.group(2))
        if check and status != 0:
            raise LabError(f"{self.name}: {command}: status {status}\n{output}")
        return status, output

    def configure(self, address):
        """Gives the NIC an IPv4 address ("10.0.0.1/24") and brings it up."""
        self.run(f"ip addr add {address} dev {self.interface} && "
                 f"ip link set {self.interface} up")

    def configure6(self, address, interface=None):
        """Gives the NIC an IPv6 address ("fd00::1/64") that can be used at once."""
        interface = interface or self.interface
        self.run(f"echo 0 >/proc/sys/net/ipv6/conf/{interface}/accept_dad && "
                 f"ip addr add {address} dev {interface}")

    def serve(self):
        """Starts an iperf3 server; returns when it listens."""
        self.run("iperf3 -s -D")
        self.wait_listening()

    def wait_listening(self):
        """Waits until the iperf3 server listens: after a test it does not for a moment."""
        self.run("until grep -q ':1451 [0-9A-F]*:0000 0A' /proc/net/tcp6; do usleep 20000; done")

    def ping(self, address, count=5, timeout=60, size=56):
        """(sent, received)"""
        _, output = self.run(f"ping -c {count} -i 0.2 -W 1 -q -s {size} {address}", timeout,
                             check=False)
        found = re.search(r"(\d+) packets transmitted, (\d+) packets received", output)
        if not found:
            raise LabError(f"{self.name}: ping {address}: {output}")
        return int(found.group(1)), int(found.group(2))

    def wait_ping(self, address, timeout=30):
        """Pings until an answer comes; seconds that took."""
        begin = time.monotonic()
        while time.monotonic() - begin < timeout:
            if self.run(f"ping -c 1 -W 1 -q {address}", 10, check=False)[0] == 0:
                return time.monotonic() - begin
        raise LabError(f"{self.name}: no answer from {address} within {timeout} s")

    def iperf3(self, server, seconds=2, extra=""):
        """TCP from here to a guest that runs `iperf3 -s -D`: bits a second at the receiver."""
        _, output = self.run(f"iperf3 -c {server} -t {seconds} -f k {extra}", seconds + 40)
        return 1000 * float(re.findall(r"([\d.]+) Kbits/sec.*receiver", output)[-1])

    def reboot(self):
        """Restarts the guest's kernel; its VM lives on."""
        self.send("reboot -f")
        self.wait_ready()
