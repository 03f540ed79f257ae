"""Builds immutable snapshots of the running engine (``core.snapshot``)."""

from __future__ import annotations

import os
from heapq import nsmallest
from typing import TYPE_CHECKING

from tui.core.diagnosis import (
    NO_DIAGNOSIS,
    Diagnosis,
    Limit,
    LimitCause,
    QueueBlock,
    QueueStatus,
)
from tui.core.download import ACTIVE, Download, DownloadState
from tui.core.errors import ErrorKind
from tui.core.listing.query import Figures, SortKey, View
from tui.core.listing.slices import collect_iter
from tui.core.rules.secret_headers import HARMLESS
from tui.core.snapshot import (
    AttemptSnapshot,
    DetailSnapshot,
    DiskSnapshot,
    DownloadSnapshot,
    EngineSnapshot,
    OriginSnapshot,
)
from tui.engine.autotune.bottleneck import DownloadSample, diagnose_download
from tui.engine.download.request import request_headers
from tui.engine.metrics.speed import FAST_TAU_S, SpeedMeter
from tui.engine.registry import shown_state
from tui.engine.scheduling.ordering import in_order_iter

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from tui.core.download import DownloadId
    from tui.core.listing.query import DownloadQuery
    from tui.core.notices import PauseReason
    from tui.engine.autotune.tuner import AutoTuner
    from tui.engine.context import EngineContext
    from tui.engine.job import Job
    from tui.engine.metrics.loop_lag import LoopLag
    from tui.engine.scheduling.queue import OriginState
    from tui.engine.ticker import Ticker
    from tui.engine.worker_pool import WorkerPool

ORIGINS_SHOWN = 200
_SHOWN = HARMLESS | {"cache-control", "pragma", "range"}
"""Request headers whose values are shown; all others are masked."""


class SnapshotBuilder:
    """Reads the state of the engine; changes nothing."""

    def __init__(
        self,
        context: EngineContext,
        workers: WorkerPool,
        ticker: Ticker,
        lag: LoopLag,
        tuner: AutoTuner,
    ) -> None:
        self._context = context
        self._tuner = tuner
        self._small_meters: dict[str, SpeedMeter] = {}
        """Speed of each origin's small files, by origin."""
        self._workers = workers
        self._ticker = ticker
        self._lag = lag
        self._output_dir = os.path.abspath(context.settings.output_dir)

    def snapshot(self, pause_reason: PauseReason | None) -> EngineSnapshot:
        """Return totals, limits and meters; the cost does not grow with the list."""
        context = self._context
        registry = context.registry
        meter = self._ticker.meter
        is_running = self._workers.active > 0
        busy_s = self._ticker.busy_s
        progress = self._ticker.totals.progress()
        average = registry.fetched / busy_s if busy_s > 0 else 0.0
        twice = registry.received_twice()
        return EngineSnapshot(
            counts=tuple(registry.counts),
            total=registry.total,
            revision=registry.revision,
            received=registry.received - twice,
            fetched=registry.fetched,
            known_size=registry.known_size,
            known_received=registry.known_received - twice,
            unknown=registry.unknown,
            speed=meter.fast.speed if is_running else 0.0,
            average=average,
            # The first and the last second are rarely whole ones, and not in the meter.
            peak=max(meter.peak, average),
            history=tuple(meter.history),
            eta_s=self._ticker.totals.eta_s,
            elapsed_s=busy_s,
            concurrency=context.limits.concurrency,
            active=self._workers.active,
            per_host=context.queue.per_host,
            segments=context.limits.segments,
            rate_limit=context.limiter.rate,
            is_queue_paused=self._workers.is_paused,
            pause_reason=pause_reason,
            waiting_for=self._waiting_for(),
            disk=self._disk(is_running=is_running),
            loop=self._lag.snapshot(),
            output_dir=self._output_dir,
            diagnosis=(
                self._tuner.utilization.diagnosis if is_running else NO_DIAGNOSIS
            ),
            auto=self._tuner.snapshot(),
            progress=progress.fraction,
            counts_files=progress.counts_files,
        )

    def _disk(self, *, is_running: bool) -> DiskSnapshot:
        disk = self._context.writer.snapshot()
        if is_running or disk.in_flight or disk.queued:
            return disk
        # A mean over seconds would show a busy disk long after it became idle.
        return disk._replace(speed=0.0)

    def rows(self, ids: Iterable[DownloadId]) -> list[DownloadSnapshot]:
        """Return the rows of downloads, in the given order, without unknown ids."""
        registry = self._context.registry
        downloads = registry.downloads
        count = len(downloads)
        now = self._context.clock.monotonic()
        allowed = self._context.settings.retries + 1
        rows = [registry.row(downloads[i], now, allowed) for i in ids if 0 <= i < count]
        limits = self._context.queue.learned_limits()
        blocked = self._context.queue.blocked_origins(now)
        if not (limits or blocked):
            return rows
        return [
            row._replace(
                host_limit=limits.get(row.origin, 0),
                is_host_blocked=row.origin in blocked,
            )
            if row.state is DownloadState.QUEUED
            else row
            for row in rows
        ]

    def detail(self, id: DownloadId) -> DetailSnapshot:
        """Return everything about one download."""
        context, registry = self._context, self._context.registry
        download = registry.downloads[id]
        job = registry.jobs.get(id)
        transfer = job.transfer if job is not None else None
        limiter = job.limiter if job is not None else None
        now = context.clock.monotonic()
        checksum = download.request.checksum
        summary = registry.summary(download)
        finished: tuple[tuple[int, int], ...] = ()
        if transfer is not None:
            finished = transfer.finished_ranges()
        elif download.state is DownloadState.DONE and download.size:
            finished = ((0, download.size),)
        elif download.received:
            finished = summary.finished
        path = os.path.join(self._output_dir, download.directory, download.name)
        attempts = tuple(registry.attempts.get(id, ()))
        if download.state in ACTIVE and download.attempt:
            attempts += (AttemptSnapshot(download.attempt, context.clock.wall(), ""),)
        headers = request_headers(context.session, download, download.url)
        return DetailSnapshot(
            row=registry.row(download, now, context.settings.retries + 1),
            path=path,
            part_path=f"{path}.part",
            mirrors=download.request.mirrors,
            finished=finished,
            segments=transfer.segment_snapshots() if transfer is not None else (),
            attempts=attempts,
            answer=summary.headers,
            validator=summary.validator,
            http_version=summary.http_version,
            checksum=str(checksum) if checksum is not None else "",
            checksum_state=_checksum_state(download),
            source=download.request.source,
            started_at=download.started_at,
            finished_at=download.finished_at,
            connections_wanted=(
                transfer.connections.wanted() if transfer is not None else 0
            ),
            rate_limit=limiter.rate if limiter is not None else None,
            modified_at=registry.modified_at.get(id),
            etag=registry.etags.get(id, ""),
            diagnosis=self._diagnosis(download, job, now),
            asked=masked(headers),
            speeds=summary.speeds,
        )

    def _diagnosis(self, download: Download, job: Job | None, now: float) -> Diagnosis:
        """Return what limits one download, or what it waits for."""
        context = self._context
        sample = DownloadSample(
            shown_state(download, job),
            limit=context.limiter.rate,
            queued=self._why_queued(download, now),
            retry_in_s=max(0.0, download.retry_at_s - now),
        )
        if job is not None and job.transfer is None and job.in_memory_since:
            sample = sample._replace(connections=1)
        if job is not None and job.transfer is not None:
            transfer, limiter = job.transfer, job.limiter
            shares = transfer.wait_shares()
            sample = sample._replace(
                disk=shares.disk,
                limiter=shares.limiter,
                own_limit=limiter.rate if limiter is not None else None,
                connections=transfer.connections.count(),
                takes_ranges=not transfer.connections.refuses_ranges,
                stalled_s=now - transfer.last_byte_at,
            )
        return diagnose_download(sample, self._tuner.utilization.diagnosis)

    def _why_queued(self, download: Download, now: float) -> Diagnosis:
        """Return why a queued download does not run."""
        none = Limit.NOTHING
        context = self._context
        if self._workers.is_paused:
            return Diagnosis(none, LimitCause.QUEUE_PAUSED)
        origin = context.queue.origins.get(download.origin)
        if origin is not None and origin.blocked_until > now:
            wait = origin.blocked_until - now
            return Diagnosis(none, LimitCause.HOST_BLOCKED, (wait,))
        cap = context.queue.cap(origin) if origin is not None else 0
        if origin is not None and cap and origin.active >= cap:
            is_learned = context.queue.cap_from(origin) == "learned"
            cause = LimitCause.HOST_LIMITED if is_learned else LimitCause.HOST_FULL
            return Diagnosis(none, cause, (cap,))
        if self._workers.active >= context.limits.concurrency:
            slots = (context.limits.concurrency,)
            return Diagnosis(Limit.CONCURRENCY, LimitCause.SLOTS_FULL, slots)
        return Diagnosis(none, LimitCause.STARTING)

    def listed_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, Sequence[Download]]:
        """Return the downloads that are not removed, in the order a query expects."""
        registry = self._context.registry
        removed = registry.removed
        if query.view is View.QUEUED:
            queued = yield from collect_iter(
                list(registry.downloads),
                lambda part: [d for d in part if d.state is DownloadState.QUEUED],
            )
            return (yield from in_order_iter(queued))
        if removed:
            return (
                yield from collect_iter(
                    list(registry.downloads),
                    lambda part: [d for d in part if d.id not in removed],
                )
            )
        return registry.downloads

    def figures(self, query: DownloadQuery) -> dict[DownloadId, Figures] | None:
        """Return speed and ETA of running downloads, if a query sorts by them."""
        if query.sort not in (SortKey.SPEED, SortKey.ETA):
            return None
        return self._context.registry.figures()

    def origins(self) -> list[OriginSnapshot]:
        """Return one row per origin, the busiest first; at most 200."""
        context = self._context
        now = context.clock.monotonic()
        speeds: dict[str, float] = {}
        for transfer in context.registry.running:
            name = transfer.download.origin
            speeds[name] = speeds.get(name, 0.0) + transfer.speed()
        origins = nsmallest(
            ORIGINS_SHOWN,
            context.queue.origins.values(),
            key=lambda origin: (-origin.active, -len(origin.waiting), origin.name),
        )
        return [
            OriginSnapshot(
                origin=origin.name,
                active=origin.active,
                queued=len(origin.waiting),
                cap=context.queue.cap(origin),
                done=origin.done,
                failed=origin.failed,
                speed=speeds.get(origin.name, 0.0) + self._small_speed(origin, now),
                blocked_s=max(0.0, origin.blocked_until - now),
                errors=origin.errors,
                trouble=origin.last_error,
                protocol=origin.protocol,
                ranges=origin.ranges,
                cap_from=context.queue.cap_from(origin),
            )
            for origin in origins
        ]

    def _small_speed(self, origin: OriginState, now: float) -> float:
        """Return bytes per second of an origin's small files since the last call."""
        if not origin.stored:
            return 0.0
        meter = self._small_meters.get(origin.name)
        if meter is None:
            meter = self._small_meters[origin.name] = SpeedMeter(
                FAST_TAU_S, now, origin.stored
            )
        meter.sample(now, origin.stored)
        return meter.speed if origin.active else 0.0

    def _waiting_for(self) -> QueueStatus | None:
        """Return why no queued download starts; ``None`` when nothing prevents it."""
        context = self._context
        workers = self._workers
        over = workers.active - context.limits.concurrency
        if over > 0:
            return QueueStatus(
                QueueBlock.OVER_LIMIT, (over, context.limits.concurrency)
            )
        queued = context.registry.counts[DownloadState.QUEUED]
        if not queued:
            return None
        if workers.is_paused:
            return QueueStatus(QueueBlock.PAUSED)
        if workers.active >= context.limits.concurrency:
            return None
        now = context.clock.monotonic()
        blocked = context.queue.blocked
        if blocked:
            soonest = max(0.0, min(origin.blocked_until for origin in blocked) - now)
            return QueueStatus(QueueBlock.HOSTS_BACK_OFF, (len(blocked), soonest))
        return QueueStatus(QueueBlock.PER_HOST) if context.queue.per_host else None


def masked(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return request headers fit for display, with secret values masked."""
    return tuple(
        (name, value if name.lower() in _SHOWN else "(hidden)")
        for name, value in headers
    )


def _checksum_state(download: Download) -> str:
    if download.request.checksum is None:
        return "none"
    if download.state is DownloadState.DONE:
        return "ok"
    return "mismatch" if download.error_kind == ErrorKind.CHECKSUM else "pending"
