# SPDX-License-Identifier: BSD-3-Clause
"""The other clients that guests have, in namespaces: ISC dhclient and systemd-networkd."""
import pathlib
import re

import pytest

from lab.bed import mac
from lab.dhcp import addresses
from lab.netns import Namespace
from lab.process import Process, missing, wait_for

pytestmark = pytest.mark.usefixtures("tun")

NETWORKD = pathlib.Path("/lib/systemd/systemd-networkd")

# networkd looks for its configuration in /run, and asks no udev where /sys is read-only.
RUN_NETWORKD = """
mount --make-rprivate / && mount -t tmpfs tmpfs /run/systemd && mount -t sysfs -o ro sysfs /sys &&
mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases \
    /run/systemd/netif/lldp && chown -R systemd-network /run/systemd/netif &&
printf '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\nIPv6AcceptRA=no\\nLinkLocalAddressing=no\\n' \
    >/run/systemd/network/10-eth0.network &&
exec env SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console {networkd}
"""


@pytest.fixture
def station(bed):
    """A namespace with a TAP port of a network that has DHCP."""
    space = Namespace(ipv6=False)
    bed.vswd({"vm1": {"type": "tap", "ifname": "eth0", "netns": space.path, "network": "blue",
                      "mac": mac(1)}},
             {"blue": {"subnet": "10.0.0.0/24", "domain": "lab.example", "gateway": "none",
                       "dhcp": {"range": ["10.0.0.100", "10.0.0.149"], "dns": "10.0.0.53"}}},
             **{"state-dir": str(bed.path / "state")})
    yield space
    space.close()


def test_dhclient(bed, station):
    if missing("dhclient"):
        pytest.skip("not installed: dhclient (isc-dhcp-client)")
    leases, pid = bed.path / "dhclient.leases", bed.path / "dhclient.pid"
    # Debian's script would write /etc/resolv.conf: only the client's own record is read.
    station.run("dhclient", "-4", "-1", "-v", "-sf", "/bin/true", "-lf", leases, "-pf", pid, "eth0")
    said = leases.read_text()
    [lease] = bed.switch.vsw("lease", "show")
    assert f"fixed-address {lease['address']};" in said
    for part in ("option subnet-mask 255.255.255.0;",
                 "option domain-name-servers 10.0.0.53;",
                 'option domain-name "blue.lab.example";',
                 "option dhcp-server-identifier 10.0.0.1;"):
        assert part in said, said
    # The release goes to the server's address, so it takes one's own.
    station.run("ip", "addr", "add", f"{lease['address']}/24", "dev", "eth0")
    station.run("dhclient", "-4", "-r", "-sf", "/bin/true", "-lf", leases, "-pf", pid, "eth0")
    wait_for(lambda: not bed.switch.vsw("lease", "show"), 10, "the release")


def test_networkd(bed, station):
    if not NETWORKD.exists():
        pytest.skip("not installed: systemd-networkd (systemd)")
    script = bed.path / "networkd.sh"
    script.write_text(RUN_NETWORKD.format(networkd=NETWORKD))
    client = Process("networkd", ["unshare", "--mount", "sh", script], bed.path / "networkd.log",
                     netns=station)
    try:
        wait_for(lambda: addresses(station, "eth0"), 20, "an address by networkd")
        [lease] = bed.switch.vsw("lease", "show")
        assert addresses(station, "eth0") == [lease["address"]] and lease["state"] == "bound"
        said = (bed.path / "networkd.log").read_text(errors="replace")
        assert re.search(r"DHCPv4 address 10\.0\.0\.1\d\d/24", said)
    finally:
        client.kill()
