# SPDX-License-Identifier: BSD-3-Clause
"""Routers of the kernel: networks that reach each other and the world.

    VM a (vsw-nic) -- [blue 10.0.0.0/24]  \
                                           router -- "machine" (vswd, 198.51.100.1) -- "internet" (.2)
    VM b (vsw-nic) -- [green 10.0.20.0/24] /

The machine is a namespace of the test: nothing of the real one's is touched but a name in /run/netns.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest
import yaml

from lab.bed import mac
from lab.internet import Internet
from lab.nic import Nic
from lab.process import Process, wait_for
from lab.vswd import run_tool

pytestmark = pytest.mark.usefixtures("tun")

# Of this test run alone.
ROUTER = f"t{os.getpid()}"
FOREIGN = "table ip theirs { chain c { type filter hook forward priority 0; policy accept; }; }"


class World(Internet):
    """The machine, the internet, and what is started in them."""

    def __init__(self, bed):
        super().__init__()
        self.bed = bed
        # What would be let in if nobody kept it out.
        self.internet.run("ip", "route", "add", "10.0.0.0/8", "via", "198.51.100.1")
        self.internet.run("ip", "-6", "route", "add", "fd00::/8", "via", "2001:db8::1")
        self.machine.run("nft", FOREIGN)
        self.rules = self.machine.run("nft", "list", "ruleset").stdout

    def start(self, routers, ports, networks, up=True):
        text = yaml.safe_dump({
            "switch": {"socket-dir": str(self.bed.path)},
            "networks": networks,
            "ports": {name: {"type": "vhost-user", **keys} for name, keys in ports.items()},
            "routers": {name: {"gateway": "kernel", **keys} for name, keys in routers.items()},
        }, sort_keys=False)
        if self.bed.switch:
            self.bed.switch.write(text)
            return text
        self.bed.vswd_text(text, netns=self.machine)
        if up:
            self.wait_up()
        return text

    def wait_up(self):
        wait_for(lambda: all(r["state"] == "up" for r in self.bed.switch.vsw("router", "show")), 20,
                 "routers that are up")

    def vm(self, port, number, address="10.0.0.5", address6="fd00::5"):
        """A VM with its addresses, whose gateways are the first ones."""
        nic = Nic(self.bed.path / f"{port}.sock", mac(number), self.bed.path / f"nic-{port}.log",
                  address=f"{address}/24")
        self.bed.members.append(nic)
        nic.netns.run("ip", "-6", "addr", "flush", "dev", nic.tap, "scope", "global")
        nic.netns.run("ip", "addr", "add", f"{address6}/64", "dev", nic.tap, "nodad")
        nic.netns.run("ip", "route", "add", "default", "via", address.rsplit(".", 1)[0] + ".1")
        nic.netns.run("ip", "-6", "route", "add", "default", "via",
                      address6.rsplit("::", 1)[0] + "::1")
        return nic

    def serve(self, space, word):
        super().serve(space, word, self.bed.path)

    def close(self):
        super().close()
        for name in (ROUTER, ROUTER + "b"):
            subprocess.run(["ip", "netns", "del", f"vsw-{name}"], stderr=subprocess.DEVNULL)


class Held:
    """Tables of the routers of these names that only this program may change."""

    def __init__(self, space, *names):
        with space.enter():
            self.nft = subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.DEVNULL)
        for name in names:
            self.nft.stdin.write(f"add table inet virtswitch-{name} {{ flags owner; }}\n")
        self.nft.stdin.flush()
        wait_for(lambda: space.run("nft", "list", "ruleset").stdout.count("flags owner") ==
                 len(names), 10, "tables that are held")

    def close(self):
        self.nft.stdin.close()
        self.nft.wait(10)


def is_up(space, link):
    return ",UP" in space.run("ip", "-o", "link", "show", "dev", link).stdout


def advertise(space, link):
    """One router advertisement with a lifetime, where the link is ready for it."""
    with space.enter():
        raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        index = socket.if_nametoindex(link)
    with raw:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        with contextlib.suppress(OSError):
            raw.sendto(bytes([134, 0, 0, 0, 64, 0, 7, 8]) + bytes(8), ("ff02::1", 0, 0, index))


def fetch(space, url, seconds=5):
    """The page, "" where there is none."""
    return space.run("curl", "-s", "-g", "--noproxy", "*", "-m", seconds, url, check=False).stdout


class Echo:
    """A UDP server that answers what it is told, when asked by ask()."""

    def __init__(self, space, port):
        with space.enter():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("0.0.0.0", port))
        self.socket.settimeout(5)

    def ask(self, space, address, port):
        """Whether a question comes, and the answer from where the question went."""
        with space.enter():
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with client:
            client.settimeout(5)
            client.connect((address, port))
            client.send(b"question")
            question, asker = self.socket.recvfrom(64)
            self.socket.sendto(b"answer", asker)
            return question == b"question" and client.recv(64) == b"answer"


def asker_of(vm, server, address="0.0.0.0", port=0):
    """Who a datagram from that address and port of the VM comes from for the internet; None: none."""
    with vm.netns.enter():
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        client.bind((address, port))
        client.sendto(b"question", ("198.51.100.2", 5000))
    try:
        return server.recvfrom(64)[1]
    except TimeoutError:
        return None


@pytest.fixture
def world(bed):
    lacking = [name for name in ("nft", "curl", "traceroute") if not shutil.which(name)]
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    made = World(bed)
    yield made
    try:
        # Before its namespaces go.
        bed.finish()
    finally:
        made.close()


BLUE = {"subnet": "10.0.0.0/24", "subnet6": "fd00::/64"}
GREEN = {"subnet": "10.0.20.0/24", "subnet6": "fd00:20::/64"}
PORTS = {"a": {"network": "blue", "ip": ["10.0.0.5", "fd00::5"]},
         "b": {"network": "green", "ip": ["10.0.20.6", "fd00:20::6"]}}
NAT = {"networks": ["blue", "green"], "uplink": "nat",
       "forward": {"tcp/8080": "a:80", "tcp/8086": "[fd00::5]:80", "udp/5300": "a:53"}}


def plain(address):
    """As a server that listens for both families sees IPv4."""
    return address.removeprefix("::ffff:")


@pytest.mark.parametrize("netns", ["own", "host"])
def test_way_out(bed, world, netns):
    """Between networks, out by NAT, in by forwarding only; and nothing is left."""
    keys = NAT if netns == "own" else {**NAT, "netns": "host"}
    world.start({ROUTER: keys}, PORTS, {"blue": BLUE, "green": GREEN})
    a, b = world.vm("a", 5), world.vm("b", 6, "10.0.20.6", "fd00:20::6")
    world.serve(world.internet, "internet")
    assert "\nrouters   1\n" in bed.switch.vsw_raw("show").stdout
    done = run_tool("vswd", "--config", bed.switch.config_path, "--check")
    assert f"networks: {len(bed.switch.vsw('network', 'show'))}, ports: 2, routers: 1" in done.stdout
    world.serve(a.netns, "vm")
    assert a.ping("10.0.0.1", 1)[1] and a.ping("fd00::1", 1)[1]
    assert a.ping("10.0.20.6", 3) == (3, 3) and b.ping("fd00::5", 3) == (3, 3)
    assert fetch(b.netns, "http://10.0.0.5/").startswith("vm ")
    route = a.netns.run("traceroute", "-n", "-q", 1, "-w", 2, "198.51.100.2").stdout.split("\n")
    assert "10.0.0.1" in route[1] and any("198.51.100.2" in line for line in route[2:])

    # Who asks is the machine, whichever family.
    for address, seen in (("198.51.100.2", "198.51.100.1"), ("[2001:db8::2]", "2001:db8::1")):
        word, client = fetch(a.netns, f"http://{address}/").split()
        assert (word, plain(client)) == ("internet", seen)

    # From outside, from the machine itself, and from the VM by the machine's address.
    for space in (world.internet, world.machine, a.netns, b.netns):
        assert fetch(space, "http://198.51.100.1:8080/").startswith("vm "), space
        assert fetch(space, "http://[2001:db8::1]:8086/").startswith("vm "), space
    echo = Echo(a.netns, 53)
    with echo.socket:
        for space in (world.internet, world.machine, a.netns, b.netns):
            assert echo.ask(space, "198.51.100.1", 5300), space
    # No server takes a VM for root of this machine, and none sees an address that is not its own.
    with world.internet.enter():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server:
        server.bind(("0.0.0.0", 5000))
        server.settimeout(5)
        address, port = asker_of(a, server, port=700)
        assert address == "198.51.100.1" and port >= 1024
        a.netns.run("ip", "addr", "add", "203.0.113.9/32", "dev", "lo")
        server.settimeout(0.3)
        assert asker_of(a, server, address="203.0.113.9") is None
    # What nobody forwards does not come in.
    assert fetch(world.internet, "http://10.0.0.5/", 1) == ""
    assert fetch(world.internet, "http://[fd00::5]/", 1) == ""

    shown = bed.switch.vsw("router", "show")[0]
    assert shown["state"] == "up" and shown["problem"] is None
    assert shown["addresses"] == ["10.0.0.1/24", "fd00::1/64", "10.0.20.1/24", "fd00:20::1/64"]
    assert shown["forward"] == NAT["forward"]
    assert bed.switch.port(f"{ROUTER}/blue")["router"] == ROUTER
    done = bed.switch.vsw_raw("port", "set", f"{ROUTER}/blue", "mtu=1400")
    assert done.returncode == 1 and f"follows from router '{ROUTER}'" in done.stderr
    assert f"{ROUTER}/blue" not in bed.switch.vsw_raw("config", "show").stdout

    # IPv6 that is routed, not translated: seen as it is, and let in.
    done = bed.switch.vsw_raw("router", "set", ROUTER, "nat6=false")
    assert done.returncode == 0, done.stderr
    world.wait_up()
    assert fetch(a.netns, "http://[2001:db8::2]/") == "internet fd00::5"
    assert fetch(world.internet, "http://[fd00::5]/").startswith("vm ")
    assert plain(fetch(a.netns, "http://198.51.100.2/").split()[1]) == "198.51.100.1"
    bed.finish()
    assert world.machine.run("nft", "list", "ruleset").stdout == world.rules
    assert not os.path.exists(f"/run/netns/vsw-{ROUTER}")
    assert [link.split("@")[0] for link in re.findall(
        r"^\d+: (\S+):", world.machine.run("ip", "-o", "link").stdout, re.M)] == ["lo", "w0"]


def test_same_addresses(bed, world):
    """Two tenants with the same addresses, names of VMs and all, do not meet."""
    world.start({ROUTER: {"networks": ["blue"], "uplink": "nat", "forward": {"tcp/81": "a:80"}},
                 ROUTER + "b": {"networks": ["green"], "uplink": "nat",
                                "forward": {"tcp/82": "b:80"}}},
                {"a": {"network": "blue", "ip": "10.0.0.5"},
                 "b": {"network": "green", "ip": "10.0.0.5"}}, {"blue": BLUE, "green": dict(BLUE)})
    a, b = world.vm("a", 5), world.vm("b", 6)
    world.serve(a.netns, "first")
    world.serve(b.netns, "second")
    for space in (world.internet, world.machine, a.netns, b.netns):
        assert fetch(space, "http://198.51.100.1:81/").startswith("first "), space
        assert fetch(space, "http://198.51.100.1:82/").startswith("second "), space
    # The other's router answers this machine, but not the VM of another tenant.
    link = world.machine.run("ip", "-o", "addr", "show", "dev", f"u-{ROUTER}b", "scope", "global")
    here = re.search(r"inet (169\.254\.\d+\.)(\d+)/30", link.stdout)
    for there in (f"{here[1]}{int(here[2]) + 1}",
                  re.search(r"inet6 (fd76:\S*::)1/64", link.stdout)[1] + "2"):
        ping = ("ping", "-n", "-c", 2, "-i", 0.1, "-W", 0.3, there)
        assert world.machine.run(*ping, check=False).returncode == 0, there
        assert a.netns.run(*ping, check=False).returncode == 1, there


def test_killed(bed, world):
    """After SIGKILL the next one takes over what it has, and removes the rest."""
    networks = {"blue": BLUE, "green": GREEN}
    world.start({ROUTER: NAT}, PORTS, networks)
    a = world.vm("a", 5)
    world.serve(world.internet, "internet")
    bed.switch.kill()
    bed.switch.start()
    world.wait_up()
    wait_for(lambda: fetch(a.netns, "http://198.51.100.2/", 1), 20, "a page after the restart")
    bed.switch.kill()
    world.start({}, PORTS, networks)
    bed.switch.start()
    assert bed.switch.vsw("router", "show") == []
    wait_for(lambda: world.machine.run("nft", "list", "ruleset").stdout == world.rules, 10,
             "the tables as they were")
    assert not os.path.exists(f"/run/netns/vsw-{ROUTER}")
    assert "uplink" not in world.machine.run("ip", "-o", "link").stdout


def test_reload(bed, world):
    """The way out comes, changes and goes while others lose nothing."""
    networks = {"blue": BLUE, "green": GREEN}
    world.start({ROUTER: {"networks": ["blue", "green"]}}, {**PORTS, "c": {"network": "blue"}},
                networks)
    a, c = world.vm("a", 5), world.vm("c", 7, "10.0.0.7", "fd00::7")
    world.serve(world.internet, "internet")
    world.serve(a.netns, "vm")
    assert fetch(a.netns, "http://198.51.100.2/", 1) == ""
    log = bed.path / "ping.log"
    pinging = Process("ping", ["ping", "-n", "-q", "-i", "0.01", "10.0.0.5"], log, netns=c.netns)
    try:
        bed.switch.vsw_raw("router", "set", ROUTER, "uplink=nat")
        wait_for(lambda: fetch(a.netns, "http://198.51.100.2/", 1), 10, "a page")
        assert fetch(world.internet, "http://198.51.100.1:8080/", 1) == ""
        done = bed.switch.vsw_raw("router", "set", ROUTER, "forward=tcp/8080=a:80")
        assert done.returncode == 0, done.stderr
        wait_for(lambda: fetch(world.internet, "http://198.51.100.1:8080/", 1), 10, "a forwarding")
        # The longest packet of the way is told to the VM.
        world.machine.run("ip", "link", "set", "w0", "mtu", 1400)
        said = a.netns.run("ping", "-n", "-c", 2, "-M", "do", "-s", 1450, "198.51.100.2",
                           check=False).stdout
        assert "mtu = 1400" in said or "mtu=1400" in said, said
        # An uplink that is down is no way, and one that is back is.
        world.machine.run("ip", "link", "set", "w0", "down")
        assert fetch(a.netns, "http://198.51.100.2/", 1) == ""
        world.machine.run("ip", "link", "set", "w0", "up")
        world.machine.run("ip", "route", "add", "default", "via", "198.51.100.2")
        wait_for(lambda: fetch(a.netns, "http://198.51.100.2/", 1), 10, "a page again")
        bed.switch.vsw_raw("router", "del", ROUTER)
        assert not os.path.exists(f"/run/netns/vsw-{ROUTER}")
    finally:
        pinging.send_signal(signal.SIGINT)
        pinging.wait_log("packets transmitted")
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received",
                                        log.read_text()).groups())
    # The last one may be under way.
    assert sent > 50 and received >= sent - 1


def test_tables(bed, world):
    """Nothing is open while there are no tables, and they come back."""
    own, host = ROUTER, ROUTER + "b"
    setting = "/proc/sys/net/ipv6/conf/{}/accept_ra"
    learns = world.machine.run("cat", setting.format("all"), setting.format("default")).stdout
    wait_for(lambda: advertise(world.internet, "w1") or
             "proto ra" in world.machine.run("ip", "-6", "route").stdout, 10,
             "a route that was learned")
    held = Held(world.machine, own, host)
    keys = {"networks": ["blue"], "uplink": "nat"}
    text = world.start({own: keys, host: {"networks": ["green"], "uplink": "nat", "netns": "host"}},
                       PORTS, {"blue": BLUE, "green": GREEN}, up=False)
    bed.switch.allow("tried again", "a table is left", r"routers\.", "configuration not changed")
    wait_for(lambda: all(r["state"] == "failed" for r in bed.switch.vsw("router", "show")), 10,
             "routers that failed")
    assert not is_up(world.machine, f"u-{own}") and not is_up(world.machine, "v-green")
    # Nothing is learned from VMs; what the machine had learned stays.
    for link, value in (("v-green", "0"), (f"u-{own}", "0"), ("w0", "2")):
        assert world.machine.run("cat", setting.format(link)).stdout.strip() == value, link
    assert world.machine.run("cat", setting.format("all"),
                             setting.format("default")).stdout == learns
    assert "proto ra" in world.machine.run("ip", "-6", "route").stdout
    # One that leaves and is back before its table is gone.
    bed.switch.write(text.replace(f"  {own}:", f"  {own}c:"))
    apply = ("config", "apply", bed.switch.config_path)
    assert bed.switch.vsw_raw(*apply).returncode == 0
    bed.switch.write(text)
    assert bed.switch.vsw_raw(*apply).returncode == 0
    held.close()
    assert bed.switch.vsw_raw(*apply).returncode == 0
    world.wait_up()
    assert is_up(world.machine, f"u-{own}") and is_up(world.machine, "v-green")
    # What somebody flushed is there again after a reload.
    world.machine.run("nft", "flush", "ruleset")
    assert bed.switch.vsw_raw(*apply).returncode == 0
    for name in (own, host):
        wait_for(lambda n=name: f"virtswitch-{n}\n" in
                 world.machine.run("nft", "list", "tables").stdout, 10, "a table")
    # A refused change takes nothing of a running router away.
    done = bed.switch.vsw_raw("router", "set", own, "netns=no.such")
    assert done.returncode == 1 and "cannot open network namespace" in done.stderr
    assert sorted(os.listdir(bed.path / ".routers")) == [own, host]
    # It leaves for good.
    assert bed.switch.vsw_raw("router", "del", own).returncode == 0
    assert not os.path.exists(f"/run/netns/vsw-{own}")
    assert world.machine.run("ip", "link", "show", f"u-{own}", check=False).returncode == 1
    wait_for(lambda: f"virtswitch-{own}\n" not in
             world.machine.run("nft", "list", "tables").stdout, 10, "no table any more")


def test_refused_way_out(bed, world):
    """An interface of somebody else is left alone, and so is one that a refused change made."""
    text = world.start({ROUTER: {"networks": ["blue"]}}, PORTS, {"blue": BLUE, "green": GREEN})
    bed.switch.allow(r"routers\.", r"ports\.", "configuration not changed")
    link = ("ip", "link", "show", f"u-{ROUTER}")
    world.machine.run("ip", "link", "add", f"u-{ROUTER}", "type", "veth", "peer", "name", "x1")
    done = bed.switch.vsw_raw("router", "set", ROUTER, "uplink=nat")
    assert done.returncode == 1 and f"u-{ROUTER} is there, and not ours" in done.stderr
    assert world.machine.run(*link).returncode == 0
    world.machine.run("ip", "link", "del", f"u-{ROUTER}")
    more = "ports:\n  bad: {type: tap, network: blue, netns: no.such}\n"
    bed.switch.write(text.replace("ports:\n", more).replace(
        "    gateway: kernel\n", "    gateway: kernel\n    uplink: nat\n"))
    done = bed.switch.vsw_raw("config", "apply", bed.switch.config_path)
    assert done.returncode == 1 and "ports.bad" in done.stderr, done.stderr
    assert world.machine.run(*link, check=False).returncode == 1


def test_errors(bed, world):
    """What cannot be had is refused with its place, and nothing has changed."""
    text = world.start({}, PORTS, {"blue": BLUE, "green": GREEN})
    subprocess.run(["ip", "netns", "add", f"vsw-{ROUTER}"], check=True)
    bed.switch.allow(r"routers\.", "configuration not changed")
    wanted = f"routers:\n  {ROUTER}:\n    gateway: kernel\n    networks: [blue]\n"
    for more, words in (("", "is there, and not ours"),
                        ("    netns: no.such\n", "cannot open network namespace")):
        bed.switch.write(text.replace("routers: {}", wanted + more))
        done = bed.switch.vsw_raw("config", "apply", bed.switch.config_path)
        assert done.returncode == 1 and f"routers.{ROUTER}." in done.stderr, done.stderr
        assert words in done.stderr
        assert re.search(r"config\.yaml:\d+: ", done.stderr)
        assert bed.switch.vsw("router", "show") == []
    # By hand there is no file to name.
    done = bed.switch.vsw_raw("router", "add", ROUTER, "gateway=kernel", "networks=blue", "netns=no.such")
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith(f"vsw: routers.{ROUTER}.netns: cannot open network namespace"), done.stderr
    assert os.path.exists(f"/run/netns/vsw-{ROUTER}")
