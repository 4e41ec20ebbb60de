# SPDX-License-Identifier: BSD-3-Clause
"""Changes by hand: vsw port|network add|set|del, and vsw config save, which keeps them."""
import json
import os
import re
import subprocess

import pytest

from lab.process import program, root, wait_for
from lab.vswd import run_tool

FILE = """\
# what an operator wrote
switch:
  socket-dir: {dir}
networks:
  blue: {{ vlan: 10 }}
ports:
  vm1: {{ type: vhost-user, network: blue }}
"""


@pytest.fixture
def switch(bed):
    return bed.vswd_text(FILE.format(dir=bed.path))


def names(switch):
    return [port["name"] for port in switch.vsw("port", "show")]


def test_by_hand(switch):
    """What is typed holds at once, and what cannot be is refused and changes nothing."""
    done = switch.vsw_raw("network", "add", "green", "vlan=20")
    assert (done.returncode, done.stdout) == (0, "+ network green: vlan 20\n"), done.stderr
    assert "config save" in done.stderr
    lines = switch.vsw("port", "add", "vm2", "type=vhost-user", "network=green", "queues=2")
    assert lines == [f"+ port vm2: network green, server {switch.socket('vm2')}"]
    assert os.path.exists(switch.socket("vm2"))
    assert switch.vsw("port", "set", "vm2", "mac=52:54:00:00:00:02", "trusted=true") == [
        "~ port vm2: mac: any -> 52:54:00:00:00:02, trusted: false -> true"]
    entry = switch.port("vm2")
    assert (entry["mac"], entry["trusted"], entry["queues"]) == ("52:54:00:00:00:02", True, 2)
    before = switch.vsw("config", "show")
    for words, said in [
        (("port", "add", "vm2", "network=green"), "exists already"),
        (("port", "set", "vm2", "netwrok=blue"), "did you mean 'network'"),
        (("port", "set", "vm3", "network=blue"), "no port 'vm3'"),
        (("port", "set", "vm2", "socket=/nonexistent/folder/x"),
         "vsw: ports.vm2.socket: /nonexistent/folder/x: "),
        (("network", "del", "green"), "vsw: network 'green' is in use"),
    ]:
        done = switch.vsw_raw(*words)
        assert done.returncode == 1 and said in done.stderr, (words, done.stderr)
    for words in [("port", "set", "vm2"), ("port", "set", "vm2", "mtu"), ("port", "del", "vm2", "x")]:
        assert switch.vsw_raw(*words).returncode == 2, words
    assert switch.vsw("config", "show") == before
    assert switch.vsw("port", "set", "vm2", "mac=")[0].endswith("-> any")
    switch.vsw("port", "del", "vm1")
    switch.vsw("port", "del", "vm2")
    switch.vsw("network", "del", "green")
    assert names(switch) == []


def test_every_change_is_logged(switch):
    """An administrator's changes are never held back, however quick they are."""
    for mtu in range(1400, 1425):
        switch.vsw("port", "set", "vm1", f"mtu={mtu}")
    for mtu in range(1400, 1424):
        assert f"mtu: {mtu} -> {mtu + 1}" in switch.log()
    for number in range(15):
        assert switch.vsw_raw("port", "set", f"x{number}", "mtu=1400").returncode == 1
        assert f"control: refused: config.edit set port x{number}: no port 'x{number}'" in \
            switch.log()


def test_save(switch, tmp_path):
    """The file that vswd reads gets what is running; what a person wrote stays beside it."""
    path = switch.vsw("show")["config_file"]
    before = open(path).read()
    os.chmod(path, 0o640)
    switch.vsw("port", "add", "vm2", "type=vhost-user", "network=blue")
    assert f"config    {path}, changes by hand: 1" in switch.vsw_raw("show").stdout
    done = switch.vsw_raw("config", "diff", path)
    assert "(undoes what was done by hand)" in done.stdout
    assert f"{path} written" in switch.vsw_raw("config", "save").stdout
    assert open(path + "~").read() == before
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert "socket-mode" not in open(path).read(), "what follows from nothing is not written"
    assert switch.vsw("config", "diff", path) == []
    assert switch.vsw("show")["changes_by_hand"] == 0
    switch.reload()
    assert names(switch) == ["vm1", "vm2"]
    assert f"configuration saved to the file {path}" in switch.log()
    switch.vsw("port", "del", "vm2")
    assert "what it was" not in switch.vsw_raw("config", "save").stdout
    assert open(path + "~").read() == before, "what a person wrote stays"
    other = tmp_path / "other.yaml"
    done = switch.vsw_raw("config", "save", other)
    assert "vswd reads another file" in done.stdout
    assert other.read_text() == open(path).read()
    assert switch.vsw_raw("config", "save", tmp_path).returncode == 1
    assert switch.vsw_raw("config", "save", "/nonexistent/x.yaml").returncode == 1
    assert list(tmp_path.glob("*.yaml.*")) == [], "no draft is left"


def test_save_over_an_edited_file(switch):
    """What nobody has read yet is not lost, and what a person wrote last is FILE~."""
    path = switch.vsw("show")["config_file"]
    switch.vsw("port", "set", "vm1", "flood-limit=5")
    edited = FILE.format(dir=switch.directory) + "  vm3: { type: vhost-user, network: blue }\n"
    switch.write(edited)
    done = switch.vsw_raw("config", "save")
    assert done.returncode == 1 and f"{path} has changed since vswd read it" in done.stderr
    assert open(path).read() == edited and not os.path.exists(path + "~")
    assert switch.vsw("config", "save", "--force")["kept"] == path + "~"
    assert open(path + "~").read() == edited
    # Applied, a person's file is one that was read; and replaces an older one as what is kept.
    switch.vsw("config", "apply", path)
    switch.write(edited.replace("vm3", "vm4"))
    switch.vsw("config", "apply", path)
    switch.vsw("port", "set", "vm4", "flood-limit=6")
    assert switch.vsw_raw("config", "save").returncode == 0
    assert "vm4" in open(path + "~").read()
    os.unlink(path)
    assert switch.vsw("config", "save")["kept"] is None, "one that is gone is written anew"


def test_save_of_another_file_s_configuration(switch, tmp_path):
    """What was applied from elsewhere is said not to last, and saving makes it last."""
    path = switch.vsw("show")["config_file"]
    other = tmp_path / "other.yaml"
    other.write_text(open(path).read().replace("vm1", "vm7"))
    done = switch.vsw_raw("config", "apply", other)
    assert f"vswd was started with {path}" in done.stderr
    assert f"config    {path}, but {other} was applied since" in switch.vsw_raw("show").stdout
    switch.vsw("config", "save")
    assert '"vm7"' in open(path).read()
    assert switch.vsw("show")["config_applied"] is None
    assert "was started with" not in switch.vsw_raw("config", "apply", path).stderr


def test_save_through_links(switch, tmp_path):
    """A link stays one, wherever it leads by now, also to a file that is not there yet."""
    path = switch.config_path
    first, second = switch.directory / "first.yaml", switch.directory / "second.yaml"
    path.rename(first)
    path.symlink_to("first.yaml")
    switch.vsw("config", "save")
    assert path.is_symlink() and "config save" in first.read_text()
    second.write_text(first.read_text())
    path.unlink()
    path.symlink_to(second)
    before = first.read_text()
    switch.vsw("port", "set", "vm1", "flood-limit=5")
    switch.vsw("config", "save")
    assert "flood-limit: 5" in second.read_text() and first.read_text() == before
    path.unlink()
    path.symlink_to("third.yaml")
    umask = os.umask(0o077)
    try:
        switch.vsw("config", "save")
    finally:
        os.umask(umask)
    third = switch.directory / "third.yaml"
    assert path.is_symlink() and third.stat().st_mode & 0o777 == 0o600
    path.unlink()
    path.symlink_to(path.name)
    assert switch.vsw_raw("config", "save").returncode == 1, "a link to itself"
    path.unlink()
    third.rename(path)


def test_standard_input(switch):
    """A file that is none: as FILE of every command that reads one."""
    text = open(switch.vsw("show")["config_file"]).read()
    vsw = [program("vsw"), "--control", switch.control]
    for words, put, status, said in [
        (["config", "check"], text, 0, "correct: networks: 1, ports: 1"),
        (["config", "check"], text.replace("blue }", "bleu }"), 1, "/dev/stdin:7: ports.vm1.network"),
        (["config", "diff"], text.replace("10", "11"), 0, "vlan: 10 -> 11"),
        (["config", "apply"], text.replace("10", "11"), 0, "vlan: 10 -> 11"),
    ]:
        done = subprocess.run([*vsw, *words, "-"], input=put, capture_output=True, text=True,
                              timeout=20)
        assert done.returncode == status and said in done.stdout + done.stderr, words


def test_reload_undoes(switch):
    """A reload that takes back what was done by hand says so."""
    switch.allow("changes that were made by hand")
    switch.vsw("port", "add", "vm2", "type=vhost-user", "network=blue")
    switch.vsw("port", "set", "vm1", "flood-limit=5")
    switch.reload()
    wait_for(lambda: "changes that were made by hand and are undone by the file: 2" in switch.log(),
             10, "the warning")
    assert names(switch) == ["vm1"]
    assert switch.port("vm1")["flood_limit"] is None
    length = len(switch.log())
    switch.reload()
    assert "by hand" not in switch.log()[length:]


def test_show_as_json(switch, tmp_path):
    """The configuration as JSON has the names of the file, and is one."""
    shown = switch.vsw("config", "show")
    assert shown["ports"]["vm1"]["network"] == "blue"
    assert shown["switch"]["fdb"]["ageing"] == 300
    assert shown["switch"]["memory-limit-gib"] == shown["ports"]["vm1"]["memory-limit-gib"] == "auto"
    path = tmp_path / "config.json"
    path.write_text(json.dumps(shown))
    assert switch.vsw("config", "diff", path) == []


def test_every_key_is_in_the_manual(programs):
    """virtswitch.yaml(5) and the table of keys know the same keys, and where they end."""
    manual = (root() / "docs/man/virtswitch.yaml.5.scd").read_text()
    rows = json.loads(run_tool("vsw", "-j", "schema").stdout)
    assert len(rows) > 30
    for row in rows:
        key = re.sub(r"^[a-z]+\.", "", row["key"])
        assert f"*{key}*" in manual, f"{row['object']}: {row['key']}"
        words = row["values"].replace("|", " ").replace("-", " ").split()
        if row["values"] != row["values"].upper() and "|" in row["values"] and \
                not any(word.isdigit() for word in words):
            for word in filter(str.islower, row["values"].split("|")):
                assert f"*{word}*" in manual, f"{row['key']}: {word}"
        elif any(word.isdigit() for word in words):
            most = f"{int(words[-1]):,}"
            assert most in manual or words[-1] in manual or int(words[-1]) >= 10 ** 6, row


def test_completion_of_keys(programs):
    from test_completion import offered
    assert {"network=", "mac=", "socket="} <= offered("vsw port set vm1 ")
    assert {"vlan=", "stp=", "loops="} <= offered("vsw network add red ")
    assert offered("vsw port add x network=a trus") == {"trusted="}
    assert offered("vsw port add x mode=") == {"server", "client"}
    assert "persist=" not in offered("vsw port add x type=vhost-user ")
    assert {"persist=", "netns="} <= offered("vsw port add x type=tap ")
    assert offered("vsw network set x stp=p") == {"pass"}
    assert {"switch", "network", "port", "vhost-user"} <= offered("vsw schema ")
