# SPDX-License-Identifier: BSD-3-Clause
"""What `vsw port args --vmm libvirt` prints is a valid part of a libvirt domain."""
import re
import subprocess

import pytest

from lab.process import missing

pytestmark = pytest.mark.long

DOMAIN = """<domain type='qemu'><name>g</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os>{memory}
<devices>{interface}</devices></domain>
"""


def test_valid_domain(bed):
    if missing("virt-xml-validate"):
        pytest.skip("virt-xml-validate is not installed (package libvirt-clients)")
    bed.vswd({"a": {"network": "blue", "mac": "52:54:00:00:00:01", "queues": 2}, "b": {
        "network": "blue", "mode": "client", "socket": str(bed.path / "b.sock")}})
    for name in "ab":
        text = bed.switch.vsw_raw("port", "args", name, "--vmm", "libvirt").stdout
        parts = {tag: re.search(rf"<{tag}\b.*?</{tag}>", text, re.S) for tag in
                 ("memoryBacking", "interface")}
        assert all(parts.values()), text
        path = bed.path / f"{name}.xml"
        path.write_text(DOMAIN.format(memory=parts["memoryBacking"].group(0),
                                      interface=parts["interface"].group(0)))
        done = subprocess.run(["virt-xml-validate", str(path), "domain"], capture_output=True,
                              text=True)
        assert done.returncode == 0, done.stdout + done.stderr
