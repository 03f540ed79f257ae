"""Measures what limits the run: shares of time over the last seconds."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from tui.core.diagnosis import NO_DIAGNOSIS
from tui.core.download import DownloadState
from tui.core.quick.named_tuple import NamedTuple
from tui.disk.platform import cores
from tui.engine.autotune.bottleneck import Measures, diagnose
from tui.engine.autotune.controller import MAX_CONCURRENCY
from tui.engine.metrics.wait_times import WINDOW_S, UtilizationWindow

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import DiskSnapshot, LoopSnapshot
    from tui.engine.context import EngineContext
    from tui.engine.worker_pool import WorkerPool

DIAGNOSIS_S = 1.0
"""Time between two diagnoses, so that each can be read."""
COMPARABLE_S = 120.0
"""Time for which the speed at another concurrency stays comparable."""
FEWER = 0.75
FLAT = 0.9
"""More concurrency does not help if ``FEWER`` of it was ``FLAT`` times as fast."""


class _Sample(NamedTuple):
    """Running totals; only differences between two samples count."""

    at: float
    """Monotonic time of the sample."""
    small_s: float
    thread_s: float
    """Processor time of the event loop's thread."""
    process_s: float
    """Processor time of all threads."""
    fetched: int
    operations: int
    """Disk operations."""


class UtilizationMeter:
    """Samples waiting times, processor time and slots, and diagnoses the limit."""

    def __init__(
        self,
        context: EngineContext,
        workers: WorkerPool,
        loop_snapshot: Callable[[], LoopSnapshot],
    ) -> None:
        self._context = context
        self._loop_snapshot = loop_snapshot
        self._workers = workers
        self._samples: deque[_Sample] = deque()
        self._window = UtilizationWindow(context.waits)
        self._small_s = 0.0
        """Seconds of workers that read small files, which have no ``Transfer``."""
        self._diagnosed_at = 0.0
        self._full_since = 0.0
        self._full_level = 0
        self._levels: dict[int, tuple[float, float]] = {}
        """Speed and time at each concurrency whose slots were all busy."""
        self._processors = cores()
        self.diagnosis = NO_DIAGNOSIS
        self.measures = Measures()

    def sample(self, now: float, *, is_auto: bool) -> None:
        """Take a sample; diagnose once a second."""
        context = self._context
        samples = self._samples
        if samples and now - samples[-1].at > WINDOW_S:
            # Nothing ran for a while: older samples say nothing about now.
            samples.clear()
            self.diagnosis = NO_DIAGNOSIS
        if samples:
            small = max(0, self._workers.active - len(context.registry.running))
            self._small_s += small * (now - samples[-1].at)
        samples.append(self._take_sample(now))
        self._window.sample(now)
        while samples[0].at < now - WINDOW_S:
            samples.popleft()
        self._record_level(now)
        if now - self._diagnosed_at >= DIAGNOSIS_S and len(samples) > 1:
            self._diagnosed_at = now
            self.measures = self._measure(now, is_auto=is_auto)
            self.diagnosis = diagnose(self.measures, self.diagnosis.limit)

    def _take_sample(self, now: float) -> _Sample:
        return _Sample(
            at=now,
            small_s=self._small_s,
            thread_s=time.thread_time(),
            process_s=time.process_time(),
            fetched=self._context.registry.fetched,
            operations=self._context.writer.snapshot().operations,
        )

    def _measure(self, now: float, *, is_auto: bool) -> Measures:
        context = self._context
        first, last = self._samples[0], self._samples[-1]
        span = max(1e-6, last.at - first.at)
        shares = self._window.shares(last.small_s - first.small_s)
        speeds = self._speeds()
        total = sum(speeds)
        disk = context.writer.snapshot()
        origins = context.queue.origins.values()
        return Measures(
            disk=max(shares.disk, self._inline_share(disk, span)),
            limiter=shares.limiter,
            loop=(last.thread_s - first.thread_s) / span,
            lag_s=self._loop_snapshot().p50_s,
            process=(last.process_s - first.process_s) / span / self._processors,
            active=self._workers.active,
            allowed=context.limits.concurrency,
            waiting=(
                context.registry.counts[DownloadState.QUEUED]
                if context.queue.has_startable(now)
                else 0
            ),
            rate_limit=context.limiter.rate,
            speed=(last.fetched - first.fetched) / span,
            is_flat=self._is_flat(now),
            hosts=len(speeds),
            top_share=max(speeds) / total if total else 1.0,
            refusing=sum(1 for origin in origins if origin.refuses(now)),
            are_writers_busy=all(s.operation != "idle" for s in disk.workers),
            is_inline=disk.is_inline,
            is_auto=is_auto and context.limits.concurrency < MAX_CONCURRENCY,
        )

    def _inline_share(self, disk: DiskSnapshot, span: float) -> float:
        """Return the share of time in which writes blocked the event loop."""
        if not disk.is_inline:
            return 0.0
        writes = self._samples[-1].operations - self._samples[0].operations
        return min(1.0, writes * disk.p50_s / span)

    def _speeds(self) -> list[float]:
        """Return the bytes per second of each origin that sends any."""
        speeds: dict[str, float] = {}
        for transfer in self._context.registry.running:
            origin = transfer.download.origin
            speeds[origin] = speeds.get(origin, 0.0) + transfer.speed()
        return [speed for speed in speeds.values() if speed > 0]

    # -- whether more concurrency helps ----------------------------------------------

    def _record_level(self, now: float) -> None:
        """Record the speed at a concurrency whose slots have all been busy a while."""
        level = self._context.limits.concurrency
        if self._workers.active != level:
            self._full_since = 0.0
            return
        if not self._full_since or level != self._full_level:
            self._full_since, self._full_level = now, level
            return
        if now - self._full_since >= WINDOW_S:
            first, last = self._samples[0], self._samples[-1]
            speed = (last.fetched - first.fetched) / max(1e-6, last.at - first.at)
            self._levels[level] = (speed, now)

    def _is_flat(self, now: float) -> bool:
        level = self._context.limits.concurrency
        current = self._levels.get(level)
        if current is None:
            return False
        return any(
            other <= level * FEWER
            and now - at <= COMPARABLE_S
            and speed >= current[0] * FLAT
            for other, (speed, at) in self._levels.items()
        )
