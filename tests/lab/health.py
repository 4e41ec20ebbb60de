# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel has to complain about in the frames that it received, in a guest or a namespace."""
import re

# Counters of /proc/net/snmp, snmp6 and netstat that rise where a frame came in damaged.
DAMAGE = re.compile(r"InCsumErrors$|^TcpInErrs$|InHdrErrors$|ReasmFails$|^Icmp6?InErrors$|"
                    r"InTruncatedPkts$")
COUNTERS = "cat /proc/net/snmp /proc/net/snmp6 /proc/net/netstat"
# What virtio_net and the stack say about headers and checksums that they do not believe.
COMPLAINT = re.compile(r".*(?:bad gso|hw csum failure|bad csum|bad checksum|out of sync|"
                       r"id \d+ out of range|BUG:|WARNING:|Oops).*")


def in_guest(guest):
    """How to run a shell command line in a guest, for the functions below."""
    return lambda command: guest.run(command)[1]


def in_netns(netns):
    return lambda command: netns.run("sh", "-c", command).stdout


def counters(run):
    """Everything that the kernel counts about its protocols: "TcpInSegs" and so on."""
    found = {}
    names = {}
    for line in run(COUNTERS).splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdigit():
            found[words[0]] = int(words[1])
        elif words and words[0] not in names:
            names[words[0]] = words[1:]
        elif words:
            prefix = words[0].rstrip(":")
            found.update({prefix + name: int(value)
                          for name, value in zip(names.pop(words[0]), words[1:])})
    assert "TcpInCsumErrors" in found and "Udp6InCsumErrors" in found, sorted(found)
    return found


def interface_errors(run, interface):
    """Errors that the interface counted, received and sent; drops are not errors."""
    for line in run("cat /proc/net/dev").splitlines():
        name, _, rest = line.partition(":")
        if name.strip() == interface:
            fields = [int(word) for word in rest.split()]
            return {key: fields[at] for key, at in
                    {"rx errors": 2, "rx frame": 5, "tx errors": 10}.items() if fields[at]}
    raise AssertionError(f"no interface {interface}")


def assert_healthy(run, interface, cut_off=0):
    """Fails where a frame came in that the kernel found damaged.

    cut_off: so many may have come without any bytes, which the interface counts as errors of its own: what a
    switch that was killed in the middle of a burst had taken of a packed ring, and its successor gives back.
    """
    damage = {name: value for name, value in counters(run).items()
              if value and DAMAGE.search(name)}
    errors = interface_errors(run, interface)
    if errors.get("rx frame", 0) <= cut_off and errors.get("rx errors", 0) <= cut_off:
        errors = {key: count for key, count in errors.items() if not key.startswith("rx")}
    damage.update(errors)
    assert not damage, damage


def assert_guest_healthy(guest, cut_off=0):
    """The same for a guest, with what its driver says, but of frames that were cut off."""
    assert_healthy(in_guest(guest), guest.interface, cut_off)
    complaints = COMPLAINT.findall(guest.run("dmesg")[1])
    assert not complaints, complaints
