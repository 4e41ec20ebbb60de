# SPDX-License-Identifier: BSD-3-Clause
"""The command line: exit statuses, words and JSON."""
import json
import re
import signal
import socket
import struct
import time

import pytest

from lab.bed import mac
from lab.frames import frame
from lab.process import Process, program, wait_for
from lab.vswd import run_tool

PORT_FIELDS = {"name", "type", "network", "connected", "mode", "features", "queues", "rx_packets",
               "rx_bytes", "tx_packets", "tx_bytes", "drops"}
SHOWING = [("show",), ("port", "show"), ("port", "show", "-s"), ("port", "show", "a"),
           ("port", "show", "-s", "a"), ("fdb", "show"), ("network", "show"), ("worker", "show"),
           ("worker", "show", "-s"), ("drops",)]


@pytest.fixture
def switch(bed):
    return bed.vswd({"a": {"network": "blue"}, "t": {"trunk": ["blue", 20], "native": "green"}})


@pytest.mark.parametrize("words", SHOWING, ids=" ".join)
def test_showing(switch, words):
    plain = switch.vsw_raw(*words)
    assert plain.returncode == 0, plain.stderr
    assert plain.stderr == ""
    json.dumps(switch.vsw(*words))


def test_port_fields(switch):
    ports = {port["name"]: port for port in switch.vsw("port", "show")}
    assert set(ports) == {"a", "t"}
    for port in ports.values():
        assert PORT_FIELDS <= set(port), PORT_FIELDS - set(port)
    assert ports["a"]["connected"] is False and ports["a"]["mode"] == "server"
    assert isinstance(ports["a"]["drops"], dict) and isinstance(ports["a"]["features"], list)


def test_one_port(switch):
    shown = switch.vsw("port", "show", "a")
    shown = shown if isinstance(shown, list) else [shown]
    assert [port["name"] for port in shown] == ["a"]
    assert "a" in switch.vsw_raw("port", "show", "a").stdout


def test_figures_of_queues_and_stages(bed):
    """Traffic over two queues: what the queues counted is the port's, and every stage took time."""
    bed.vswd({"a": {"network": "blue", "queues": 2}, "b": {"network": "blue"}})
    a, b = bed.nic("a", 1, queues=2), bed.nic("b", 2)
    # Batches are measured one in about 16, so that not every ping is.
    assert a.ping(b.ip, 100) == (100, 100)
    for name, queues in (("a", 2), ("b", 1)):
        port = bed.switch.port(name)
        assert [entry["queue"] for entry in port["per_queue"]] == list(range(queues))
        for key in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes"):
            assert sum(entry[key] for entry in port["per_queue"]) == port[key] > 0
    worker = bed.switch.vsw("worker", "show")[0]
    assert 0 < worker["measured_frames"] < worker["frames"] / 4
    assert list(worker["stages"]) == ["receive", "parse", "forward", "send", "release", "kick"]
    assert all(cycles > 0 for cycles in worker["stages"].values())
    bed.switch.vsw("worker", "show", "--reset")
    plain = bed.switch.vsw_raw("worker", "show", "-s").stdout.splitlines()
    assert plain[0].split()[-6:] == ["RECEIVE", "PARSE", "FORWARD", "SEND", "RELEASE", "KICK"]


def test_networks(switch):
    assert {(entry["name"], entry["vlan"]) for entry in switch.vsw("network", "show")} == \
        {("blue", 10), ("green", 20)}


@pytest.mark.parametrize("words", [("port", "show", "nosuch"),
                                   ("port", "args", "nosuch", "--vmm", "qemu"),
                                   ("config", "check", "/nonexistent.yaml"),
                                   ("config", "apply", "/nonexistent.yaml"),
                                   ("config", "diff", "/nonexistent.yaml")], ids=" ".join)
def test_refused(switch, words):
    done = switch.vsw_raw(*words)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert words[2] in done.stderr


@pytest.mark.parametrize("words", [(), ("nonsense",), ("port",), ("port", "nonsense"),
                                   ("port", "args", "a", "--vmm", "vmware"), ("port", "args"),
                                   ("config",), ("config", "check"), ("--nonsense",),
                                   ("worker", "show", "--nonsense"), ("fdb", "show", "extra")],
                         ids=lambda words: " ".join(words) or "nothing")
def test_wrong_usage(switch, words):
    done = switch.vsw_raw(*words)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stderr.strip()


@pytest.mark.parametrize("words", [("--nonsense",), ("--config",), (), ("extra",)],
                         ids=lambda words: " ".join(words) or "nothing")
@pytest.mark.parametrize("name", ["vswd", "vsw-nic"])
def test_programs_refuse_wrong_usage(programs, name, words):
    done = run_tool(name, *words, timeout=5)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stderr.strip()


@pytest.mark.parametrize("name", ["vswd", "vsw", "vsw-nic", "vsw-bench"])
def test_help_and_version(programs, name):
    shown = run_tool(name, "--help")
    assert shown.returncode == 0 and "usage" in shown.stdout.lower()
    assert run_tool(name, "-h").stdout == shown.stdout
    shown = run_tool(name, "--version")
    assert shown.returncode == 0
    assert re.fullmatch(rf"{name} \(virtswitch\) \d+\.\d+\.\d+\n", shown.stdout)
    assert run_tool(name, "-V").stdout == shown.stdout


@pytest.mark.parametrize("words", SHOWING, ids=" ".join)
def test_no_daemon(bed, words):
    done = run_tool("vsw", "--control", bed.path / "control.sock", *words)
    assert done.returncode == 1
    assert "vswd" in done.stderr and str(bed.path / "control.sock") in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("vmm", ["qemu", "libvirt", "cloud-hypervisor"])
def test_port_args(switch, vmm):
    done = switch.vsw_raw("port", "args", "a", "--vmm", vmm)
    assert done.returncode == 0, done.stderr
    assert str(switch.socket("a")) in done.stdout
    assert re.search({"qemu": "share=on", "libvirt": "access mode=['\"]shared['\"]",
                      "cloud-hypervisor": "shared=on"}[vmm], done.stdout), \
        "the guest's memory must be shared"


def test_port_args_of_many_ports(bed):
    """One address for each, and the same ones after a restart and beside other ports."""
    def addresses(names):
        found = {}
        for name in names:
            words = bed.switch.vsw_raw("port", "args", name, "--vmm", "qemu").stdout
            found[name] = re.search(r"mac=([0-9a-f:]+)", words).group(1)
        return found
    few = [f"vm{i}" for i in range(8)]
    bed.vswd(few)
    before = addresses(few)
    assert len(set(before.values())) == len(few)
    configured = {name: {"network": "blue"} for name in few}
    configured["a"] = {"network": "green", "mac": before["vm3"]}
    bed.switch.reload(bed.text(configured))
    during = addresses(configured)
    assert during["a"] == before["vm3"] and len(set(during.values())) == len(configured)
    assert {name: during[name] for name in few if name != "vm3"} == \
        {name: before[name] for name in few if name != "vm3"}
    bed.switch.stop()
    bed.switch.write(bed.text(few))
    bed.switch.start()
    assert addresses(few) == before
    assert {port["name"]: port["vm_mac"] for port in bed.switch.vsw("port", "show")} == before


def test_worker_reset(switch):
    before = switch.vsw("worker", "show")
    assert before
    assert switch.vsw_raw("worker", "show", "--reset").returncode == 0
    assert len(switch.vsw("worker", "show")) == len(before)


@pytest.mark.parametrize("words, parts", [
    (("-h",), ["usage: vsw", "vsw port show"]),
    (("help",), ["usage: vsw", "vsw port show"]),
    (("port", "show", "-h"), ["usage: vsw port show", "--watch [SECONDS]", "--state"]),
    (("help", "port", "show"), ["usage: vsw port show", "--sort COLUMN"]),
    (("help", "lease"), ["vsw lease del ADDRESS --network NAME "]),
    (("help", "port"), ["vsw port args NAME", "vsw port reset NAME..."]),
    (("port", "--help"), ["vsw port show"]),
    (("-V",), ["vsw (virtswitch) "])], ids=lambda value: " ".join(value))
def test_help(programs, words, parts):
    """Without a daemon, on stdout."""
    done = run_tool("vsw", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(part in done.stdout for part in parts), done.stdout


@pytest.mark.parametrize("words, message", [
    (("prt",), "vsw: 'prt' is not a vsw command: did you mean 'port'?"),
    (("ports", "show"), "vsw: 'ports' is not a vsw command: did you mean 'port'?"),
    (("unheard",), "vsw: 'unheard' is not a vsw command. See 'vsw --help'"),
    (("port", "shwo"), "vsw: 'port shwo' is not a vsw command: did you mean 'port show'?"),
    (("log", "level", "debugg"), "vsw: 'debugg' is not a log level: error, "),
    (("fdb", "del", "02:00:00:00:00:01"), "vsw fdb del: the option --network NAME is missing"),
    (("port",), "vsw: 'port' needs a verb: show, "),
    (("port", "nonsense"), "vsw: 'port nonsense' is not a vsw command; verbs: show, "),
    (("help", "port", "nonsense"), "vsw: 'port nonsense' is not a vsw command"),
    (("fdb", "show", "extra"), "vsw fdb show: unexpected argument 'extra'"),
    (("fdb", "show", "--reset"), "vsw fdb show: it takes no option --reset"),
    (("port", "args", "a"), "vsw port args: the option --vmm VMM is missing"),
    (("port", "reset"), "vsw port reset: NAME is missing"),
    (("port", "show", "--watch", "0"), "--watch: '0' is not a number of seconds"),
    (("port", "show", "--state", "up"), "no port is ever 'up'; states: running, "),
    (("port", "show", "--state", "awya"), "did you mean 'away'?"),
    (("port", "show", "--sort", "colour"), "unknown column 'colour'; columns: NAME "),
    (("-j", "port", "show", "--exact"), "are for tables")], ids=lambda value: " ".join(value))
def test_wrong_usage_is_named(switch, words, message):
    done = switch.vsw_raw(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_version(switch):
    shown = switch.vsw("version")
    assert shown["pid"] == switch.process.pid and shown["vsw"] == shown["vswd"]
    assert f"pid {switch.process.pid}" in switch.vsw_raw("version").stdout


def test_version_alone(bed):
    """Our own is told in any case, and that nobody tells the other."""
    control = bed.path / "control.sock"
    done = run_tool("vsw", "--control", control, "version")
    assert done.returncode == 0 and re.fullmatch(r"vsw  \d+\.\d+\.\d+\n", done.stdout)
    assert "there is no socket" in done.stderr
    done = run_tool("vsw", "--control", control, "-j", "version")
    assert done.returncode == 0 and json.loads(done.stdout)["vswd"] is None


def test_forgetting_addresses(bed):
    """Addresses that were learned are forgotten on demand, and learned again."""
    switch = bed.vswd({"a": {"network": "blue"}, "b": {"network": "blue", "mac": mac(2)}})
    a = bed.nic("a", 1)
    bed.nic("b", 2)
    assert a.ping("10.0.0.2", 1) == (1, 1)
    done = switch.vsw_raw("fdb", "flush", "--port", "a")
    assert re.fullmatch(r"addresses forgotten: [1-9]\n", done.stdout), done.stderr
    assert a.ping("10.0.0.2", 1) == (1, 1)
    learned = [entry["mac"] for entry in switch.vsw("fdb", "show") if entry["port"] == "a"]
    assert switch.vsw("fdb", "del", learned[0], "--network", "blue") == {"addresses": 1}
    for words, said in [(("del", mac(2), "--network", "blue"), "bound to a port"),
                        (("flush", "--network", "bleu"), "did you mean 'blue'?"),
                        (("flush", "--port", "c"), "no port 'c'")]:
        done = switch.vsw_raw("fdb", *words)
        assert done.returncode == 1 and said in done.stderr
    assert "control: refused: fdb.flush: no port 'c'" in switch.log()


def names(done):
    """The first column of a table, without its title."""
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split()[0] for line in done.stdout.splitlines()[1:]]


def test_sorting_and_filters(bed):
    switch = bed.vswd({"b": {"network": "blue", "queues": 2}, "a": {"network": "green"},
                       "t": {"trunk": ["blue"], "native": "green", "queues": 4}})
    raw = switch.vsw_raw
    assert names(raw("port", "show", "--sort", "queues")) == ["t", "b", "a"]
    assert names(raw("port", "show", "--sort", "-QUEUES")) == ["a", "b", "t"]
    assert names(raw("port", "show", "--sort=-name")) == ["t", "b", "a"]
    assert names(raw("port", "show", "--network", "blue")) == ["b", "t"]
    assert names(raw("port", "show", "--network", "green", "--state", "down")) == ["a", "t"]
    assert names(raw("port", "show", "--state", "running")) == []
    assert names(raw("network", "show", "--port", "t")) == ["blue", "green"]
    assert names(raw("network", "show", "--port", "b")) == ["blue"]
    # One of a single port keeps the order of its queues.
    assert raw("port", "show", "-s", "t", "--sort", "name").stdout.count("\n") == 8
    assert [port["name"] for port in switch.vsw("port", "show", "--network", "blue")] == ["b", "t"]


@pytest.mark.parametrize("words, message", [
    (("port", "show", "--network", "bleu"), "vsw: no network 'bleu': did you mean 'blue'?\n"),
    (("fdb", "show", "--port", "nope"), "vsw: no port 'nope'\n"),
    (("-j", "drops", "--port", "nope"), "vsw: no port 'nope'\n"),
    (("network", "show", "--network", "nope"), "vsw: no network 'nope'\n"),
    (("port", "show", "--watch", "abc"), "vsw: no port 'abc'\n"
     "vsw: the 'abc' behind --watch is a name: seconds are a number, such as 2\n")],
    ids=lambda value: " ".join(value))
def test_names_that_nothing_has(switch, words, message):
    """Asked for, they are a slip and no empty table."""
    done = switch.vsw_raw(*words)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)


def test_sorting_by_drops(bed):
    """By how many there are, not by the first letter of the reason."""
    bed.vswd({name: {"network": "blue", "mac": mac(i)} for i, name in enumerate("abc", 1)})
    for i, name in enumerate("bc"):
        nic = bed.nic(name, 9, addressed=False)
        for _ in range(40 if i else 4):
            nic.raw().send(frame(mac(1), mac(9)))
        wait_for(lambda: bed.switch.port(name)["drops"]["spoofed-source"] >= (40 if i else 4), 10,
                 "the refusals")
    assert names(bed.switch.vsw_raw("port", "show", "-s", "--sort", "drops")) == ["c", "b", "a"]


def test_watch(bed):
    """Rates while a ping runs, as lines of JSON and as tables, until the daemon goes."""
    bed.vswd({"a": {"network": "blue"}, "b": {"network": "blue"}})
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    assert a.ping(b.ip, 3) == (3, 3)
    command = [program("vsw"), "--control", bed.switch.control]
    watching = Process("vsw", [*command, "-j", "port", "show", "--watch", "0.2", "--port", "a"],
                       bed.path / "wrong.log")
    assert watching.wait() == 2, "a port is named without an option"
    lines = Process("vsw", [*command, "-j", "port", "show", "a", "--watch=0.2"],
                    bed.path / "lines.log")
    tables = Process("vsw", [*command, "worker", "show", "--watch", "0.2", "--exact"],
                     bed.path / "tables.log")
    try:
        lines.wait_log("rx_packets_per_second", count=2)
        for _ in range(20):
            a.ping(b.ip, 20)
            shown = [json.loads(line)[0] for line in lines.log().splitlines() if line[-1:] == "]"]
            rates = [port["rx_packets_per_second"] for port in shown]
            if any(rate for rate in rates):
                break
        assert rates[0] is None and max(rates[1:]) > 0, rates
        assert max(port["rx_bits_per_second"] for port in shown[1:]) > 8 * max(rates[1:])
        tables.wait_log("FRAMES/S", count=2)
        bed.switch.stop()
        for process in (lines, tables):
            assert process.wait() == 1
            assert "there is no socket" in process.log() or "gives no answer" in process.log()
    finally:
        lines.kill()
        tables.kill()


def test_port_reset(bed):
    """Figures start again, for the ports that are named and in `drops`; the others go on."""
    bed.vswd({"a": {"network": "blue"}, "b": {"network": "blue"}, "c": {"network": "blue"}})
    a, b = bed.nic("a", 1), bed.nic("b", 2)
    assert a.ping(b.ip, 5) == (5, 5)
    before = {name: bed.switch.port(name) for name in "abc"}
    assert before["a"]["rx_packets"] >= 5 and before["c"]["drops"]
    done = bed.switch.vsw_raw("port", "reset", "a", "nosuch")
    assert (done.returncode, done.stderr) == (1, "vsw: no port 'nosuch'\n")
    assert bed.switch.port("a")["rx_packets"] >= before["a"]["rx_packets"]
    done = bed.switch.vsw_raw("port", "reset", "a", "c")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    after = {name: bed.switch.port(name) for name in "abc"}
    assert after["a"]["rx_packets"] < 5 and after["b"]["tx_packets"] >= 5
    assert sum(after["c"]["drops"].values()) < sum(before["c"]["drops"].values())
    assert a.ping(b.ip, 5) == (5, 5)
    assert bed.switch.port("a")["rx_packets"] >= 5


def test_log_level(bed):
    """More at once, and less again; those who may only look may not."""
    switch = bed.vswd(["a"])
    assert switch.vsw("log", "level") == {"level": "info"}
    assert switch.vsw_raw("log", "level", "debug").stdout == "debug\n"
    switch.process.wait_log("log level: info -> debug")
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(switch.socket("a")))
        peer.sendall(struct.pack("<III", 1, 1, 0))  # GET_FEATURES
        switch.process.wait_log("vswd debug: ")
    assert switch.vsw_raw("log", "level", "loud").returncode == 2
    assert switch.vsw_raw("log", "level", "error").returncode == 0
    length = len(switch.log())
    switch.vsw_raw("config", "apply", switch.config_path)
    assert len(switch.log()) == length


def test_a_stopped_daemon_is_told_of(switch):
    switch.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        done = switch.vsw_raw("show")
        assert time.monotonic() - began < 6
    finally:
        switch.process.send_signal(signal.SIGCONT)
    assert done.returncode == 1
    assert f"(pid {switch.process.pid}) does not answer: it is stopped" in done.stderr


def test_nobody_listens(bed):
    """A socket that a daemon left behind, and what is none."""
    path = bed.path / "control.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    done = run_tool("vsw", "--control", path, "show")
    assert done.returncode == 1 and f"nobody listens at {path}: vswd does not run" in done.stderr
    path.unlink()
    path.write_text("")
    assert f"{path} is not a socket" in run_tool("vsw", "--control", path, "show").stderr
