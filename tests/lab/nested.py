# SPDX-License-Identifier: BSD-3-Clause
"""A machine within this one, under QEMU (TCG), whose kernel has what this one's may lack: vhost-net,
KVM, bridges.

    this machine -- QEMU, emulated --> nested machine: Debian's kernel, and this machine's files
                                         runs vswd, namespaces, and guests of its own under KVM

It sees our files by virtiofs, read-only beneath an overlay: what runs here runs there, tests
included, and what it writes is gone with it. Times in there mean nothing but by comparison with
each other: everything is emulated.
"""
import os
import pathlib
import subprocess

from .agent import Agent
from .guest import QEMU, kernel_words
from .image import image
from .process import Directory, LabError, Process, build_folder, missing, root, wait_for

# With QEMU 7.2; later ones leave it to a package of that name.
VIRTIOFSD = ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")


def obstacle():
    """What keeps a nested machine from running here, or None."""
    if os.geteuid() != 0:
        return "needs root (to share all files)"
    if missing(QEMU):
        return f"{QEMU} is not installed"
    if not _virtiofsd():
        return "virtiofsd is not installed (package qemu-system-common or virtiofsd)"
    return None


def _virtiofsd():
    return next((path for path in VIRTIOFSD if os.access(path, os.X_OK)), None)


class Nested(Agent):
    """One nested machine, booted. cpus: how many it has. memory: MiB."""

    def __init__(self, cpus=2, memory=3072):
        reason = obstacle()
        if reason:
            raise LabError(reason)
        super().__init__("nested")
        self.directory = Directory()
        self.processes = []
        try:
            self._start(cpus, memory)
            self.wait_ready(timeout=120)
        except BaseException:
            self.close()
            raise

    def _start(self, cpus, memory):
        kernel, initrd = image("nested")
        where = self.directory.path
        socket = where / "files.sock"
        log = where / "virtiofsd.log"
        files = Process("virtiofsd", [
            _virtiofsd(), f"--socket-path={socket}", "-o", "source=/", "-o", "sandbox=chroot",
            "-o", "cache=always", "-f"], log)
        self.processes.append(files)
        wait_for(lambda: socket.exists() or not files.alive(), 10, "virtiofsd's socket")
        command = [
            QEMU, "-name", "nested", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-serial", "stdio", "-M", "q35,memory-backend=m0", "-m", memory,
            "-object", f"memory-backend-memfd,id=m0,size={memory}M,share=on",
            "-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-smp", cpus,
            "-kernel", kernel, "-initrd", initrd, "-append", kernel_words(),
            "-chardev", f"socket,id=files,path={socket}",
            "-device", "vhost-user-fs-pci,chardev=files,tag=shared"]
        qemu = Process("nested", command, where / "qemu.log", stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE)
        self.processes.append(qemu)

        def transmit(data):
            qemu.child.stdin.write(data)
            qemu.child.stdin.flush()
        self.listen(lambda: qemu.child.stdout.read1(65536), transmit)

    def alive(self):
        return all(process.alive() for process in self.processes)

    def log(self):
        return "\n".join(process.log() for process in self.processes)

    def python(self, *words, timeout, check=True):
        """Runs Debian's Python in there, in the folder tests/, on our build; (status, output)."""
        guest = os.environ.get("VSW_GUEST", root() / "build" / "guest")
        return self.run(
            f"cd {root() / 'tests'} && VSW_NESTED=1 VSW_BUILD={build_folder()} "
            f"VSW_GUEST={pathlib.Path(guest).resolve()} PYTHONDONTWRITEBYTECODE=1 "
            f"exec timeout {timeout} /usr/bin/python3 {' '.join(map(str, words))}",
            timeout + 10, check)

    def close(self):
        for process in reversed(self.processes):
            process.kill()
        self.directory.close()
