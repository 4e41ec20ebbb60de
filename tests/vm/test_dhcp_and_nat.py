# SPDX-License-Identifier: BSD-3-Clause
"""A guest that knows nothing asks for its address and reaches the world through the router's NAT.

    guest (udhcpc) -- vhost-user -- vswd [home, dhcp] -- router -- machine 198.51.100.1 -- internet
"""
import pytest

from lab.internet import INTERNET, MACHINE, Internet, ask_for_address, page
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("qemu", "tun")


@pytest.fixture
def world(bed):
    made = Internet()
    try:
        if not made.translates():
            pytest.skip("nft is not installed, or the kernel has no NAT")
        yield made
        # Before its namespaces go.
        bed.finish()
    finally:
        made.close()


def test_udhcpc_through_nat(bed, world):
    bed.vswd_text(f"""
switch: {{ socket-dir: {bed.path}, state-dir: {bed.path}/state }}
networks: {{ home: {{ subnet: 10.0.5.0/24, mtu: 1400, dhcp: true }} }}
ports: {{ vm: {{ type: vhost-user, network: home }} }}
routers: {{ home: {{ gateway: kernel, netns: host, networks: [home], uplink: nat }} }}
""", netns=world.machine)
    world.serve(world.internet, "internet", bed.path)
    guest = bed.guest("vm", 1)
    wait_for(lambda: bed.switch.vsw("router", "show")[0]["state"] == "up", 20, "the router")
    ask_for_address(guest)
    lease, = bed.switch.vsw("lease", "show")
    assert f"inet {lease['address']}/24" in guest.run("ip -4 addr show dev eth0")[1]
    assert "default via 10.0.5.1 " in guest.run("ip route")[1]
    assert guest.run("cat /sys/class/net/eth0/mtu")[1].strip() == "1400"
    # Who asks is the machine.
    word, client = page(guest).split()
    assert (word, client.removeprefix("::ffff:")) == ("internet", MACHINE)
    assert guest.ping(INTERNET, 3) == (3, 3)
