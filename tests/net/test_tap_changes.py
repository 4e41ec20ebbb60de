# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of TAP ports when their surroundings or the configuration change: a namespace that goes and comes,
settings that are taken back or cannot be had, interfaces that are gone."""
import json
import os

import pytest

from lab.bed import mac
from lab.process import wait_for
from lab.taps import spaces, state, tap, wait_state, wait_up  # noqa: F401

pytestmark = pytest.mark.usefixtures("tun")


def name_of(bed, space):
    """A name of our own for the namespace, which may lead to another one later."""
    link = bed.path / "space"
    forget(bed)
    link.symlink_to(space.path)
    return str(link)


def forget(bed):
    (bed.path / "space").unlink(missing_ok=True)


def shown(space, name):
    """(MTU, MAC, whether it is up, addresses but the link's own) of an interface; None where it is not there."""
    done = space.run("ip", "-j", "address", "show", "dev", name, check=False)
    if done.returncode != 0:
        return None
    link = json.loads(done.stdout)[0]
    return (link["mtu"], link["address"], "UP" in link["flags"],
            sorted(f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] == "global"))


def interface_keys(space, number, **keys):
    """A port that is set by nobody, on an interface that may be there."""
    return {"type": "tap", "ifname": f"vsw{number}", "netns": space.path, "network": "blue", "up": False, **keys}


def refuse(bed, text):
    """What is said of a configuration that is not accepted, which must leave the running one as it is."""
    before = bed.switch.vsw("config", "show")
    path = bed.path / "refused.yaml"
    path.write_text(text)
    done = bed.switch.vsw_raw("config", "apply", path)
    assert done.returncode != 0, done.stdout
    assert bed.switch.vsw("config", "show") == before
    return done.stderr


# A port that cannot be opened, wherever it stands in the order: its socket's folder is not there.
IMPOSSIBLE = {"type": "vhost-user", "network": "blue", "socket": "/nonexistent/socket"}


def test_a_namespace_that_goes_and_comes(bed, spaces):
    a, b, c = spaces(), spaces(), spaces()
    path = name_of(bed, a)
    bed.vswd({"a": tap(a, 1, netns=path), "b": tap(b, 2)})
    wait_up(b, "10.0.0.1")
    bed.switch.allow("port a: ")
    forget(bed)
    wait_state(bed, "a", ("away", f"cannot find network namespace {path}: No such file or directory"))
    # It does not go on answering, and nobody else is held up.
    assert shown(a, "vsw1") is None
    assert b.run("ping", "-c1", "-W1", "10.0.0.1", check=False).returncode != 0
    bed.switch.vsw("network", "add", "plum", "vlan=77")
    bed.switch.vsw("port", "set", "a", "mtu=1400")
    name_of(bed, c)
    wait_state(bed, "a", ("running", None))
    wait_up(b, "10.0.0.1")
    assert shown(c, "vsw1") == (1400, mac(1), True, ["10.0.0.1/24", "fd00::1/64"])
    # Another one at once, and no timer is waited for where the configuration is changed.
    temporary = bed.path / "other"
    temporary.symlink_to(a.path)
    os.replace(temporary, bed.path / "space")
    bed.switch.vsw("network", "del", "plum")
    assert shown(c, "vsw1") is None and shown(a, "vsw1")[0] == 1400
    wait_up(b, "10.0.0.1")


def test_a_refused_change_is_put_back(bed, spaces):
    """Of interfaces that were there, of those of ours, and of those that only the refused change has."""
    a, b = spaces(), spaces()
    for number in (1, 3):
        a.run("ip", "tuntap", "add", f"vsw{number}", "mode", "tap")
        a.run("ip", "link", "set", f"vsw{number}", "mtu", 1400, "address", mac(0x40 + number))
        a.run("ip", "address", "add", f"10.9.{number}.9/24", "dev", f"vsw{number}")
        a.run("ip", "address", "add", f"fd09:{number}::9/64", "dev", f"vsw{number}")
    ports = {"a": interface_keys(a, 1), "b": tap(b, 2, mtu=1300)}
    bed.vswd(ports)
    bed.switch.allow("nonexistent", "port [a-d]: ")
    before = [shown(a, "vsw1"), shown(b, "vsw2"), shown(a, "vsw3")]
    assert before[0] == (1400, mac(0x41), False, ["10.9.1.9/24", "fd09:1::9/64"])
    said = refuse(bed, bed.text({
        "a": interface_keys(a, 1, mtu=1000, mac=mac(7), up=True, address="10.9.1.8/24", persist=True),
        "b": tap(b, 2, mac=mac(8), address="10.0.0.22/24", persist=True),
        "c": interface_keys(a, 3, mtu=900, mac=mac(9), up=True, address="10.9.3.8/24", persist=True),
        "d": tap(b, 4, persist=True), "z": IMPOSSIBLE}))
    assert "ports.z.socket" in said
    assert [shown(a, "vsw1"), shown(b, "vsw2"), shown(a, "vsw3")] == before
    assert shown(b, "vsw4") is None
    bed.switch.stop()
    assert shown(a, "vsw1")[:2] == before[0][:2] and shown(a, "vsw3") == before[2]
    assert shown(b, "vsw2") is None


def test_a_start_that_fails_leaves_nothing(bed, spaces):
    a = spaces()
    a.run("ip", "tuntap", "add", "vsw3", "mode", "tap")
    before = shown(a, "vsw3")
    bed.vswd({})
    bed.switch.stop()
    bed.switch.write(bed.text({"c": interface_keys(a, 3, mtu=900, up=True, address="10.9.3.8/24"),
                               "d": tap(a, 4, persist=True), "z": IMPOSSIBLE}))
    bed.switch.allow("nonexistent|errors|cannot")
    with pytest.raises(Exception, match="nonexistent"):
        bed.switch.start()
    assert shown(a, "vsw3") == before and shown(a, "vsw4") is None


def test_a_port_that_cannot_be_restored_stays(bed, spaces):
    """It was closed for another that turns out not to be had, and its namespace is gone meanwhile."""
    a, b = spaces(), spaces()
    a.run("ip", "tuntap", "add", "vsw1", "mode", "tap")
    path = name_of(bed, a)
    ports = {"a": tap(a, 1, netns=path), "b": tap(b, 2)}
    bed.vswd(ports)
    bed.switch.allow("port a[2]?: ", "ports.a2.")
    wait_up(b, "10.0.0.1")
    text = bed.text({"a2": tap(a, 1, netns=path, queues=2), "b": tap(b, 2)})
    # It comes back with all that it had.
    before = shown(a, "vsw1")
    said = refuse(bed, text)
    assert "ports.a2.queues: TAP vsw1 exists and was made for one queue, not 2" in said
    assert "ip link del vsw1" in said
    assert shown(a, "vsw1") == before
    wait_state(bed, "a", ("running", None))
    forget(bed)
    said = refuse(bed, text)
    assert "ports.a2.netns: cannot open network namespace" in said
    assert state(bed, "a")[0] == "away"
    bed.switch.vsw("config", "save", bed.path / "saved.yaml")
    assert "vsw1" in (bed.path / "saved.yaml").read_text()
    name_of(bed, a)
    wait_state(bed, "a", ("running", None))
    wait_up(b, "10.0.0.1")


def test_what_is_asked_for_no_more_is_given_back(bed, spaces):
    a, b = spaces(), spaces()
    a.run("ip", "tuntap", "add", "vsw1", "mode", "tap")
    a.run("ip", "link", "set", "vsw1", "mtu", 1400, "address", mac(0x41))
    bed.vswd({"a": interface_keys(a, 1), "b": interface_keys(b, 2)})
    own = shown(b, "vsw2")
    bed.switch.allow("port [ab]: ")
    for name, number in (("a", 7), ("b", 8)):
        bed.switch.vsw("port", "set", name, "mtu=9000", f"mac={mac(number)}")
    assert shown(a, "vsw1")[:2] == (9000, mac(7)) and shown(b, "vsw2")[:2] == (9000, mac(8))
    for name in "ab":
        bed.switch.vsw("port", "set", name, "mtu=", "mac=")
    assert shown(a, "vsw1")[:2] == (1400, mac(0x41)) and shown(b, "vsw2") == own
    # What is changed while it is away holds when it is back.
    bed.switch.vsw("port", "set", "a", "mtu=9000", "address=10.0.0.1/24,10.0.0.3/24")
    a.run("ip", "link", "set", "vsw1", "name", "eth9")
    wait_state(bed, "a", ("away", "interface vsw1 was renamed to eth9"))
    bed.switch.vsw("port", "set", "a", "mtu=", "address=10.0.0.3/24,10.0.0.4/24", "up=true")
    assert shown(a, "eth9") == (9000, mac(0x41), False, ["10.0.0.1/24", "10.0.0.3/24"])
    a.run("ip", "link", "set", "eth9", "name", "vsw1")
    wait_for(lambda: shown(a, "vsw1") == (1400, mac(0x41), True, ["10.0.0.3/24", "10.0.0.4/24"]), 10,
             "what was set meanwhile")
    wait_state(bed, "a", ("running", None))


def test_a_setting_that_cannot_be_had(bed, spaces):
    """It is a problem of its port, and keeps nobody from changing anything else, that port included."""
    a, b = spaces(), spaces()
    bed.vswd({"a": tap(a, 1), "b": tap(b, 2)})
    wait_up(b, "10.0.0.1")
    bed.switch.allow("port a: ", "undone by the file")
    a.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/vsw1/disable_ipv6")
    for mtu in (1400, 1401, 1402):
        bed.switch.vsw("port", "set", "a", f"mtu={mtu}")
    why = "cannot give fd00::1/64 to vsw1: Permission denied"
    assert state(bed, "a") == ("running", why) and shown(a, "vsw1")[0] == 1402
    assert bed.switch.log().count(why) == 1
    # What is asked for now must be had.
    done = bed.switch.vsw_raw("port", "set", "a", "mtu=1403", "address=10.0.0.1/24,fd00::1/64,fd00::7/64")
    assert done.returncode != 0 and "ports.a.address: cannot give fd00::7/64" in done.stderr
    assert shown(a, "vsw1")[0] == 1402
    a.run("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/vsw1/disable_ipv6")
    bed.switch.reload()
    assert state(bed, "a") == ("running", None) and "fd00::1/64" in shown(a, "vsw1")[3]


def test_a_reload_puts_right(bed, spaces):
    """What was changed or deleted by somebody else, and says what."""
    a, b = spaces(), spaces()
    bed.vswd({"a": tap(a, 1, mtu=1400), "b": tap(b, 2)})
    wait_up(b, "10.0.0.1")
    bed.switch.allow("port a: ")
    good = shown(a, "vsw1")
    a.run("ip", "link", "set", "vsw1", "mtu", 1300)
    a.run("ip", "address", "del", "10.0.0.1/24", "dev", "vsw1")
    a.run("ip", "link", "set", "vsw1", "down")
    bed.switch.reload()
    bed.switch.process.wait_log("nothing has changed in it, but was put right at ports: 1")
    assert "as it was again: MTU 1300 -> 1400, up, address 10.0.0.1/24" in bed.switch.log()
    assert shown(a, "vsw1") == good
    a.run("ip", "link", "del", "vsw1")
    wait_state(bed, "a", ("away", "interface vsw1 was deleted"))
    bed.switch.reload()
    bed.switch.process.wait_log("port a: interface vsw1 was gone: made again")
    assert shown(a, "vsw1") == good
    wait_up(b, "10.0.0.1")
    # Whoever has its name now keeps nobody from changing anything.
    a.run("sh", "-c", "ip link del vsw1 && ip link add vsw1 type bridge")
    wait_state(bed, "a", ("away", "interface vsw1 exists and is no TAP but of the kind bridge"))
    bed.switch.vsw("network", "add", "plum", "vlan=77")
    bed.switch.vsw("port", "set", "a", "mtu=")
    assert state(bed, "a")[0] == "away"


def test_two_names_of_one_namespace(bed, spaces):
    """The interface is the same: it is handed over to another port, and no two may have it."""
    a, b = spaces(), spaces()
    path = name_of(bed, a)
    bed.vswd({"a": tap(a, 1), "b": tap(b, 2)})
    wait_up(b, "10.0.0.1")
    bed.switch.allow("ports.c.")
    bed.switch.vsw("port", "set", "--force", "a", f"netns={path}")
    wait_up(b, "10.0.0.1")
    for words, key in ((("ifname=vsw1",), "ifname"), (("ifname=vsw3", "address=10.0.0.1/8"), "address")):
        done = bed.switch.vsw_raw("port", "add", "c", "type=tap", "network=blue", f"netns={a.path}", *words)
        assert done.returncode != 0 and f"ports.c.{key}: " in done.stderr and "used already by port 'a'" in done.stderr


def test_one_that_was_there_stays(bed, spaces):
    a, b = spaces(), spaces()
    a.run("ip", "tuntap", "add", "vsw1", "mode", "tap")
    bed.vswd({"a": tap(a, 1), "b": tap(b, 2, persist=True)})
    bed.switch.allow("port b: ", "ports.b.")
    for words in ("persist=true", "persist="):
        bed.switch.vsw("port", "set", "a", words)
    done = bed.switch.vsw_raw("port", "set", "b", "queues=2")
    assert done.returncode != 0 and "ports.b.queues: TAP vsw2 exists" in done.stderr
    b.run("ip", "link", "del", "vsw2")
    bed.switch.vsw("port", "set", "b", "queues=2")
    wait_up(a, "10.0.0.2")
    bed.switch.stop()
    assert shown(a, "vsw1") and shown(b, "vsw2")
