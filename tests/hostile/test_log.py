# SPDX-License-Identifier: BSD-3-Clause
"""A log that nobody reads, and peers that write into it."""
import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import time

import pytest

from lab.process import Process, program, wait_for
from lab.vswd import run_tool

PIPE_BYTES = 4096


class Unread:
    """A vswd whose stderr is a small pipe that is read only when a test says so."""

    def __init__(self, bed, level="info"):
        self.config = bed.path / "config.yaml"
        self.config.write_text(bed.text(["a"]))
        self.control = bed.path / "control.sock"
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.writer = writer
        with open(writer, "wb", closefd=False) as stderr:
            self.process = Process("vswd", [program("vswd"), "--config", self.config, "--control",
                                            self.control, "--log-level", level],
                                   bed.path / "unread.log", stderr=stderr)
        wait_for(self.control.exists, 30, "the control socket")
        bed.members.append(self)

    def ask(self, *words):
        done = run_tool("vsw", "--control", self.control, "-j", *words, timeout=10)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def lost(self):
        return int(re.search(r'"log-lines-lost":(\d+)', self.ask("show")).group(1))

    def read(self):
        """What has been written; there is room in the pipe afterwards."""
        os.set_blocking(self.reader, False)
        text = b""
        while True:
            try:
                text += os.read(self.reader, 65536)
            except BlockingIOError:
                return text.decode()

    def close(self):
        self.process.kill()
        os.close(self.reader)
        os.close(self.writer)


def test_nobody_reads_the_log(bed):
    """A peer fills the pipe with lines that it causes: the switch goes on, and says what it lost."""
    switch = Unread(bed)
    # The flags are those of everybody who shares the pipe.
    assert not fcntl.fcntl(switch.writer, fcntl.F_GETFL) & os.O_NONBLOCK

    def flooded():
        for _ in range(30):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(5)
                peer.connect(str(bed.path / "a.sock"))
                with contextlib.suppress(ConnectionResetError):
                    peer.sendall(b"nonsense" * 4)
                    peer.recv(1)
        switch.process.send_signal(signal.SIGHUP)
        return switch.lost() > 5
    wait_for(flooded, 60, "a full pipe", pause=0.3)
    assert switch.process.alive()
    assert '"name":"a"' in switch.ask("port", "show")
    lost = switch.lost()
    heard = [switch.read()]

    def said():
        switch.process.send_signal(signal.SIGHUP)
        heard.append(switch.read())
        return re.search(r"\b(\d+) lines were lost: nobody read the log", "".join(heard))
    assert int(wait_for(said, 10, "the number of lines lost", pause=0.2).group(1)) >= lost
    assert switch.process.stop() == 0


def test_nobody_reads_the_log_at_the_end(bed):
    """SIGTERM ends a switch whose log is full."""
    switch = Unread(bed)

    def full():
        switch.process.send_signal(signal.SIGHUP)
        return switch.lost()
    wait_for(full, 60, "a full pipe")
    assert switch.process.stop() == 0


@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_peer_cannot_flood_the_log(bed, level):
    """Connections, broken messages and refusals at full speed: a bounded number of lines."""
    bed.vswd_text(bed.text(["a"]))
    switch = bed.switch
    switch.allow("port a: ")
    if level == "debug":
        switch.stop()
        switch.process = Process("vswd", [program("vswd"), "--config", switch.config_path, "--control",
                                          switch.control, "--log-level", level], switch.log_path)
        switch.process.wait_log(r"\bready\b", count=2)
    length = len(switch.log().splitlines())
    begin = time.monotonic()
    rounds = 0
    while time.monotonic() < begin + 3:
        rounds += 1
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(5)
            peer.connect(str(switch.socket("a")))
            # GET_FEATURES a hundred times, then a message that no version of the protocol knows.
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                peer.sendall(bytes([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]) * 100)
                peer.sendall(bytes([0xff] * 12))
                while peer.recv(65536):
                    pass
    seconds = time.monotonic() - begin
    lines = switch.log().splitlines()[length:]
    assert rounds > 20
    most = 11 if level == "info" else 511 + 11
    assert len(lines) < most * (seconds + 2), f"{len(lines)} lines, {rounds} rounds"


def test_a_client_cannot_forge_lines(bed):
    """The name of a file that a client sends is printed, not obeyed."""
    switch = bed.vswd(["a"])
    text = switch.config_path.read_text()
    evil = "x\n00:00:00.000 error: forged\x1b[2J\u202e"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(switch.control))
        client.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "config.apply", "params":
                                   {"file": evil, "text": text}}).encode() + b"\n")
        assert b'"result"' in client.recv(65536)
    raw = switch.log_path.read_bytes()
    assert b"\\x0a00:00:00.000 error: forged\\x1b[2J\\xe2\\x80\\xae applied" in raw
    assert b"\x1b" not in raw and b"\nforged" not in raw
