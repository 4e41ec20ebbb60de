# SPDX-License-Identifier: BSD-3-Clause
"""The daemon under test, and its command line tool."""
import json
import os
import re
import signal
import subprocess

import yaml

from .process import LabError, Process, program, sanitized, wait_for, SANITIZER_ENVIRONMENT

COMPLAINT = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (?:\S+ )?(?:error|warning): .*$",
                       re.M)


def configuration(directory, ports, networks=None, **switch):
    """YAML text. ports: name to keys (type defaults to vhost-user); networks: name to VLAN id,
    or to keys."""
    networks = networks if networks is not None else {"blue": 10, "green": 20}
    return yaml.safe_dump({
        "switch": {"socket-dir": str(directory), **switch},
        "networks": {name: keys if isinstance(keys, dict) else {"vlan": keys}
                     for name, keys in networks.items()},
        "ports": {name: {"type": "vhost-user", **keys} for name, keys in ports.items()},
    }, sort_keys=False)


def run_tool(name, *arguments, timeout=20, **keywords):
    """Runs one of our programs to its end; CompletedProcess with separate text streams."""
    return subprocess.run([str(program(name)), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, env={**os.environ, **SANITIZER_ENVIRONMENT}, **keywords)


class Vswd:
    """A running vswd with its own folder of sockets.

    stop() checks the exit status, sanitizer reports, and that the log holds no error or warning
    but those that allow(regex) announced.
    """

    def __init__(self, directory, config, cpus=None, netns=None):
        self.directory = directory
        self.control = directory / "control.sock"
        self.config_path = directory / "config.yaml"
        self.log_path = directory / "vswd.log"
        self.cpus = cpus
        self.netns = netns
        # Of lines that are judged by themselves, some were left out: that is no fault.
        self.allowed = [re.compile(r"similar lines were held back")]
        self.process = None
        self.write(config)
        self.start()

    def start(self):
        """Starts it (again) and waits until it says that it is ready."""
        before = len(re.findall(r"\bready\b", self.log())) if self.log_path.exists() else 0
        self.process = Process("vswd", [program("vswd"), "--config", self.config_path, "--control",
                                        self.control], self.log_path, cpus=self.cpus,
                               netns=self.netns)
        self.process.wait_log(r".*\bready\b.*", timeout=30 if sanitized() else 10,
                              count=before + 1)

    def write(self, config):
        self.config_path.write_text(config)

    def socket(self, port):
        return self.directory / f"{port}.sock"

    def log(self):
        return self.log_path.read_text(errors="replace")

    def allow(self, *patterns):
        """Announces complaints that this test means to cause."""
        self.allowed += [re.compile(pattern) for pattern in patterns]

    def vsw(self, *arguments):
        """Runs `vsw -j ARGUMENTS`; the parsed JSON. Fails unless it exits 0."""
        done = self.vsw_raw("-j", *arguments)
        if not self.process.alive():
            raise LabError(f"vswd is dead: status {self.process.child.returncode}\n"
                           f"{self.log()[-4000:]}")
        if done.returncode != 0:
            raise LabError(f"vsw {' '.join(map(str, arguments))}: status {done.returncode}\n"
                           f"{done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def vsw_raw(self, *arguments):
        """Runs `vsw ARGUMENTS` against this daemon; CompletedProcess."""
        return run_tool("vsw", "--control", self.control, *arguments)

    def port(self, name):
        """The entry of one port in `vsw -j port show -s`."""
        for entry in self.vsw("port", "show", "-s"):
            if entry["name"] == name:
                return entry
        raise LabError(f"vsw port show names no port {name}")

    def reload(self, config=None):
        """Writes a new file where one is given, sends SIGHUP and waits for the log to answer."""
        if config is not None:
            self.write(config)
        length = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(self.log()) > length, 10, "an answer to SIGHUP in the log")

    def force(self, config):
        """Makes it the running configuration, whichever VMs it cuts off."""
        self.write(config)
        done = self.vsw_raw("config", "apply", "--force", self.config_path)
        if done.returncode != 0:
            raise LabError(done.stderr)

    def check_log(self):
        """Fails on a sanitizer report or a complaint that nobody announced."""
        self.process.check_sanitizer()
        for line in COMPLAINT.findall(self.log()):
            assert any(pattern.search(line) for pattern in self.allowed), \
                f"unexpected line in the daemon's log: {line}\n{self.log()[-4000:]}"

    def stop(self):
        """Ends it cleanly and checks how it ended."""
        status = self.process.stop(timeout=60 if sanitized() else 10)
        self.check_log()
        assert status == 0, f"vswd ended with status {status}\n{self.log()[-4000:]}"

    def kill(self):
        self.process.kill()
