# SPDX-License-Identifier: BSD-3-Clause
"""QEMU's monitor protocol: as much of it as a test needs."""
import json
import socket

from .process import LabError, wait_for


class Qmp:
    """A connection to the monitor at a unix socket, which QEMU has or will soon have."""

    @staticmethod
    def arguments(path):
        """The words for QEMU's command line."""
        return ["-qmp", f"unix:{path},server=on,wait=off"]

    def __init__(self, path):
        self.socket = wait_for(lambda: self._connect(path), 10, f"a monitor at {path}")
        self.socket.settimeout(20)
        self.stream = self.socket.makefile("rw")
        self._read()  # the greeting
        self.run("qmp_capabilities")

    @staticmethod
    def _connect(path):
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(path))
            return made
        except OSError:
            made.close()
            return None

    def _read(self):
        line = self.stream.readline()
        if not line:
            raise LabError("QEMU closed its monitor")
        return json.loads(line)

    def run(self, command, **arguments):
        """Runs a command; what it returns. Events in between are passed over."""
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = self._read()
            if "error" in answer:
                raise LabError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def close(self):
        self.stream.close()
        self.socket.close()
