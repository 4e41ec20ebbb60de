# SPDX-License-Identifier: BSD-3-Clause
"""A guest that claims what is not its own, and what an honest one needs to come up on the same port.

    red    bound (mac and ip), router (mac, ip, trusted), victim and attacker without a binding
"""
import socket
import struct
import time

import pytest

from lab.bed import mac
from lab.frames import BROADCAST, frame, ones_complement, udp
from lab.process import wait_for

MINE, GATEWAY, OTHER = mac(20), mac(1), "02:77:77:77:77:77"
PORTS = {
    "bound": {"network": "red", "mac": MINE,
              "ip": ["10.0.0.20", "fd00::20", "2001:db8:0:7::/64"]},
    "router": {"network": "red", "mac": mac(21), "ip": ["10.0.0.21", "fd00::21"],
               "trusted": True},
}
GROUP = "33:33:00:00:00:01"
IP, ARP, RARP, IPV6 = 0x0800, 0x0806, 0x8035, 0x86DD


def arp(sender_mac, sender, target="10.0.0.1", operation=2):
    return struct.pack("!HHBBH", 1, IP, 6, 4, operation) + bytes.fromhex(
        sender_mac.replace(":", "")) + socket.inet_aton(sender) + bytes(6) + \
        socket.inet_aton(target)


def ipv6(source, destination, protocol, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255) + \
        socket.inet_pton(socket.AF_INET6, source) + \
        socket.inet_pton(socket.AF_INET6, destination) + payload


def icmpv6(source, destination, kind, body, options=b""):
    message = struct.pack("!BBH", kind, 0, 0) + body + options
    pseudo = socket.inet_pton(socket.AF_INET6, source) + \
        socket.inet_pton(socket.AF_INET6, destination) + struct.pack("!II", len(message), 58)
    checksum = 0xFFFF - ones_complement(pseudo + message)
    return ipv6(source, destination, 58,
                message[:2] + struct.pack("!H", checksum) + message[4:])


def option(kind, address):
    return bytes([kind, 1]) + bytes.fromhex(address.replace(":", ""))


def advertisement(target, address, source="fd00::20", flags=0x20):
    return icmpv6(source, "ff02::1", 136, struct.pack("!I", flags << 24) +
                  socket.inet_pton(socket.AF_INET6, target), option(2, address))


def router_advertisement(source, address, prefix="2001:db8:0:7::"):
    information = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 14400, 0) + \
        socket.inet_pton(socket.AF_INET6, prefix)
    return icmpv6(source, "ff02::1", 134, struct.pack("!BBHII", 64, 0, 1800, 0, 0),
                  option(1, address) + information)


def datagram(addresses, ports, source=MINE, text=b"claim"):
    """addresses, ports: (to, from)."""
    made, _ = udp((BROADCAST, source), addresses, ports, text, request=False)
    return made


def ether(payload, ethertype, source=MINE, destination=BROADCAST):
    return frame(destination, source, payload, ethertype=ethertype)


LLC = b"\xaa\xaa\x03\0\0\0"
SPOOFS = {
    "another MAC": (ether(arp(OTHER, "10.0.0.20"), ARP, OTHER), "spoofed-source"),
    "my IP at another MAC": (ether(arp(OTHER, "10.0.0.20"), ARP), "spoofed-source"),
    "gateway's IP at my MAC": (ether(arp(MINE, "10.0.0.1"), ARP), "spoofed-address"),
    "gateway asks": (ether(arp(MINE, "10.0.0.1", operation=1), ARP), "spoofed-address"),
    "RARP reply": (ether(arp(MINE, "10.0.0.20", operation=4), RARP), "untrusted-server"),
    "ARP in SNAP": (ether(LLC + b"\x08\x06" + arp(MINE, "10.0.0.1"), 36), "unverifiable"),
    "short ARP": (ether(arp(MINE, "10.0.0.20"), ARP)[:30], "unverifiable"),
    "another IP": (datagram(("10.0.0.1", "10.0.0.66"), (9, 9)), "spoofed-address"),
    "169.254": (datagram(("10.0.0.1", "169.254.3.3"), (9, 9)), "spoofed-address"),
    "DHCP offer": (datagram(("255.255.255.255", "10.0.0.20"), (68, 67)), "untrusted-server"),
    "DHCP offer, other port": (datagram(("255.255.255.255", "10.0.0.20"), (68, 1067)),
                               "untrusted-server"),
    "another IPv6": (datagram(("fd00::1", "fd00::66"), (9, 9)), "spoofed-address"),
    "DHCPv6 server": (datagram(("fe80::1", "fe80::20"), (546, 547)), "untrusted-server"),
    "NA, another's address": (ether(advertisement("fd00::1", MINE), IPV6), "spoofed-address"),
    "NA, another's MAC": (ether(advertisement("fd00::20", OTHER), IPV6), "spoofed-source"),
    "NS, another's MAC": (ether(icmpv6("fd00::20", "ff02::1", 135, bytes(4) + socket.inet_pton(
        socket.AF_INET6, "fd00::1"), option(1, OTHER)), IPV6), "spoofed-source"),
    "RA": (ether(router_advertisement("fe80::20", MINE), IPV6), "untrusted-server"),
    "redirect": (ether(icmpv6("fe80::20", "ff02::1", 137, bytes(36)), IPV6), "untrusted-server"),
    "NA behind extensions": (ether(ipv6("fd00::20", "ff02::1", 60, b"\x3a\0" + bytes(6) +
                                        advertisement("fd00::1", MINE)[40:]), IPV6),
                             "spoofed-address"),
    "NA in a fragment": (ether(ipv6("fd00::20", "ff02::1", 44, b"\x3a" + bytes(7) +
                                    advertisement("fd00::20", MINE)[40:]), IPV6), "unverifiable"),
}
HONEST = {
    "ARP": ether(arp(MINE, "10.0.0.20"), ARP),
    "ARP probe": ether(arp(MINE, "0.0.0.0", operation=1), ARP),
    "RARP": ether(arp(MINE, "0.0.0.0", operation=3), RARP),
    "DHCP discover": datagram(("255.255.255.255", "0.0.0.0"), (67, 68)),
    "DHCPv6 solicit": datagram(("ff02::1:2", "fe80::20"), (547, 546)),
    "IPv6 from SLAAC": datagram(("fd00::1", "2001:db8:0:7::1"), (9, 9)),
    "DAD": ether(icmpv6("::", "ff02::1", 135, bytes(4) + socket.inet_pton(
        socket.AF_INET6, "2001:db8:0:7::9")), IPV6),
    "router wanted": ether(icmpv6("::", "ff02::2", 133, bytes(4)), IPV6),
    "NA": ether(advertisement("fd00::20", MINE), IPV6),
}


@pytest.fixture(scope="module")
def bound(arena):
    return arena.bed.nic("bound", 20)


@pytest.fixture(scope="module")
def router(arena):
    return arena.bed.nic("router", 21)


def total(arena, port):
    return sum(count for reason, count in arena.switch.port(port)["drops"].items()
               if reason.startswith(("spoofed", "untrusted", "unverifiable")))


def heard(nic, sent, seconds):
    return [data for data in nic.raw().collect(seconds, 1, wanted=lambda data: data == sent)]


@pytest.mark.parametrize("name", SPOOFS)
def test_a_spoofed_frame_is_dropped(arena, bound, name):
    sent, reason = SPOOFS[name]
    before = arena.switch.port("bound")["drops"][reason]
    arena.victim.raw().drain()
    bound.raw().send(sent)
    wait_for(lambda: arena.switch.port("bound")["drops"][reason] > before, 10, f"a drop: {reason}")
    assert not heard(arena.victim, sent, 0.05)


@pytest.mark.parametrize("name, mac, ip", [
    ("another MAC", OTHER, "10.0.0.20"), ("my IP at another MAC", OTHER, "10.0.0.20"),
    ("another IP", MINE, "10.0.0.66"), ("another IPv6", MINE, "fd00::66"),
    ("NA, another's address", MINE, "fd00::1"), ("NA, another's MAC", OTHER, "fd00::20")])
def test_the_refused_address_is_shown(arena, bound, name, mac, ip):
    """Who looks for the guest that does it sees what it uses."""
    sent, reason = SPOOFS[name]
    bound.raw().send(sent)
    shown = wait_for(lambda: [found for found in [arena.switch.port("bound")["last_refused"]]
                              if found and (found["reason"], found["mac"], found["ip"]) ==
                              (reason, mac, ip)], 10, "the address")[0]
    assert 0 <= shown["age"] < 60
    assert arena.switch.port("victim")["last_refused"] is None
    text = arena.switch.vsw_raw("port", "show", "bound").stdout
    assert f"{reason}: MAC address {mac}, IP address {ip} (" in text


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_frame_passes(arena, bound, name):
    before = total(arena, "bound")
    arena.victim.raw().drain()
    bound.raw().send(HONEST[name])
    assert heard(arena.victim, HONEST[name], 10)
    assert total(arena, "bound") == before


@pytest.mark.parametrize("name", ["DHCP offer", "DHCPv6 server", "RA"])
def test_a_trusted_port_may_serve(arena, router, name):
    sent = SPOOFS[name][0].replace(bytes.fromhex(MINE.replace(":", "")),
                                   bytes.fromhex(mac(21).replace(":", "")))
    sent = sent.replace(socket.inet_aton("10.0.0.20"), socket.inet_aton("10.0.0.21"))
    before = total(arena, "router")
    arena.victim.raw().drain()
    router.raw().send(sent)
    assert heard(arena.victim, sent, 10)
    assert total(arena, "router") == before


def test_bystanders_and_the_victims_table(arena, bound):
    """All spoofs at once, many times: nobody notices, and the victim's neighbours stay."""
    victim = arena.victim
    victim.netns.run("sysctl", "-qw", f"net.ipv4.neigh.{victim.tap}.locktime=0")
    for address in ("10.0.0.66", "fd00::66"):
        victim.netns.run("ip", "neigh", "replace", address, "lladdr", OTHER, "dev", victim.tap,
                         "nud", "stale")
    with arena.watched():
        for _ in range(20):
            for sent, _ in SPOOFS.values():
                bound.raw().send(sent)
            bound.raw().send(ether(arp(MINE, "10.0.0.66"), ARP, destination=victim.mac))
            bound.raw().send(ether(advertisement("fd00::66", MINE), IPV6, destination=victim.mac))
            time.sleep(0.01)
    for address in ("10.0.0.66", "fd00::66"):
        assert OTHER in victim.netns.run("ip", "neigh", "show", address).stdout


def test_a_kernel_comes_up(arena, bound, router):
    """Duplicate address detection, an address from a router's advertisement, and pings on a bound port."""
    run = bound.netns.run
    before = total(arena, "bound")
    assert bound.ping(arena.victim.ip, 5) == (5, 5)
    wait_for(lambda: bound.ping("fd00::1", 1)[1] == 1, 20, "a ping over IPv6")
    run("sysctl", "-qw", f"net.ipv6.conf.{bound.tap}.accept_dad=1",
        f"net.ipv6.conf.{bound.tap}.accept_ra=2", f"net.ipv6.conf.{bound.tap}.autoconf=1")
    run("ip", "addr", "add", "2001:db8:0:7::20/64", "dev", bound.tap)

    def usable(address):
        lines = run("ip", "-6", "addr", "show", "dev", bound.tap).stdout.splitlines()
        return any(address in line and "tentative" not in line for line in lines)
    wait_for(lambda: usable("2001:db8:0:7::20"), 20, "duplicate address detection")
    derived = "2001:db8:0:7:5054:ff:fe00:14"

    def configured():
        router.raw().send(ether(router_advertisement("fe80::5054:ff:fe00:15", mac(21)), IPV6,
                                mac(21), GROUP))
        return usable(derived)
    wait_for(configured, 30, "an address from the router", pause=0.5)
    arena.victim.netns.run("ip", "addr", "replace", "2001:db8:0:7::1/64", "dev",
                           arena.victim.tap, "nodad")
    wait_for(lambda: bound.ping("2001:db8:0:7::1", 1)[1] == 1, 20, "a ping from that address")
    assert total(arena, "bound") == before


def test_shown(arena):
    port = arena.switch.port("bound")
    assert port["ip"] == ["10.0.0.20", "2001:db8:0:7::/64", "fd00::20"]
    assert arena.switch.port("router")["trusted"] and not port["trusted"]

    def lines(name):
        return [line.split() for line in arena.switch.vsw_raw("port", "show", name).stdout.splitlines()]
    assert ["ip", "10.0.0.20", "2001:db8:0:7::/64", "fd00::20"] in lines("bound")
    assert ["trusted", "true"] in lines("router")
