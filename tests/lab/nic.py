# SPDX-License-Identifier: BSD-3-Clause
"""A vsw-nic in a namespace of its own: a VM without the VM."""
import pathlib
import re
import time

from .frames import RawPort
from .netns import Namespace
from .process import LabError, Process, program, sanitized


class Nic:
    """vsw-nic between a vhost-user socket and a TAP in a fresh namespace.

    address: "10.0.0.1/24" for the TAP; none: frames only, and the kernel keeps quiet on it.
    connect=False does not wait for the connection (start order tests). options: more words for the
    command line. With offloads, its default, frames arrive with checksums that nobody completed: a
    test that reads those has a station with "--offload off".
    """

    tap = "tap0"
    connected = r"info: connected\b"

    def __init__(self, socket, mac, log, address=None, server=False, queues=1, connect=True,
                 options=()):
        self.socket = socket
        self.mac = mac
        self.address = address
        self.server = server
        self.queues = queues
        self.options = list(options)
        self.log_path = log
        self.netns = Namespace(ipv6=address is not None)
        self.process = None
        self._raw = None
        try:
            self.start(connect)
        except BaseException:
            self.close()
            raise

    @property
    def ip(self):
        return self.address.split("/")[0]

    def start(self, connect=True):
        """Starts vsw-nic (again) and configures the TAP."""
        before = len(re.findall(self.connected, self.log())) if self.log_path.exists() else 0
        command = [program("vsw-nic"), "--socket", self.socket, "--tap", self.tap, "--mac", self.mac]
        command += ["--server"] if self.server else []
        command += ["--queues", self.queues] if self.queues > 1 else []
        command += self.options
        self.process = Process(f"vsw-nic {self.mac}", command, self.log_path, netns=self.netns)
        if connect:
            self.process.wait_log(self.connected, timeout=20, count=before + 1)
            self.configure()

    def configure(self):
        """Brings the TAP up with its MAC and address; to be called when it exists."""
        run = self.netns.run
        run("ip", "link", "set", self.tap, "address", self.mac)
        run("ip", "link", "set", self.tap, "up")
        if self.address:
            run("sysctl", "-qw", f"net.ipv6.conf.{self.tap}.accept_dad=0")
            run("ip", "addr", "replace", self.address, "dev", self.tap)
            last = self.ip.rsplit(".", 1)[1]
            run("ip", "addr", "replace", f"fd00::{last}/64", "dev", self.tap, "nodad")

    def raw(self):
        """The RawPort on the TAP, made at first use."""
        if self._raw is None:
            self._raw = RawPort(self.netns, self.tap)
        return self._raw

    def log(self):
        return self.log_path.read_text(errors="replace")

    def ping(self, address, count=3, interval=0.05, extra=()):
        """Pings and returns (sent, received)."""
        before = self._replies(address)
        done = self.netns.run("ping", "-n", "-q", "-c", count, "-i", interval, "-W", 1, *extra,
                              address, check=False, timeout=120)
        found = re.search(r"(\d+) packets transmitted, (\d+) received", done.stdout)
        if not found:
            raise LabError(f"ping {address}: {done.stdout}")
        sent, received = int(found.group(1)), int(found.group(2))
        if 0 < received < sent:
            # ping waits for the last answers only twice as long as for the slowest so far: on a loaded machine they
            # come when it has ended. The kernel has counted them all the same.
            end = time.monotonic() + 1
            while received < sent and time.monotonic() < end:
                time.sleep(0.02)
                received = max(received, min(sent, self._replies(address) - before))
        return sent, received

    def _replies(self, address):
        """Answers to pings that came into the namespace so far, of the address's protocol."""
        name, field = ("snmp6", r"^Icmp6InEchoReplies\s+(\d+)") if ":" in address else ("snmp", None)
        text = pathlib.Path(f"/proc/{self.netns.holder.pid}/net/{name}").read_text()
        if field:
            return int(re.search(field, text, re.M).group(1))
        names, values = re.findall(r"^Icmp: (.*)$", text, re.M)
        return int(dict(zip(names.split(), values.split()))["InEchoReps"])

    def stop(self):
        """Ends vsw-nic; it must exit 0 and have nothing to say to a sanitizer."""
        self._close_raw()
        status = self.process.stop(timeout=60 if sanitized() else 10)
        self.process.check_sanitizer()
        assert status == 0, f"vsw-nic ended with status {status}\n{self.log()[-2000:]}"

    def kill(self):
        """SIGKILL: the peer must cope."""
        self._close_raw()
        self.process.kill()

    def close(self):
        """Gives everything back, whatever state it is in. Never fails."""
        self._close_raw()
        if self.process:
            self.process.kill()
        self.netns.close()

    def _close_raw(self):
        if self._raw is not None:
            self._raw.close()
            self._raw = None
