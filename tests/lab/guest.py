# SPDX-License-Identifier: BSD-3-Clause
"""A Linux guest under QEMU, attached over vhost-user, that runs commands for a test: emulated (TCG),
or by KVM in the nested machine (nested.py), where that emulates a processor that has it.

The agent in the guest (image.py) reads commands from the serial console and frames each answer
with markers; agent.py is our end of it.
"""
import functools
import os
import pathlib
import re
import subprocess

from .agent import Agent
from .image import image
from .process import LabError, Process, missing

# VSW_QEMU: another one than that in PATH.
QEMU = os.environ.get("VSW_QEMU", "qemu-system-x86_64")
NESTED = bool(os.environ.get("VSW_NESTED"))
ACCELERATOR = ["-accel", "kvm", "-cpu", "host"] if NESTED else ["-accel", "tcg,thread=multi"]


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
    return ",vectors=0" if qemu_version() < (10, 0) and not NESTED else ""


def clock_khz():
    """The time-stamp counter's rate: a TCG guest under load would measure nonsense."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"^cpu MHz\s*:\s*([\d.]+)", text, re.M)
    return int(float(found.group(1)) * 1000) if found else 2000000


def kernel_words():
    """The guest's kernel command line."""
    return ("console=ttyS0 quiet mitigations=off no_timer_check "
            f"tsc_early_khz={clock_khz()} panic=-1")


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


class Guest(Agent):
    """One QEMU. Its NIC comes from nic_arguments() or, given as `arguments`, from elsewhere.

    own_memory: `arguments` define the memory, too. more: words to append. pin: a list of CPUs.
    boot=False: does not wait for the guest, so that several can boot at once. netns: a Namespace to
    run QEMU in. old: with a kernel that knows an e1000.
    """

    def __init__(self, name, log, arguments, cpus=1, memory=256, shared=True, own_memory=False,
                 boot=True, pin=None, more=(), netns=None, old=False):
        lacking = missing(QEMU)
        if lacking:
            raise LabError(f"{QEMU} is not installed")
        kernel, initrd = image("old" if old else "guest")
        super().__init__(name)
        self.log_path = log
        self.memory = [] if own_memory else memory_arguments(memory, shared)
        self.pin, self.netns = pin, netns
        self.command = [
            QEMU, "-name", f"{name},debug-threads=on", "-nodefaults", "-no-user-config",
            "-display", "none", "-serial", "stdio", *ACCELERATOR, "-smp", cpus, *self.memory, "-kernel", kernel,
            "-initrd", initrd, "-append", kernel_words(), *arguments, *more]
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
        self.process = Process(self.name, self.command, self.log_path, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, cpus=self.pin, netns=self.netns)
        child = self.process.child

        def transmit(data):
            child.stdin.write(data)
            child.stdin.flush()
        self.listen(lambda: child.stdout.read1(65536), transmit)

    def alive(self):
        return self.process.alive()

    def log(self):
        return self.process.log()

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
