# SPDX-License-Identifier: BSD-3-Clause
"""The guests' kernel and initial file system, made from Debian packages and kept in a cache.

Debian's cloud kernel boots from its ELF image (PVH) in about a second; the file system is busybox,
the virtio and VLAN modules, iperf3 and ethtool. The init program is the agent that guest.py talks
to. A second file system, for nested.py, leads to this machine's own files instead. A third, with Debian's
general kernel, knows an e1000: it is made only where it is asked for.

    python3 -m lab.image        builds the images where they are missing, and says where they are
"""
import fcntl
import lzma
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

from .process import LabError, missing, root

KERNEL_PACKAGE = "linux-image-cloud-amd64"
MODULES = ("virtio_pci", "virtio_net", "8021q")
# Of the nested machine: whatever a host of VMs has, and what this one's kernel may lack.
NESTED_MODULES = ("virtio_pci", "virtiofs", "overlay", "tun", "vhost_net", "kvm_amd", "8021q", "veth",
                  "bridge", "dummy", "nf_tables", "nft_chain_nat", "nft_masq", "nft_ct")
PROGRAMS = ("iperf3", "ethtool")
FILES = ("vmlinux", "initrd.cpio", "nested.cpio")
OLD_KERNEL_PACKAGE = "linux-image-amd64"
OLD_MODULES = ("e1000",)
OLD_FILES = ("vmlinux-old", "old.cpio")
TOOLS = ("apt-get", "apt-cache", "dpkg", "lz4", "cpio", "depmod", "modprobe")

# setup_sects and payload fields of the boot protocol (Linux, Documentation/arch/x86/boot.rst).
SETUP_SECTS, PAYLOAD_OFFSET, PAYLOAD_LENGTH = 0x1F1, 0x248, 0x24C

BEGIN = r"""#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
while read module; do insmod /modules/$module || echo "insmod $module failed"; done </modules/order
ip link set lo up
"""

AGENT = r"""
# The agent: each line on the console is "ID COMMAND"; the answer is framed by markers.
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty raw -echo
read uptime idle </proc/uptime
echo "AGENT-READY $uptime"
while read -r id command; do
    echo "AGENT-BEGIN $id"
    sh -c "$command" </dev/null 2>&1
    echo "AGENT-END $id $?"
done
"""

# The nested machine sees this machine's files, and what it writes stays in its own memory.
ENTER = r"""
mkdir /shared /own /all
mount -t virtiofs -o ro shared /shared
mount -t tmpfs -o mode=755 own /own; mkdir /own/upper /own/work
mount -t overlay -o lowerdir=/shared,upperdir=/own/upper,workdir=/own/work all /all
for name in dev proc sys; do mount --bind /$name /all/$name; done
mkdir -p /all/dev/shm /all/dev/pts
mount -t tmpfs t /all/dev/shm; mount -t devpts p /all/dev/pts; mount -t debugfs d /sys/kernel/debug
mount -t tmpfs -o mode=755 r /all/run; mount --bind /sys/kernel/debug /all/sys/kernel/debug
mkdir /all/run/netns; mknod /all/dev/net/tun c 10 200 2>/dev/null
exec chroot /all /bin/sh -c "$(cat /agent)"
"""

INIT = BEGIN + AGENT
NESTED_INIT = BEGIN + ENTER

# An image made by another recipe is made anew.
RECIPE = (f"{INIT}{NESTED_INIT}# {' '.join(MODULES)} {' '.join(PROGRAMS)} "
          f"{' '.join(NESTED_MODULES)} {' '.join(OLD_MODULES)}\n")


def folder():
    return pathlib.Path(os.environ.get("VSW_GUEST", root() / "build" / "guest"))


def image(kind="guest"):
    """(vmlinux, initrd) as paths, building what is missing. LabError says what stands in the way.
    kind: "guest", "nested" or "old"."""
    where = folder()
    where.mkdir(parents=True, exist_ok=True)
    files, build = (OLD_FILES, _build_old) if kind == "old" else (FILES, _build)
    recipe = where / ("recipe-old" if kind == "old" else "recipe")
    with open(where / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (all((where / name).exists() for name in files) and _read(recipe) == RECIPE):
            lacking = missing(*TOOLS, *PROGRAMS)
            if lacking:
                raise LabError(f"the guest image needs {', '.join(lacking)}")
            with tempfile.TemporaryDirectory(dir=where) as work:
                build(pathlib.Path(work))
                for name in files:
                    (pathlib.Path(work) / name).rename(where / name)
            recipe.write_text(RECIPE)
    initrd = {"guest": "initrd.cpio", "nested": "nested.cpio", "old": "old.cpio"}[kind]
    return where / files[0], where / initrd


def _read(path):
    return path.read_text() if path.exists() else None


def _build(work):
    tree = work / "packages"
    release = _download(work, tree, KERNEL_PACKAGE)
    _extract_kernel(tree / "boot" / f"vmlinuz-{release}", work / "vmlinux")
    _make_guest(work / "root", tree, release, MODULES, work / "initrd.cpio")
    top = _make_root(work / "nested", tree, release, NESTED_INIT, NESTED_MODULES)
    (top / "agent").write_text(AGENT)
    _pack(top, work / "nested.cpio")


def _build_old(work):
    tree = work / "packages"
    release = _download(work, tree, OLD_KERNEL_PACKAGE)
    _extract_kernel(tree / "boot" / f"vmlinuz-{release}", work / "vmlinux-old")
    _make_guest(work / "root", tree, release, OLD_MODULES, work / "old.cpio")


def _make_guest(top, tree, release, modules, initrd):
    _make_root(top, tree, release, INIT, modules)
    for name in PROGRAMS:
        _copy_program(top, pathlib.Path(shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")))
    _pack(top, initrd)


def _run(*command, **keywords):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **keywords)
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, command))}: {done.stdout[-2000:]}")
    return done.stdout


def _newest_kernel(kind):
    text = _run("apt-cache", "depends", kind)
    found = re.search(r"Depends: (linux-image-\S+)", text)
    if not found:
        raise LabError(f"apt knows no kernel behind {kind}: run apt-get update")
    return found.group(1)


def _download(work, tree, kind):
    """Fetches and unpacks the kernel and busybox; the kernel's release."""
    try:
        package = _newest_kernel(kind)
        _run("apt-get", "download", package, "busybox-static", cwd=work)
    except LabError:
        # The package lists may be older than the archive, which keeps only the newest kernel.
        if os.geteuid() != 0:
            raise
        _run("apt-get", "update")
        package = _newest_kernel(kind)
        _run("apt-get", "download", package, "busybox-static", cwd=work)
    for archive in work.glob("*.deb"):
        _run("dpkg", "-x", archive, tree)
    release = package.removeprefix("linux-image-")
    _run("depmod", "-b", tree, release)
    return release


def _extract_kernel(vmlinuz, vmlinux):
    """The payload of a bzImage is a packed ELF image: an lz4 stream (legacy frame) or xz."""
    data = vmlinuz.read_bytes()
    start = ((data[SETUP_SECTS] or 4) + 1) * 512 + struct.unpack_from("<I", data, PAYLOAD_OFFSET)[0]
    length = struct.unpack_from("<I", data, PAYLOAD_LENGTH)[0]
    payload = data[start:start + length]
    if payload.startswith(b"\xfd7zXZ"):
        # It is followed by its length, which is no part of it.
        elf = lzma.LZMADecompressor().decompress(payload)
    else:
        # Likewise: lz4 stumbles at that after having written everything.
        elf = subprocess.run(["lz4", "-dc"], input=payload, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL).stdout
    if elf[:4] != b"\x7fELF":
        raise LabError(f"{vmlinuz} does not hold an ELF image packed by lz4 or xz")
    vmlinux.write_bytes(elf)


def _make_root(top, tree, release, init, modules):
    """A file system with busybox, modules and the init program; its folder."""
    for name in ("bin", "sbin", "proc", "sys", "dev", "tmp", "run", "etc", "modules", "root"):
        (top / name).mkdir(parents=True)
    shutil.copy(tree / "bin" / "busybox", top / "bin" / "busybox")
    for applet in _run(tree / "bin" / "busybox", "--list").split():
        if applet != "busybox":
            (top / "bin" / applet).symlink_to("busybox")
    _copy_modules(top, tree, release, modules)
    (top / "init").write_text(init)
    (top / "init").chmod(0o755)
    return top


def _pack(top, initrd):
    names = "\n".join(str(path.relative_to(top)) for path in sorted(top.rglob("*")))
    with open(initrd, "wb") as out:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=top, check=True,
                       input=names.encode(), stdout=out)


def _copy_modules(top, tree, release, modules):
    """The modules with those they depend on; `order` lists them as they must be loaded."""
    order = []
    for module in modules:
        for line in _run("modprobe", "-d", tree, "-S", release, "--show-depends",
                         module).splitlines():
            word = line.split()
            if word[0] == "insmod" and word[1] not in order:
                order.append(word[1])
    for path in order:
        shutil.copy(path, top / "modules")
    (top / "modules" / "order").write_text("".join(f"{pathlib.Path(p).name}\n" for p in order))


def _copy_program(top, path):
    """A dynamically linked program and its libraries, at the places they have here."""
    libraries = re.findall(r"(/\S+)", _run("ldd", path))
    for source in (path, *map(pathlib.Path, libraries)):
        target = top / source.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy(source.resolve(), target)


if __name__ == "__main__":
    print(*image(), image("nested")[1], sep="\n")
