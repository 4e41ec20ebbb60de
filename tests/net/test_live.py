# SPDX-License-Identifier: BSD-3-Clause
"""Changes at run time: what is not changed must not lose one frame."""
import threading
import time

import pytest

from lab.frames import ETHERTYPE_TEST, frame
from lab.process import sanitized, wait_for

pytestmark = pytest.mark.usefixtures("tun")

PAUSE = 0.0005


class Stream:
    """Numbered frames from one station to another in a thread; loss() tells what did not arrive."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.sent, self.seen, self.order_faults = 0, set(), 0
        self.stopping = False
        self.quiet_rounds = 0
        # Both stations announce themselves, so that all of the stream is unicast.
        source.raw().send(frame(target.mac, source.mac, b"hello"))
        target.raw().send(frame(source.mac, target.mac, b"hello"))
        time.sleep(0.2)
        target.raw().drain()
        self.threads = [threading.Thread(target=work) for work in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        while not self.stopping:
            self.source.raw().send(frame(self.target.mac, self.source.mac,
                                         b"SEQ" + self.sent.to_bytes(4, "big")))
            self.sent += 1
            time.sleep(PAUSE)

    def _receive(self):
        last = -1
        while not self.stopping or self.quiet_rounds < 5:
            data = self.target.raw().receive(0.1)
            self.quiet_rounds = self.quiet_rounds + 1 if data is None else 0
            if data and data[12:14] == ETHERTYPE_TEST.to_bytes(2, "big") and data[14:17] == b"SEQ":
                number = int.from_bytes(data[17:21], "big")
                self.order_faults += number <= last
                last = number
                self.seen.add(number)

    def end(self):
        """Stops both threads; fails where a frame was lost, doubled or out of order."""
        self.stopping = True
        for thread in self.threads:
            thread.join(30)
        lost = self.sent - len(self.seen)
        assert self.sent > 200, "the stream has hardly run"
        assert lost == 0, f"{lost} of {self.sent} frames lost"
        assert self.order_faults == 0, f"{self.order_faults} frames doubled or out of order"


@pytest.fixture
def running(bed):
    """Ports a and b with a stream in each direction, which must come through unharmed."""
    bed.vswd(["a", "b"])
    a, b = bed.nic("a", 1, addressed=False), bed.nic("b", 2, addressed=False)
    streams = [Stream(a, b), Stream(b, a)]
    yield bed
    problems = []
    for stream in streams:
        try:
            stream.end()
        except AssertionError as error:
            problems.append(str(error))
    assert not problems, problems


def names(bed):
    return {port["name"] for port in bed.switch.vsw("port", "show")}


def test_ports_come_and_go(running):
    bed = running
    for round_ in range(5 if sanitized() else 20):
        more = ["a", "b", *(f"x{i}" for i in range(round_ % 7 + 1))]
        bed.switch.reload(bed.text(more))
        wait_for(lambda: names(bed) == set(more), 3, "the new ports")
        assert all(bed.switch.socket(name).exists() for name in more)
        bed.switch.reload(bed.text(["a", "b"]))
        wait_for(lambda: names(bed) == {"a", "b"}, 3, "the ports to go")
        assert not bed.switch.socket("x0").exists(), "a removed port takes its socket along"


def test_connected_ports_come_and_go(running):
    """A third station joins, talks and is removed while it is connected."""
    bed = running
    for _ in range(3):
        bed.switch.reload(bed.text(["a", "b", "c"]))
        wait_for(lambda: bed.switch.socket("c").exists(), 3, "the socket of c")
        c = bed.nic("c", 3, addressed=False)
        for i in range(200):
            c.raw().send(frame("ff:ff:ff:ff:ff:ff", c.mac, b"%d" % i))
        bed.switch.force(bed.text(["a", "b"]))
        wait_for(lambda: names(bed) == {"a", "b"}, 3, "c to go")
        c.stop()


def edited(bed, **keys):
    """The configuration with another port `c`, or without one."""
    ports = {"a": {"network": "blue"}, "b": {"network": "blue"}}
    return bed.text({**ports, **keys})


def test_a_connected_port_goes_by_force_only(running):
    """Removed, renamed, or given another socket or side: its VM would be cut off, and the first word of it
    is a refusal. A name alone may change, and what nobody is connected to may go."""
    bed = running
    bed.switch.allow("would be cut off", "configuration not changed")
    plain = {"network": "blue"}
    bed.switch.reload(edited(bed, c=plain))
    wait_for(lambda: bed.switch.socket("c").exists(), 3, "the socket of c")
    c = bed.nic("c", 3, addressed=False)
    old, other = str(bed.switch.socket("c")), str(bed.path / "elsewhere.sock")
    wanted = bed.path / "wanted.yaml"
    pid = bed.switch.port("c")["peer_pid"]
    for keys in ({}, {"d": plain}, {"c": {**plain, "socket": other}},
                 {"c": {**plain, "mode": "client", "socket": other}}):
        wanted.write_text(edited(bed, **keys))
        assert "cut off" in bed.switch.vsw_raw("config", "diff", wanted).stdout, keys
        done = bed.switch.vsw_raw("config", "apply", wanted)
        assert done.returncode == 1 and f"port c: its VM (pid {pid})" in done.stderr, done.stderr
        refusals = bed.switch.log().count("configuration not changed")
        bed.switch.reload(wanted.read_text())
        bed.switch.process.wait_log("configuration not changed", count=refusals + 1)
        assert bed.switch.port("c")["connected"] and bed.switch.port("c")["peer_pid"] == pid
    # The name alone: the VM finds it where it was.
    wanted.write_text(edited(bed, d={**plain, "socket": old}))
    assert bed.switch.vsw_raw("config", "apply", wanted).returncode == 0
    wait_for(lambda: bed.switch.port("d")["connected"], 10, "the VM at the new name")
    wanted.write_text(edited(bed))
    assert bed.switch.vsw_raw("config", "apply", "--force", wanted).returncode == 0
    assert names(bed) == {"a", "b"}
    c.stop()
    # Nobody is there.
    bed.switch.reload(edited(bed, c=plain))
    wait_for(lambda: names(bed) == {"a", "b", "c"}, 10, "c to come back")
    bed.switch.reload(edited(bed))
    wait_for(lambda: names(bed) == {"a", "b"}, 10, "c to go")


def test_networks_come_and_go(running):
    bed = running
    ports = {"a": {"network": "blue"}, "b": {"network": "blue"}}
    for round_ in range(5):
        networks = {"blue": 10, "green": 20, **{f"n{i}": 100 + i for i in range(round_ + 1)}}
        extra = {f"p{i}": {"network": f"n{i}"} for i in range(round_ + 1)}
        bed.switch.reload(bed.text({**ports, **extra}, networks))
        wait_for(lambda: {entry["name"] for entry in bed.switch.vsw("network", "show")} ==
                 set(networks), 3, "the new networks")
        bed.switch.reload(bed.text(ports, {"blue": 10, "green": 20}))
        wait_for(lambda: names(bed) == {"a", "b"}, 3, "the ports to go")


def test_another_port_changes_its_network(running):
    bed = running
    ports = {"a": {"network": "blue"}, "b": {"network": "blue"}}
    bed.switch.reload(bed.text({**ports, "c": {"network": "blue"}}))
    wait_for(lambda: bed.switch.socket("c").exists(), 3, "the socket of c")
    c = bed.nic("c", 3, addressed=False)
    for network in ("green", "blue") * 3:
        bed.switch.reload(bed.text({**ports, "c": {"network": network}}))
        wait_for(lambda: bed.switch.port("c")["network"] == network, 3, "the change")
    wait_for(lambda: bed.switch.port("c")["connected"], 10, "c to be connected (again)")
    c.stop()


def test_bad_reload_changes_nothing(running):
    bed = running
    good = bed.switch.config_path.read_text()
    bed.switch.allow(r"nonsense", r"configuration", r"config\.yaml")
    bed.switch.reload(good + "nonsense: 1\n")
    assert "nonsense" in bed.switch.log()
    assert names(bed) == {"a", "b"}
    bed.switch.reload(good)


def test_config_apply_and_diff(running):
    bed = running
    other = bed.path / "other.yaml"
    other.write_text(bed.text(["a", "b", "c"]))
    done = bed.switch.vsw_raw("config", "diff", other)
    assert done.returncode == 0 and "c" in done.stdout
    assert names(bed) == {"a", "b"}, "diff only tells"
    done = bed.switch.vsw_raw("config", "apply", other)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: names(bed) == {"a", "b", "c"}, 3, "the applied port")
    assert bed.switch.vsw_raw("config", "check", other).returncode == 0
    other.write_text(bed.text(["a", "b", "c"]).replace("network: blue", "network: none", 1))
    done = bed.switch.vsw_raw("config", "apply", other)
    assert done.returncode == 1 and "other.yaml" in done.stderr
    assert names(bed) == {"a", "b", "c"}


def test_untouched_reload(running):
    for _ in range(10):
        running.switch.reload()
        time.sleep(0.05)
