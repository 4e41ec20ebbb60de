# SPDX-License-Identifier: BSD-3-Clause
"""Raw Ethernet frames on a TAP: built, sent, and received with their VLAN tag put back."""
import socket
import struct
import time

# The local experimental EtherType (IEEE 802): no kernel answers it, so tests hear only themselves.
ETHERTYPE_TEST = 0x88B5
ETHERTYPE_VLAN = 0x8100
BROADCAST = "ff:ff:ff:ff:ff:ff"

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SOL_PACKET = 263
PACKET_AUXDATA = 8
TP_STATUS_VLAN_VALID = 1 << 4
SO_RCVBUFFORCE = 33


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(number):
    """A locally administered unicast MAC made from a number below 2^40."""
    return ":".join(f"{byte:02x}" for byte in b"\x02" + number.to_bytes(5, "big"))


def frame(destination, source, payload=b"", vlan=None, ethertype=ETHERTYPE_TEST):
    """One frame of at least 60 bytes; vlan puts an 802.1Q tag in."""
    tag = b"" if vlan is None else struct.pack("!HH", ETHERTYPE_VLAN, vlan)
    made = (mac_bytes(destination) + mac_bytes(source) + tag + struct.pack("!H", ethertype) +
            payload)
    return made.ljust(60, b"\0")


def vlan_of(data):
    """The VLAN id in a frame's outermost tag, or None."""
    if struct.unpack_from("!H", data, 12)[0] != ETHERTYPE_VLAN:
        return None
    return struct.unpack_from("!H", data, 14)[0] & 0xFFF


def payload_of(data):
    return data[18:] if vlan_of(data) is not None else data[14:]


def is_test(data):
    """True for frames that frame() made with its default EtherType."""
    offset = 16 if vlan_of(data) is not None else 12
    return struct.unpack_from("!H", data, offset)[0] == ETHERTYPE_TEST


def ones_complement(data):
    """The folded one's complement sum of 16-bit words (RFC 1071), not inverted."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def udp(macs, addresses, ports, payload, vlan=None, request=True):
    """(frame, where its UDP header begins): a datagram over IPv4 or IPv6; pairs are (to, from).

    request: its checksum is only that of the pseudo header, as it is where an offload request comes
    with the frame; else it is right.
    """
    family = socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET
    target, source = (socket.inet_pton(family, address) for address in addresses)
    length = 8 + len(payload)
    head = struct.pack("!HHHH", ports[1], ports[0], length, 0)
    pseudo = source + target + struct.pack("!IHBB", length, 0, 0, socket.IPPROTO_UDP)
    checksum = ones_complement(pseudo) if request else \
        0xFFFF - ones_complement(pseudo + head + payload) or 0xFFFF
    if family == socket.AF_INET:
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 1, 0, 64, socket.IPPROTO_UDP, 0,
                         source, target)
        ip = ip[:10] + struct.pack("!H", 0xFFFF - ones_complement(ip)) + ip[12:]
    else:
        ip = struct.pack("!IHBB16s16s", 6 << 28, length, socket.IPPROTO_UDP, 64, source, target)
    whole = ip + head[:6] + struct.pack("!H", checksum) + payload
    made = frame(*macs, whole, vlan, 0x0800 if family == socket.AF_INET else 0x86DD)
    return made, made.index(head[:6])


class RawPort:
    """Sends and receives whole frames on one interface of a namespace."""

    def __init__(self, netns, interface):
        with netns.enter():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)

    def send(self, data):
        self.socket.send(data)

    def receive(self, timeout):
        """The next frame that arrived from the switch, tag included; None after timeout s."""
        end = time.monotonic() + timeout
        while True:
            self.socket.settimeout(max(end - time.monotonic(), 1e-4))
            try:
                data, ancillary, _, address = self.socket.recvmsg(70000, 256)
            except (TimeoutError, BlockingIOError):
                return None
            if address[2] != PACKET_OUTGOING:
                return self._retag(data, ancillary)
            if time.monotonic() > end:
                return None

    def collect(self, timeout, want=None, wanted=is_test):
        """Test frames until `want` of them came, or timeout s passed."""
        found = []
        end = time.monotonic() + timeout
        while want is None or len(found) < want:
            left = end - time.monotonic()
            data = self.receive(left) if left > 0 else None
            if data is None:
                break
            if wanted(data):
                found.append(data)
        return found

    def drain(self):
        """Throws away what has arrived."""
        while self.receive(0.001) is not None:
            pass

    def close(self):
        self.socket.close()

    @staticmethod
    def _retag(data, ancillary):
        """The kernel takes the outermost tag out of the bytes and hands it over beside them."""
        for level, kind, value in ancillary:
            if level == SOL_PACKET and kind == PACKET_AUXDATA and len(value) >= 20:
                status, _, _, _, _, tci, tpid = struct.unpack_from("=IIIHHHH", value)
                if status & TP_STATUS_VLAN_VALID:
                    return data[:12] + struct.pack("!HH", tpid or ETHERTYPE_VLAN, tci) + data[12:]
        return data
