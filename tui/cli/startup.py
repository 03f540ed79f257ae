"""Downloads begin while the dashboard is still being loaded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from tui.core.download import DownloadState
from tui.headless.interrupts import Interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService, Subscription

SLICE = 1000
"""Requests added in one turn of the loop, about 5 ms. A second slice waits until the
first is nearly through: a long list must not keep the first frame waiting."""
_LOOK_S = 0.02


class EarlyStart(NamedTuple):
    """What happened before there was a dashboard."""

    subscription: Subscription
    """Has every event since the first request was added."""
    left: Sequence[DownloadRequest]
    """What is still to be added."""
    is_interrupted: bool
    """A signal asked for the end."""


async def begin_early(
    service: DownloadService,
    requests: Sequence[DownloadRequest],
    load: Callable[[], object],
) -> EarlyStart:
    """Add the first requests, and let them run while ``load`` works in a thread.

    Args:
        service: an engine that nothing was added to.
        requests: what to fetch; none where an earlier session comes first.
        load: imports what draws; whatever it raises comes out.
    """
    subscription = service.subscribe()
    with Interrupts() as interrupts:
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
                    timeout=_LOOK_S if added < len(requests) else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            # An import cannot be stopped; it takes less than a second.
            await loading
        finally:
            signalled.cancel()
        is_interrupted = interrupts.arrived.is_set()
    return EarlyStart(subscription, requests[added:], is_interrupted)
