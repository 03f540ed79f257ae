"""Samples the engine, feeds the concurrency controller and applies its decisions."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tui.core.notices import AutoCode, AutoReason
from tui.core.snapshot import AutoSnapshot, AutoStep
from tui.engine.autotune.controller import Controller, Observation
from tui.engine.autotune.utilization import UtilizationMeter
from tui.engine.context import AUTO_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import LoopSnapshot
    from tui.engine.context import EngineContext
    from tui.engine.worker_pool import WorkerPool

MAX_CONNECTIONS = 16
"""Connections of a large file while automatic concurrency is on: more than otherwise,
since the controller removes connections that bring nothing."""
MAX_STEPS = 50
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
        self._is_pinned = False
        self._steps: deque[AutoStep] = deque(maxlen=MAX_STEPS)
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
            limit = MAX_CONNECTIONS if is_on else AUTO_CONNECTIONS
            self._context.limits.auto_connections = limit
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
        context = self._context
        before = context.limits.concurrency
        decision = controller.observe(self._observe(now))
        if decision is None:
            return
        step = AutoStep(
            context.clock.wall(), before, decision.concurrency, decision.reason
        )
        self._steps.append(step)
        self._publish(decision.reason)
        if decision.concurrency != before:
            self._set_concurrency(decision.concurrency, decision.reason)

    def snapshot(self) -> AutoSnapshot:
        """Return the state and the last decisions."""
        return self._snapshot

    def _publish(self, reason: AutoReason | None) -> None:
        self._snapshot = AutoSnapshot(
            self.is_on, self._is_pinned, reason, tuple(self._steps)
        )

    def _observe(self, now: float) -> Observation:
        context = self._context
        done = sum(origin.done for origin in context.queue.origins.values())
        transfers = context.registry.running
        has_more = context.queue.has_startable(now) or any(
            transfer.lacks_connections() for transfer in transfers
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
        )

    def _origin_capacity(self) -> int:
        """Return how many downloads the hosts accept; 0 if none has refused any."""
        total = 0
        is_limited = False
        for origin in self._context.queue.origins.values():
            wanted = origin.active + origin.waiting()
            cap = origin.learned_cap
            if cap and wanted > cap:
                is_limited = True
                wanted = cap
            total += wanted
        return max(1, total) if is_limited else 0
