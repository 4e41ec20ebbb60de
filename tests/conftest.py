# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the end-to-end tests.

VSW_BUILD chooses the build folder under test (default build/), VSW_GUEST the folder of the guest
image, VSW_LONG=1 the long variants. What a machine lacks makes tests skip and say so.
"""
import os
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from lab.bed import Bed  # noqa: E402
from lab.guest import QEMU  # noqa: E402
from lab.image import image  # noqa: E402
from lab.process import LabError, build_folder, missing, program  # noqa: E402
from lab.testpmd import TESTPMD  # noqa: E402

TEST_SECONDS = 120


def pytest_configure(config):
    config.addinivalue_line("markers", "seconds(n): how long the test may take")
    config.addinivalue_line("markers", "alone: measures, so nothing else should run meanwhile")
    config.addinivalue_line("markers", "long: only where VSW_LONG is set (make check-all)")


def pytest_collection_modifyitems(items):
    if os.environ.get("VSW_LONG"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="a long test: make check-all runs it"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """A test that hangs fails, and its fixtures still clean up."""
    marker = item.get_closest_marker("seconds")
    seconds = marker.args[0] if marker else TEST_SECONDS

    def expired(*_):
        raise LabError(f"the test did not end within {seconds} s")
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


@pytest.fixture(scope="session")
def programs():
    """The programs under test exist and this machine lets us run them."""
    for name in ("vswd", "vsw", "vsw-nic"):
        if program(name) is None:
            pytest.fail(f"{name} is not built in {build_folder()}: run make first")
    return program


@pytest.fixture(scope="session")
def root_user():
    if os.geteuid() != 0:
        pytest.skip("needs root (namespaces, TAPs)")


@pytest.fixture(scope="session")
def tun(root_user):
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("this machine has no /dev/net/tun")
    lacking = missing("ip", "nsenter", "unshare", "ping", "iperf3")
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")


@pytest.fixture(scope="session")
def qemu():
    if missing(QEMU):
        pytest.skip(f"{QEMU} is not installed")
    try:
        return image()
    except LabError as error:
        pytest.skip(f"no guest image: {error}")


@pytest.fixture(scope="session")
def testpmd(root_user):
    if missing(TESTPMD):
        pytest.skip(f"{TESTPMD} is not installed (package dpdk-dev)")


@pytest.fixture
def bed(request, programs):
    """A test bed; after a test that passed, everything in it must also end well."""
    made = Bed()
    try:
        yield made
        report = getattr(request.node, "report_call", None)
        if report is not None and report.passed:
            made.finish()
        elif report is not None and report.failed:
            print(made.logs())
    except BaseException:
        print(made.logs())
        raise
    finally:
        made.close()
