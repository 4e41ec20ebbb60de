# SPDX-License-Identifier: BSD-3-Clause
"""What takes another kernel than this machine may have runs in a machine within it (lab/nested.py).

    this machine -- QEMU --> nested machine: vhost-net, KVM, and the tests of inside/
"""
import pytest

pytestmark = [pytest.mark.long, pytest.mark.seconds(300)]


def test_what_it_has(nested):
    _, devices = nested.run("ls /dev/vhost-net /dev/kvm /dev/net/tun")
    assert len(devices.split()) == 3
    assert nested.python("-c", "'import lab.process as p; print(p.program(\"vswd\"))'",
                         timeout=60)[1].strip() != "None"
