# SPDX-License-Identifier: BSD-3-Clause
"""A VM whose VMM has a TAP of its own joins by a packet port at the kernel's side of it.

    guest (10.0.0.1) - virtio-net - QEMU - TAP vm1 | vswd [blue] | p2 - veth - namespace (10.0.0.2)
                                                                 | vhost-user - vsw-nic (10.0.0.3)
"""
import pytest

from lab.bed import mac
from lab.health import assert_guest_healthy, assert_healthy, in_netns
from lab.netns import Namespace
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("qemu", "tun")

RATE = 50e6


@pytest.fixture
def spaces():
    """The namespace of the switch's interfaces, with TAP and p2, and the one behind p2."""
    host, other = Namespace(ipv6=False), Namespace()
    if not host.guards_interfaces():
        host.close()
        other.close()
        pytest.skip("no nft, or the kernel has no nf_tables for network devices")
    host.run("ip", "tuntap", "add", "vm1", "mode", "tap")
    host.run("ip", "link", "add", "p2", "type", "veth", "peer", "name", "eth0", "netns",
             other.holder.pid)
    other.run("ip", "link", "set", "eth0", "address", mac(2), "up")
    other.run("ip", "address", "add", "10.0.0.2/24", "dev", "eth0")
    other.run("ip", "address", "add", "fd00::2/64", "dev", "eth0", "nodad")
    yield host, other
    other.close()
    host.close()


@pytest.fixture
def bed(spaces, bed):
    """One that ends before the interfaces do."""
    return bed


def boot(bed, host, device=""):
    arguments = ["-netdev", "tap,id=n0,ifname=vm1,script=no,downscript=no,vhost=off",
                 "-device", f"virtio-net-pci,netdev=n0,mac={mac(1)}{device}"]
    guest = bed.guest("vm1", 1, arguments, netns=host)
    guest.configure("10.0.0.1/24")
    guest.configure6("fd00::1/64")
    return guest


def average(bed, direction, before):
    """Bytes of the average frame at the VM's port since `before`."""
    now = bed.switch.port("vm1")
    return ((now[f"{direction}_bytes"] - before[f"{direction}_bytes"]) /
            max(1, now[f"{direction}_packets"] - before[f"{direction}_packets"]))


def seen_by(guest):
    """Bytes of the average frame that the guest's interface has received."""
    _, text = guest.run("cat /sys/class/net/eth0/statistics/rx_bytes "
                        "/sys/class/net/eth0/statistics/rx_packets")
    size, count = map(int, text.split())
    return size / count


def stream(guest, space, address, *options):
    """A second of TCP from a namespace to the guest."""
    guest.wait_listening()
    six = ("-6",) if ":" in address else ()
    space.run("iperf3", "-t", 1, "-c", address, *six, *options)


def test_offloads_both_ways(bed, spaces):
    """Segments cross uncut, in both directions, and checksums are left to whoever needs them."""
    host, other = spaces
    bed.vswd({"vm1": {"type": "packet", "netns": host.path, "network": "blue"},
              "p2": {"type": "packet", "netns": host.path, "network": "blue"},
              "old": {"network": "blue"}})
    assert bed.switch.port("vm1")["state"] == "no-carrier"
    bed.switch.allow("interface vm1 has no carrier")
    guest = boot(bed, host)
    wait_for(lambda: bed.switch.port("vm1")["state"] == "running", 10, "the VM's port")
    guest.wait_ping("10.0.0.2")
    guest.serve()
    # Into the VM.
    before = bed.switch.port("vm1")
    stream(guest, other, "10.0.0.1")
    stream(guest, other, "fd00::1")
    assert average(bed, "tx", before) > 3000 and seen_by(guest) > 3000
    # Out of it.
    before = bed.switch.port("vm1")
    stream(guest, other, "10.0.0.1", "-R")
    stream(guest, other, "fd00::1", "-R")
    assert average(bed, "rx", before) > 3000
    # A NIC without offloads: its kernel checks every sum that the guest has left to us.
    nic = bed.nic("old", 3, options=("--offload", "off"))
    guest.wait_ping("10.0.0.3")
    stream(guest, nic.netns, "10.0.0.1")
    stream(guest, nic.netns, "10.0.0.1", "-R")
    assert_guest_healthy(guest)
    assert_healthy(in_netns(other), "eth0")
    assert_healthy(in_netns(nic.netns), "tap0")
    for name in ("vm1", "p2", "old"):
        assert bed.switch.port(name)["drops"]["bad-net-header"] == 0
    guest.kill()
    wait_for(lambda: bed.switch.port("vm1")["state"] == "no-carrier", 10, "the VM to be gone")


@pytest.mark.long
def test_without_offloads(bed, spaces):
    """A VM whose device knows none gets complete checksums, and small segments."""
    host, other = spaces
    bed.vswd({"vm1": {"type": "packet", "netns": host.path, "network": "blue"},
              "p2": {"type": "packet", "netns": host.path, "network": "blue"}})
    bed.switch.allow("interface vm1 has no carrier")
    guest = boot(bed, host, ",csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,"
                 "host_tso4=off,host_tso6=off,guest_ecn=off,host_ecn=off,guest_ufo=off,host_ufo=off")
    guest.wait_ping("10.0.0.2")
    guest.serve()
    for address in ("10.0.0.1", "fd00::1"):
        stream(guest, other, address)
        stream(guest, other, address, "-R")
    assert seen_by(guest) < 1515
    assert_guest_healthy(guest)
    assert_healthy(in_netns(other), "eth0")
