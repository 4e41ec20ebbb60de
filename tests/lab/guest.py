# SPDX-License-Identifier: BSD-3-Clause
"""A Linux guest under QEMU (TCG), attached over vhost-user, that runs commands for a test.

The agent in the guest (image.py) reads commands from the serial console and frames each answer
with markers, so run() returns output and exit status just as on the host.
"""
import functools
import itertools
import os
import pathlib
import re
import subprocess
import threading
import time

from .image import image
from .process import LabError, Process, missing

# VSW_QEMU: another one than that in PATH.
QEMU = os.environ.get("VSW_QEMU", "qemu-system-x86_64")


@functools.cache
def qemu_version():
    """(major, minor) of the QEMU that the guests run under."""
    text = subprocess.run([QEMU, "--version"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=True).stdout
    return tuple(map(int, re.search(r"version (\d+)\.(\d+)", text).groups()))


def reconnect_words():
    """Makes QEMU's socket connect again after a second: the older word went with 10.2."""
    return "reconnect-ms=1000" if qemu_version() >= (9, 2) else "reconnect=1"


def device_words():
    """What a vhost-user NIC needs under TCG: older ones die with MSI-X there (irqfd without KVM)."""
    return ",vectors=0" if qemu_version() < (10, 0) else ""


def clock_khz():
    """The time-stamp counter's rate: a TCG guest under load would measure nonsense."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"^cpu MHz\s*:\s*([\d.]+)", text, re.M)
    return int(float(found.group(1)) * 1000) if found else 2000000


def memory_arguments(mib, shared=True):
    share = "on" if shared else "off"
    return ["-M", "q35,memory-backend=m0", "-m", str(mib), "-object",
            f"memory-backend-memfd,id=m0,size={mib}M,share={share}"]


def nic_arguments(socket, mac, queues=1, server=False, reconnect=False, chardev="",
                  device=""):
    """One vhost-user NIC. server: QEMU listens."""
    socket_options = f"socket,id=c0,path={socket}"
    socket_options += ",server=on,wait=off" if server else ""
    socket_options += f",{reconnect_words()}" if reconnect else ""
    many = f",queues={queues}" if queues > 1 else ""
    mq = ",mq=on" if queues > 1 else ""
    return ["-chardev", socket_options + chardev, "-netdev", f"vhost-user,id=n0,chardev=c0{many}",
            "-device", f"virtio-net-pci,netdev=n0,mac={mac}{device_words()}{mq}{device}"]


class Guest:
    """One QEMU. Its NIC comes from nic_arguments() or, given as `arguments`, from elsewhere.

    own_memory: `arguments` define the memory, too. more: words to append. pin: a list of CPUs.
    boot=False: does not wait for the guest, so that several can boot at once.
    """

    interface = "eth0"

    def __init__(self, name, log, arguments, cpus=1, memory=256, shared=True, own_memory=False,
                 boot=True, pin=None, more=()):
        lacking = missing(QEMU)
        if lacking:
            raise LabError(f"{QEMU} is not installed")
        kernel, initrd = image()
        self.name = name
        self.log_path = log
        self.memory = [] if own_memory else memory_arguments(memory, shared)
        self.pin = pin
        self.command = [
            QEMU, "-name", name, "-nodefaults", "-no-user-config", "-display", "none", "-serial",
            "stdio", "-accel", "tcg,thread=multi", "-smp", cpus, *self.memory, "-kernel", kernel,
            "-initrd", initrd, "-append", "console=ttyS0 quiet mitigations=off no_timer_check "
            f"tsc_early_khz={clock_khz()} panic=-1", *arguments, *more]
        self.ids = itertools.count(1)
        self.process = None
        self.start()
        if boot:
            try:
                self.wait_ready()
            except BaseException:
                self.kill()
                raise

    def start(self):
        """Starts QEMU (again) without waiting for the guest."""
        self.console = ""
        self.boots = 0
        self.process = Process(self.name, self.command, self.log_path, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, cpus=self.pin)
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, args=(self.process.child.stdout,),
                                       daemon=True)
        self.reader.start()

    def _read(self, stream):
        while True:
            data = stream.read1(65536)
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
                if left <= 0 or not self.process.alive():
                    raise LabError(f"{self.name}: {what}: not within {timeout} s; console:\n"
                                   f"{self.console[-3000:]}\n{self.process.log()[-2000:]}")
                self.changed.wait(min(left, 0.5))

    def wait_ready(self, timeout=60):
        """Waits for the agent of a guest that boots; its uptime in seconds at that moment."""
        return float(self._expect(r"AGENT-READY ([\d.]+)\n", timeout, "boot").group(1))

    def send(self, command):
        """Has the guest run a command line whose end nobody waits for; the command's number."""
        number = next(self.ids)
        self.process.child.stdin.write(f"{number} {command}\n".encode())
        self.process.child.stdin.flush()
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
        """Restarts the guest's kernel; QEMU lives on."""
        self.send("reboot -f")
        self.wait_ready()

    def stop(self):
        """Has QEMU end in order; it must exit 0."""
        status = self.process.stop()
        self.kill()
        assert status == 0, f"{self.name}: QEMU ended with status {status}"

    def kill(self):
        """SIGKILL to QEMU."""
        if self.process:
            self.process.kill()
            self.reader.join(5)
            for stream in (self.process.child.stdin, self.process.child.stdout):
                try:
                    stream.close()
                except OSError:
                    pass

    close = kill
