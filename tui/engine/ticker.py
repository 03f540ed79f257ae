"""The engine's pulse: what has to be looked at a few times a second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.engine.download.transfer import Transfer
from tui.engine.metrics.loop_lag import LoopLag
from tui.engine.metrics.speed import TotalMeter

if TYPE_CHECKING:
    from tui.engine.autotune.tuner import AutoTuner
    from tui.engine.context import EngineContext
    from tui.engine.worker_pool import WorkerPool

BEAT_S = 0.25
"""Often enough for a speed that follows the line, and 4 wake-ups a second."""


class Ticker:
    """Samples meters, saves records, shares connections, unblocks origins.

    It beats only while something is unfinished, so an idle dashboard sleeps.
    """

    def __init__(self, context: EngineContext, workers: WorkerPool) -> None:
        self._context = context
        self._workers = workers
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._is_closed = False
        self.meter = TotalMeter(context.clock.monotonic())
        self.lag = LoopLag()
        self.tuner: AutoTuner | None = None
        """Looks at the beat how it goes and changes what is to be changed."""
        self.busy_s = 0.0
        """Seconds in which something was running."""
        self.longest_eta_s = 0.0
        """Seconds to go of the download that ends last of those that run, as of the
        last beat."""
        self._beat_at = context.clock.monotonic()

    def start(self) -> None:
        """Begin to beat, if it does not already."""
        if self._handle is None and not self._is_closed:
            self._beat_at = self._context.clock.monotonic()
            self._handle = self._loop.call_later(BEAT_S, self._beat)

    def adjust(self) -> None:
        """Let every running download have the connections that it should."""
        for running in list(self._context.registry.running.values()):
            if isinstance(running, Transfer):
                running.adjust()

    def close(self) -> None:
        """Stop beating."""
        if self._context.registry.unfinished or self._workers.active:
            self.rest()
        self._is_closed = True
        if self._handle is not None:
            self._handle.cancel()
        self.lag.close()

    def rest(self) -> None:
        """Count the time until now: nothing is left to do before the next beat.

        Without it a run shorter than a beat would have taken no time at all.
        """
        if self._handle is not None and not self._is_closed:
            now = self._context.clock.monotonic()
            self.busy_s += now - self._beat_at
            self._beat_at = now

    def _beat(self) -> None:
        context = self._context
        now = context.clock.monotonic()
        self._handle = None
        if context.registry.unfinished or self._workers.active:
            self.busy_s += now - self._beat_at
            self.start()
        self._beat_at = now
        self.meter.sample(now, context.registry.fetched)
        for running in list(context.registry.running.values()):
            running.sample(now)
            if isinstance(running, Transfer):
                running.recorder.save_if_due(now)
                running.restart_slow(now)
                running.adjust()
        self.longest_eta_s = context.registry.longest_eta_s(now)
        context.queue.unblock(now)
        if self.tuner is not None:
            self.tuner.beat(now)
        # Always, not only after an unblock: whatever kept a download waiting
        # (a slot given back while its origin rested, say) is over at the next beat.
        self._workers.wake()
