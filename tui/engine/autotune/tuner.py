"""Samples the engine, feeds the concurrency controller and applies its decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.notices import AutoCode, AutoReason
from tui.core.snapshot import AutoSnapshot
from tui.engine.autotune.connections import ConnectionGrowth, ConnectionTrials
from tui.engine.autotune.controller import (
    OTHER_LIMITS,
    Controller,
    Decision,
    Observation,
)
from tui.engine.autotune.fast_start import FastStart
from tui.engine.autotune.utilization import UtilizationMeter

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import LoopSnapshot
    from tui.engine.context import EngineContext
    from tui.engine.worker_pool import WorkerPool

PAUSED_TICK_S = 0.25
"""Seconds between two looks at a start while all is paused."""
BYTES_PER_FILE = 4096
"""Bytes counted for each finished file besides its own, so that files per second count
where files are tiny."""


class AutoTuner:
    """Adjusts the concurrency while it is on; always diagnoses what limits the run."""

    def __init__(
        self,
        context: EngineContext,
        workers: WorkerPool,
        loop_snapshot: Callable[[], LoopSnapshot],
        set_concurrency: Callable[[int, AutoReason], None],
    ) -> None:
        """Attach to an engine.

        Args:
            context: the run's shared tools.
            workers: the running workers.
            loop_snapshot: returns the lag of the event loop.
            set_concurrency: applies a concurrency and the reason for it.
        """
        self._context = context
        self._workers = workers
        self._set_concurrency = set_concurrency
        self.utilization = UtilizationMeter(context, workers, loop_snapshot)
        self._controller: Controller | None = None
        self._start: FastStart | None = None
        self._growth: ConnectionGrowth | None = None
        self._trials: ConnectionTrials | None = None
        self._is_pinned = False
        self._snapshot = AutoSnapshot()

    @property
    def is_on(self) -> bool:
        """Whether the concurrency is automatic."""
        return self._controller is not None

    def switch(self, is_on: bool) -> bool:
        """Turn automatic concurrency on or off; return whether that was a change."""
        has_changed = is_on is not self.is_on
        self._is_pinned = False
        if has_changed:
            now = self._context.clock.monotonic()
            self._controller = Controller(now) if is_on else None
            self._start = FastStart(now) if is_on else None
            self._growth = ConnectionGrowth() if is_on else None
            self._trials = ConnectionTrials() if is_on else None
            self._context.limits.is_auto = is_on
            self._context.queue.set_auto(is_on)
        self._publish(AutoReason(AutoCode.MEASURING) if is_on else None)
        return has_changed

    def pin(self) -> None:
        """Turn automatic concurrency off, since the user set a number."""
        if self._controller is None:
            return
        self.switch(False)
        self._is_pinned = True
        self._publish(AutoReason(AutoCode.PINNED))

    def tick(self, now: float) -> None:
        """Measure, and apply what the controller decides."""
        self.utilization.sample(now, is_auto=self.is_on)
        controller = self._controller
        if controller is None or self._workers.is_paused:
            return
        self._context.queue.update_ceilings()
        if self._start is None:
            self._apply(controller.observe(self._observe(now)))
        self._try_connections(now)

    @property
    def start_tick_s(self) -> float | None:
        """Seconds until ``tick_start`` wants to be called; ``None`` for never."""
        if self._start is None:
            return None
        if self._workers.is_paused:
            return PAUSED_TICK_S
        # It passes over all origins, 0.25 us each: at most a fortieth of the time.
        return max(self._start.tick_s, 1e-5 * len(self._context.queue.origins))

    def tick_start(self, now: float) -> None:
        """Raise the concurrency in the first seconds, when ``tick`` is too slow."""
        start = self._start
        if start is None or self._workers.is_paused:
            return
        queue = self._context.queue
        queue.update_ceilings()
        origins = queue.origins.values()
        active = [origin for origin in origins if origin.active]
        decision = start.observe(
            self._observe(now),
            max((origin.first_byte_s for origin in active), default=0.0),
            ceiling=min(
                (0 if origin.refused else origin.ceiling for origin in active),
                default=0,
            ),
            answered=sum(origin.accepted for origin in origins),
        )
        if start.is_over:
            self._start = None
            self._controller = Controller(now, fewer_first=True)
        self._apply(decision)

    def _apply(self, decision: Decision | None) -> None:
        if decision is None:
            return
        self._publish(decision.reason)
        if decision.concurrency != self._context.limits.concurrency:
            self._set_concurrency(decision.concurrency, decision.reason)

    def _try_connections(self, now: float) -> None:
        """Open connections of large files that make them faster; close useless ones."""
        growth, trials = self._growth, self._trials
        queue, registry = self._context.queue, self._context.registry
        if growth is None or trials is None or self._context.limits.segments:
            return
        left = 0
        if not queue.has_startable(now):
            downloads = [transfer.download for transfer in registry.running]
            left = sum((one.size or 0) - one.received for one in downloads if one.size)
        is_limited = self.utilization.diagnosis.limit in OTHER_LIMITS
        origins, fetched = queue.origins.values(), registry.fetched
        reason = growth.observe(now, fetched, 0 if is_limited else left, origins)
        if reason is not None:
            for transfer in list(registry.running):
                transfer.connections.adjust()
        elif self._start is None and not growth.is_trying:
            reason = trials.observe(now, fetched, left, origins)
        if reason is not None:
            level = self._context.limits.concurrency
            self._apply(Decision(level, reason))

    def snapshot(self) -> AutoSnapshot:
        """Return the state and the reason of the last decision."""
        return self._snapshot

    def _publish(self, reason: AutoReason | None) -> None:
        self._snapshot = AutoSnapshot(self.is_on, self._is_pinned, reason)

    def _observe(self, now: float) -> Observation:
        context = self._context
        done = sum(origin.done for origin in context.queue.origins.values())
        transfers = context.registry.running
        has_more = context.queue.has_startable(now) or any(
            transfer.connections.are_lacking() for transfer in transfers
        )
        return Observation(
            now_s=now,
            total=context.registry.fetched + done * BYTES_PER_FILE,
            allowed=context.limits.concurrency,
            used=max(self._workers.active, context.registry.open_connections),
            has_more=has_more,
            origin_capacity=self._origin_capacity(),
            breaks=context.registry.breaks,
            limit=self.utilization.diagnosis.limit,
            has_waiting=context.registry.counts[DownloadState.QUEUED] > 0,
            running=self._workers.active,
        )

    def _origin_capacity(self) -> int:
        """Return how many downloads the hosts accept; 0 if none has refused any."""
        total = 0
        is_limited = False
        for origin in self._context.queue.origins.values():
            wanted = origin.active + len(origin.waiting)
            cap = origin.learned_cap
            if cap and wanted > cap:
                is_limited = True
                wanted = cap
            total += wanted
        return max(1, total) if is_limited else 0
