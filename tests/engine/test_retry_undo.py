"""Undoing a retry: failed again for the same reason, and nothing else changes."""

from __future__ import annotations

from contextlib import asynccontextmanager

from tui.core.download import DownloadState
from tui.core.events import Failed
from tui.core.listing.query import DownloadQuery, View
from tui.core.listing.slices import run_at_once
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.engine.factory import open_engine

_S = DownloadState


@asynccontextmanager
async def held(tmp_path, count=3):
    """An engine that starts nothing, with downloads that failed in three ways."""
    engine = await open_engine(Settings(output_dir=tmp_path))
    try:
        engine.pause_all()
        urls = [f"http://127.0.0.1:9/{number}" for number in range(count)]
        engine.add(DownloadRequest((url,)) for url in urls)
        for number, kind in enumerate(("not_found", "auth", "stalled")[:count]):
            row = engine._registry.downloads[number]
            row.error, row.error_kind = f"reason {number}", kind
            row.status, row.finished_at = 400 + number, 1000.0 + number
            row.attempt = 6 - number
            engine._registry.move(row, _S.FAILED)
        yield engine
    finally:
        await engine.close()


def seen(engine):
    causes = run_at_once(engine.by_cause_iter(DownloadQuery(View.FAILED)))
    return [
        *(
            (row.state, row.error, row.error_kind, row.status, row.attempt)
            for row in engine.rows(range(3))
        ),
        engine.snapshot().counts,
        sorted((cause.kind, tuple(cause.ids)) for cause in causes),
    ]


async def test_undoing_a_retry_restores_everything(tmp_path):
    async with held(tmp_path) as engine:
        before = seen(engine)
        assert engine.retry([0, 1, 2]) == [0, 1, 2]
        assert seen(engine) != before
        assert engine.undo_retry([0, 1, 2]) == [0, 1, 2]
        assert seen(engine) == before


async def test_undoing_a_retry_publishes_no_failure(tmp_path):
    async with held(tmp_path) as engine:
        events = engine.subscribe()
        engine.retry([0])
        engine.undo_retry([0])
        assert not [event for event in events.drain() if isinstance(event, Failed)]


async def test_undoing_a_retry_ignores_downloads_never_retried_or_done(tmp_path):
    async with held(tmp_path) as engine:
        assert engine.undo_retry([0, 7]) == []
        engine.retry([1])
        row = engine._registry.downloads[1]
        engine._registry.move(row, _S.PROBING)
        engine._registry.move(row, _S.DONE)
        assert engine.undo_retry([1]) == []
        assert row.state is _S.DONE


async def test_a_download_can_be_retried_after_undoing_a_retry(tmp_path):
    async with held(tmp_path) as engine:
        engine.retry([0])
        engine.undo_retry([0])
        assert engine.retry([0]) == [0]
        assert engine.undo_retry([0]) == [0]
