"""The periodic tick: what has to be done a few times a second while downloads run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.engine.metrics.speed import TotalMeter
from tui.engine.totals import RunTotals

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.engine.autotune.tuner import AutoTuner
    from tui.engine.context import EngineContext
    from tui.engine.metrics.loop_lag import LoopLag
    from tui.engine.worker_pool import WorkerPool

TICK_S = 0.25
"""Often enough for a speed that follows the line, and only 4 wake-ups a second."""


class Ticker:
    """Updates meters, saves records, rebalances connections and unblocks origins.

    It ticks only while downloads are pending, so an idle dashboard sleeps.
    """

    def __init__(
        self,
        context: EngineContext,
        workers: WorkerPool,
        lag: LoopLag,
        tuner: AutoTuner,
        ask_for_sizes: Callable[[], None],
    ) -> None:
        self._context = context
        self._workers = workers
        self._lag = lag
        self._tuner = tuner
        self._ask_for_sizes = ask_for_sizes
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._start_handle: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._ticked_at = context.clock.monotonic()
        self.meter = TotalMeter(self._ticked_at)
        self.busy_s = 0.0
        """Seconds in which something was running or waited to be."""
        self.totals = RunTotals(context.registry, self.meter, lambda: workers.active)

    def start(self) -> None:
        """Begin to tick, if it does not already."""
        if self._handle is None and not self._is_closed:
            self._ticked_at = self._context.clock.monotonic()
            self._handle = self._loop.call_later(TICK_S, self._tick)
            self._tick_start_later()

    def close(self) -> None:
        """Stop ticking."""
        if self._is_busy:
            self.account_idle()
        self._is_closed = True
        if self._handle is not None:
            self._handle.cancel()
        if self._start_handle is not None:
            self._start_handle.cancel()
        self._lag.close()

    @property
    def _is_busy(self) -> bool:
        """Return True if something runs, or is queued or waiting and not held back."""
        workers = self._workers
        is_pending = self._context.registry.pending and not workers.is_paused
        return bool(workers.active or is_pending)

    def account_idle(self) -> None:
        """Count the time until now as busy: nothing is left to do before the next tick.

        Without it a run shorter than a tick would have taken no time at all.
        """
        if self._handle is not None and not self._is_closed:
            now = self._context.clock.monotonic()
            self.busy_s += now - self._ticked_at
            self._ticked_at = now

    def _tick_start_later(self) -> None:
        tick_s = self._tuner.start_tick_s
        if self._start_handle is None and tick_s is not None:
            self._start_handle = self._loop.call_later(tick_s, self._tick_start)

    def _tick_start(self) -> None:
        self._start_handle = None
        if self._handle is not None:  # otherwise nothing is pending
            self._tuner.tick_start(self._context.clock.monotonic())
            self._workers.wake()
            self._tick_start_later()

    def _tick(self) -> None:
        context, registry = self._context, self._context.registry
        now = context.clock.monotonic()
        self._handle = None
        if registry.pending or self._workers.active:
            if self._is_busy:
                self.busy_s += now - self._ticked_at
            self.start()
        self._ticked_at = now
        self.meter.sample(now, registry.fetched)
        for transfer in list(registry.running):
            transfer.tick(now)
        self.totals.tick(now)
        context.queue.unblock(now)
        self._tuner.tick(now)
        # Always, not only after an unblock: whatever kept a download waiting (a slot
        # given back while its origin was blocked, say) is over at the next tick.
        self._workers.wake()
        self._ask_for_sizes()
