# SPDX-License-Identifier: BSD-3-Clause
"""TAP ports in namespaces: what the tests of them share."""
import os

import pytest

from .bed import mac
from .netns import Namespace
from .process import wait_for


@pytest.fixture
def spaces(bed):
    """Makes namespaces, which end after the bed's switch: it would say that they are gone."""
    def make(**keywords):
        space = Namespace(**keywords)
        bed.members.append(space)
        # Duplicate address detection takes a second and more.
        space.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        return space
    return make


def tap(space, number, **keys):
    """The keys of a TAP port in a namespace, with 10.0.0.NUMBER and fd00::NUMBER; by vhost-net
    where this kernel has it."""
    if os.path.exists("/dev/vhost-net"):
        keys = {"vhost": "auto", **keys}
    return {"type": "tap", "ifname": f"vsw{number}", "netns": space.path, "network": "blue",
            "mac": mac(number), "address": [f"10.0.0.{number}/24", f"fd00::{number}/64"], **keys}


def wait_up(space, address, source=None):
    """Until `address` answers from the namespace: carriers and duplicate detection take a moment."""
    wait_for(lambda: space.run("ping", "-c1", "-W1", address, check=False).returncode == 0, 20,
             f"an answer from {address}")


def state(bed, name):
    port = bed.switch.port(name)
    return port["state"], port["problem"]


def wait_state(bed, name, wanted):
    wait_for(lambda: state(bed, name) == wanted, 10, f"port {name} to be {wanted}")
