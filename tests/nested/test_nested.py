# SPDX-License-Identifier: BSD-3-Clause
"""What takes another kernel than this machine may have runs in a machine within it (lab/nested.py).

    this machine -- QEMU --> nested machine: vhost-net, KVM, and the tests of inside/
"""
import pytest

pytestmark = [pytest.mark.long, pytest.mark.seconds(420)]


def pytest_inside(nested, *words, seconds=400):
    """Runs pytest in the nested machine; what it says where a test fails."""
    status, said = nested.python("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--color=no",
                                 *words, timeout=seconds, check=False)
    assert status == 0, said[-8000:]
    assert "skipped" not in said, said[-2000:]


def test_what_it_has(nested):
    _, devices = nested.run("ls /dev/vhost-net /dev/kvm /dev/net/tun")
    assert len(devices.split()) == 3
    assert nested.python("-c", "'import lab.process as p; print(p.program(\"vswd\"))'",
                         timeout=60)[1].strip() != "None"


def test_vhost_net(nested):
    pytest_inside(nested, "nested/inside/test_vhost_net.py")


def test_guests(nested):
    pytest_inside(nested, "nested/inside/test_guests.py")


def test_tap_ports_by_vhost_net(nested):
    """What any TAP port must do, by a port that takes vhost-net because it is there."""
    pytest_inside(nested, "net/test_tap.py", "-k",
                  "'(two_namespaces and vhost) or both or jumbo or vlans or handed_over or refused'")
