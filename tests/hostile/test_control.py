# SPDX-License-Identifier: BSD-3-Clause
"""The control sockets: who may ask, who may only look, and clients that take all places."""
import contextlib
import json
import os
import pwd
import socket
import stat
import subprocess
import sys
import threading

import pytest

from lab.process import Process, program, wait_for
from lab.vswd import run_tool

NOBODY = pwd.getpwnam("nobody")
PLACES = 32 - 4

HOLD = """
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    held.append(client)
print("holding", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def shown(bed, root_user):
    """A switch whose read-only socket is for the group of `nobody`."""
    os.chmod(bed.path, 0o755)
    bed.vswd(["a"], **{"control-ro": "nogroup"})
    return bed


def as_nobody(switch, *words):
    return run_tool("vsw", "--control", switch.control, *words, user=NOBODY.pw_uid,
                    group=NOBODY.pw_gid, extra_groups=[])


def test_who_may_only_look(shown):
    """vsw finds the socket that it may open; what would change something is refused there."""
    switch = shown.switch
    read_only = shown.path / "control-ro.sock"
    for path, group in ((switch.control, os.getegid()), (read_only, NOBODY.pw_gid)):
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o660, 0, group)
    for words in (["show"], ["port", "show", "-s"], ["drops"], ["config", "show"], ["fdb", "show"],
                  ["network", "show"], ["worker", "show"]):
        done = as_nobody(switch, *words)
        assert done.returncode == 0, done.stderr
    wanted = shown.path / "wanted.yaml"
    wanted.write_text(shown.text(["a", "b"], **{"control-ro": "nogroup"}))
    for words in (["config", "apply", wanted], ["config", "diff", wanted],
                  ["worker", "show", "--reset"]):
        done = as_nobody(switch, *words)
        assert done.returncode == 1 and "only shows" in done.stderr, done.stderr
        assert f"permission denied: {switch.control}: use sudo" in done.stderr
    assert [port["name"] for port in switch.vsw("port", "show")] == ["a"]
    assert switch.vsw_raw("config", "apply", wanted).returncode == 0


def test_who_may_not_even_look(bed, root_user):
    """The group that may open the socket is named, where there is one."""
    os.chmod(bed.path, 0o755)
    switch = bed.vswd(["a"], **{"control-group": "games"})
    done = as_nobody(switch, "show")
    assert done.returncode == 1 and done.stdout == ""
    assert f"permission denied: {switch.control}: use sudo, or join the group 'games'" in done.stderr


def test_all_places_taken(shown):
    """Others' idle clients neither lock root out nor stay for ever."""
    read_only = shown.path / "control-ro.sock"
    shown.switch.allow("control: ")
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(read_only), str(2 * PLACES)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=NOBODY.pw_uid,
                              group=NOBODY.pw_gid, extra_groups=[])
    try:
        assert holder.stdout.readline() == b"holding\n"
        done = run_tool("vsw", "--control", read_only, "show")
        assert done.returncode == 0, done.stderr
        # Another of the same user gets in as soon as one has been idle for a moment.
        wait_for(lambda: as_nobody(shown.switch, "show").returncode == 0, 20, "a place for nobody",
                 pause=0.5)
    finally:
        holder.stdin.close()
        holder.wait(10)


def test_errors_have_a_text(bed):
    """An error that is cut within a character still reaches the client."""
    switch = bed.vswd(["a"])
    for shift in range(4):
        name = "x" * shift + "\u20ac" * 100
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(switch.control))
            client.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "port.show",
                                       "params": {"name": name}}).encode() + b"\n")
            answer = json.loads(client.recv(65536))
        assert "no port" in answer["error"]["message"]


def test_the_folder_gives_nothing_away(bed, root_user):
    """In a setgid folder of a VMM's group the control socket is root's; in one that this group may
    write there is none."""
    os.chmod(bed.path, 0o755)
    folder = bed.path / "run"
    folder.mkdir()
    os.chown(folder, 0, NOBODY.pw_gid)
    os.chmod(folder, 0o2750)
    config = bed.path / "own.yaml"
    config.write_text(bed.text(["a"]))
    control = folder / "control" / "control.sock"
    process = Process("vswd", [program("vswd"), "--config", config, "--control", control],
                      bed.path / "own.log")
    process.wait_log("ready")
    for path in (control, control.parent):
        assert (path.stat().st_uid, path.stat().st_gid) == (0, os.getegid())
    assert process.stop() == 0
    os.chmod(folder, 0o2770)
    for path in (control, folder / "control.sock"):
        done = run_tool("vswd", "--config", config, "--control", path)
        assert done.returncode == 1
        assert f"folder '{folder}' may be written by group {NOBODY.pw_gid}" in done.stderr
        assert "a folder of its own" in done.stderr


def test_links_are_not_followed(bed, root_user):
    """Somebody who may write the folder puts links where the sockets of ports are made."""
    switch = bed.vswd(["a"])
    switch.allow("b.sock", "configuration not changed")
    victim = bed.path / "victim"
    victim.write_text("secret")
    os.chmod(victim, 0o600)
    target = bed.path / "b.sock"
    stop = threading.Event()

    def swap():
        link = bed.path / "link"
        while not stop.is_set():
            link.symlink_to(victim)
            link.replace(target)
    attacker = threading.Thread(target=swap)
    attacker.start()
    try:
        wanted = bed.path / "wanted.yaml"
        for ports in (["a", "b"], ["a"]) * 15:
            wanted.write_text(bed.text(ports))
            switch.vsw_raw("config", "apply", wanted)
    finally:
        stop.set()
        attacker.join(10)
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600
    assert victim.read_text() == "secret"
    assert switch.port("a")


def connects(path, user):
    """True where a process of that user, without groups, can connect."""
    done = subprocess.run([sys.executable, "-c", "import socket, sys\n"
                           "socket.socket(socket.AF_UNIX).connect(sys.argv[1])", str(path)],
                          user=user.pw_uid, group=user.pw_gid, extra_groups=[],
                          capture_output=True, text=True)
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0


def test_ports_belong_to_whom_they_are_given(bed, root_user):
    """Each VMM's user reaches its own port and neither another's nor the control socket."""
    os.chmod(bed.path, 0o755)
    daemon, games = pwd.getpwnam("daemon"), pwd.getpwnam("games")
    ports = {"theirs": {"network": "blue"},
             "own": {"network": "blue", "owner": "daemon", "group": "root", "socket-mode": "0600"}}
    settings = {"socket-group": "nogroup"}
    switch = bed.vswd(ports, **settings)
    reach = {(port, user.pw_name): connects(switch.socket(port), user)
             for port in ports for user in (NOBODY, daemon, games)}
    assert {key for key, value in reach.items() if value} == {("theirs", "nobody"), ("own", "daemon")}
    assert not any(connects(switch.control, user) for user in (NOBODY, daemon, games))
    # Given to another one while the switch runs.
    ports["own"]["owner"] = "games"
    switch.reload(bed.text(ports, **settings))
    wait_for(lambda: connects(switch.socket("own"), games), 10, "the new owner's connection")
    assert not connects(switch.socket("own"), daemon)


def test_a_removed_socket_comes_back(bed):
    """Removed by hand: the next reload makes it again, and says so; whoever is connected stays."""
    switch = bed.vswd(["a", "b"])
    switch.allow("a.sock was gone")
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(switch.socket("a")))
        wait_for(lambda: switch.port("a")["connected"], 10, "the connection")
        switch.socket("a").unlink()
        switch.reload()
        switch.process.wait_log("port a: its socket .*a.sock was gone: listening there again")
        assert switch.port("a")["connected"]
    wait_for(lambda: not switch.port("a")["connected"], 10, "the end of the connection")
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(switch.socket("a")))
        wait_for(lambda: switch.port("a")["connected"], 10, "the next connection")
    switch.reload()
    assert switch.log().count("was gone") == 1


def ask(client, method):
    """One request over a connection that is there already; the result."""
    client.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode() + b"\n")
    with client.makefile("rb") as lines:
        return json.loads(lines.readline())["result"]


def test_removed_control_sockets_come_back(shown):
    """Both, with the next SIGHUP, for the same people; whoever is connected is still served."""
    switch = shown.switch
    switch.allow("a control socket was gone")
    paths = (switch.control, shown.path / "control-ro.sock")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in paths]
        for client, path in zip(clients, paths):
            client.settimeout(20)
            client.connect(str(path))
            assert ask(client, "show")["ports"] == 1
        before = [path.stat() for path in paths]
        for path in paths:
            path.unlink()
        assert switch.vsw_raw("show").returncode == 1
        switch.reload()
        switch.process.wait_log("a control socket was gone: listening there again", count=2)
        for path, old in zip(paths, before):
            new = path.stat()
            assert (new.st_mode, new.st_uid, new.st_gid) == (old.st_mode, old.st_uid, old.st_gid)
        for client in clients:
            assert ask(client, "show")["ports"] == 1
        assert switch.vsw_raw("config", "apply", switch.config_path).returncode == 0
        assert as_nobody(switch, "show").returncode == 0
        done = as_nobody(switch, "config", "apply", switch.config_path)
        assert done.returncode == 1 and "only shows" in done.stderr, done.stderr
    switch.reload()
    assert switch.log().count("a control socket was gone") == 2


def test_a_link_of_a_socket_keeps_nothing_from_being_changed(bed, root_user):
    """A VMM's user makes a hard link of the socket that is his: other ports are changed all the same,
    and his own, but for who may connect to it."""
    theirs = {"network": "blue", "owner": "nobody"}
    switch = bed.vswd({"theirs": theirs, "other": {"network": "blue"}})
    switch.allow("port theirs: .*Too many links", "ports.theirs", "configuration not changed")
    folder = bed.path / "home"
    folder.mkdir()
    link = folder / "kept.sock"
    os.link(switch.socket("theirs"), link)
    made = link.stat()
    wanted = bed.path / "wanted.yaml"

    def change(theirs, limit):
        wanted.write_text(bed.text({"theirs": theirs,
                                    "other": {"network": "blue", "flood-limit": limit}}))
        return switch.vsw_raw("config", "apply", wanted)
    done = change(theirs, 7)
    assert done.returncode == 0, done.stderr
    assert switch.port("other")["flood_limit"] == 7
    switch.process.wait_log("port theirs: its socket is left as it is: .*theirs.sock")
    assert change({**theirs, "qinq": True}, 8).returncode == 0
    assert (switch.port("theirs")["qinq"], switch.port("other")["flood_limit"]) == (True, 8)
    # Who may connect cannot be changed of a file with two names; that is said, and nothing is changed.
    done = change({"network": "blue", "owner": "daemon"}, 9)
    assert done.returncode == 1 and "ports.theirs" in done.stderr, done.stderr
    assert switch.port("other")["flood_limit"] == 8
    switch.reload(wanted.read_text())
    assert switch.port("theirs")["owner"] == "nobody"
    assert (link.stat().st_uid, link.stat().st_mode) == (made.st_uid, made.st_mode)
    link.unlink()
    done = change({"network": "blue", "owner": "daemon"}, 9)
    assert done.returncode == 0, done.stderr
    assert switch.socket("theirs").stat().st_uid == pwd.getpwnam("daemon").pw_uid


def test_the_way_to_the_control_socket_is_root_s(bed, root_user):
    """A symbolic link on the path that somebody else may turn elsewhere is refused; one of root's is
    not."""
    real, link = bed.path / "real", bed.path / "link"
    real.mkdir()
    link.symlink_to(real)
    config = bed.path / "own.yaml"
    config.write_text(bed.text(["a"]))
    control = link / "control.sock"
    os.chown(link, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
    done = run_tool("vswd", "--config", config, "--control", control)
    assert done.returncode == 1
    assert f"link '{link}' belongs to user {NOBODY.pw_uid}, who may turn it" in done.stderr
    assert f"{control}: the control socket needs a folder of its own" in done.stderr
    assert not list(real.iterdir()) and not list(bed.path.glob("*.sock"))
    os.chown(link, 0, 0, follow_symlinks=False)
    process = Process("vswd", [program("vswd"), "--config", config, "--control", control],
                      bed.path / "own.log")
    try:
        process.wait_log("ready", timeout=30)
        assert run_tool("vsw", "--control", control, "show").returncode == 0
        assert process.stop(timeout=30) == 0
    finally:
        process.kill()


def test_no_link_of_the_way_is_in_the_hands_of_others(bed, root_user):
    """A link of root's to a link of root's in a folder of somebody else's, who may put another in its
    place. Refused, and no folder that was made on the way stays."""
    real, others, link = bed.path / "real", bed.path / "others", bed.path / "link"
    real.mkdir()
    others.mkdir()
    (others / "middle").symlink_to(real)
    link.symlink_to(others / "middle")
    os.chown(others, NOBODY.pw_uid, NOBODY.pw_gid)
    config = bed.path / "own.yaml"
    config.write_text(bed.text(["a"]))
    for control in (link / "control.sock", link / "one" / "two" / "control.sock"):
        done = run_tool("vswd", "--config", config, "--control", control)
        assert done.returncode == 1
        assert f"folder '{others}' belongs to user {NOBODY.pw_uid}, who may replace" in done.stderr
        assert not list(real.iterdir())


def test_a_folder_for_everybody_is_said(bed, root_user):
    """A VMM that may write the folder may replace others' sockets."""
    open_folder = bed.path / "open"
    open_folder.mkdir()
    os.chown(open_folder, 0, NOBODY.pw_gid)
    os.chmod(open_folder, 0o2770)
    switch = bed.vswd({"a": {"network": "blue", "socket": str(open_folder / "a.sock")}})
    switch.allow("port a: folder")
    switch.process.wait_log(rf"port a: folder '{open_folder}' may be written by group "
                            rf"{NOBODY.pw_gid}, which may replace")
