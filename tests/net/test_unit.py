# SPDX-License-Identifier: BSD-3-Clause
"""The unit for systemd: what it lets the daemon do is little, and enough."""
import re
import subprocess

import pytest

from lab.frontend import Frontend
from lab.process import Process, build_folder, missing, program, root, sanitized, wait_for
from lab.vswd import run_tool

# Of 10, where 10 is a service that may do everything.
EXPOSURE = 3.0


@pytest.fixture(scope="module")
def unit():
    path = build_folder() / "src" / "daemon" / "virtswitch.service"
    assert path.is_file(), "the build does not make the unit"
    return path


@pytest.fixture(scope="module")
def analyze():
    if missing("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed (package systemd)")

    def run(*words):
        return subprocess.run(["systemd-analyze", "--no-pager", *map(str, words)], check=True,
                              capture_output=True, text=True, timeout=60).stdout
    return run


def settings(path, key):
    return re.findall(rf"^{key}=(.*)$", path.read_text(), re.M)


def test_paths(unit):
    """Nothing is left to fill in, and what it starts is what is installed."""
    assert not re.search(r"@\w+@", unit.read_text())
    options = (build_folder() / "meson-info" / "intro-buildoptions.json").read_text()
    prefix = re.search(r'"name": "prefix", "value": "([^"]*)"', options).group(1)
    for start in settings(unit, "ExecStart") + settings(unit, "ExecStartPre"):
        assert start.startswith(f"{prefix}/sbin/vswd --config /")


def test_state(unit):
    """Where leases are kept by default is there, and may be written, for root alone."""
    assert settings(unit, "StateDirectory") == ["virtswitch"]
    assert settings(unit, "StateDirectoryMode") == ["0700"]


def test_exposure(unit, analyze):
    found = re.search(r"Overall exposure level for virtswitch.service: (\S+)",
                      analyze("security", "--offline=true", unit))
    assert float(found.group(1)) <= EXPOSURE


def test_examples():
    """Each is a correct configuration, on a machine that has its groups."""
    for path in sorted((root() / "examples").glob("*.yaml")):
        done = run_tool("vswd", "--config", path, "--check")
        faults = [line for line in done.stderr.splitlines() if "this machine has no group" not in line]
        assert done.returncode == 0 or (done.stderr and not faults), done.stderr


def allowed_calls(unit, analyze):
    """The names of the system calls that the unit's filters leave."""
    def expand(word):
        if not word.startswith("@"):
            return {word}
        names = set()
        for line in analyze("syscall-filter", word).splitlines():
            name = line.strip()
            if name and not name.startswith("#") and not name.startswith(word):
                names |= expand(name)
        return names
    allowed = expand("@default")
    for line in settings(unit, "SystemCallFilter"):
        deny = line.startswith("~")
        for word in line.lstrip("~").split():
            allowed = allowed - expand(word) if deny else allowed | expand(word)
    return allowed


def test_system_calls(bed, unit, analyze):
    """A whole life of the daemon needs no system call that the unit forbids."""
    if missing("strace"):
        pytest.skip("strace is not installed")
    if sanitized():
        pytest.skip("sanitizers need more system calls, and strace")
    config, trace = bed.path / "config.yaml", bed.path / "trace"
    config.write_text(bed.text(["a", "b"], **{"control-ro": "root", "socket-group": "root"}))
    control = bed.path / "control" / "control.sock"
    process = Process("vswd", ["strace", "-f", "-qq", "-o", trace, program("vswd"), "--config", config,
                               "--control", control], bed.path / "vswd.log",
                      env={"NOTIFY_SOCKET": str(bed.path / "nobody"), "WATCHDOG_USEC": "100000"})
    bed.members.append(process)
    process.close = process.kill
    process.wait_log("ready", timeout=30)
    peer = Frontend(bed.path / "a.sock").start()
    peer.send(bytes(60))
    config.write_text(bed.text(["a"], **{"socket-mode": "0600", "control-ro": "root"}))
    done = run_tool("vsw", "--control", control, "config", "apply", config)
    assert done.returncode == 0, done.stderr
    for words in (["show"], ["port", "show", "-s"], ["worker", "show", "-s"]):
        assert run_tool("vsw", "--control", control, *words).returncode == 0
    peer.close()
    pid = int(trace.read_text().split(maxsplit=1)[0])
    subprocess.run(["kill", str(pid)], check=True)
    wait_for(lambda: not process.alive(), 20, "the end of vswd")
    used = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)[ (]", trace.read_text(), re.M))
    assert {"bind", "sendmsg", "epoll_wait", "execve"} & used
    forbidden = used - allowed_calls(unit, analyze)
    assert not forbidden, f"the unit forbids {sorted(forbidden)}"
