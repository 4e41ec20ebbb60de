# SPDX-License-Identifier: BSD-3-Clause
"""vsw-bench against a real switch: every kind of device and frame, nothing lost, every byte right.

    vsw-bench port 1 (02:00:01:...) -- vswd [blue] -- (02:00:02:...) port 2 vsw-bench
"""
import json
import os
import signal
import socket
import struct
import subprocess
import sys

import pytest

from lab.process import Process, build_folder, program, root, wait_for
from lab.vswd import run_tool

# Long enough for a machine that is busy with something else.
PATIENCE = 60

COUNTERS = {"sent", "received", "mpps", "gbps", "late", "corrupted", "foreign", "kicks"}
OPTIONS = {"mode", "size", "ports", "active", "unidirectional", "flows", "macs", "queues",
           "queue_size", "packed", "mergeable", "event_index", "verify", "rate", "tso", "in_order",
           "null", "null_copy"}


@pytest.fixture(autouse=True)
def bench(programs):
    if programs("vsw-bench") is None:
        pytest.fail("vsw-bench is not built: run make first")


def measure(*words, timeout=PATIENCE):
    """Runs vsw-bench for a second; the parsed result. Fails unless it was clean."""
    done = run_tool("vsw-bench", "--duration", 1, "--warmup", 0, "--connect", 20, "--json", *words,
                    timeout=timeout)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert done.stderr == "measuring\n"
    return json.loads(done.stdout)


def ports(bed, *names, suffix=""):
    return [f"--port={bed.path / name}.sock{suffix}" for name in names]


def check(told, lost=0):
    """What holds of every run between two ports that lost no more than said."""
    assert COUNTERS | {"options", "seconds", "lost", "latency_ns", "port"} <= set(told)
    assert OPTIONS <= set(told["options"])
    assert told["lost"] <= lost
    assert told["late"] == told["corrupted"] == told["foreign"] == 0
    assert told["sent"] > 0 and told["received"] > 0
    assert 0.9 < told["seconds"] < 30
    assert told["mpps"] == pytest.approx(told["received"] / told["seconds"] / 1e6, rel=0.01)
    for counter in ("sent", "received", "kicks"):
        assert told[counter] == sum(port[counter] for port in told["port"])


def received_gbps(told, size):
    return told["received"] * size * 8 / told["seconds"] / 1e9


@pytest.mark.parametrize("order", [[], ["--in-order"]], ids=["any-order", "in-order"])
@pytest.mark.parametrize("queues", [1, 4])
@pytest.mark.parametrize("mergeable", [[], ["--no-mergeable"]], ids=["mergeable", "whole"])
@pytest.mark.parametrize("layout", [[], ["--packed"]], ids=["split", "packed"])
def test_devices(bed, layout, mergeable, queues, order):
    bed.vswd({name: {"network": "blue", "queues": queues} for name in ("a", "b")})
    told = measure(*ports(bed, "a", "b"), "--queues", queues, "--verify", *layout, *mergeable,
                   *order)
    check(told)
    assert told["options"]["queues"] == queues
    assert told["options"]["packed"] == bool(layout)
    assert told["options"]["mergeable"] == (not mergeable)
    assert told["options"]["in_order"] == bool(order)
    assert told["gbps"] == pytest.approx(received_gbps(told, 64), rel=0.01)
    for name in ("a", "b"):
        queues_used = [entry for entry in bed.switch.port(name)["per_queue"] if entry["rx_packets"]]
        assert len(queues_used) == queues


@pytest.mark.parametrize("words", [
    [], ["--no-mergeable"], ["--packed"], ["--packed", "--no-mergeable", "--in-order"],
    ["--in-order", "--queue-size", "1024"], ["--size", "1515"],
    ["--size", "65549"], ["--size", "65549", "--no-mergeable"], ["--queues", "2"],
    ["--no-event-index", "--packed"]], ids=lambda words: " ".join(words) or "default")
def test_segments(bed, words):
    """TCP segments of 64 KiB arrive uncut, with all their bytes and the header to cut them by."""
    bed.vswd({name: {"network": "blue", "queues": 2} for name in ("a", "b")})
    told = measure(*ports(bed, "a", "b"), "--tso", "--verify", *words)
    check(told)
    size = told["options"]["size"]
    assert told["options"]["tso"] is True
    assert size == (int(words[words.index("--size") + 1]) if "--size" in words else 65000)
    assert told["gbps"] == pytest.approx(received_gbps(told, size), rel=0.01)
    assert bed.switch.port("a")["rx_bytes"] >= told["port"][0]["sent"] * size


@pytest.mark.parametrize("words", [
    ["--size", "imix"], ["--size", "1514"], ["--size", "9000"],
    ["--size", "9000", "--no-mergeable"],
    ["--size", "65535", "--packed"], ["--macs", "300", "--flows", "1000"], ["--unidirectional"],
    ["--window", "7"], ["--queue-size", "64"]], ids=" ".join)
def test_frames(bed, words):
    bed.vswd(["a", "b"])
    told = measure(*ports(bed, "a", "b"), "--verify", *words)
    check(told)
    assert told["latency_ns"] is None and told["options"]["mode"] == "throughput"
    if "--unidirectional" in words:
        assert told["port"][0]["sent"] == told["sent"] and told["port"][1]["sent"] == 0


def test_four_ports(bed):
    bed.vswd({"a": {"network": "blue"}, "b": {"network": "blue"}, "c": {"network": "green"},
              "d": {"network": "green"}})
    told = measure(*ports(bed, "a", "b", "c", "d"), "--verify")
    check(told)
    assert len(told["port"]) == 4 and all(port["sent"] for port in told["port"])
    told = measure(*ports(bed, "a", "b", "c", "d"), "--active", 2)
    check(told)
    assert len(told["port"]) == 2


def percentiles_rise(latency):
    values = [latency[key] for key in ("least", "p50", "p90", "p99", "p99_9", "most")]
    assert values == sorted(values) and values[0] > 0
    assert values[0] <= latency["mean"] <= values[-1]


@pytest.mark.parametrize("words", [[], ["--tso"], ["--packed", "--in-order", "--interval", "500"]],
                         ids=lambda words: " ".join(words) or "default")
def test_ping(bed, words):
    bed.vswd(["a", "b"])
    told = measure(*ports(bed, "a", "b"), "--ping", "--verify", *words)
    check(told, lost=1)
    latency = told["latency_ns"]
    percentiles_rise(latency)
    assert told["options"]["mode"] == "ping"
    # A round trip is two frames; the last one may have been cut off.
    assert 0 <= told["sent"] - 2 * latency["count"] <= 2
    if "--interval" in words:
        assert latency["count"] <= 2001 * told["seconds"]


# There is no window: rings that hold what is due after a pause of half a second.
@pytest.mark.parametrize("words", [
    [], ["--tso", "--packed", "--no-mergeable", "--queue-size", "512"]], ids=["plain", "tso"])
def test_rate(bed, words):
    bed.vswd(["a", "b"])
    told = measure(*ports(bed, "a", "b"), "--rate", 2000, "--verify", *words)
    check(told)
    assert told["options"]["mode"] == "rate" and told["options"]["rate"] == 2000
    # What was due is sent at last, however late.
    assert told["sent"] == pytest.approx(2000 * told["seconds"], rel=0.2)
    percentiles_rise(told["latency_ns"])
    assert told["latency_ns"]["count"] == pytest.approx(told["sent"], rel=0.2)


@pytest.mark.parametrize("words", [[], ["--packed", "--queues", "2"]], ids=["split", "packed"])
def test_server_sockets(bed, words):
    """vsw-bench listens, the switch connects; and one port of either kind."""
    client = {name: {"network": "blue", "mode": "client", "queues": 2,
                     "socket": str(bed.path / f"{name}.sock")} for name in ("a", "b")}
    bed.vswd({**client, "c": {"network": "blue", "queues": 2}}).allow("cannot connect to")
    check(measure(*ports(bed, "a", "b", suffix=",server"), "--verify", *words))
    check(measure(*ports(bed, "a", suffix=",server"), *ports(bed, "c"), "--verify", *words))


def test_text(bed):
    bed.vswd(["a", "b"])
    done = run_tool("vsw-bench", "--duration", 1, "--warmup", 0, *ports(bed, "a", "b"),
                    "--tso", "--in-order", timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("65000 bytes (TSO), 2 ports (2 send), 1 queue pairs, "
                               "split rings in order, ")
    assert lines[1].startswith("sent ") and lines[2].startswith("received ")
    assert lines[3].startswith("lost 0, out of order 0, corrupted 0, foreign 0, kicks ")


def hold(bed, *words):
    process = Process("vsw-bench", [program("vsw-bench"), "--hold", *words], bed.path / "hold.log")
    bed.members.append(Held(process))
    process.wait_log("^ready$", 20)
    return process


class Held:
    """Lets the bed end a vsw-bench."""

    def __init__(self, process):
        self.close = process.kill


def test_hold(bed):
    """Silent until a signal, and connected again after the switch was away."""
    bed.vswd(["a", "b"])
    process = hold(bed, *ports(bed, "a", "b"))
    for name in ("a", "b"):
        assert bed.switch.port(name)["connected"] and bed.switch.port(name)["rx_packets"] == 0
    bed.switch.stop()
    bed.switch.start()
    wait_for(lambda: all(bed.switch.port(name)["connected"] for name in ("a", "b")), 30,
             "connected again")
    assert process.alive()
    assert process.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run(bed, number):
    bed.vswd(["a", "b"])
    process = Process("vsw-bench", [program("vsw-bench"), "--duration", 600, *ports(bed, "a", "b")],
                      bed.path / "bench.log")
    try:
        process.wait_log("^measuring$", 20)
        assert process.stop(number, timeout=20) == 1
        assert "stopped" in process.log()
    finally:
        process.kill()


@pytest.mark.parametrize("words", [[], ["--ping"], ["--packed", "--in-order"], ["--tso"],
                                   ["--rate", "1000"]],
                         ids=lambda words: " ".join(words) or "plain")
def test_a_backend_that_goes_away(bed, words):
    """An error that names the port, and no hang."""
    bed.vswd(["a", "b"])
    process = Process("vsw-bench", [program("vsw-bench"), "--duration", 600, *ports(bed, "a", "b"),
                                    *words], bed.path / "bench.log")
    try:
        process.wait_log("^measuring$", 20)
        bed.switch.kill()
        assert process.wait(20) == 1
        assert "lost its connection" in process.log()
        assert "port 1" in process.log() or "port 2" in process.log()
    finally:
        process.kill()
    bed.switch.start()


def test_a_backend_that_stands_still(bed):
    """Nothing arrives: the run ends in its time, and says so."""
    bed.vswd(["a", "b"])
    process = Process("vsw-bench", [program("vsw-bench"), "--duration", 3, "--warmup", 0,
                                    *ports(bed, "a", "b"), "--ping"], bed.path / "bench.log")
    try:
        process.wait_log("^measuring$", 20)
        bed.switch.process.send_signal(signal.SIGSTOP)
        process.wait(30)
    finally:
        bed.switch.process.send_signal(signal.SIGCONT)
        process.kill()
    assert "lost 0," not in process.log() and "lost " in process.log()


def test_nobody_there(bed):
    done = run_tool("vsw-bench", *ports(bed, "a", "b"), "--connect", 1)
    assert done.returncode == 1
    assert "port 1" in done.stderr and "a.sock" in done.stderr


VERSION_1 = 1 << 32
CSUM, GUEST_CSUM, GUEST_TSO4, HOST_TSO4 = 1 << 0, 1 << 1, 1 << 7, 1 << 11
TSO = CSUM | GUEST_CSUM | GUEST_TSO4 | HOST_TSO4


@pytest.mark.parametrize("words, offered, named", [
    (["--in-order"], VERSION_1, ["--in-order", "VIRTIO_F_IN_ORDER"]),
    (["--packed"], VERSION_1, ["--packed", "VIRTIO_F_RING_PACKED"]),
    (["--tso"], VERSION_1 | TSO & ~HOST_TSO4, ["--tso", "VIRTIO_NET_F_HOST_TSO4"]),
    (["--tso"], VERSION_1 | TSO & ~GUEST_TSO4, ["--tso", "VIRTIO_NET_F_GUEST_TSO4"]),
    (["--tso"], VERSION_1 | TSO & ~CSUM, ["--tso", "VIRTIO_NET_F_CSUM"]),
    (["--tso"], VERSION_1 | TSO & ~GUEST_CSUM, ["--tso", "VIRTIO_NET_F_GUEST_CSUM"]),
], ids=lambda value: value[-1] if isinstance(value, list) else "")
def test_a_backend_that_offers_too_little(bed, words, offered, named):
    """Refused at once, by the name of what is missing."""
    path = bed.path / "poor.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(20)
        process = Process("vsw-bench", [program("vsw-bench"), "--hold", "--connect", 600,
                                        f"--port={path}", *words], bed.path / "bench.log")
        try:
            with listener.accept()[0] as peer:
                peer.settimeout(20)
                answer_features(peer, offered)
                assert process.wait(20) == 1
        finally:
            process.kill()
    assert all(name in process.log() for name in named), process.log()


def answer_features(peer, offered):
    """Plays a backend until the frontend knows what is offered, and gives up."""
    while True:
        header = peer.recv(12, socket.MSG_WAITALL)
        if len(header) < 12:
            return
        request, _, size = struct.unpack("<III", header)
        if size:
            peer.recv(size, socket.MSG_WAITALL)
        if request == 1:
            peer.sendall(struct.pack("<IIIQ", request, 5, 8, offered))


@pytest.mark.parametrize("words", [
    ["--size", "59"], ["--size", "65536"], ["--size", "imix", "--tso"], ["--size", "1514", "--tso"],
    ["--size", "65550", "--tso"], ["--queues", "0"], ["--queues", "129"], ["--queue-size", "1000"],
    ["--rate", "0"], ["--active", "3"], ["--duration", "x"], ["--window", "5", "--overload"],
    ["--ping", "--hold"], ["--ping", "--rate", "5"], ["--cpu", "9999"], ["--null"], ["--null-copy"],
    ["--tso=yes"], ["--in-order=1"], ["--no-such-thing"]], ids=" ".join)
def test_wrong_options(bed, words):
    done = run_tool("vsw-bench", *ports(bed, "a", "b"), *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words[0].split("=")[0].replace("--null-copy", "--null") in done.stderr, done.stderr
    assert "--help" in done.stderr


@pytest.mark.parametrize("words", [["--queues", "2"], ["--hold"], ["--tso", "--size", "64"]],
                         ids=" ".join)
def test_wrong_options_without_sockets(words):
    done = run_tool("vsw-bench", "--null", *words)
    assert done.returncode == 2
    assert words[-2 if len(words) > 2 else 0] in done.stderr, done.stderr


@pytest.mark.parametrize("words", [
    [], ["--packed"], ["--in-order"], ["--packed", "--in-order"], ["--verify", "--size", "9000"],
    ["--tso"], ["--tso", "--verify", "--packed"], ["--ping"], ["--rate", "1000"],
    ["--size", "imix", "--no-event-index"]], ids=lambda words: " ".join(words) or "default")
def test_null(words):
    told = measure("--null", *words)
    check(told, lost=1 if "--ping" in words else 0)
    assert told["options"]["null"] is True and told["options"]["null_copy"] is False
    assert told["generator_cycles_per_frame"] > 0


@pytest.mark.parametrize("words", [[], ["--tso"], ["--tso", "--packed", "--in-order"],
                                   ["--size", "1514", "--verify"]],
                         ids=lambda words: " ".join(words) or "default")
def test_null_copy(words):
    told = measure("--null-copy", *words)
    check(told)
    assert told["options"]["null"] is True and told["options"]["null_copy"] is True


def test_no_output_is_an_error(bed):
    """A result that could not be written is a failure."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this machine has no /dev/full")
    bed.vswd(["a", "b"])
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([program("vsw-bench"), "--duration", "1", "--warmup", "0", "--json",
                               *ports(bed, "a", "b")], stdout=full, stderr=subprocess.PIPE,
                              timeout=PATIENCE, check=False, text=True)
    assert done.returncode == 1
    assert "cannot write the result" in done.stderr


@pytest.mark.long
def test_comparison(programs, tmp_path):
    """The script behind `make bench`, as short as it can be: figures, targets and a chart."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two CPUs")
    done = subprocess.run(
        [sys.executable, root() / "bench" / "bench"], capture_output=True, text=True, timeout=600,
        env={**os.environ, "SERIES": "sizes tso", "SIZES": "64 1500", "ROUNDS": "1", "SECONDS": "1",
             "SWITCHES": "virtswitch memcpy", "RESULTS": str(tmp_path),
             "VSW_BUILD": str(build_folder())})
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    told = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert {(run["series"], run["switch"]) for run in told["runs"]} == {
        ("sizes", "virtswitch"), ("tso", "virtswitch"), ("tso", "memcpy")}
    for run in told["runs"]:
        assert run["mpps"] > 0 and (run["cycles"] or run["switch"] == "memcpy")
    if not any(run.get("moved") for run in told["runs"]):
        assert told["summary"] and told["targets"]
        assert len(list(tmp_path.glob("*sizes*.svg"))) == 2
