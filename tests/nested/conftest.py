# SPDX-License-Identifier: BSD-3-Clause
"""The nested machine, booted once for all tests of this folder."""
import pytest

from lab.nested import Nested, obstacle
from lab.process import LabError


@pytest.fixture(scope="session")
def nested(programs, qemu):
    reason = obstacle()
    if reason:
        pytest.skip(f"no nested machine: {reason}")
    try:
        machine = Nested()
    except LabError as error:
        pytest.fail(f"the nested machine does not boot: {error}")
    yield machine
    machine.close()
