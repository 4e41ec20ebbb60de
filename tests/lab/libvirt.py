# SPDX-License-Identifier: BSD-3-Clause
"""A libvirtd of our own, and domains whose interface is what `vsw port args --vmm libvirt` prints.

It is Debian's libvirtd, without systemd, in namespaces of its own: of mounts, so that it has private
copies of /etc/libvirt, /var/lib/libvirt, /run and so on and the machine's own libvirt notices nothing;
of the network, since it would set up bridges; and of processes, so that its QEMUs end with it. It is
reached by its socket, which lies outside of these.
"""
import re
import shutil
import socket
import subprocess

from .agent import Agent
from .guest import QEMU, kernel_words
from .image import image
from .process import Directory, LabError, Process, missing, wait_for

LIBVIRTD = "libvirtd"
TOOLS = (LIBVIRTD, "virsh", "unshare")

# The folder is $1. What libvirtd keeps gets a private copy or an empty folder in its place.
BEGIN = r"""
set -e
PATH=$PATH:/usr/sbin:/sbin
for folder in etc/libvirt var/lib/libvirt var/log/libvirt var/cache/libvirt; do
    mkdir -p "$1/$folder" "/$folder"
    [ $folder != etc/libvirt ] || cp -a /etc/libvirt/. "$1/etc/libvirt/"
    mount --bind "$1/$folder" "/$folder"
done
rm -rf /etc/libvirt/qemu/networks/autostart
mount -t tmpfs run /run
cp "$1/qemu.conf" /etc/libvirt/qemu.conf
ip link set lo up
# The shell stays: as the first process it has to bury the QEMUs that outlive whoever started them.
libvirtd --config "$1/libvirtd.conf"
exit
"""

LIBVIRTD_CONF = """unix_sock_dir = "{path}"
auth_unix_rw = "none"
auth_unix_ro = "none"
"""

# Without systemd there are no cgroups to put a QEMU into, and no virtlogd to write its log.
QEMU_CONF = """security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""
# The kernel and the sockets of a test lie where others than root have no business.
AS_ROOT = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
"""

# The ports of the root complex are for what is plugged in while the domain runs.
DOMAIN = """<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    {boot}
  </os>
  <features><acpi/><apic/></features>
  <cpu mode='custom'><model>qemu64</model></cpu>
  {memory}
  <devices>
    <emulator>{qemu}</emulator>
    <controller type='usb' model='none'/>
    <controller type='pci' model='pcie-root'/>
    <controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/>
    <serial type='unix'><source mode='bind' path='{console}'/><target port='0'/></serial>
    <memballoon model='none'/>
    {interface}
  </devices>
</domain>
"""


# pci=nomsi: this QEMU's TCG dies with MSI-X on a vhost-user NIC.
BOOT = """<kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{cmdline} pci=nomsi</cmdline>"""


def lacking():
    """What this machine has not and libvirt needs."""
    return missing(*TOOLS)


def printed_parts(switch, port):
    """What `vsw port args` prints for a port: (memoryBacking, interface)."""
    done = switch.vsw_raw("port", "args", port, "--vmm", "libvirt")
    assert done.returncode == 0, done.stderr
    parts = [re.search(rf"<{tag}\b.*?</{tag}>", done.stdout, re.S)
             for tag in ("memoryBacking", "interface")]
    assert all(parts), done.stdout
    return [part.group(0) for part in parts]


class Libvirt:
    """A running libvirtd. virsh() talks to it; close() ends it with all domains.

    as_root=False: QEMU is the user that Debian's package makes it, libvirt-qemu.
    """

    def __init__(self, as_root=True):
        self.directory = Directory("vsw-libvirt-")
        self.path = self.directory.path
        (self.path / "libvirtd.conf").write_text(LIBVIRTD_CONF.format(path=self.path))
        (self.path / "qemu.conf").write_text(QEMU_CONF + (AS_ROOT if as_root else ""))
        self.socket = self.path / "libvirt-sock"
        self.process = Process(
            LIBVIRTD, ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                       "--mount-proc", "sh", "-c", BEGIN, "sh", self.path],
            self.path / "libvirtd.log")
        try:
            wait_for(self._answers, 60, "libvirtd to answer", 0.1)
        except BaseException:
            print(self.process.log()[-3000:])
            self.close()
            raise

    def _answers(self):
        if not self.process.alive():
            raise LabError(f"libvirtd ended:\n{self.process.log()[-3000:]}")
        return self.socket.exists() and self.run("list").returncode == 0

    def run(self, *words, timeout=60):
        """virsh, for better or worse: CompletedProcess."""
        return subprocess.run(
            ["virsh", "-c", f"qemu+unix:///system?socket={self.socket}", *map(str, words)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)

    def virsh(self, *words, timeout=60):
        """virsh, which must succeed; what it prints."""
        done = self.run(*words, timeout=timeout)
        if done.returncode != 0:
            raise LabError(f"virsh {' '.join(map(str, words))}: status {done.returncode}\n"
                           f"{done.stdout}{done.stderr}\n{self.logs()}")
        return done.stdout

    def logs(self):
        """The ends of the daemon's and the domains' logs."""
        paths = [self.process.log_path, *(self.path / "var/log/libvirt/qemu").glob("*.log")]
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}"
                         for path in paths)

    def close(self):
        self.process.kill()
        self.directory.close()


class Domain(Agent):
    """A transient domain with a Linux guest (image.py) and one interface, at a port of the switch.

    boot=False: without a guest, for what happens before one runs.
    """

    def __init__(self, libvirt, name, folder, switch, port, boot=True):
        super().__init__(name)
        self.libvirt = libvirt
        self.folder = folder
        self.console_path = folder / f"{name}.console"
        self.line = None
        memory, interface = printed_parts(switch, port)
        if boot:
            kernel, initrd = image()
            boot = BOOT.format(kernel=kernel, initrd=initrd, cmdline=kernel_words())
        self.xml = folder / f"{name}.xml"
        self.xml.write_text(DOMAIN.format(
            name=name, boot=boot or "", qemu=shutil.which(QEMU), memory=memory,
            interface=interface, console=self.console_path))
        self.interface_xml = folder / f"{name}-interface.xml"
        self.interface_xml.write_text(interface)

    def start(self):
        """Creates the domain and waits for the guest."""
        self.libvirt.virsh("create", self.xml, "--paused")
        self.connect()
        self.libvirt.virsh("resume", self.name)
        self.wait_ready()

    def connect(self):
        """Opens the serial line, which a domain that was restored has anew."""
        if self.line:
            self.line.close()
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(str(self.console_path))
        line = self.line
        self.listen(lambda: line.recv(65536), line.sendall)

    def alive(self):
        return self.libvirt.process.alive()

    def log(self):
        return self.libvirt.logs()

    def state(self):
        """The word of `virsh domstate`, "" where there is no such domain."""
        return self.libvirt.run("domstate", self.name).stdout.strip()

    def detach(self):
        """Unplugs the interface while the guest runs; returns when the guest has let it go."""
        self.libvirt.virsh("detach-device", self.name, self.interface_xml, "--live")
        wait_for(lambda: "vhostuser" not in self.libvirt.virsh("domiflist", self.name), 30,
                 "the guest to let its NIC go", 0.2)

    def attach(self):
        """Plugs the printed interface in; returns when the guest has it."""
        self.libvirt.virsh("attach-device", self.name, self.interface_xml, "--live")
        self.run(f"until [ -e /sys/class/net/{self.interface} ]; do usleep 100000; done")

    def save_and_restore(self):
        """To a file and back, in a new QEMU."""
        saved = self.folder / f"{self.name}.saved"
        self.libvirt.virsh("save", self.name, saved)
        assert self.state() == ""
        self.libvirt.virsh("restore", saved, "--paused")
        self.connect()
        self.libvirt.virsh("resume", self.name)
        saved.unlink()

    def close(self):
        if self.libvirt.process.alive():
            self.libvirt.run("destroy", self.name)
        if self.line:
            self.line.close()
