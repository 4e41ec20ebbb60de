# SPDX-License-Identifier: BSD-3-Clause
"""What a running VM was promised is not taken back by accident, and where it is, the port says so."""
from lab.process import wait_for


def configure(bed, **keys):
    return bed.text({"a": {"network": "blue", **keys}, "b": {"network": "blue"}})


def refused(bed, text, *words):
    """diff says it, apply and SIGHUP refuse it, and nothing has changed."""
    other = bed.path / "other.yaml"
    other.write_text(text)
    shown = bed.switch.vsw_raw("config", "diff", other)
    assert shown.returncode == 0 and "cut off" in shown.stdout, shown
    done = bed.switch.vsw_raw("config", "apply", other)
    assert done.returncode == 1, done.stdout
    for word in ("port a", "--force", *words):
        assert word in done.stderr, done.stderr
    before = bed.switch.config_path.read_text()
    connections = bed.switch.port("a")["connections"]
    bed.switch.allow("would be cut off", "configuration not changed")
    bed.switch.reload(text)
    wait_for(lambda: "configuration not changed" in bed.switch.log(), 10, "the refusal of SIGHUP")
    bed.switch.write(before)
    assert bed.switch.port("a")["connections"] == connections
    return other


def check(bed, guest, **keys):
    """Lower is refused and, forced, explained; raising works live. keys: low and high."""
    low, high = keys["low"], keys["high"]
    other = refused(bed, configure(bed, **low), "promised")
    assert guest.ping("10.0.0.2") == (5, 5), "the VM goes on"
    other.write_text(configure(bed, **high))
    raised = bed.switch.vsw_raw("config", "apply", other)
    assert raised.returncode == 0 and "cut off" not in raised.stdout, raised
    guest.wait_ping("10.0.0.2", timeout=30)
    other.write_text(configure(bed, **low))
    bed.switch.allow("port a: ")
    assert bed.switch.vsw_raw("config", "apply", "--force", other).returncode == 0
    wait_for(lambda: bed.switch.port("a")["state"] == "refused", 10, "the state")
    assert "must be restarted" in bed.switch.port("a")["problem"]
    assert "must be restarted" in bed.switch.log()


def test_queues_of_a_running_vm(bed):
    bed.vswd({"a": {"network": "blue", "queues": 2}, "b": {"network": "blue"}})
    a = bed.guest("a", 1, queues=2, cpus=2, reconnect=True)
    b = bed.guest("b", 2)
    for number, guest in enumerate((a, b), 1):
        guest.configure(f"10.0.0.{number}/24")
    a.wait_ping("10.0.0.2")
    check(bed, a, low={"queues": 1}, high={"queues": 4})
    # A VM of the port's size mends it.
    a.kill()
    wait_for(lambda: not bed.switch.port("a")["connected"], 10, "the switch to notice")
    other = bed.guest("a", 1)
    other.configure("10.0.0.1/24")
    other.wait_ping("10.0.0.2")
    assert bed.switch.port("a")["state"] == "running" and not bed.switch.port("a")["problem"]
    assert bed.switch.port("a")["queues_running"] == 1


def test_mtu_of_a_running_vm(bed):
    bed.vswd({"a": {"network": "blue", "mtu": 4000}, "b": {"network": "blue"}})
    a = bed.guest("a", 1, device=",host_mtu=4000", reconnect=True)
    b = bed.guest("b", 2)
    for number, guest in enumerate((a, b), 1):
        guest.configure(f"10.0.0.{number}/24")
    a.wait_ping("10.0.0.2")
    check(bed, a, low={"mtu": 1500}, high={"mtu": 9000})


def test_an_mtu_that_is_refused(bed):
    """Said in the log and at the port, whatever the VMM makes of it."""
    bed.vswd({"a": {"network": "blue", "mtu": 1500}})
    bed.switch.allow("host_mtu 9000")
    bed.guest("a", 1, device=",host_mtu=9000", boot=False)
    wait_for(lambda: "host_mtu 9000 is larger" in (bed.switch.port("a")["problem"] or ""), 60,
             "the reason at the port")
    assert bed.switch.port("a")["state"] == "refused"
    assert "host_mtu 9000 is larger" in bed.switch.log()
