"""The screen of ``fetchtui scale``: what it shows, and what its keys do."""

from __future__ import annotations

import pytest

from tui.scale.model import (
    HostStatus,
    JobSnapshot,
    Limits,
    ShardProgress,
    ShardRow,
    ShardState,
    WorkerRow,
    WorkerStatus,
)
from tui.ui.scale.app import ScaleApp


class FakeControl:
    """A job whose snapshot the test sets."""

    def __init__(self) -> None:
        status = WorkerStatus(
            "tcp://10.0.0.1:4000",
            (ShardProgress(7, 1, 400, 3, 5_000_000),),
            active=12,
            concurrency=16,
            speed=2e6,
            done=1400,
        )
        lost = WorkerStatus("tcp://10.0.0.2:4000")
        self.value = JobSnapshot(
            shards=40,
            shards_done=12,
            rows=200_000,
            rows_done=60_000,
            rows_failed=31,
            received=3_000_000_000,
            speed=4e6,
            elapsed_s=125.0,
            limits=Limits(32, 4, None),
            workers=(
                WorkerRow(status.name, "running", status),
                WorkerRow(lost.name, "lost", lost),
            ),
            shown=(
                ShardRow(
                    7, ShardState.RUNNING, 5000, status.name, 2, 400, 3, 5_000_000
                ),
                ShardRow(9, ShardState.FAILED, 5000, note="disk full"),
            ),
            hosts=(
                HostStatus("http://a.example", 4, 800, 4, 100, 2, 1e6, 0.0, workers=2),
                HostStatus("http://b.example", 0, 10, 1, blocked_s=12.0),
            ),
            causes=(("not_found", 404, 28), ("stalled", 0, 3)),
        )
        self.calls: list[tuple[object, ...]] = []

    def snapshot(self) -> JobSnapshot:
        return self.value

    def set_limits(self, limits: Limits) -> None:
        self.calls.append(("limits", *limits))
        self.value = self.value._replace(limits=limits)

    def cancel_shard(self, shard: int) -> bool:
        self.calls.append(("cancel", shard))
        return shard == 7

    def retry_shard(self, shard: int) -> bool:
        self.calls.append(("retry", shard))
        return shard == 9


def shown(app: ScaleApp) -> str:
    """Return the text on the screen."""
    widgets = app.screen.query("*")
    lines = []
    for widget in widgets:
        if hasattr(widget, "_lines"):
            lines += ["".join(span.text for span in line) for line in widget._lines]
    return "\n".join(lines)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_shards_workers_hosts_and_failures(size):
    control = FakeControl()
    app = ScaleApp(control, "/data/out")
    async with app.run_test(size=size) as pilot:
        app.scale_screen.tick()
        await pilot.pause()
        text = shown(app)
        assert "60,000 of 200,000 done, 31 failed" in text
        assert "12 of 40 shards" in text
        assert "concurrency 12/32" in text
        assert "4 per host" in text
        assert "28 404 not found" in text
        assert "failed: disk full" in text
        assert "listed in failed.parquet at the end" in text
        await pilot.press("2")
        text = shown(app)
        assert "10.0.0.1:4000" in text
        assert "lost" in text
        assert "12/16" in text
        await pilot.press("tab")
        text = shown(app)
        assert "a.example" in text
        assert "4/4" in text
        assert "backing off 12s" in text


async def test_in_80_columns_speed_notes_and_quit_are_in_sight():
    control = FakeControl()
    full = WorkerStatus("tcp://10.0.0.3:4000")
    reason = "the disk is full: cannot write"
    control.value = control.value._replace(
        workers=(
            *control.value.workers,
            WorkerRow(full.name, "stopped", full, reason),
        )
    )
    app = ScaleApp(control, "/data/out")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        lines = shown(app).splitlines()
    (running,) = (line for line in lines if "10.0.0.1:4000" in line)
    assert "2.00 MB/s" in running[:76]
    (stopped,) = (line for line in lines if "10.0.0.3:4000" in line)
    assert reason in stopped[:76]
    assert any("q quit" in line for line in lines)


async def test_keys_change_the_job():
    control = FakeControl()
    app = ScaleApp(control, "/data/out")
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("x", "down", "r", "plus", "minus", "minus")
        assert control.calls == [
            ("cancel", 7),
            ("retry", 9),
            ("limits", 33, 4, None),
            ("limits", 32, 4, None),
            ("limits", 31, 4, None),
        ]
        await pilot.press("b")
        await pilot.press(*"2M", "enter")
        await pilot.pause()
        await pilot.press("h")
        await pilot.press(*"8", "enter")
        await pilot.pause()
        assert control.value.limits == (31, 8, 2 << 20)


async def test_details_and_a_second_press_to_quit():
    control = FakeControl()
    app = ScaleApp(control, "/data/out")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.screen is not app.scale_screen
        await pilot.press("q")
        await pilot.pause()
        assert app.screen is app.scale_screen
        await pilot.press("q")
        assert app.is_running
        assert "Press q again" in app.scale_screen.footer.message
        await pilot.press("q")
        await pilot.pause()
    assert not app.is_running


async def test_a_job_that_is_over_quits_at_once():
    control = FakeControl()
    control.value = control.value._replace(is_over=True)
    app = ScaleApp(control, "/data/out")
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.press("q")
        await pilot.pause()
    assert not app.is_running
