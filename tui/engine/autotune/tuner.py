"""The hand on the wheel: reads the engine, asks the controller, does what it says."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tui.core.notices import AutoCode, AutoReason
from tui.core.snapshot import AutoSnapshot, AutoStep
from tui.engine.autotune.controller import Controller, Reading
from tui.engine.autotune.utilization import UtilizationMeter
from tui.engine.context import AUTO_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import LoopSnapshot
    from tui.engine.context import EngineContext
    from tui.engine.worker_pool import WorkerPool

MOST_CONNECTIONS = 16
"""Of a large file while the controller decides: it takes them back if they bring
nothing, so there may be more than where nobody looks."""
STEPS_KEPT = 50
FILE_WORTH = 4096
"""Bytes that a finished file counts beside its own: with tiny files, files count."""


class AutoTuner:
    """Chooses downloads at once, if it is switched on; judges in any case."""

    def __init__(
        self,
        context: EngineContext,
        workers: WorkerPool,
        look_at_loop: Callable[[], LoopSnapshot],
        use_concurrency: Callable[[int, AutoReason], None],
    ) -> None:
        """Wire it to the engine.

        Args:
            context: the run's tools.
            workers: who works.
            look_at_loop: tells how late the event loop is.
            use_concurrency: sets downloads at once, and why.
        """
        self._context = context
        self._workers = workers
        self._use = use_concurrency
        self.shares = UtilizationMeter(context, workers, look_at_loop)
        self._controller: Controller | None = None
        self._is_pinned = False
        self._steps: deque[AutoStep] = deque(maxlen=STEPS_KEPT)
        self._snapshot = AutoSnapshot()

    @property
    def is_on(self) -> bool:
        """Whether the controller chooses."""
        return self._controller is not None

    def switch(self, is_on: bool) -> bool:
        """Let the controller choose, or not; tell if that changed anything."""
        has_changed = is_on is not self.is_on
        self._is_pinned = False
        if has_changed:
            now = self._context.clock.monotonic()
            self._controller = Controller(now) if is_on else None
            most = MOST_CONNECTIONS if is_on else AUTO_CONNECTIONS
            self._context.limits.auto_connections = most
        self._picture(AutoReason(AutoCode.MEASURING) if is_on else None)
        return has_changed

    def pin(self) -> None:
        """Yield to a number that a person chose."""
        if self._controller is None:
            return
        self.switch(False)
        self._is_pinned = True
        self._picture(AutoReason(AutoCode.PINNED))

    def tick(self, now: float) -> None:
        """Measure, and change what the controller wants changed."""
        self.shares.sample(now, is_auto=self.is_on)
        controller = self._controller
        if controller is None or self._workers.is_paused:
            return
        context = self._context
        before = context.limits.concurrency
        choice = controller.read(self._reading(now))
        if choice is None:
            return
        step = AutoStep(context.clock.wall(), before, choice.at_once, choice.reason)
        self._steps.append(step)
        self._picture(choice.reason)
        if choice.at_once != before:
            self._use(choice.at_once, choice.reason)

    def snapshot(self) -> AutoSnapshot:
        """What it does and why."""
        return self._snapshot

    def _picture(self, reason: AutoReason | None) -> None:
        self._snapshot = AutoSnapshot(
            self.is_on, self._is_pinned, reason, tuple(self._steps)
        )

    def _reading(self, now: float) -> Reading:
        context = self._context
        done = sum(lane.done for lane in context.queue.origins.values())
        transfers = context.registry.running
        has_more = context.queue.has_startable(now) or any(
            transfer.lacks_connections() for transfer in transfers
        )
        return Reading(
            now_s=now,
            total=context.registry.fetched + done * FILE_WORTH,
            allowed=context.limits.concurrency,
            used=max(self._workers.active, context.registry.open_connections),
            has_more=has_more,
            bearable=self._bearable(),
            breaks=context.registry.breaks,
            limit=self.shares.diagnosis.limit,
        )

    def _bearable(self) -> int:
        """What can run at once where hosts have refused more; 0 for no such bound."""
        total = 0
        is_bound = False
        for lane in self._context.queue.origins.values():
            wanted = lane.active + lane.waiting()
            cap = lane.learned_cap
            if cap and wanted > cap:
                is_bound = True
                wanted = cap
            total += wanted
        return max(1, total) if is_bound else 0
