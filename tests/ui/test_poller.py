"""How soon the dashboard polls the engine again."""

from __future__ import annotations

from tests.support.fake_service import FakeService
from tui.ui.poller import (
    BUSY_FRAME_S,
    COVERED_FRAME_S,
    FRAME_S,
    IDLE_FRAME_S,
    EnginePoller,
)


def test_the_interval_follows_the_activity():
    service = FakeService()
    id = service.put("a")
    poller = EnginePoller(service)
    assert poller.interval(is_covered=False) == IDLE_FRAME_S
    service.start(id, size=10)
    poller.poll()
    assert poller.interval(is_covered=False) == FRAME_S
    assert poller.interval(is_covered=True) == COVERED_FRAME_S
    service.loop = service.loop._replace(p50_s=0.02)
    poller.poll()
    assert poller.interval(is_covered=False) == BUSY_FRAME_S
    service.finish(id)
    poller.poll()
    assert poller.interval(is_covered=False) == IDLE_FRAME_S
