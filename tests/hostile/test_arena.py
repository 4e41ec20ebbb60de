# SPDX-License-Identifier: BSD-3-Clause
"""The arena itself: quiet where nobody attacks, and not blind where frames do go missing."""
import time

import pytest

from lab.bystanders import Bystanders, content
from lab.frames import frame
from lab.process import LabError


def test_peace(arena):
    with arena.watched() as traffic:
        time.sleep(1)
    assert traffic.sent > 100


def test_a_stray_frame_is_seen(arena):
    """A frame that is not the next one, and one that never comes."""
    traffic = Bystanders(arena.one, arena.two).start()
    arena.one.raw().send(frame(arena.two.mac, arena.one.mac, content(0)))
    with pytest.raises(LabError, match="frame 0 came where"):
        traffic.stop()


def test_a_loss_is_seen(arena):
    traffic = Bystanders(arena.one, arena.two).start()
    traffic.sent += 1
    with pytest.raises(LabError, match="was next|nothing came"):
        traffic.stop()
