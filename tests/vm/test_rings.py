# SPDX-License-Identifier: BSD-3-Clause
"""Ring layouts, sizes, numbers of queues and MTUs that a guest may ask for, under real drivers."""
import json
import re
import time

import pytest

from lab.health import assert_guest_healthy
from lab.process import wait_for

pytestmark = pytest.mark.usefixtures("qemu")

RATE = 50e6
# Buffers of QEMU's receive rings: no burst is more.
RING = 256


def start(bed, devices, ports=None, switch=(), **keywords):
    """The switch and a guest for each device (options of QEMU's), 10.0.0.1 and following."""
    ports = ports or {}
    bed.vswd({name: {"network": "blue", **ports} for name, _ in zip("abcd", devices)},
             **dict(switch))
    guests = [bed.guest(name, number, boot=False, device=device, **keywords)
              for number, (name, device) in enumerate(zip("abcd", devices), 1)]
    for number, guest in enumerate(guests, 1):
        guest.wait_ready()
        guest.configure(f"10.0.0.{number}/24")
    guests[0].wait_ping("10.0.0.2")
    return guests


def tcp(client, server, *options, seconds=1):
    """TCP to the second guest: bits a second."""
    server.wait_listening()
    return client.iperf3("10.0.0.2", seconds, " ".join(options))


@pytest.mark.parametrize("devices", [
    pytest.param((",packed=on", ",packed=on"), marks=pytest.mark.long),
    pytest.param((",packed=on", ""), marks=pytest.mark.long),
    (",packed=on,mrg_rxbuf=off", ",packed=on,event_idx=off,indirect_desc=off"),
    (",packed=on,rx_queue_size=1024,tx_queue_size=1024", ",rx_queue_size=1024"),
    pytest.param((",packed=on,event_idx=off", ",event_idx=off"), marks=pytest.mark.long),
    pytest.param((",packed=on,indirect_desc=off", ",mrg_rxbuf=off,indirect_desc=off"),
                 marks=pytest.mark.long),
], ids=["packed", "packed-split", "packed-plain", "large", "no-event", "no-indirect"])
def test_packed(bed, devices):
    a, b = start(bed, devices)
    for name, device in zip("ab", devices):
        assert ("ring_packed" in bed.switch.port(name)["features"]) == ("packed=on" in device)
    if "rx_queue_size" in devices[0]:
        for guest in (a, b):
            assert re.search(r"RX:\s+1024", guest.run("ethtool -g eth0")[1])
    b.serve()
    for options in (), ("-P 4", "-R"):
        assert tcp(a, b, *options) > RATE
    assert b.ping("10.0.0.1", 10) == (10, 10)
    for guest in (a, b):
        assert_guest_healthy(guest)
    assert not any(bed.switch.port(name)["ring_errors"] for name in "ab")


def test_packed_reboot(bed):
    """A driver that starts anew starts its packed rings at their beginning."""
    a, b = start(bed, (",packed=on", ",packed=on"))
    a.reboot()
    a.configure("10.0.0.1/24")
    a.wait_ping("10.0.0.2")
    assert b.ping("10.0.0.1") == (5, 5)


def rebind(guest, address):
    """Has the guest's driver let go of the device and take it again, which resets the device."""
    guest.run("cd /sys/bus/virtio/drivers/virtio_net && d=$(echo virtio*) && echo $d >unbind && "
              "echo $d >bind")
    wait_for(lambda: guest.run("test -e /sys/class/net/eth0", check=False)[0] == 0, 5, "the NIC")
    guest.configure(address)


def restart(bed, how, ports="ab"):
    """The switch ends and comes back; so do the guests' connections."""
    before = {name: bed.switch.port(name)["connections"] for name in ports}
    if how == "reopen":
        text = bed.switch.config_path.read_text()
        mtu = 1 + max([1999, *map(int, re.findall(r"mtu: (\d+)", text))])
        text = re.sub(r"^    mtu: \d+\n", "", text, flags=re.M)
        bed.switch.reload(text.replace("    type:", f"    mtu: {mtu}\n    type:"))
        before = dict.fromkeys(ports, 0)
    else:
        getattr(bed.switch, how)()
        bed.switch.start()
        before = dict.fromkeys(ports, 0)
    wait_for(lambda: all(bed.switch.port(name)["connections"] > before[name] and
                         bed.switch.port(name)["running"] for name in ports), 20, "their return")


@pytest.mark.seconds(240)
@pytest.mark.parametrize("mode", ["server", "client"])
def test_packed_over_restarts_of_the_switch(bed, mode):
    """Packed rings go on where they were, under load, however the switch ended; no driver is reset."""
    keys = {}
    if mode == "client":
        keys = {name: {"network": "blue", "mode": "client", "socket": str(bed.path / f"v-{name}.sock")}
                for name in "ab"}
    bed.vswd({name: keys.get(name, {"network": "blue"}) for name in "ab"})
    bed.switch.allow(r"cannot connect to .*retrying")
    guests = [bed.guest(name, number, boot=False, device=",packed=on",
                        **({"socket": keys[name]["socket"], "server": True} if keys
                           else {"reconnect": True}))
              for number, name in enumerate("ab", 1)]
    for number, guest in enumerate(guests, 1):
        guest.wait_ready()
        guest.configure(f"10.0.0.{number}/24")
    a, b = guests
    a.wait_ping("10.0.0.2")
    b.serve()
    hows = ("stop", "kill", "kill", "reopen", "kill", "stop")
    for how in hows:
        a.send("iperf3 -c 10.0.0.2 -t 4 >/dev/null & ping -i 0.02 -w 3 10.0.0.1 >/dev/null &")
        time.sleep(1.5)
        restart(bed, how)
        a.wait_ping("10.0.0.2")
        assert b.ping("10.0.0.1", 10) == (10, 10)
        for name in "ab":
            port = bed.switch.port(name)
            assert port["rings_lost"] == port["ring_errors"] == 0
    assert bed.switch.log().count("goes on at slot") >= 20
    # A long way round each ring afterwards.
    assert a.ping("10.0.0.2", 10) == (10, 10)
    for guest in guests:
        assert_guest_healthy(guest, cut_off=RING * hows.count("kill"))


@pytest.mark.parametrize("mend", [pytest.param("reboot", marks=pytest.mark.long), "rebind"])
def test_packed_ring_that_is_lost(bed, mend):
    """Without its record nobody knows where a packed ring stands: that is said, and a reset mends it.

    It must neither be written to at a place that may be wrong, nor hurt anybody else.
    """
    a, b, c = start(bed, (",packed=on", "", ""), reconnect=True)
    assert a.ping("10.0.0.2", 20) == (20, 20)
    records = bed.switch.directory / ".positions"
    assert records.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in records.iterdir()] == ["a"]
    bed.switch.allow(r"port a: ring \d is out of service")
    bed.switch.stop()
    (records / "a").unlink()
    bed.switch.start()
    wait_for(lambda: all(bed.switch.port(name)["connected"] for name in "abc"), 10,
             "the guests' return")
    b.wait_ping("10.0.0.3", timeout=20)
    assert b.ping("10.0.0.3") == (5, 5)
    assert bed.switch.port("a")["rings_lost"] == 2
    assert bed.switch.port("a")["state"] == "broken"
    assert "stands; restart the guest's driver" in bed.switch.port("a")["problem"]
    assert a.run("true")[0] == 0
    if mend == "reboot":
        a.reboot()
        a.configure("10.0.0.1/24")
    else:
        rebind(a, "10.0.0.1/24")
    a.wait_ping("10.0.0.2")
    assert a.ping("10.0.0.2") == (5, 5)
    assert c.ping("10.0.0.1") == (5, 5)
    assert bed.switch.port("a")["rings_lost"] == 0
    for guest in (a, b, c):
        assert_guest_healthy(guest)


def queue_packets(guest, direction, count):
    text = guest.run("ethtool -S eth0")[1]
    return [int(re.search(rf"{direction}_queue_{queue}_packets: (\d+)", text).group(1))
            for queue in range(count)]


def out_of_order(client, *options):
    """UDP at a rate that nobody loses: how many datagrams a flow's receiver saw overtaken."""
    _, text = client.run(f"iperf3 -J -c 10.0.0.2 -t 1 -u -b 2M -l 800 -P 16 {' '.join(options)}")
    end = json.loads(text)["end"]
    assert end["sum"]["packets"] > 1000, end["sum"]
    return sum(stream["udp"]["out_of_order"] for stream in end["streams"])


@pytest.mark.parametrize("packed", ["", ",packed=on"], ids=["split", "packed"])
def test_four_queues(bed, packed):
    """Many flows use all queues of the receiver, each flow one; two workers share the queues."""
    a, b = start(bed, (packed, packed), {"queues": 4}, {"workers": 2}, queues=4, cpus=2)
    for guest in (a, b):
        guest.run("ethtool -L eth0 combined 4")
        assert "Combined:\t4" in guest.run("ethtool -l eth0")[1].split("Current")[1]
    b.serve()
    for options in (("-P 16",), ("-P 16", "-R")):
        assert tcp(a, b, *options) > RATE
    for options in ((), ("-R",)):
        b.wait_listening()
        assert out_of_order(a, *options) == 0
    for guest in (a, b):
        assert min(queue_packets(guest, "rx", 4)) > 100, "each of the receiver's queues is used"
        assert min(queue_packets(guest, "tx", 4)) > 0
        assert_guest_healthy(guest)
    # A flow that is under way moves to the queues that are left.
    for left in (1, 3):
        a.run(f"ethtool -L eth0 combined {left}")
        assert tcp(a, b, "-P 4 -R") > RATE


@pytest.mark.parametrize("devices", [
    pytest.param(("", ""), marks=pytest.mark.long),
    (",packed=on,mrg_rxbuf=off", ",csum=off,gso=off")], ids=["plain", "mixed"])
def test_jumbo_frames(bed, devices):
    """host_mtu= in QEMU and `mtu` of the port: frames of 9,000 bytes cross, none in fragments."""
    a, b = start(bed, [f"{device},host_mtu=9000" for device in devices], {"mtu": 9000})
    for guest in (a, b):
        assert "mtu 9000" in guest.run("ip link show eth0")[1]
    for size in (1472, 1473, 8900, 8972):
        before = [bed.switch.port(name)["rx_packets"] for name in "ab"]
        assert a.ping("10.0.0.2", 3, size=size) == (3, 3)
        assert b.ping("10.0.0.1", 3, size=size) == (3, 3)
        sent = [bed.switch.port(name)["rx_packets"] - old for name, old in zip("ab", before)]
        assert max(sent) <= 9, "one frame each, and perhaps ARP and ND"
    b.serve()
    assert tcp(a, b) > RATE
    assert tcp(a, b, "-R") > RATE
    for guest in (a, b):
        assert_guest_healthy(guest)
    assert not any(bed.switch.port(name)["drops"]["mtu-exceeded"] for name in "ab")


def test_mtu_of_a_port(bed):
    """A frame too large for the receiving port's MTU is dropped with that reason, and only that."""
    bed.vswd({"a": {"network": "blue", "mtu": 9000}, "b": {"network": "blue", "mtu": 1500}})
    a, b = (bed.guest(name, number, boot=False, device=f",host_mtu={mtu}")
            for number, (name, mtu) in enumerate((("a", 9000), ("b", 1500)), 1))
    for number, guest in enumerate((a, b), 1):
        guest.wait_ready()
        guest.configure(f"10.0.0.{number}/24")
    a.wait_ping("10.0.0.2")
    assert a.ping("10.0.0.2", 3, size=1472) == (3, 3)
    assert a.ping("10.0.0.2", 3, size=4000)[1] == 0
    drops = {reason: count for reason, count in bed.switch.port("b")["drops"].items() if count}
    assert drops.get("mtu-exceeded") == 3, drops
    # TCP agrees on the smaller of the two, and its large segments are cut to that.
    b.serve()
    assert tcp(a, b) > RATE
    assert bed.switch.port("b")["drops"]["mtu-exceeded"] == 3
