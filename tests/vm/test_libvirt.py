# SPDX-License-Identifier: BSD-3-Clause
"""Domains of a real libvirtd at the switch, with the XML that `vsw port args` prints.

    domain a (10.0.0.1) -- vhost-user -- vswd [blue] -- vhost-user -- vsw-nic b (10.0.0.2)
"""
import os
import pathlib
import pwd
import socket
import subprocess

import pytest

from lab.libvirt import Domain, Libvirt, lacking, printed_parts
from lab.process import missing, wait_for

pytestmark = [pytest.mark.usefixtures("qemu", "tun"), pytest.mark.seconds(180)]

PLAIN = """<domain type='qemu'><name>g</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os>{memory}
<devices>{interface}</devices></domain>
"""
B = "10.0.0.2"


def begin(**keywords):
    if lacking():
        pytest.skip(f"not installed: {', '.join(lacking())} (packages libvirt-daemon-system, "
                    "libvirt-clients)")
    return Libvirt(**keywords)


@pytest.fixture(scope="module")
def libvirt():
    made = begin()
    yield made
    made.close()


@pytest.fixture
def libvirt_of_debian():
    """QEMU runs as libvirt-qemu, as installed."""
    made = begin(as_root=False)
    yield made
    made.close()


@pytest.fixture(params=["server", "client"])
def ports(request, bed):
    """a in either mode, b."""
    a = {"network": "blue"}
    if request.param == "client":
        a.update(mode="client", socket=str(bed.path / "qemu" / "a.sock"))
        (bed.path / "qemu").mkdir()
    return {"a": a, "b": {"network": "blue"}}


def make_domain(bed, libvirt, **keywords):
    bed.switch.allow(r"cannot connect to .*retrying")
    domain = Domain(libvirt, "a", bed.path, bed.switch, "a", **keywords)
    bed.members.append(domain)
    return domain


@pytest.fixture
def place(bed, libvirt, ports):
    """The switch, the domain and the station b."""
    bed.vswd(ports)
    bed.nic("b", 2)
    domain = make_domain(bed, libvirt)
    domain.start()
    domain.configure("10.0.0.1/24")
    domain.wait_ping(B)
    return bed, domain


def restart(bed):
    bed.switch.stop()
    bed.switch.start()


def test_restart_of_the_switch(place):
    bed, domain = place
    assert domain.ping(B) == (5, 5)
    restart(bed)
    domain.wait_ping(B)
    assert domain.ping(B) == (5, 5)


def test_detach_and_attach(place):
    bed, domain = place
    domain.detach()
    wait_for(lambda: not bed.switch.port("a")["connected"], 10, "the port to be free")
    domain.attach()
    domain.configure("10.0.0.1/24")
    domain.wait_ping(B)
    assert domain.ping(B) == (5, 5)
    restart(bed)
    if bed.switch.port("a")["mode"] == "server":
        # libvirt 9.0 plugs it in without `reconnect`: once more is the way round (docs/libvirt.md).
        domain.detach()
        domain.attach()
        domain.configure("10.0.0.1/24")
    domain.wait_ping(B)


def test_save_and_restore(place):
    bed, domain = place
    domain.libvirt.virsh("suspend", "a")
    domain.libvirt.virsh("resume", "a")
    assert domain.ping(B) == (5, 5)
    domain.save_and_restore()
    domain.wait_ping(B)
    assert domain.ping(B) == (5, 5)
    restart(bed)
    domain.wait_ping(B)


def test_rights(bed, libvirt_of_debian, ports):
    """As Debian installs it, QEMU is in the group kvm: it may use its port, but not the control socket."""
    user = pwd.getpwnam("libvirt-qemu")
    bed.path.chmod(0o711)
    bed.vswd(ports, **{"socket-group": "kvm"})
    if (bed.path / "qemu").exists():
        os.chown(bed.path / "qemu", user.pw_uid, -1)
    domain = make_domain(bed, libvirt_of_debian, boot=False)
    libvirt_of_debian.virsh("create", domain.xml, "--paused")
    wait_for(lambda: bed.switch.port("a")["connected"], 10, "QEMU to be connected")
    status = pathlib.Path(f"/proc/{bed.switch.port('a')['peer_pid']}/status").read_text()
    assert f"Uid:\t{user.pw_uid}\t" in status
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(PermissionError):
        as_user(user, lambda: client.connect(str(bed.switch.control)))


def as_user(user, action):
    """Does something with another user's rights."""
    before = os.getgroups()
    os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        action()
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


NOT_IN_9_0 = [("domifstat", "a", "MAC"), ("domif-setlink", "a", "MAC", "down"),
              ("domiftune", "a", "MAC", "--inbound", "1000"), ("update-device", "a", "XML")]


@pytest.mark.parametrize("ports", ["server"], indirect=True)
def test_what_virsh_cannot_do(place):
    """And the way round, as docs/libvirt.md tells."""
    bed, domain = place
    libvirt, mac = domain.libvirt, bed.switch.port("a")["vm_mac"]
    assert mac in libvirt.virsh("domiflist", "a")
    if " 9.0." in libvirt.virsh("version"):
        for words in NOT_IN_9_0:
            words = [{"MAC": mac, "XML": domain.interface_xml}.get(word, word) for word in words]
            assert libvirt.run(*words).returncode != 0, words
    before = bed.switch.port("a")["rx_packets"]
    assert domain.ping(B) == (5, 5)
    assert bed.switch.port("a")["rx_packets"] >= before + 5
    # The link: QEMU itself can cut it.
    for word, carrier in (("off", "0"), ("on", "1")):
        libvirt.virsh("qemu-monitor-command", "a", "--hmp", f"set_link hostnet0 {word}")
        domain.run(f"until [ $(cat /sys/class/net/eth0/carrier) = {carrier} ]; do usleep 50000; done")
    domain.wait_ping(B)
    # Another network: an edit of the switch's configuration, under the running domain.
    for network, answers in (("green", 0), ("blue", 2)):
        bed.switch.reload(bed.text({"a": {"network": network}, "b": {"network": "blue"}}))
        assert domain.ping(B, 2)[1] == answers
    assert bed.switch.port("a")["connections"] == 1


def test_valid_domain(bed):
    """Queues and an MTU, too, are as libvirt's schema wants them."""
    if missing("virt-xml-validate"):
        pytest.skip("virt-xml-validate is not installed (package libvirt-clients)")
    bed.vswd({"a": {"network": "blue", "mac": "52:54:00:00:00:01", "queues": 2, "mtu": 9000}, "b": {
        "network": "blue", "mode": "client", "socket": str(bed.path / "b,c.sock")}})
    bed.switch.allow(r"cannot connect to .*retrying")
    for name in "ab":
        memory, interface = printed_parts(bed.switch, name)
        path = bed.path / f"{name}.xml"
        path.write_text(PLAIN.format(memory=memory, interface=interface))
        done = subprocess.run(["virt-xml-validate", str(path), "domain"], capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stdout + done.stderr
