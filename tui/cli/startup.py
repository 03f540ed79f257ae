"""Start downloading while the dashboard is still being imported."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.events import NOT_SHOWN
from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService, Subscription
    from tui.headless.interrupts import Interrupts

SLICE = 1000
"""Requests added per loop iteration, which takes about 5 ms. The next slice waits until
the queue is half empty, so that a long list does not delay the first frame."""
_POLL_INTERVAL_S = 0.02


class EarlyStart(NamedTuple):
    """The state of the run when the dashboard is ready."""

    subscription: Subscription
    """Has every event of interest since the first request was added."""
    remaining: Sequence[DownloadRequest]
    """Requests that are still to be added."""


async def start_early(
    service: DownloadService,
    requests: Sequence[DownloadRequest],
    load: Callable[[], object],
    interrupts: Interrupts,
) -> EarlyStart:
    """Add the first requests, and let them run while ``load`` works in a thread.

    Args:
        service: an engine without any downloads.
        requests: what to download; empty if an earlier session is restored first.
        load: imports the dashboard; its exceptions propagate.
        interrupts: an interrupt ends it early.
    """
    subscription = service.subscribe(NOT_SHOWN)
    loading = asyncio.ensure_future(asyncio.to_thread(load))
    signalled = asyncio.ensure_future(interrupts.arrived.wait())
    added = 0
    try:
        while not (loading.done() or signalled.done()):
            queued = service.snapshot().counts[DownloadState.QUEUED]
            if added < len(requests) and queued < SLICE // 2:
                service.add(requests[added : added + SLICE])
                added += SLICE
            await asyncio.wait(
                (loading, signalled),
                timeout=_POLL_INTERVAL_S if added < len(requests) else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
        # An import cannot be cancelled, but it takes less than a second.
        await loading
    finally:
        signalled.cancel()
    return EarlyStart(subscription, requests[added:])
