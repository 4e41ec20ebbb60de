# SPDX-License-Identifier: BSD-3-Clause
"""A guest under KVM without a VMM to speak of: the kernel takes its doorbell to the switch
(ioeventfd) and the switch's signal to its processor (irqfd), and nobody else runs in between.

    guest -- card a -- vswd [blue] -- card b -- guest        one frame goes round at a time
"""
import json
import os
import subprocess

import pytest

from lab.bed import mac
from lab.process import program

ROUNDS = 1000
SKIPPED = 77


@pytest.fixture(scope="module")
def kvm_loop():
    path = program("tests/kvm/kvm-loop")
    if path is None:
        pytest.skip("kvm-loop is not built: another processor than x86-64, or built without tests")
    if not os.path.exists("/dev/kvm"):
        pytest.skip("this machine has no /dev/kvm")
    return path


@pytest.mark.parametrize("mode", ["kernel", "user"])
def test_round_trips(bed, kvm_loop, mode):
    """Each frame comes back unchanged: the guest compares it. How often a second is printed (-s).

    The worker does not poll, so that each frame has its doorbell and its interrupt.
    """
    bed.vswd({"a": {"network": "blue"}, "b": {"network": "blue", "mac": mac(2)}},
             **{"idle-us": 0})
    sockets = [bed.switch.socket(name) for name in "ab"]
    done = subprocess.run([kvm_loop, mode, str(ROUNDS), *sockets],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
    if done.returncode == SKIPPED:
        pytest.skip(f"KVM cannot do this here: {done.stdout.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    print(f"{mode}: {result['rounds'] / result['seconds']:.0f} round trips a second, {result}")
    assert result["rounds"] == ROUNDS
    assert result["kicks"] > 0 and result["interrupts"] >= ROUNDS
    assert bed.switch.port("a")["rx_packets"] == bed.switch.port("b")["tx_packets"] == ROUNDS
