# SPDX-License-Identifier: BSD-3-Clause
"""A VM and the host: a guest on a vhost-user port reaches services behind a TAP port.

    guest (eth0 10.0.0.1) -- vhost-user -- vswd [blue] -- TAP -- (10.0.0.2 vsw0) namespace with services
"""
import hashlib

import pytest

from lab.netns import Namespace
from lab.process import Process

pytestmark = pytest.mark.usefixtures("qemu", "tun")


def test_guest_reaches_a_service(bed):
    host = Namespace()
    try:
        bed.vswd({"vm": {"network": "blue"},
                  "host": {"type": "tap", "ifname": "vsw0", "netns": host.path, "network": "blue",
                           "address": ["10.0.0.2/24"]}})
        guest = bed.guest("vm", 1)
        guest.configure("10.0.0.1/24")
        guest.wait_ping("10.0.0.2")
        assert guest.ping("10.0.0.2") == (5, 5)
        page = bed.path / "page"
        page.mkdir()
        (page / "words").write_text("hello from the host\n" * 20000)
        server = Process("http", ["/usr/bin/python3", "-m", "http.server", "8000", "--bind",
                                  "10.0.0.2", "--directory", page], bed.path / "http.log",
                         netns=host)
        try:
            _, said = guest.run("for i in 1 2 3 4 5 6 7 8 9 10; do "
                                "wget -q -O /tmp/words http://10.0.0.2:8000/words && break; "
                                "sleep 0.5; done; md5sum < /tmp/words | cut -c1-32")
            assert hashlib.md5((page / "words").read_bytes()).hexdigest() in said
        finally:
            server.kill()
    finally:
        host.close()
