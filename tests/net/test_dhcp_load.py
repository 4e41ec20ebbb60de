# SPDX-License-Identifier: BSD-3-Clause
"""Many clients of DHCP at once, by perfdhcp (of Kea), which plays a relay agent with clients behind."""
import os
import re

import pytest

from lab.bed import mac
from lab.netns import Namespace
from lab.process import missing, sanitized

pytestmark = pytest.mark.usefixtures("tun")

CLIENTS = 250


@pytest.fixture
def relay(bed):
    """The namespace in which perfdhcp runs; its port may have any number of leases."""
    if missing("perfdhcp"):
        pytest.skip("not installed: perfdhcp (kea-admin)")
    space = Namespace(ipv6=False)
    networks = {"blue": {"subnet": "10.0.0.0/15",
                         "dhcp": {"range": ["10.0.0.10", "10.1.255.9"], "lease-time": 3600}}}
    bed.vswd({"load": {"type": "tap", "ifname": "eth0", "netns": space.path, "network": "blue",
                       "mac": mac(1), "trusted": True, "address": "10.1.255.10/15"}},
             networks, **{"state-dir": str(bed.path / "state")})
    space.run("ip", "link", "set", "eth0", "up")
    yield space
    space.close()


def perfdhcp(space, *options):
    done = space.run("perfdhcp", "-4", "-l", "eth0", *options, check=False, timeout=60)
    return done.stdout


def test_all_at_once(bed, relay):
    """The last of 250 clients has its lease within two seconds, and all are kept."""
    said = perfdhcp(relay, "--scenario", "avalanche", "-R", str(CLIENTS))
    found = re.search(r"It took ([\d:.]+) to provision (\d+) clients", said)
    assert found, said
    hours, minutes, seconds = found[1].split(":")
    assert int(found[2]) == CLIENTS
    assert int(hours) * 3600 + int(minutes) * 60 + float(seconds) <= (20 if sanitized() else 2), said
    kept = (bed.path / "state" / "dhcp" / "leases").read_text().splitlines()
    assert len({line.split()[2] for line in kept if line.startswith("bound ")}) == CLIENTS


@pytest.mark.long
@pytest.mark.alone
def test_leases_a_second(bed, relay):
    """For figures: VSW_DHCP_RATE leases a second for five seconds, drops under one percent."""
    rate = os.environ.get("VSW_DHCP_RATE", "6000")
    said = perfdhcp(relay, "-r", rate, "-R", "100000", "-p", "5")
    print(said)
    drops = [float(ratio) for ratio in re.findall(r"drops ratio: ([\d.]+)", said)]
    achieved = float(re.search(r"Rate: ([\d.]+) 4-way exchanges/second", said)[1])
    assert len(drops) == 2 and max(drops) < 1, said
    assert achieved >= 0.9 * int(rate), said
