"""The verbs that change a limit while everything runs; each acts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.events import LimitChanged
from tui.core.notices import LimitName
from tui.core.settings import MAX_CONCURRENCY, MAX_SEGMENTS, MAX_WRITERS
from tui.engine.autotune.tuner import AutoTuner
from tui.engine.remarks import Remarks
from tui.net.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.download import DownloadId
    from tui.core.notices import AutoReason
    from tui.engine.context import EngineContext
    from tui.engine.ticker import Ticker
    from tui.engine.worker_pool import WorkerPool


class Limits(Remarks):
    """What the engine may do at most, and the part of it that changes that."""

    def __init__(
        self,
        context: EngineContext,
        workers: WorkerPool,
        ticker: Ticker,
        start_more: Callable[[], None],
    ) -> None:
        """Take the run's tools, who works, its pulse, and what starts downloads."""
        super().__init__(context)
        self._registry = context.registry
        self._ticker = ticker
        self._start_more = start_more
        self._tuner = AutoTuner(
            context, workers, ticker.lag.snapshot, self._use_concurrency
        )
        ticker.tuner = self._tuner
        if context.settings.auto:
            self._tuner.switch(True)

    def set_concurrency(self, count: int) -> None:
        """Downloads at once: up starts more in this loop turn, down drains."""
        self._tuner.pin()
        self._use_concurrency(count, None)

    def set_auto(self, is_on: bool) -> None:
        """Let measured goodput and errors choose the downloads at once, or not."""
        if self._tuner.switch(is_on):
            self._publish(LimitName.AUTO, not is_on, is_on)
            self._ticker.adjust()

    def stood_still(self, seconds: float) -> None:
        """The process was stopped that long until now; nothing was late meanwhile."""
        self._ticker.lag.forget(seconds)

    def set_origin_cap(self, origin: str, cap: int) -> None:
        """Downloads at once from one origin; 0 leaves it to the cap of all."""
        cap = max(0, min(MAX_CONCURRENCY, cap))
        queue = self._context.queue
        state = queue.origins.get(origin)
        old = queue.cap(state) if state is not None else queue.per_host
        queue.set_cap(origin, cap)
        self._publish(LimitName.ORIGIN, old, cap or queue.per_host, origin=origin)
        self._start_more()

    def set_per_host(self, count: int) -> None:
        """Downloads at once from one origin; 0 for no cap."""
        count = max(0, min(MAX_CONCURRENCY, count))
        old = self._context.queue.per_host
        if old != count:
            self._context.queue.set_per_host(count)
            self._publish(LimitName.PER_HOST, old, count)
            self._start_more()

    def set_segments(self, count: int, id: DownloadId | None = None) -> None:
        """Connections of one download or of all; 0 decides by size."""
        count = max(0, min(MAX_SEGMENTS, count))
        if id is None:
            old, self._context.segments = self._context.segments, count
            self._publish(LimitName.SEGMENTS, old, count)
        else:
            if count:
                self._context.own_segments[id] = count
            else:
                self._context.own_segments.pop(id, None)
            self._registry.touch(self._registry.downloads[id])
        self._ticker.adjust()

    def set_rate_limit(self, rate: int | None, id: DownloadId | None = None) -> None:
        """Bytes per second for everything, or for one download."""
        rate = max(1, rate) if rate is not None else None
        if id is None:
            old = self._context.limiter.rate
            self._context.limiter.set_rate(rate)
            self._publish(LimitName.RATE_LIMIT, old, rate)
            return
        own = self._context.own_limiters
        if id in own:
            own[id].set_rate(rate)
        elif rate is not None:
            own[id] = Limiter(rate, self._context.clock)
        self._registry.touch(self._registry.downloads[id])

    def set_writers(self, count: int) -> None:
        """Threads that write to disk."""
        count = max(1, min(MAX_WRITERS, count))
        old = self._context.writer.snapshot().writers
        if old != count:
            self._context.writer.set_writers(count)
            self._publish(LimitName.WRITERS, old, count)

    def set_inline_writes(self, is_inline: bool) -> None:
        """Write on the loop, to see what that does, or in the executor."""
        if self._context.writer.snapshot().is_inline != is_inline:
            self._context.writer.set_inline(is_inline)
            self._publish(LimitName.INLINE_WRITES, not is_inline, is_inline)

    def _use_concurrency(self, count: int, reason: AutoReason | None) -> None:
        count = max(1, min(MAX_CONCURRENCY, count))
        old, self._context.concurrency = self._context.concurrency, count
        if old != count:
            self._publish(LimitName.CONCURRENCY, old, count, reason=reason)
            self._start_more()

    def _publish(
        self,
        name: LimitName,
        old: int | None,
        new: int | None,
        *,
        origin: str = "",
        reason: AutoReason | None = None,
    ) -> None:
        now = self._context.clock.wall()
        change = LimitChanged(now, name, old, new, origin=origin, reason=reason)
        self._context.bus.publish(change)
