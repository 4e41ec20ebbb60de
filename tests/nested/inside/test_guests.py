# SPDX-License-Identifier: BSD-3-Clause
"""KVM guests of both kinds, and the host, on one network.

    guest a (10.0.0.1) - virtio, MSI-X - vhost-user --------------------.
    guest b (10.0.0.2) - virtio, MSI-X - vhost-user ---------------- vswd [blue]
    guest c (10.0.0.3) - virtio, MSI-X - vhost-net - TAP vm3 - packet port ---'  '- vhost-net - TAP (10.0.0.4)
"""
import pytest

from lab.bed import mac
from lab.netns import Namespace
from lab.process import Process

# Everything is emulated, and slow.
pytestmark = pytest.mark.seconds(300)


@pytest.fixture
def host():
    space = Namespace(ipv6=False)
    space.run("ip", "tuntap", "add", "vm3", "mode", "tap")
    yield space
    space.close()


def test_guests_of_both_kinds(bed, host):
    bed.vswd({"a": {"network": "blue"}, "b": {"network": "blue"},
              "c": {"type": "packet", "ifname": "vm3", "netns": host.path, "network": "blue"},
              "h": {"type": "tap", "ifname": "vsw4", "netns": host.path, "network": "blue",
                    "address": ["10.0.0.4/24"], "vhost": "on"}})
    bed.switch.allow(r"interface vm3 has no carrier")  # until QEMU has it
    # On a busy machine a signal takes long in an emulated one.
    bed.switch.allow(r"eventfds take too long")
    own = ["-netdev", "tap,id=n0,ifname=vm3,script=no,downscript=no,vhost=on",
           "-device", f"virtio-net-pci,netdev=n0,mac={mac(3)}"]
    guests = [bed.guest("a", 1, boot=False, memory=192), bed.guest("b", 2, boot=False, memory=192),
              bed.guest("c", 3, own, boot=False, memory=192, netns=host)]
    for number, guest in enumerate(guests, 1):
        guest.wait_ready(timeout=240)
        guest.configure(f"10.0.0.{number}/24")
    for guest in guests:
        assert "MSI" in guest.run("grep virtio /proc/interrupts")[1]
        for number in range(1, 5):
            guest.wait_ping(f"10.0.0.{number}")
            assert guest.ping(f"10.0.0.{number}", 3)[1] == 3
    # TCP of each kind to another: no sum is wrong.
    guests[1].serve()
    assert guests[0].iperf3("10.0.0.2", 1) > 0
    assert guests[2].iperf3("10.0.0.2", 1) > 0
    log = bed.path / "iperf3.log"
    server = Process("iperf3", ["iperf3", "-s", "--forceflush"], log, netns=host)
    try:
        server.wait_log("Server listening", timeout=30)
        assert guests[0].iperf3("10.0.0.4", 1) > 0
    finally:
        server.kill()
    for guest in guests:
        # The last of Tcp's is InCsumErrors.
        assert guest.run("grep ^Tcp: /proc/net/snmp | tail -1")[1].split()[-1] == "0"
    assert bed.switch.port("h")["io"] == "vhost-net"
    for name in "abch":
        assert not bed.switch.port(name)["drops"]["bad-net-header"]
