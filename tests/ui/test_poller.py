"""How soon the dashboard polls the engine again."""

from __future__ import annotations

from tests.support.fake_service import FakeService
from tui.core.events import Started
from tui.ui.poller import (
    BUSY_FRAME_S,
    COVERED_FRAME_S,
    FLOOD_PER_S,
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


def test_fewer_frames_are_drawn_while_files_end_faster_than_rows_can_be_read():
    now_s = 100.0
    service = FakeService()
    service.start(service.put("a"), size=10)
    poller = EnginePoller(service, monotonic=lambda: now_s)
    poller.poll()

    def poll_after(seconds: float, events: int) -> float:
        nonlocal now_s
        now_s += seconds
        for _ in range(events):
            service.push(Started(0, now_s, 1))
        poller.poll()
        return poller.interval(is_covered=False)

    assert poll_after(FRAME_S, 2) == FRAME_S
    many = int(FLOOD_PER_S * FRAME_S) + 1
    assert poll_after(FRAME_S, many) == BUSY_FRAME_S
    # As many in twice the time are no flood any more.
    assert poll_after(BUSY_FRAME_S, many) == FRAME_S
    # A key asked for a frame between two ticks: too short a time to count events.
    assert poll_after(0.0, 3) == FRAME_S
    assert poll_after(BUSY_FRAME_S, 3 * many) == BUSY_FRAME_S
    assert poll_after(0.0, 3) == BUSY_FRAME_S
    assert poller.is_flood
    service.finish(0)
    poll_after(BUSY_FRAME_S, 3 * many)
    assert not poller.is_flood  # nothing is left to change
