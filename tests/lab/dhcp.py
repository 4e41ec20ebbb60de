# SPDX-License-Identifier: BSD-3-Clause
"""Clients of DHCP in namespaces, and messages made by hand for what no sound client sends."""
import json
import struct

from .frames import BROADCAST, RawPort, mac_bytes, udp

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)

HOOK = """#!/bin/sh
# Of udhcpc: notes what it was told, and configures the interface.
{{ echo "event=$1"; env; }} > "{answer}.$1.new" && mv "{answer}.$1.new" "{answer}.$1"
case "$1" in
bound|renew) ip addr replace "$ip/$mask" dev "$interface" ;;
deconfig) ip -4 addr flush dev "$interface" ;;
esac
"""


def values(path):
    """What a hook wrote, as a dict."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


class Udhcpc:
    """busybox' client on an interface of a namespace."""

    def __init__(self, space, interface, folder, name):
        self.space, self.interface = space, interface
        self.answer = folder / f"udhcpc-{name}"
        self.hook = folder / f"udhcpc-{name}.sh"
        self.hook.write_text(HOOK.format(answer=self.answer))
        self.hook.chmod(0o755)

    def command(self, *options):
        return ["udhcpc", "-f", "-i", self.interface, "-s", str(self.hook), *options]

    def ask(self, *options, tries=4):
        """One lease, with no process left; what it was told, or None."""
        said = self.answer.with_name(self.answer.name + ".bound")
        said.unlink(missing_ok=True)
        self.space.run(*self.command("-n", "-q", "-t", str(tries), "-T", "1", *options),
                       check=False)
        return values(said) if said.exists() else None


def addresses(space, interface, family="-4"):
    shown = json.loads(space.run("ip", "-j", family, "addr", "show", "dev", interface).stdout)
    return [entry["local"] for link in shown for entry in link.get("addr_info", ())
            if entry["scope"] != "link"]


def number(address):
    return bytes(int(part) for part in address.split("."))


def message(kind, mac, options=(), ciaddr="0.0.0.0", giaddr="0.0.0.0", xid=0x01020304, flags=0):
    """A client's message. options: pairs of a code and bytes; kind None: without a type."""
    made = struct.pack("!BBBBIHH4s4s4s4s16s192s4s", 1, 1, 6, 0, xid, 0, flags, number(ciaddr),
                       bytes(4), bytes(4), number(giaddr), mac_bytes(mac), b"", b"\x63\x82\x53\x63")
    if kind is not None:
        made += bytes((53, 1, kind))
    for code, value in options:
        made += bytes((code, len(value))) + value
    return made + b"\xff"


def request_frame(payload, mac, source="0.0.0.0", to="255.255.255.255", ethernet=BROADCAST):
    return udp((ethernet, mac), (to, source), (67, 68), payload, request=False)[0]


class Reply:
    """A server's message out of a frame."""

    def __init__(self, frame):
        payload = frame[14 + 20 + 8:]
        self.frame = frame
        self.xid, = struct.unpack_from("!I", payload, 4)
        self.yours = ".".join(map(str, payload[16:20]))
        self.options = {}
        at = 240
        while at + 1 < len(payload) and payload[at] != 255:
            if payload[at] == 0:
                at += 1
                continue
            code, length = payload[at], payload[at + 1]
            self.options[code] = self.options.get(code, b"") + payload[at + 2:at + 2 + length]
            at += 2 + length
        self.kind = self.options[53][0]


class HandMade:
    """Asks for leases by hand: as many clients as one likes, at one station."""

    def __init__(self, space, interface):
        self.raw = RawPort(space, interface)

    def send(self, payload, mac, **keywords):
        self.raw.send(request_frame(payload, mac, **keywords))

    def reply(self, mac, seconds=2):
        """The next answer to this address, or None."""
        def is_reply(frame):
            return frame[:6] == mac_bytes(mac) and frame[12:14] == b"\x08\x00" and \
                frame[23] == 17 and frame[34:38] == struct.pack("!HH", 67, 68)
        found = self.raw.collect(seconds, 1, is_reply)
        return Reply(found[0]) if found else None

    def ask(self, kind, mac, options=(), seconds=2, **fields):
        self.send(message(kind, mac, options, **fields), mac)
        return self.reply(mac, seconds)

    def lease(self, mac, seconds=2):
        """All four messages; the address, or None."""
        offer = self.ask(DISCOVER, mac, seconds=seconds)
        if offer is None or offer.kind != OFFER:
            return None
        options = [(50, number(offer.yours)), (54, offer.options[54])]
        ack = self.ask(REQUEST, mac, options, seconds)
        return ack.yours if ack and ack.kind == ACK else None
