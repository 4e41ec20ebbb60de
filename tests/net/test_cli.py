# SPDX-License-Identifier: BSD-3-Clause
"""The command line: exit statuses, words and JSON."""
import json
import re

import pytest

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


@pytest.mark.parametrize("name", ["vswd", "vsw", "vsw-nic"])
def test_help_and_version(programs, name):
    shown = run_tool(name, "--help")
    assert shown.returncode == 0 and "usage" in shown.stdout.lower()
    shown = run_tool(name, "--version")
    assert shown.returncode == 0 and re.search(r"\d+\.\d+", shown.stdout)


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
