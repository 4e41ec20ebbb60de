# SPDX-License-Identifier: BSD-3-Clause
"""A machine and an "internet" that it reaches, each a namespace: nothing of the real machine's is touched.

    machine (w0 198.51.100.1, 2001:db8::1) -- internet (w1 198.51.100.2, 2001:db8::2)
"""
from .netns import Namespace
from .process import Process

MACHINE, INTERNET = "198.51.100.1", "198.51.100.2"
# A web server on port 80 whose page is a word and who asked.
SERVER = """import http.server as h, socket, sys
class H(h.BaseHTTPRequestHandler):
  def do_GET(s):
    s.send_response(200); s.end_headers()
    s.wfile.write((sys.argv[1] + ' ' + s.client_address[0]).encode())
class S(h.ThreadingHTTPServer):
  address_family = socket.AF_INET6
server = S(('::', 80), H)
print('serving', flush=True)
server.serve_forever()
"""
# Of busybox' udhcpc in a guest, which has no programs but busybox' own.
HOOK = r"""case "$1" in
bound|renew) ip addr replace "$ip/$mask" dev "$interface"; ip link set "$interface" mtu "${mtu:-1500}"
  for gateway in $router; do ip route replace default via "$gateway"; done ;;
deconfig) ip addr flush dev "$interface"; ip link set "$interface" up ;;
esac"""


class Internet:
    """The two namespaces, and the web servers that were started."""

    def __init__(self):
        self.machine, self.internet = Namespace(), Namespace()
        self.servers = []
        for space in (self.machine, self.internet):
            space.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0",
                      "net.ipv6.conf.all.accept_dad=0")
        self.machine.run("ip", "link", "add", "w0", "type", "veth", "peer", "name", "w1", "netns",
                         str(self.internet.holder.pid))
        for space, link, number in ((self.machine, "w0", 1), (self.internet, "w1", 2)):
            space.run("ip", "addr", "add", f"198.51.100.{number}/24", "dev", link)
            space.run("ip", "addr", "add", f"2001:db8::{number}/64", "dev", link, "nodad")
            space.run("ip", "link", "set", link, "up")
        self.machine.run("ip", "route", "add", "default", "via", INTERNET)
        self.machine.run("ip", "-6", "route", "add", "default", "via", "2001:db8::2")

    def translates(self):
        """Whether nft is there and the kernel has NAT."""
        return self.machine.run(
            "sh", "-c", "nft 'table inet probe { chain c { type nat hook postrouting priority 100; "
            "oifname w0 masquerade; }; }' && nft delete table inet probe", check=False).returncode == 0

    def serve(self, space, word, folder):
        """A web server on port 80 whose page is the word and who asked."""
        server = Process(f"web server {word}", ["python3", "-c", SERVER, word],
                         folder / f"web-{word}.log", netns=space)
        self.servers.append(server)
        server.wait_log("serving")

    def close(self):
        for server in self.servers:
            server.kill()
        self.machine.close()
        self.internet.close()


def page(guest):
    """What the guest gets from the internet's web server."""
    # Debian's busybox-static dies of wget's own -T.
    return guest.run(f"timeout 10 wget -q -O - http://{INTERNET}/")[1]


def ask_for_address(guest):
    """Has the guest configure its interface by DHCP; what udhcpc said."""
    lines = HOOK.replace("\n", r"\n").replace("'", r"'\''")
    guest.run(rf"printf '%b\n' '#!/bin/sh\n{lines}' >/tmp/hook && chmod 755 /tmp/hook")
    guest.run(f"ip link set {guest.interface} up")
    return guest.run(f"udhcpc -f -n -q -t 10 -T 1 -O mtu -i {guest.interface} -s /tmp/hook", 40)[1]
