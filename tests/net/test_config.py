# SPDX-License-Identifier: BSD-3-Clause
"""Bad input: an error with file, line and key, exit status 1, and nothing started."""
import os
import pwd
import re
import signal
import socket
import subprocess

import pytest

from lab.process import Process, program, sanitized, wait_for
from lab.vswd import configuration, run_tool

GOOD = """\
switch:
  socket-dir: {dir}
networks:
  blue:  {{ vlan: 10 }}
  green: {{ vlan: 20 }}
ports:
  vm1: {{ type: vhost-user, network: blue }}
  vm2: {{ type: vhost-user, network: green, mac: "52:54:00:00:00:02", queues: 2 }}
"""
# name: (text to find in GOOD, what to put there, line of the error, words the error must hold)
FAULTS = {
    "unknown top key": ("ports:", "prots:", 6, ["prots"]),
    "unknown switch key": ("  socket-dir", "  sokket-dir", 2, ["sokket-dir"]),
    "unknown network key": ("vlan: 10", "vlam: 10", 4, ["vlam"]),
    "unknown port key": ("network: blue }}", "netwrk: blue }}", 7, ["netwrk"]),
    "duplicate key": ("network: blue", "network: blue, network: green", 7, ["network"]),
    "duplicate port": ("  vm2:", "  vm1:", 8, ["vm1"]),
    "duplicate network": ("  green:", "  blue: ", 5, ["blue"]),
    "duplicate top key": ("ports:", "networks:\n  red: {{ vlan: 5 }}\nports:", 6, ["networks"]),
    "VLAN twice": ("vlan: 20", "vlan: 10", 5, ["vlan", "blue"]),
    "VLAN zero": ("vlan: 20", "vlan: 0", 5, ["vlan"]),
    "VLAN too large": ("vlan: 20", "vlan: 4095", 5, ["vlan"]),
    "VLAN negative": ("vlan: 20", "vlan: -1", 5, ["vlan"]),
    "VLAN no number": ("vlan: 20", "vlan: twenty", 5, ["vlan"]),
    "VLAN is a list": ("vlan: 20", "vlan: [20]", 5, ["vlan"]),
    "network is no map": ("{{ vlan: 20 }}", "20", 5, ["green"]),
    "unknown network": ("network: green", "network: red", 8, ["red"]),
    "unknown type": ("type: vhost-user, network: blue", "type: ethernet, network: blue", 7,
                     ["type", "ethernet"]),
    "no type": ("type: vhost-user, network: blue", "network: blue", 7, ["type"]),
    "no network": ("type: vhost-user, network: blue", "type: vhost-user", 7, ["network"]),
    "network and trunk": ("network: blue", "network: blue, trunk: [20]", 7, ["trunk"]),
    "trunk of unknown": ("network: blue", "trunk: [red]", 7, ["red"]),
    "trunk of unknown VLAN": ("network: blue", "trunk: [30]", 7, ["30"]),
    "native without trunk": ("network: blue", "network: blue, native: green", 7, ["native"]),
    "bad MAC": ("52:54:00:00:00:02", "52:54:00:00:00", 8, ["mac"]),
    "multicast MAC": ("52:54:00:00:00:02", "01:00:5e:00:00:02", 8, ["mac"]),
    "queues zero": ("queues: 2", "queues: 0", 8, ["queues"]),
    "queues no number": ("queues: 2", "queues: many", 8, ["queues"]),
    "unknown mode": ("network: blue }}", "network: blue, mode: peer }}", 7, ["mode"]),
    "socket twice": ("network: blue }}", "network: blue, socket: {dir}/vm2.sock }}", 8, ["vm2.sock"]),
    "path too long": ("network: blue }}",
                      "network: blue, socket: /tmp/" + 120 * "x" + " }}", 7, ["socket"]),
    "relative path": ("network: blue }}", "network: blue, socket: vm1.sock }}", 7, ["socket"]),
    "workers zero": ("networks:", "  workers: 0\nnetworks:", 3, ["workers"]),
    "workers no number": ("networks:", "  workers: some\nnetworks:", 3, ["workers"]),
    "unknown poll": ("networks:", "  poll: sometimes\nnetworks:", 3, ["poll"]),
    "unknown group": ("networks:", "  control-group: no-such-group\nnetworks:", 3,
                      ["control-group", "no-such-group"]),
    "fdb is no map": ("networks:", "  fdb: 5\nnetworks:", 3, ["fdb"]),
    "fdb size zero": ("networks:", "  fdb: {{ size: 0 }}\nnetworks:", 3, ["size"]),
    "ageing no number": ("networks:", "  fdb: {{ ageing: old }}\nnetworks:", 3, ["ageing"]),
    "not YAML": ("{{ vlan: 20 }}", "{{ vlan: 20", 6, []),
    "a tab": ("  green:", "\tgreen:", 5, []),
    "port name with a slash": ("  vm2:", "  a/b:", 8, ["a/b"]),
    "name too long": ("  vm2:", "  " + 200 * "n" + ":", 8, []),
}


@pytest.fixture
def place(bed):
    """The bed's folder; no daemon runs."""
    return bed.path


def fault_text(name, folder):
    find, put, line, words = FAULTS[name]
    find, put = find.format(dir=folder), put.format(dir=folder)
    text = GOOD.format(dir=folder)
    assert find in text, find
    words = [word.format(dir=folder) for word in words]
    return text.replace(find, put, 1), line, words


def start(path, folder):
    return run_tool("vswd", "--config", path, "--control", folder / "control.sock", timeout=10)


def assert_refused(done, path, line, words, folder, sockets=0):
    assert done.returncode == 1, done.stderr
    where = f"{path}:{line}" if line else str(path)
    assert where in done.stderr, f"{where} is not named in: {done.stderr}"
    for word in words:
        assert word in done.stderr, f"'{word}' is not named in: {done.stderr}"
    assert " ready" not in done.stderr
    left = [entry.name for entry in folder.iterdir() if entry.name.endswith(".sock")]
    assert len(left) == sockets, f"left behind: {left}"


@pytest.mark.parametrize("name", FAULTS)
def test_fault(place, name):
    text, line, words = fault_text(name, place)
    path = place / "bad.yaml"
    path.write_text(text)
    assert_refused(start(path, place), path, line, words, place)


@pytest.mark.parametrize("name", FAULTS)
def test_check_finds_the_same(place, name):
    """`vswd --check` and `vsw config check` give the same verdict without starting anything."""
    text, line, words = fault_text(name, place)
    path = place / "bad.yaml"
    path.write_text(text)
    assert_refused(run_tool("vswd", "--config", path, "--check"), path, line, words, place)
    assert_refused(run_tool("vsw", "config", "check", path), path, line, words, place)


def test_good_file(place):
    path = place / "good.yaml"
    path.write_text(GOOD.format(dir=place))
    for done in (run_tool("vswd", "--config", path, "--check"),
                 run_tool("vsw", "config", "check", path)):
        assert done.returncode == 0, done.stderr
    assert not list(place.glob("*.sock"))


def test_no_such_file(place):
    done = start(place / "missing.yaml", place)
    assert done.returncode == 1 and "missing.yaml" in done.stderr


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_socket_path_is_something_else(place, kind):
    path, target = place / "config.yaml", place / "vm1.sock"
    path.write_text(GOOD.format(dir=place))
    if kind == "file":
        target.write_text("precious")
    else:
        target.mkdir()
    done = start(path, place)
    assert_refused(done, path, 7, ["vm1.sock"], place, sockets=1)
    assert target.is_dir() or target.read_text() == "precious"


def test_no_permission(place, root_user):
    """As a user who may not write in the folder."""
    nobody = pwd.getpwnam("nobody")
    locked = place / "locked"
    locked.mkdir(mode=0o755)
    place.chmod(0o755)
    path = place / "config.yaml"
    path.write_text(GOOD.format(dir=locked))
    binary = program("vswd")
    try:
        reach = subprocess.run([str(binary), "--help"], user=nobody.pw_uid, capture_output=True)
    except PermissionError:
        reach = None
    if reach is None:
        pytest.skip("another user cannot reach the build folder")
    done = subprocess.run([str(binary), "--config", str(path), "--control",
                           str(locked / "control.sock")], user=nobody.pw_uid, group=nobody.pw_gid,
                          extra_groups=[], capture_output=True, text=True, timeout=10)
    assert done.returncode == 1
    assert "ermission denied" in done.stderr and str(locked) in done.stderr, done.stderr
    assert str(path) in done.stderr, "the error names the file that asks for it"
    assert not list(locked.iterdir())


def test_folder_missing(place):
    path = place / "config.yaml"
    path.write_text(GOOD.format(dir=place / "a" / "b"))
    done = start(path, place)
    assert done.returncode == 1 and f"{place}/a/b" in done.stderr


def test_stale_socket_is_replaced(bed):
    """A socket nobody listens on, as a crash leaves it behind."""
    for name in ("a.sock", "control.sock"):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(bed.path / name))
    bed.vswd(["a"])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(bed.switch.socket("a")))
    bed.switch.allow(r".*")


@pytest.mark.parametrize("control", ["control.sock", "other.sock"])
def test_a_second_daemon_disturbs_nothing(bed, control):
    """At the same control socket, or with its ports in the same folder: it names the first one and ends;
    that one does not even log it, and its VMM, here one that listens itself, is not called again."""
    path = bed.path / "vmm.sock"
    with socket.socket(socket.AF_UNIX) as vmm:
        vmm.bind(str(path))
        vmm.listen(8)
        ports = {"a": {"network": "blue"},
                 "v": {"network": "blue", "mode": "client", "socket": str(path)}}
        bed.vswd(ports)
        vmm.settimeout(10)
        peer = vmm.accept()[0]
        wait_for(lambda: bed.switch.port("v")["connected"], 10, "the connection")
        before = bed.switch.log()
        second = bed.path / "second.yaml"
        second.write_text(bed.text(ports))
        done = run_tool("vswd", "--config", second, "--control", bed.path / control, timeout=10)
        assert done.returncode == 1
        assert "another vswd is running: " in done.stderr, done.stderr
        assert f"is in use by process {bed.switch.process.pid} (vswd)" in done.stderr or \
            f"is in use: process {bed.switch.process.pid} (vswd) listens there" in done.stderr
        vmm.settimeout(0.2)
        with pytest.raises(TimeoutError):
            vmm.accept()
        assert bed.switch.log() == before
        assert bed.switch.socket("a").exists() and bed.switch.control.exists()
        peer.close()
    bed.switch.stop()
    # The folder is free again.
    bed.switch.allow("v: cannot connect")
    bed.switch.start()


def test_a_port_s_socket_is_not_taken_over(bed):
    """Of a daemon with another folder; who listens there is named."""
    bed.vswd(["a"])
    folder = bed.path / "other"
    folder.mkdir()
    second = bed.path / "second.yaml"
    second.write_text(configuration(folder, {"b": {"network": "blue",
                                                   "socket": str(bed.switch.socket("a"))}}))
    done = run_tool("vswd", "--config", second, "--control", folder / "control.sock", timeout=10)
    assert done.returncode == 1
    assert f"{bed.switch.socket('a')} is in use: process {bed.switch.process.pid} (vswd)" in \
        done.stderr, done.stderr
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(bed.switch.socket("a")))
    bed.switch.allow(r".*")


def test_reload_says_what_it_did(bed):
    bed.vswd(["a"])
    bed.switch.reload()
    bed.switch.process.wait_log("configuration .*config.yaml applied: nothing has changed")
    bed.switch.reload(bed.text(["a", "b"]))
    bed.switch.process.wait_log("configuration .*config.yaml applied: changes: 1")
    assert re.search(r"info: \+ port b: network blue", bed.switch.log())


def test_sockets_go_with_the_daemon(bed):
    bed.vswd(["a", "b"])
    assert {path.name for path in bed.path.glob("*.sock")} == {"a.sock", "b.sock", "control.sock"}
    mode = os.stat(bed.switch.control).st_mode
    assert mode & 0o777 == 0o660
    bed.switch.stop()
    assert not list(bed.path.glob("*.sock"))


@pytest.mark.parametrize("name", ["VLAN twice", "duplicate port", "unknown port key", "not YAML"])
def test_bad_reload_keeps_the_old(bed, name):
    bed.vswd_text(GOOD.format(dir=bed.path))
    text, line, words = fault_text(name, bed.path)
    bed.switch.allow(r"config\.yaml", r"configuration not changed")
    bed.switch.reload(text)
    for word in (f"config.yaml:{line}", *words):
        assert word in bed.switch.log()
    assert {port["name"] for port in bed.switch.vsw("port", "show")} == {"vm1", "vm2"}


def test_reload_with_a_blocked_path_keeps_the_old(bed):
    """The fault shows only when the change is carried out, and still nothing changes."""
    bed.vswd(["a", "b"])
    (bed.path / "c.sock").write_text("precious")
    bed.switch.allow(r"config\.yaml", r"configuration not changed")
    bed.switch.reload(bed.text(["a", "d", "c"]))
    assert "c.sock" in bed.switch.log()
    assert {port["name"] for port in bed.switch.vsw("port", "show")} == {"a", "b"}
    assert not bed.switch.socket("d").exists()


@pytest.mark.parametrize("text", ["", "networks: { blue: { vlan: 10 } }\n"],
                         ids=["emptied", "no ports"])
def test_a_file_without_ports(bed, text):
    """An editor that ran out of disk: such a file takes no ports away unless somebody insists."""
    switch = bed.vswd(["a", "b"])
    switch.allow(r"config\.yaml: it has no ports", r"configuration not changed")

    def ports():
        shown = {port["name"] for port in switch.vsw("port", "show")}
        assert shown == {name for name in ("a", "b") if switch.socket(name).exists()}
        return shown
    switch.write(text)
    done = switch.vsw_raw("config", "diff", switch.config_path)
    assert done.returncode == 0 and done.stdout.count("- port") == 2, done.stdout + done.stderr
    done = switch.vsw_raw("config", "apply", switch.config_path)
    assert done.returncode == 1
    for word in ("it has no ports: all 2 ports of the running switch would be removed", "--force"):
        assert word in done.stderr, done.stderr
    assert ports() == {"a", "b"}
    switch.reload()
    switch.process.wait_log("it has no ports: all 2 ports of the running switch would be removed")
    switch.process.wait_log("configuration not changed")
    assert ports() == {"a", "b"}
    done = switch.vsw_raw("config", "apply", "--force", switch.config_path)
    assert done.returncode == 0, done.stderr
    assert ports() == set()
    # What is there now has no ports either: nothing to lose.
    switch.reload()
    switch.process.wait_log(r"configuration .*config\.yaml applied", count=2)


def test_terminating_signals(bed):
    for number in (signal.SIGTERM, signal.SIGINT):
        log = bed.path / f"vswd-{number}.log"
        path = bed.path / "config.yaml"
        path.write_text(bed.text(["a"]))
        daemon = Process("vswd", [program("vswd"), "--config", path, "--control",
                                  bed.path / "control.sock"], log)
        try:
            daemon.wait_log("ready", 30 if sanitized() else 10)
            assert daemon.stop(number) == 0
        finally:
            daemon.kill()
