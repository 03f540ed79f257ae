"""Builds the immutable views of a running engine (``core.snapshot``)."""

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
from tui.core.listing.query import View
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
from tui.engine.context import TransferSummary
from tui.engine.download.transfer import Transfer
from tui.engine.metrics.speed import FAST_TAU_S, SpeedMeter, eta_s, steady
from tui.engine.scheduling.ordering import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.core.download import DownloadId
    from tui.core.listing.query import DownloadQuery
    from tui.core.notices import HoldReason
    from tui.engine.autotune.tuner import AutoTuner
    from tui.engine.context import EngineContext
    from tui.engine.download.target import TargetResolver
    from tui.engine.scheduling.queue import OriginState
    from tui.engine.ticker import Ticker
    from tui.engine.worker_pool import WorkerPool

ORIGINS_SHOWN = 200
_SHOWN = HARMLESS | {"cache-control", "pragma", "range"}
"""Request headers whose values are no secrets; all others' are masked."""


class SnapshotBuilder:
    """Looks at the engine; changes nothing."""

    def __init__(
        self,
        context: EngineContext,
        workers: WorkerPool,
        ticker: Ticker,
        targets: TargetResolver,
        tuner: AutoTuner,
    ) -> None:
        self._context = context
        self._tuner = tuner
        self._small: dict[str, SpeedMeter] = {}
        self._workers = workers
        self._ticker = ticker
        self._targets = targets
        self._output_dir = os.path.abspath(context.settings.output_dir)

    def snapshot(self, hold_reason: HoldReason | None) -> EngineSnapshot:
        """Totals, limits and meters, at a cost that no list length changes."""
        context = self._context
        registry = context.registry
        meter = self._ticker.meter
        is_running = self._workers.active > 0
        busy_s = self._ticker.busy_s
        return EngineSnapshot(
            counts=tuple(registry.counts),
            total=registry.total,
            revision=registry.revision,
            received=registry.received,
            fetched=registry.fetched,
            known_size=registry.known_size,
            known_received=registry.known_received,
            unknown=registry.unknown,
            speed=meter.fast.speed if is_running else 0.0,
            average=registry.fetched / busy_s if busy_s > 0 else 0.0,
            peak=meter.peak,
            history=tuple(meter.history),
            eta_s=self._eta_s(),
            elapsed_s=busy_s,
            concurrency=context.concurrency,
            active=self._workers.active,
            per_host=context.queue.per_host,
            segments=context.segments,
            rate_limit=context.limiter.rate,
            is_held=self._workers.is_held,
            hold_reason=hold_reason,
            waiting_for=self._waiting_for(),
            by_status={k: n for k, n in registry.by_status.items() if n},
            by_cause={k: n for k, n in registry.by_cause.items() if n},
            retries=registry.retries,
            disk=self._disk(is_running=is_running),
            loop=self._ticker.lag.snapshot(),
            output_dir=self._output_dir,
            diagnosis=(self._tuner.shares.diagnosis if is_running else NO_DIAGNOSIS),
            auto=self._tuner.snapshot(),
        )

    def _disk(self, *, is_running: bool) -> DiskSnapshot:
        disk = self._context.writer.snapshot()
        if is_running or disk.in_flight or disk.queued:
            return disk
        # A mean over seconds would tell of a disk at work long after its rest began.
        return disk._replace(speed=0.0)

    def rows(self, ids: Iterable[DownloadId]) -> list[DownloadSnapshot]:
        """The rows asked for, in that order; unknown ids are left out."""
        registry = self._context.registry
        downloads = registry.downloads
        count = len(downloads)
        now = self._context.clock.monotonic()
        allowed = self._context.settings.retries + 1
        return [registry.row(downloads[i], now, allowed) for i in ids if 0 <= i < count]

    def detail(self, id: DownloadId) -> DetailSnapshot:
        """Everything about one download."""
        context = self._context
        download = context.registry.downloads[id]
        now = context.clock.monotonic()
        transfer = self._transfer(download)
        checksum = download.request.checksum
        finished: tuple[tuple[int, int], ...] = ()
        if transfer is not None:
            finished = tuple(transfer.part.flushed)
        elif download.state is DownloadState.DONE and download.size:
            finished = ((0, download.size),)
        path = os.path.join(self._output_dir, download.directory, download.name)
        attempts = tuple(context.registry.attempts.get(id, ()))
        if download.state in ACTIVE and download.attempt:
            attempts += (AttemptSnapshot(download.attempt, context.clock.wall(), ""),)
        limiter = context.own_limiters.get(id)
        learned = context.landed.get(id, TransferSummary())
        if transfer is not None:
            learned = transfer.learned()
        return DetailSnapshot(
            row=context.registry.row(download, now, context.settings.retries + 1),
            path=path,
            part_path=f"{path}.part",
            mirrors=download.request.mirrors,
            finished=finished,
            segments=transfer.segment_snapshots() if transfer is not None else (),
            attempts=attempts,
            answer=learned.headers,
            validator=learned.validator,
            http_version=learned.http_version,
            checksum=str(checksum) if checksum is not None else "",
            checksum_state=self._checksum_state(download),
            source=download.request.source,
            started_at=download.started_at,
            finished_at=download.finished_at,
            connections_wanted=transfer.connections_wanted()
            if transfer is not None
            else 0,
            rate_limit=limiter.rate if limiter is not None else None,
            modified_at=context.modified.get(id),
            diagnosis=self._diagnosis(download, transfer, now),
            asked=masked(context.headers_for(download, download.url)),
            speeds=learned.speeds,
        )

    def _diagnosis(
        self, download: Download, transfer: Transfer | None, now: float
    ) -> Diagnosis:
        context = self._context
        one = DownloadSample(
            download.state,
            limit=context.limiter.rate,
            queued=self._why_queued(download, now),
            retry_in_s=max(0.0, download.retry_at_s - now),
        )
        if transfer is not None:
            limiter = context.own_limiters.get(download.id)
            shares = transfer.window.shares()
            one = one._replace(
                disk=shares.disk,
                limiter=shares.limiter,
                own_limit=limiter.rate if limiter is not None else None,
                connections=transfer.connections(),
                takes_ranges=not transfer.refuses_ranges,
                stalled_s=now - transfer.last_byte_at,
            )
        return diagnose_download(one, self._tuner.shares.diagnosis)

    def _why_queued(self, download: Download, now: float) -> Diagnosis:
        """Return why a queued download does not run."""
        none = Limit.NOTHING
        context = self._context
        if self._workers.is_held:
            return Diagnosis(none, LimitCause.QUEUE_PAUSED)
        lane = context.queue.origins.get(download.origin)
        if lane is not None and lane.blocked_until > now:
            wait = lane.blocked_until - now
            return Diagnosis(none, LimitCause.HOST_BLOCKED, (wait,))
        cap = context.queue.cap(lane) if lane is not None else 0
        if lane is not None and cap and lane.active >= cap:
            return Diagnosis(none, LimitCause.HOST_FULL, (cap,))
        if self._workers.active >= context.concurrency:
            slots = (context.concurrency,)
            return Diagnosis(Limit.CONCURRENCY, LimitCause.SLOTS_FULL, slots)
        return Diagnosis(none, LimitCause.STARTING)

    def listed(self, query: DownloadQuery) -> Iterable[Download]:
        """All downloads but the dropped ones, in the order that a query starts from."""
        registry = self._context.registry
        downloads: Iterable[Download] = registry.downloads
        if registry.dropped:
            downloads = [d for d in downloads if d.id not in registry.dropped]
        if query.view is View.QUEUED:
            return in_order(d for d in downloads if d.state is DownloadState.QUEUED)
        return downloads

    def origins(self) -> list[OriginSnapshot]:
        """One row an origin, the busiest first; at most 200."""
        context = self._context
        now = context.clock.monotonic()
        speeds: dict[str, float] = {}
        for id, running in context.registry.running.items():
            origin = context.registry.downloads[id].origin
            speeds[origin] = speeds.get(origin, 0.0) + running.speed()
        origins = nsmallest(
            ORIGINS_SHOWN,
            context.queue.origins.values(),
            key=lambda lane: (-lane.active, -len(lane.entries), lane.origin),
        )
        return [
            OriginSnapshot(
                origin=lane.origin,
                active=lane.active,
                queued=len(lane.entries),
                cap=context.queue.cap(lane),
                done=lane.done,
                failed=lane.failed,
                speed=speeds.get(lane.origin, 0.0) + self._small_speed(lane, now),
                blocked_s=max(0.0, lane.blocked_until - now),
                errors=lane.errors,
                trouble=lane.last_error,
                protocol=lane.protocol,
                ranges=lane.ranges,
                cap_from=context.queue.cap_from(lane),
            )
            for lane in origins
        ]

    def _small_speed(self, lane: OriginState, now: float) -> float:
        """Bytes per second of an origin's small files; sampled by asking."""
        if not lane.stored:
            return 0.0
        meter = self._small.get(lane.origin)
        if meter is None:
            meter = self._small[lane.origin] = SpeedMeter(FAST_TAU_S, now, lane.stored)
        meter.sample(now, lane.stored)
        return meter.speed if lane.active else 0.0

    def is_finishing(self, download: Download) -> bool:
        """Whether its rename is under way, so that nothing can stop it any more."""
        if download.state is not DownloadState.VERIFYING:
            return False
        # A small file is with the writer, and no worker waits for it.
        return download.id in self._context.naming or not self._workers.is_on(download)

    def _transfer(self, download: Download) -> Transfer | None:
        running = self._context.registry.running.get(download.id)
        return running if isinstance(running, Transfer) else None

    @staticmethod
    def _checksum_state(download: Download) -> str:
        if download.request.checksum is None:
            return "none"
        if download.state is DownloadState.DONE:
            return "ok"
        return "mismatch" if download.error_kind == "checksum" else "pending"

    def _eta_s(self) -> float | None:
        """Seconds to go for everything.

        Files of unknown size are taken to be as large as the mean of the known ones:
        a guess, but one that is right on average, and better than none while most of
        a long list is still queued. It ends no sooner than the slowest of those that
        run: the speed of all others does not help that one.
        """
        registry = self._context.registry
        if not registry.unfinished:
            return None
        remaining = float(registry.known_size - registry.known_received)
        if registry.unknown:
            known = registry.total - registry.unknown
            if not known or not registry.known_size:
                return None
            remaining += registry.unknown * registry.known_size / known
        meter = self._ticker.meter
        seconds = eta_s(remaining, steady(meter.fast.speed, meter.slow.speed))
        return None if seconds is None else max(seconds, self._ticker.longest_eta_s)

    def _waiting_for(self) -> QueueStatus | None:
        """Return why no queued download starts; ``None`` when nothing prevents it."""
        context = self._context
        workers = self._workers
        over = workers.active - context.concurrency
        if over > 0:
            return QueueStatus(QueueBlock.OVER_LIMIT, (over, context.concurrency))
        queued = context.registry.counts[DownloadState.QUEUED]
        if not queued:
            return None
        if workers.is_held:
            return QueueStatus(QueueBlock.PAUSED)
        if workers.active >= context.concurrency:
            return None
        now = context.clock.monotonic()
        resting = context.queue.resting
        if resting:
            soonest = max(0.0, min(lane.blocked_until for lane in resting) - now)
            return QueueStatus(QueueBlock.HOSTS_BACK_OFF, (len(resting), soonest))
        return QueueStatus(QueueBlock.PER_HOST) if context.queue.per_host else None


def masked(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return request headers fit to be shown: names, and values that tell nothing."""
    return tuple(
        (name, value if name.lower() in _SHOWN else "(hidden)")
        for name, value in headers
    )
