"""Measures what the verdict is about: shares of the last seconds, four times each."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from tui.core.diagnosis import NO_DIAGNOSIS
from tui.core.download import DownloadState
from tui.engine.autotune.bottleneck import Measures, diagnose
from tui.engine.autotune.controller import MOST
from tui.engine.metrics.wait_times import WINDOW_S, UtilizationWindow

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import DiskSnapshot, LoopSnapshot
    from tui.engine.context import EngineContext
    from tui.engine.worker_pool import WorkerPool

JUDGE_S = 1.0
"""Between two verdicts: words are to be read."""
FRESH_S = 120.0
"""The speed at another number of downloads at once is comparable for that long."""
FEWER = 0.75
FLAT = 0.9
"""As fast with three quarters of them or less: more at once bring nothing."""


class _Look(NamedTuple):
    at: float
    small_s: float
    thread_s: float
    process_s: float
    fetched: int
    operations: int
    """Of the disk."""


class UtilizationMeter:
    """Looks at waits, processor time and slots."""

    def __init__(
        self,
        context: EngineContext,
        workers: WorkerPool,
        look_at_loop: Callable[[], LoopSnapshot],
    ) -> None:
        self._context = context
        self._look_at_loop = look_at_loop
        self._workers = workers
        self._looks: deque[_Look] = deque()
        self._window = UtilizationWindow(context.waits)
        self._small_s = 0.0
        """Seconds of workers that read small files, which open no flight."""
        self._judged_at = 0.0
        self._full_since = 0.0
        self._full_level = 0
        self._levels: dict[int, tuple[float, float]] = {}
        """Speed and time at each number of downloads at once that was full."""
        self._processors = _processors()
        self.diagnosis = NO_DIAGNOSIS
        self.measures = Measures()

    def sample(self, now: float, *, is_auto: bool) -> None:
        """Look once; judge when it is time."""
        context = self._context
        looks = self._looks
        if looks and now - looks[-1].at > WINDOW_S:
            # Nothing ran for a while; what was before says nothing any more.
            looks.clear()
            self.diagnosis = NO_DIAGNOSIS
        if looks:
            small = max(0, self._workers.active - len(context.registry.running))
            self._small_s += small * (now - looks[-1].at)
        looks.append(self._look(now))
        self._window.sample(now)
        while looks[0].at < now - WINDOW_S:
            looks.popleft()
        self._compare(now)
        if now - self._judged_at >= JUDGE_S and len(looks) > 1:
            self._judged_at = now
            self.measures = self._measure(now, is_auto=is_auto)
            self.diagnosis = diagnose(self.measures, self.diagnosis.limit)

    def _look(self, now: float) -> _Look:
        return _Look(
            at=now,
            small_s=self._small_s,
            # Of this thread, on which the loop runs: near 1 it is what all wait for.
            thread_s=time.thread_time(),
            process_s=time.process_time(),
            fetched=self._context.registry.fetched,
            operations=self._context.writer.snapshot().operations,
        )

    def _measure(self, now: float, *, is_auto: bool) -> Measures:
        context = self._context
        first, last = self._looks[0], self._looks[-1]
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
            lag_s=self._look_at_loop().p50_s,
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
            refusing=sum(1 for lane in origins if lane.refuses(now)),
            are_writers_busy=all(s.operation != "idle" for s in disk.workers),
            is_inline=disk.is_inline,
            is_auto=is_auto and context.limits.concurrency < MOST,
        )

    def _inline_share(self, disk: DiskSnapshot, span: float) -> float:
        """Share of the time in which writes on the loop kept everything waiting."""
        if not disk.is_inline:
            return 0.0
        writes = self._looks[-1].operations - self._looks[0].operations
        return min(1.0, writes * disk.p50_s / span)

    def _speeds(self) -> list[float]:
        """Bytes per second of each origin that gives any."""
        speeds: dict[str, float] = {}
        for transfer in self._context.registry.running:
            origin = transfer.download.origin
            speeds[origin] = speeds.get(origin, 0.0) + transfer.speed()
        return [speed for speed in speeds.values() if speed > 0]

    # -- whether more at once brings anything ----------------------------------------

    def _compare(self, now: float) -> None:
        """Remember how fast it is at this number, once all slots were full a while."""
        level = self._context.limits.concurrency
        if self._workers.active != level:
            self._full_since = 0.0
            return
        if not self._full_since or level != self._full_level:
            self._full_since, self._full_level = now, level
            return
        if now - self._full_since >= WINDOW_S:
            first, last = self._looks[0], self._looks[-1]
            speed = (last.fetched - first.fetched) / max(1e-6, last.at - first.at)
            self._levels[level] = (speed, now)

    def _is_flat(self, now: float) -> bool:
        level = self._context.limits.concurrency
        mine = self._levels.get(level)
        if mine is None:
            return False
        return any(
            other <= level * FEWER and now - at <= FRESH_S and speed >= mine[0] * FLAT
            for other, (speed, at) in self._levels.items()
        )


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
