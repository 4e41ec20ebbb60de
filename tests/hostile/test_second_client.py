# SPDX-License-Identifier: BSD-3-Clause
"""Two VMs at one port: the second connects again as soon as it is disconnected, as QEMU does."""
import socket
import struct
import threading
import time

from lab import frontend
from lab.process import sanitized, wait_for

SECONDS = 8


class Reconnecting:
    """A client that connects, asks for the features and waits, over and over, without a pause."""

    def __init__(self, path):
        self.path = str(path)
        self.attempts = 0
        self.served = threading.Event()
        self.stopping = False
        self.client = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping:
            self.attempts += 1
            with socket.socket(socket.AF_UNIX) as client:
                self.client = client
                client.settimeout(60)
                try:
                    client.connect(self.path)
                    client.sendall(struct.pack("<III", frontend.GET_FEATURES, frontend.VERSION, 0))
                    if client.recv(12):
                        self.served.set()
                        client.recv(65536)
                        client.recv(1)
                except (ConnectionError, OSError):
                    pass

    def stop(self):
        self.stopping = True
        try:
            self.client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(20)


def test_a_second_vm_does_not_spin(arena):
    """It is held for seconds; the log says so with growing pauses; the first one and the bystanders
    notice nothing; and when the first one goes, the second is served."""
    switch = arena.switch
    with arena.watched(served=False):
        first = arena.connect()
        others = [Reconnecting(switch.socket("attacker")) for _ in range(2)]
        try:
            lines, spent = len(switch.log().splitlines()), switch.process.cpu_seconds()
            time.sleep(SECONDS)
            attempts = sum(other.attempts for other in others)
            # Held for one second, then two, then four; whoever waits behind it is not even accepted.
            assert 2 <= attempts <= 2 * len(others) + SECONDS, attempts
            assert not any(other.served.is_set() for other in others)
            said = switch.log().splitlines()[lines:]
            assert len(said) <= 5, said
            if not sanitized():
                assert switch.process.cpu_seconds() - spent < SECONDS / 2
            assert switch.port("attacker")["connected"]
            first.ask(frontend.GET_FEATURES)
            first.close()
            wait_for(lambda: any(other.served.is_set() for other in others), 10,
                     "the second client to be served")
        finally:
            for other in others:
                other.stop()
    arena.serves()
    assert "refused a second client" in switch.log()
