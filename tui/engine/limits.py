"""Changes the limits during the run; each change takes effect at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.events import LimitChanged
from tui.core.notices import LimitName
from tui.core.settings import MAX_CONCURRENCY, MAX_RATE, MAX_SEGMENTS, MAX_WRITERS
from tui.net.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.download import DownloadId
    from tui.core.notices import AutoReason
    from tui.engine.context import EngineContext
    from tui.engine.job import Job


class LimitControl:
    """Checks, applies and publishes changes of limits."""

    def __init__(self, context: EngineContext, start_more: Callable[[], None]) -> None:
        """Take the run's tools and a callable that starts queued downloads."""
        self._context = context
        self._limits = context.limits
        self._start_more = start_more

    def set_concurrency(self, count: int, reason: AutoReason | None = None) -> None:
        """Set how many downloads may run at once.

        Args:
            count: if it is larger, more downloads start in this loop iteration; if it
                is smaller, those above it are finished first.
            reason: why the automatic concurrency chose it; ``None`` for the user.
        """
        count = max(1, min(MAX_CONCURRENCY, count))
        old, self._limits.concurrency = self._limits.concurrency, count
        if old != count:
            self.publish(LimitName.CONCURRENCY, old, count, reason=reason)
            self._start_more()

    def set_origin_cap(self, origin: str, cap: int) -> None:
        """Set the concurrency of one origin; 0 uses the limit per host."""
        cap = max(0, min(MAX_CONCURRENCY, cap))
        queue = self._context.queue
        state = queue.origins.get(origin)
        old = queue.cap(state) if state is not None else queue.per_host
        queue.set_cap(origin, cap)
        self.publish(LimitName.ORIGIN, old, cap or queue.per_host, origin=origin)
        self._start_more()

    def limit_origin(self, origin: str, cap: int) -> None:
        """Set the concurrency of one origin, and keep what was learned about it."""
        self._context.queue.limit_cap(origin, cap)
        self._start_more()

    def set_per_host(self, count: int) -> None:
        """Set the concurrency of every origin; 0 for no limit."""
        count = max(0, min(MAX_CONCURRENCY, count))
        old = self._context.queue.per_host
        if old != count:
            self._context.queue.set_per_host(count)
            self.publish(LimitName.PER_HOST, old, count)
            self._start_more()

    def set_segments(self, count: int, id: DownloadId | None = None) -> None:
        """Set the connections of one download or of all; 0 lets the size decide."""
        count = max(0, min(MAX_SEGMENTS, count))
        if id is None:
            old, self._limits.segments = self._limits.segments, count
            self.publish(LimitName.SEGMENTS, old, count)
        else:
            job = self._job(id)
            if job is not None:
                job.segments = count
        self.adjust_transfers()

    def set_rate_limit(self, rate: int | None, id: DownloadId | None = None) -> None:
        """Set the bytes per second of one download or of all; ``None`` for no limit."""
        rate = max(1, min(MAX_RATE, rate)) if rate is not None else None
        if id is None:
            old = self._context.limiter.rate
            self._context.limiter.set_rate(rate)
            self.publish(LimitName.RATE_LIMIT, old, rate)
            return
        job = self._job(id)
        if job is None:
            return
        if job.limiter is not None:
            job.limiter.set_rate(rate)
        elif rate is not None:
            job.limiter = Limiter(rate, self._context.clock)

    def set_writers(self, count: int) -> None:
        """Set the number of threads that write to disk."""
        count = max(1, min(MAX_WRITERS, count))
        old = self._context.writer.snapshot().writers
        if old != count:
            self._context.writer.set_writers(count)
            self.publish(LimitName.WRITERS, old, count)

    def set_inline_writes(self, is_inline: bool) -> None:
        """Write on the event loop, to show what that costs, or in threads."""
        if self._context.writer.snapshot().is_inline != is_inline:
            self._context.writer.set_inline(is_inline)
            self.publish(LimitName.INLINE_WRITES, not is_inline, is_inline)

    def adjust_transfers(self) -> None:
        """Give every running transfer the connections that it should have."""
        for transfer in list(self._context.registry.running):
            transfer.connections.adjust()

    def publish(
        self,
        name: LimitName,
        old: int | None,
        new: int | None,
        *,
        origin: str = "",
        reason: AutoReason | None = None,
    ) -> None:
        """Publish that a limit changed (``events.LimitChanged``)."""
        now = self._context.clock.wall()
        change = LimitChanged(now, name, old, new, origin=origin, reason=reason)
        self._context.bus.publish(change)

    def _job(self, id: DownloadId) -> Job | None:
        """Return the job to set something on; ``None`` if the download is done."""
        registry = self._context.registry
        download = registry.downloads[id]
        registry.touch(download)
        if download.state is DownloadState.DONE:
            return None
        return registry.job(download)
