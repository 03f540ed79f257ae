"""Removed downloads: they do not count, and restoring them is exact."""

from __future__ import annotations

import random

from tui.core.clock import SystemClock
from tui.core.download import ENDED, Download, DownloadState
from tui.core.request import DownloadRequest
from tui.engine.registry import DownloadRegistry

_S = DownloadState


def registry_of(*states: DownloadState) -> DownloadRegistry:
    registry = DownloadRegistry(SystemClock())
    for id, state in enumerate(states):
        row = Download(id, DownloadRequest((f"https://a/{id}",)), "https://a", str(id))
        row.state = state
        row.size = None if id % 3 == 0 else 100
        row.received = 40
        row.status = 404 if state is _S.FAILED else 200
        row.error_kind = "not_found" if state is _S.FAILED else ""
        registry.enter(row)
    return registry


def totals(registry: DownloadRegistry) -> tuple[object, ...]:
    return (
        tuple(registry.counts),
        registry.total,
        registry.pending,
        registry.unknown,
        registry.known_size,
        registry.known_received,
    )


def test_removed_downloads_do_not_count():
    states = [_S.DONE, _S.FAILED, _S.QUEUED, _S.CANCELLED, _S.FAILED, _S.DONE]
    registry = registry_of(*states)
    before = totals(registry)
    assert [registry.remove(row) for row in registry.downloads] == [
        state in ENDED for state in states
    ]
    assert registry.counts == [1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert (registry.total, registry.pending) == (1, 1)
    assert (registry.known_size, registry.known_received) == (100, 40)
    for row in registry.downloads:
        registry.restore(row)
    assert totals(registry) == before


def test_counts_add_up_after_removing_and_restoring_in_any_order():
    chance = random.Random(3)
    registry = registry_of(*(chance.choice(list(_S)) for _ in range(30)))
    for _ in range(500):
        row = chance.choice(registry.downloads)
        verb = chance.choice([registry.remove, registry.restore])
        verb(row)
        if row.state in (_S.FAILED, _S.CANCELLED, _S.DONE) and chance.random() < 0.2:
            registry.move(row, _S.QUEUED)
            assert row.id not in registry.removed
        listed = [d for d in registry.downloads if d.id not in registry.removed]
        assert registry.total == len(listed) == sum(registry.counts)
        assert registry.pending == sum(
            d.state not in ENDED and d.state is not _S.PAUSED for d in listed
        )
