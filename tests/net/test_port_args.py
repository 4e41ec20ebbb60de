# SPDX-License-Identifier: BSD-3-Clause
"""What `vsw port args` prints: for the version of QEMU that will be started, and safe in a shell."""
import os
import platform
import shlex
import subprocess
import time

import pytest

from lab.process import program
from lab.vswd import run_tool

QEMU = f"qemu-system-{platform.machine()}"
# Version: the word that makes it connect again (both are known from 9.2 to 10.1).
RECONNECT = {"7.2.19": "reconnect=1", "8.2.2": "reconnect=1", "9.1.0": "reconnect=1",
             "9.2.0": "reconnect-ms=1000", "10.0.2": "reconnect-ms=1000",
             "10.2.0": "reconnect-ms=1000", "11.0.50": "reconnect-ms=1000"}


@pytest.fixture
def switch(bed):
    bed.vswd({"a": {"network": "blue"}, "many": {"network": "blue", "queues": 4, "mtu": 9000},
              "c": {"network": "blue", "mode": "client", "socket": str(bed.path / "c,d.sock")}})
    bed.switch.allow(r"cannot connect to .*retrying")
    return bed.switch


@pytest.fixture
def fake(bed):
    """fake(VERSION[, NAME]) makes a program that answers as that QEMU does; its folder."""
    def make(version, name=QEMU, body=None):
        folder = bed.path / f"bin-{version}"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text("#!/bin/sh\n" + (body or f"""[ "$*" = --version ] || exit 1
            echo "QEMU emulator version {version} (Debian 1:{version}+ds-2)"
            echo "Copyright (c) 2003-2025 Fabrice Bellard and the QEMU Project developers"\n"""))
        path.chmod(0o755)
        return folder
    return make


def args(switch, port, *words, path="/usr/bin:/bin", vmm="qemu"):
    """Like vsw_raw, with a PATH."""
    return subprocess.run([str(program("vsw")), "--control", str(switch.control), "port", "args", port,
                           "--vmm", vmm, *map(str, words)], env={**os.environ, "PATH": str(path)},
                          capture_output=True, text=True, timeout=30)


def check(done, version, how):
    assert done.returncode == 0, done.stderr
    assert RECONNECT[version] in words_of(done), done.stdout
    assert sum("reconnect" in word for word in words_of(done)) == 1
    short = ".".join(version.split(".")[:2])
    assert f"QEMU {short} " in done.stderr and how in done.stderr, done.stderr


def words_of(done):
    return [word for option in shlex.split(done.stdout) for word in option.split(",")]


@pytest.mark.parametrize("version", RECONNECT)
def test_the_one_in_path(switch, fake, version):
    folder = fake(version)
    check(args(switch, "a", path=f"{folder}:/usr/bin:/bin"), version, f"{folder}/{QEMU}")


@pytest.mark.parametrize("version", RECONNECT)
def test_the_one_that_is_named(switch, fake, version):
    """By path or by name, whatever else PATH holds."""
    folder, other = fake(version, "my-qemu"), fake("7.2.19" if version != "7.2.19" else "10.2.0")
    path = f"{other}:{folder}:/usr/bin:/bin"
    check(args(switch, "a", "--qemu", folder / "my-qemu", path=path), version, "my-qemu")
    check(args(switch, "a", "--qemu", "my-qemu", path=path), version, "my-qemu")


@pytest.mark.parametrize("version", RECONNECT)
def test_the_version_that_is_given(switch, fake, version):
    check(args(switch, "a", "--vmm-version", version, path=fake("8.2.2")), version, "as given")


def test_another_processor(switch, fake):
    """An emulator of this machine's processor goes first, whatever folder it is in."""
    other = fake("10.2.0", "qemu-system-other")
    check(args(switch, "a", path=other), "10.2.0", "qemu-system-other")
    own = fake("7.2.19")
    check(args(switch, "a", path=f"{other}:{own}:/bin"), "7.2.19", QEMU)


def test_none_to_ask(switch, bed):
    """An assumption, and that it is one is said. Relative folders are not looked into."""
    empty = bed.path / "empty"
    empty.mkdir()
    done = args(switch, "a", path=f"{empty}:.::relative")
    check(done, "7.2.19", "assumed")
    assert "--vmm-version" in done.stderr


@pytest.mark.parametrize("body", ["exit 0", "echo hello", "echo version x.y", "echo version 7",
                                  "exit 1", "echo QEMU emulator version 9.2oops"])
def test_one_that_does_not_answer(switch, fake, body):
    folder = fake("0", body=body)
    done = args(switch, "a", "--qemu", folder / QEMU)
    assert done.returncode == 1 and QEMU in done.stderr and done.stdout == ""
    check(args(switch, "a", path=folder), "7.2.19", "assumed")


def test_one_that_never_ends(switch, fake):
    folder = fake("0", body="exec sleep 1000")
    begin = time.monotonic()
    done = args(switch, "a", "--qemu", folder / QEMU)
    assert done.returncode == 1 and "does not end" in done.stderr
    assert time.monotonic() - begin < 25


def test_no_such_binary(switch):
    done = args(switch, "a", "--qemu", "/nonexistent/qemu")
    assert done.returncode == 1 and "/nonexistent/qemu" in done.stderr


@pytest.mark.parametrize("words", [("--vmm-version", "ten"), ("--vmm-version", "9"),
                                   ("--vmm-version", "9.2.x"), ("--vmm-version", "")])
def test_no_version(switch, words):
    done = args(switch, "a", *words)
    assert done.returncode == 1 and "version" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("vmm", ["libvirt", "cloud-hypervisor"])
@pytest.mark.parametrize("words", [("--qemu", QEMU), ("--vmm-version", "9.0")])
def test_versions_are_qemu_s(switch, vmm, words):
    done = args(switch, "a", *words, vmm=vmm)
    assert done.returncode == 2 and "--vmm qemu" in done.stderr


def test_words_in_a_shell(bed, switch):
    """Unquoted, they come through as they were; a comma in a path is doubled for QEMU."""
    for port in ("a", "many", "c"):
        done = args(switch, port, "--vmm-version", "10.2")
        assert done.stdout.count("\n") == 1
        script = f"set -- $({program('vsw')} --control {switch.control} port args {port} --vmm qemu " \
                 "--vmm-version 10.2 2>/dev/null); printf '%s\\n' \"$@\""
        through = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd="/usr")
        assert through.stdout.split("\n")[:-1] == shlex.split(done.stdout) == done.stdout.split()
    assert f"path={bed.path}/c,,d.sock,server=on,wait=off" in done.stdout
    many = args(switch, "many", "--vmm-version", "10.2").stdout
    assert ",queues=4 " in many and "mq=on,vectors=10," in many and "host_mtu=9000" in many


def test_other_vmms(bed, switch):
    done = args(switch, "c", vmm="libvirt")
    assert done.returncode == 0 and f"path='{bed.path}/c,d.sock' mode='server'" in done.stdout
    assert "tested with" in done.stdout.splitlines()[0] and done.stderr == ""
    done = args(switch, "c", vmm="cloud-hypervisor")
    assert done.returncode == 1 and "comma" in done.stderr and done.stdout == ""
    done = args(switch, "many", vmm="cloud-hypervisor")
    assert done.returncode == 0 and "not tested" in done.stderr
    assert "num_queues=8" in done.stdout and "shared=on" in done.stdout


def test_vsw_nic(bed, switch):
    """The whole command, which joins as it stands, and what its interface needs then."""
    done = args(switch, "many", vmm="vsw-nic")
    assert done.returncode == 0, done.stderr
    mac = switch.port("many")["vm_mac"]
    assert done.stdout == f"vsw-nic --socket {switch.socket('many')} --tap many --mac {mac} " \
        "--queues 4 --mtu 9000\n"
    assert "ip address add ADDRESS/LENGTH dev many; ip link set many up" in done.stderr
    assert f"--socket {bed.path}/c,d.sock --server --tap c " in args(switch, "c", vmm="vsw-nic").stdout
    switch.vsw("port", "set", "a", "ip=10.0.0.9", "mac=52:54:00:00:00:09")
    done = args(switch, "a", vmm="vsw-nic")
    assert "--mac 52:54:00:00:00:09\n" in done.stdout
    assert "ip address add 10.0.0.9/LENGTH dev a" in done.stderr
    assert args(switch, "a", "--memory", "2G", vmm="vsw-nic").returncode == 2
    # The network knows the length, of either family.
    switch.vsw("network", "set", "blue", "subnet=10.0.0.0/20", "subnet6=fd00::/56")
    assert "ip address add 10.0.0.9/20 dev a" in args(switch, "a", vmm="vsw-nic").stderr
    assert "ip address add ADDRESS/20 dev many" in args(switch, "many", vmm="vsw-nic").stderr
    switch.vsw("port", "set", "a", "ip=fd00::9")
    assert "ip address add fd00::9/56 dev a" in args(switch, "a", vmm="vsw-nic").stderr


def test_mtu_of_vsw_nic(bed):
    """An MTU that the port does not have: which option it is, is said."""
    bed.vswd({"a": {"network": "blue", "mtu": 1400}})
    bed.switch.allow("MTU")
    nic = bed.nic("a", 1, connect=False)
    nic.process.wait_log(r"NET_SET_MTU: it does not allow 1500 bytes \(--mtu\)")


def test_json(switch):
    shown = switch.vsw("port", "args", "a", "--vmm", "qemu", "--vmm-version", "10.2")
    assert shown["for"].startswith("QEMU 10.2 ") and "reconnect-ms=1000" in shown["text"]


@pytest.mark.parametrize("path", ["/run/a b.sock", "/run/a'b", '/run/a"b', "/run/a$b", "/run/a`b",
                                  "/run/a\\b", "/run/a*", "/run/a?", "/run/[a]", "/run/a;b",
                                  "/run/a&b", "/run/a|b", "/run/a<b", "/run/a>b", "/run/(a)",
                                  "/run/{a}", "/run/a#b", "/run/a!b", "/run/~a", "/run/ä"])
def test_paths_that_no_command_line_takes(bed, path):
    config = bed.path / "config.yaml"
    for text in (bed.text({"a": {"network": "blue", "socket": path}}),
                 bed.text(["a"], **{"socket-dir": path})):
        config.write_text(text)
        done = run_tool("vsw", "config", "check", config)
        assert done.returncode == 1 and "may not stand in a path" in done.stderr, path
