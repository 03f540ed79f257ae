"""An engine without wire or disk: the whole ``DownloadService``, moved by the test.

Verbs change states as the real engine does, but nothing happens by itself: a test
sets rows with ``put``, lets bytes arrive with ``advance`` and ends downloads with
``finish`` and ``fail``. Every verb is written down in ``calls``.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from tui.background.attach.replica import ReplicaSubscription
from tui.core.diagnosis import NO_DIAGNOSIS, QueueBlock, QueueStatus
from tui.core.download import ACTIVE, ENDED, Download, DownloadState
from tui.core.events import (
    Cancelled,
    Done,
    DownloadNotice,
    Event,
    Failed,
    Kinds,
    LimitChanged,
    Paused,
    Queued,
    QueuePaused,
    QueueResumed,
    RunNotice,
    Started,
)
from tui.core.listing import query as core_query
from tui.core.notices import LimitName
from tui.core.request import DownloadRequest, check_url, origin_of
from tui.core.service import REMOVED, Deletion, KeepReason
from tui.core.snapshot import (
    AttemptSnapshot,
    AutoSnapshot,
    DetailSnapshot,
    DiskSnapshot,
    DownloadSnapshot,
    EngineSnapshot,
    LoopSnapshot,
    OriginSnapshot,
    SegmentSnapshot,
    WorkerSnapshot,
)
from tui.engine.metrics.progress import RunProgress, Work
from tui.engine.scheduling.ordering import in_order, key_between, moved, moved_to

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping, Sequence

    from tui.core.listing.query import DownloadQuery
    from tui.core.notices import Notice, PauseReason
    from tui.core.service import DownloadService, Move

_S = DownloadState
START = 1_790_000_000.0
"""Wall time at which a fake run begins."""


class FakeWatch:
    """Finds changes by comparison: tests write into downloads as they like."""

    def __init__(self, service: FakeService) -> None:
        self._service = service
        self._seen = self._now()

    def _now(self) -> list[tuple[int, bool]]:
        dropped = self._service.dropped
        return [(d.version, d.id in dropped) for d in self._service.downloads]

    @property
    def count(self) -> int:
        return len(self._service.downloads)

    def take(self) -> set[int]:
        before, self._seen = self._seen, self._now()
        pairs = zip(before, self._seen, strict=False)
        return {id for id, (old, new) in enumerate(pairs) if old != new}

    def close(self) -> None:
        pass


class FakeService:
    """Everything that a front end can ask for, in memory."""

    def __init__(self, concurrency: int = 8) -> None:
        self.downloads: list[Download] = []
        self.calls: Counter[str] = Counter()
        """How often each verb and view was asked for."""
        self.rows_asked = 0
        """Rows handed out, over all calls of ``rows``."""
        self.last: tuple[Any, ...] = ()
        """The last verb with its arguments."""
        self.subscriptions: set[ReplicaSubscription] = set()
        self.speeds: dict[int, float] = {}
        self.connections: dict[int, int] = {}
        self.retry_in: dict[int, float] = {}
        self.stalled: dict[int, float] = {}
        self.limits: dict[int, int | None] = {}
        self.before: dict[int, DownloadState] = {}
        self.dropped: set[int] = set()
        self.failures: dict[int, tuple[str, str, int]] = {}
        self.revision = 0
        self.output_dir = "/home/ada/downloads"
        self.concurrency = concurrency
        self.per_host = 0
        self.auto = AutoSnapshot()
        self.diagnosis = NO_DIAGNOSIS
        self.caps: dict[str, int] = {}
        self.hosts: dict[str, dict[str, Any]] = {}
        """Changes of the rows of ``origins``, by origin."""
        self.segments = 0
        self.rate_limit: int | None = None
        self.writers = 4
        self.is_inline = False
        self.disk_delay_s = 0.0
        self.is_queue_paused = False
        self.pause_reason: PauseReason | None = None
        self.held_ids: list[int] = []
        """What ``pause_all`` paused, for ``resume_all`` to queue again."""
        self.history: tuple[float, ...] = ()
        self.elapsed_s = 0.0
        self.peak = 0.0
        self.progress = RunProgress()
        self.fetched = 0
        self.slots: tuple[WorkerSnapshot, ...] | None = None
        self.disk_changes: dict[str, Any] = {}
        self.loop = LoopSnapshot(0.0, 0.0, ())
        self.details: dict[int, dict[str, Any]] = {}
        self.closed = 0
        self.attempts_allowed = 6
        self._moved = asyncio.Event()

    # -- moved by the test -----------------------------------------------------------

    def put(
        self,
        name: str,
        state: DownloadState = _S.QUEUED,
        *,
        size: int | None = None,
        received: int = 0,
        speed: float = 0.0,
        host: str = "https://example.org",
        url: str | None = None,
        connections: int | None = None,
        retry_in_s: float | None = None,
        stalled_s: float = 0.0,
        **fields: Any,
    ) -> int:
        """Add a row in any state and return its id."""
        request = DownloadRequest((url or f"{host}/{name}",), size=size)
        row = Download(len(self.downloads), request, origin_of(request.url), name)
        row.queue_key = float(row.id)
        row.received = received
        row.attempt = 0 if state is _S.QUEUED else 1
        for field, value in fields.items():
            setattr(row, field, value)
        self.downloads.append(row)
        self.revision += 1
        row.state = state
        if speed:
            self.speeds[row.id] = speed
        if retry_in_s is not None:
            self.retry_in[row.id] = retry_in_s
        if stalled_s:
            self.stalled[row.id] = stalled_s
        if state is _S.DOWNLOADING:
            self.connections[row.id] = 1 if connections is None else connections
        return row.id

    def change(self, id: int, **fields: Any) -> None:
        """Set fields of a download, as the engine would between two frames."""
        row = self.downloads[id]
        for field, value in fields.items():
            setattr(row, field, value)
        row.version += 1
        self.revision += 1

    def advance(self, seconds: float) -> None:
        """Let bytes arrive at the speeds that were set, and time go by."""
        self.elapsed_s += seconds
        for id, speed in self.speeds.items():
            row = self.downloads[id]
            if row.state is _S.DOWNLOADING:
                room = (row.size or 1 << 60) - row.received
                step = min(room, int(speed * seconds))
                row.received += step
                self.fetched += step
        for id in self.retry_in:
            self.retry_in[id] = max(0.0, self.retry_in[id] - seconds)

    def start(self, id: int, *, size: int | None = None, speed: float = 0.0) -> None:
        """Let a worker take up a download."""
        row = self.downloads[id]
        row.attempt += 1
        row.size = size if size is not None else row.size
        self.speeds[id] = speed
        self.connections[id] = 1
        self._set(row, _S.DOWNLOADING, Started(id, self.now, row.attempt))

    def finish(self, id: int) -> None:
        """Let a download end well."""
        row = self.downloads[id]
        row.size = row.received if row.size is None else row.size
        row.received = row.size
        self._set(row, _S.DONE, Done(id, self.now))

    def fail(self, id: int, kind: str = "not_found", error: str = "404") -> None:
        """Let a download fail."""
        row = self.downloads[id]
        row.error_kind, row.error = kind, error
        self._set(row, _S.FAILED, Failed(id, self.now, kind, error))

    def notice(self, id: int, notice: Notice) -> None:
        """Let the engine publish a notice about a download."""
        self.push(DownloadNotice(id, self.now, notice))

    def pause_for(self, reason: PauseReason) -> None:
        """Pause the queue as the engine does when the disk is full."""
        self.is_queue_paused, self.pause_reason = True, reason
        self.push(QueuePaused(self.now, reason))
        self._moved.set()

    def push(self, event: Event) -> None:
        """Send an event to all listeners."""
        for subscription in self.subscriptions:
            subscription.put([event])

    @property
    def now(self) -> float:
        """Wall time of the fake run."""
        return START + self.elapsed_s

    def _set(self, row: Download, state: DownloadState, event: Event) -> None:
        row.state = state
        row.version += 1
        self.dropped.discard(row.id)
        self.revision += 1
        self.push(event)
        self._moved.set()

    def _note(self, verb: str, *arguments: Any) -> None:
        self.calls[verb] += 1
        self.last = (verb, *arguments)

    # -- what to fetch ---------------------------------------------------------------

    def add(self, requests: Iterable[DownloadRequest]) -> range:
        first = len(self.downloads)
        for request in requests:
            name = request.name or request.url.rpartition("/")[2] or "index.html"
            id = len(self.downloads)
            row = Download(id, request, origin_of(request.url), name)
            row.queue_key = float(id)
            self.downloads.append(row)
        added = range(first, len(self.downloads))
        self.revision += 1
        self._note("add", added)
        for id in added:
            self.push(Queued(id, self.now))
        return added

    async def submit(self, requests: Sequence[DownloadRequest]) -> range:
        return self.add(requests)

    def cancel(self, ids: Iterable[int]) -> list[int]:
        changed = []
        for id in ids:
            row = self.downloads[id]
            if row.state in (_S.DONE, _S.CANCELLED):
                continue
            self._set(row, _S.CANCELLED, Cancelled(id, self.now))
            changed.append(id)
        self._note("cancel", changed)
        return changed

    def pause(self, ids: Iterable[int]) -> list[int]:
        changed = []
        for id in ids:
            row = self.downloads[id]
            if row.state in ENDED - {_S.CANCELLED} or row.state is _S.PAUSED:
                continue
            self._set(row, _S.PAUSED, Paused(id, self.now))
            changed.append(id)
        self._note("pause", changed)
        return changed

    def _queue_again(self, ids: Iterable[int], states: set[DownloadState]) -> list[int]:
        changed = []
        for id in ids:
            row = self.downloads[id]
            if row.state in states:
                row.error = row.error_kind = ""
                self._set(row, _S.QUEUED, Queued(id, self.now))
                changed.append(id)
        return changed

    def resume(self, ids: Iterable[int]) -> list[int]:
        changed = self._queue_again(ids, {_S.PAUSED, _S.CANCELLED})
        self._note("resume", changed)
        return changed

    def retry(self, ids: Iterable[int]) -> list[int]:
        ids = list(ids)
        for row in (self.downloads[id] for id in ids):
            if row.state is _S.FAILED:
                self.failures[row.id] = (row.error, row.error_kind, row.status)
        changed = self._queue_again(ids, {_S.FAILED, _S.WAITING, _S.CANCELLED})
        self._note("retry", changed)
        return changed

    def undo_retry(self, ids: Iterable[int]) -> list[int]:
        changed = [
            id
            for id in ids
            if id in self.failures and self.downloads[id].state is not _S.DONE
        ]
        for id in changed:
            row = self.downloads[id]
            row.error, row.error_kind, row.status = self.failures.pop(id)
            row.state = _S.FAILED
            row.version += 1
        self.revision += 1
        self._note("undo_retry", changed)
        return changed

    def remove(self, ids: Iterable[int]) -> list[int]:
        changed = [
            id
            for id in ids
            if self.downloads[id].state in ENDED and id not in self.dropped
        ]
        self.dropped.update(changed)
        self.revision += 1
        self._note("remove", changed)
        return changed

    def restore(self, ids: Iterable[int]) -> list[int]:
        changed = [id for id in ids if id in self.dropped]
        self.dropped.difference_update(changed)
        self.revision += 1
        self._note("restore", changed)
        return changed

    async def delete_data(self, ids: Iterable[int]) -> Deletion:
        gone: list[int] = []
        kept: list[int] = []
        for id in ids:
            (gone if id in self.dropped else kept).append(id)
        self._note("delete_data", gone)
        nbytes = sum(self.downloads[id].received for id in gone)
        reasons = tuple((id, KeepReason.RESTORED) for id in kept)
        return Deletion(len(gone), nbytes, reasons)

    def queue_positions(self, ids: Iterable[int], move: Move) -> dict[int, float]:
        return {d.id: key for d, key in moved(self._queue(), set(ids), move).items()}

    def set_queue_positions(self, positions: Mapping[int, float]) -> dict[int, float]:
        self._note("set_queue_positions", dict(positions))
        return self._move(positions)

    def reorder_iter(
        self, ids: Iterable[int], move: Move
    ) -> Generator[None, None, dict[int, float]]:
        positions = list(self.queue_positions(ids, move).items())
        before: dict[int, float] = {}
        for start in range(0, len(positions), 1000):
            if start:
                yield
            before |= self.set_queue_positions(dict(positions[start : start + 1000]))
        return before

    def _move(self, positions: Mapping[int, float]) -> dict[int, float]:
        before = {id: self.downloads[id].queue_key for id in positions}
        for id, key in positions.items():
            self.downloads[id].queue_key = key
            self.downloads[id].version += 1
        self.revision += 1
        return before

    def _queue(self) -> list[Download]:
        queued = [d for d in self.downloads if d.state is _S.QUEUED]
        return in_order(queued)

    def positions(self, ids: Iterable[int]) -> list[float | None]:
        rows = [self.downloads[id] for id in ids]
        waiting = (_S.QUEUED, _S.PAUSED)
        return [row.queue_key if row.state in waiting else None for row in rows]

    def move_between(self, id: int, after: int | None, before: int | None) -> bool:
        after_row = None if after is None else self.downloads[after]
        before_row = None if before is None else self.downloads[before]
        key = key_between(after_row, before_row)
        if key is not None:
            self._note("move_between", id, after, before)
            self._move({id: key})
        return key is not None

    def move_to(self, id: int, index: int) -> int:
        line, download = self._line(), self.downloads[id]
        if download not in line:
            raise ValueError("the download is neither queued nor paused")
        index = max(0, min(index, len(line) - 1))
        self._note("move_to", id, index)
        keys = moved_to(line, download, index)
        self._move({d.id: key for d, key in keys.items()})
        return index

    def _line(self) -> list[Download]:
        return in_order(d for d in self.downloads if d.state in (_S.QUEUED, _S.PAUSED))

    def request(self, id: int) -> DownloadRequest:
        return self.downloads[id].request

    def change_request(self, id: int, request: DownloadRequest) -> None:
        for url in request.mirrors:
            check_url(url)
        row = self.downloads[id]
        if row.state is _S.DONE:
            raise ValueError("the download is done")
        self._note("change_request", id, request)
        row.request = request
        row.url = row.url if row.url in request.mirrors else request.url
        row.name = request.name or row.name
        row.directory = request.directory or ""
        row.version += 1

    def set_url(self, id: int, url: str) -> None:
        check_url(url)
        self._note("set_url", id, url)
        row = self.downloads[id]
        if row.state is not _S.DONE:
            row.url = url
            row.version += 1

    def add_note(self, id: int, notice: Notice, *, is_news: bool = True) -> None:
        self.downloads[id].note = notice
        self.downloads[id].version += 1
        self._note("add_note", id, notice)
        if is_news:
            self.push(DownloadNotice(id, self.now, notice))

    def notify(self, notice: Notice) -> None:
        self._note("notify", notice)
        self.push(RunNotice(self.now, notice))

    # -- limits ----------------------------------------------------------------------

    def set_concurrency(self, count: int) -> None:
        old = self.concurrency
        self.push(LimitChanged(self.now, LimitName.CONCURRENCY, old, count))
        self.concurrency = count
        if self.auto.is_on:
            self.auto = self.auto._replace(is_on=False, is_pinned=True)
        self._note("set_concurrency", count)

    def note_suspension(self, seconds: float) -> None:
        self._note("note_suspension", seconds)

    def set_auto(self, is_on: bool) -> None:
        self.auto = self.auto._replace(is_on=is_on, is_pinned=False)
        self._note("set_auto", is_on)

    def set_origin_cap(self, origin: str, cap: int) -> None:
        self.caps[origin] = cap
        self._note("set_origin_cap", origin, cap)

    def set_per_host(self, count: int) -> None:
        self.per_host = count
        self._note("set_per_host", count)

    def set_segments(self, count: int, id: int | None = None) -> None:
        if id is None:
            self.segments = count
        else:
            self.connections[id] = count
            self.downloads[id].version += 1
        self._note("set_segments", count, id)

    def set_rate_limit(self, rate: int | None, id: int | None = None) -> None:
        if id is None:
            self.rate_limit = rate
        else:
            self.limits[id] = rate
        self._note("set_rate_limit", rate, id)

    def set_writers(self, count: int) -> None:
        self.writers = count
        self._note("set_writers", count)

    def set_inline_writes(self, is_inline: bool) -> None:
        self.is_inline = is_inline
        self._note("set_inline_writes", is_inline)

    def set_disk_delay(self, seconds: float) -> None:
        self.disk_delay_s = seconds
        self._note("set_disk_delay", seconds)

    def pause_all(self) -> None:
        self.is_queue_paused = True
        self._note("pause_all")
        self.push(QueuePaused(self.now, None))
        stopped = ACTIVE | {_S.WAITING}
        self.held_ids = [d.id for d in self.downloads if d.state in stopped]
        for id in self.held_ids:
            self._set(self.downloads[id], _S.PAUSED, Paused(id, self.now))

    def resume_all(self) -> None:
        self.is_queue_paused = False
        self.pause_reason = None
        self._note("resume_all")
        self.push(QueueResumed(self.now))
        held, self.held_ids = self.held_ids, []
        self._queue_again(held, {_S.PAUSED})

    # -- what there is to see --------------------------------------------------------

    def snapshot(self) -> EngineSnapshot:
        self.calls["snapshot"] += 1
        counts = [0] * len(_S)
        for row in self.downloads:
            counts[row.state] += row.id not in self.dropped
        live = [
            d
            for d in self.downloads
            if d.state is not _S.CANCELLED and d.id not in self.dropped
        ]
        known = [d for d in live if d.size is not None and d.state is not _S.FAILED]
        known_size = sum(d.size or 0 for d in known)
        known_received = sum(d.received for d in known)
        active = sum(counts[state] for state in ACTIVE)
        speed = sum(
            self.speeds.get(d.id, 0.0)
            for d in self.downloads
            if d.state is _S.DOWNLOADING
        )
        self.peak = max(self.peak, speed)
        over = active - self.concurrency
        progress = self._follow_progress(live)
        return EngineSnapshot(
            counts=tuple(counts),
            total=len(self.downloads) - len(self.dropped),
            revision=self.revision,
            received=sum(d.received for d in self.downloads),
            fetched=self.fetched,
            known_size=known_size,
            known_received=known_received,
            unknown=sum(1 for d in live if d.size is None and d.state not in ENDED),
            speed=speed,
            average=speed * 0.9,
            peak=self.peak,
            history=self.history,
            eta_s=(known_size - known_received) / speed if speed else None,
            elapsed_s=self.elapsed_s,
            concurrency=self.concurrency,
            active=active,
            per_host=self.per_host,
            segments=self.segments,
            rate_limit=self.rate_limit,
            is_queue_paused=self.is_queue_paused,
            pause_reason=self.pause_reason,
            waiting_for=(
                QueueStatus(QueueBlock.OVER_LIMIT, (over, self.concurrency))
                if over > 0
                else None
            ),
            disk=self._disk(speed),
            loop=self.loop,
            output_dir=self.output_dir,
            diagnosis=self.diagnosis,
            auto=self.auto,
            progress=progress.fraction,
            counts_files=progress.counts_files,
        )

    def _follow_progress(self, live: list[Download]) -> RunProgress:
        over = [d for d in live if d.state in (_S.DONE, _S.FAILED)]
        known = [d for d in live if d.size is not None and d.state is not _S.FAILED]
        rest = [d for d in live if d.size and d.state not in ENDED]
        self.progress.update(
            Work(
                files=len(live),
                over=len(over),
                failed=sum(d.state is _S.FAILED for d in over),
                shares=sum(d.received / d.size for d in rest if d.size),
                unknown=sum(d.size is None and d.state not in ENDED for d in live),
                size=sum(d.size or 0 for d in known),
                received=sum(d.received for d in known),
            )
        )
        return self.progress

    def _disk(self, speed: float) -> DiskSnapshot:
        slots = self.slots
        if slots is None:
            slots = tuple(
                WorkerSnapshot("idle", "", 0, 0, 0.0) for _ in range(self.writers)
            )
        disk = DiskSnapshot(
            workers=slots,
            writers=self.writers,
            is_inline=self.is_inline,
            queued=0,
            in_flight=0,
            in_flight_limit=64 << 20,
            speed=speed,
            batches=0,
            operations=0,
            p50_s=0.0,
            p99_s=0.0,
            sync_p99_s=0.0,
            delay_s=self.disk_delay_s,
        )
        return disk._replace(**self.disk_changes)

    def _row(self, id: int) -> DownloadSnapshot:
        d = self.downloads[id]
        is_running = d.state is _S.DOWNLOADING
        speed = self.speeds.get(id, 0.0) if is_running else 0.0
        eta = (d.size - d.received) / speed if d.size and speed else None
        return DownloadSnapshot(
            id=id,
            version=d.version,
            state=d.state,
            name=d.name,
            directory=d.directory,
            url=d.url,
            origin=d.origin,
            size=d.size,
            received=d.received,
            speed=speed,
            eta_s=eta,
            stalled_s=self.stalled.get(id, 0.0) if is_running else 0.0,
            connections=self.connections.get(id, 1) if is_running else 0,
            attempt=d.attempt,
            attempts_allowed=self.attempts_allowed,
            retry_in_s=self.retry_in.get(id) if d.state is _S.WAITING else None,
            status=d.status,
            error=d.error,
            error_kind=d.error_kind,
            note=d.note,
            has_checksum=d.request.checksum is not None,
        )

    def rows(self, ids: Iterable[int]) -> list[DownloadSnapshot]:
        self.calls["rows"] += 1
        count = len(self.downloads)
        rows = [self._row(id) for id in ids if 0 <= id < count]
        self.rows_asked += len(rows)
        return rows

    async def fetch_rows(self, ids: Sequence[int]) -> list[DownloadSnapshot]:
        return self.rows(ids)

    async def fetch_details(self, ids: Sequence[int]) -> list[DetailSnapshot]:
        return [self.detail(id) for id in ids]

    def in_states(self, states: Collection[DownloadState]) -> list[int]:
        self.calls["in_states"] += 1
        return [
            d.id
            for d in self.downloads
            if d.state in states and d.id not in self.dropped
        ]

    async def open_folder(self, id: int) -> int:
        self._row(id)
        return os.open("/", os.O_RDONLY)

    def detail(self, id: int) -> DetailSnapshot:
        self.calls["detail"] += 1
        row = self._row(id)
        d = self.downloads[id]
        segments: tuple[SegmentSnapshot, ...] = ()
        finished: tuple[tuple[int, int], ...] = ()
        if d.received:
            finished = ((0, d.received),)
        if row.state is _S.DOWNLOADING:
            at = SegmentSnapshot(d.received, d.size, d.received, row.speed, d.url)
            segments = (at,)
        detail = DetailSnapshot(
            row=row,
            path=f"/home/ada/downloads/{d.name}",
            part_path=f"/home/ada/downloads/{d.name}.part",
            mirrors=d.request.mirrors,
            finished=finished,
            segments=segments,
            attempts=(AttemptSnapshot(1, START, d.error),) if d.attempt else (),
            answer=(("content-type", "application/octet-stream"),),
            validator='"5f3c-1a"',
            http_version="HTTP/1.1",
            checksum="",
            checksum_state="none",
            source="list.txt:1",
            started_at=START,
            finished_at=0.0,
            connections_wanted=self.connections.get(id, 0),
            rate_limit=self.limits.get(id),
        )
        return detail._replace(**self.details.get(id, {}))

    def select_iter(self, query: DownloadQuery) -> Generator[None, None, list[int]]:
        self.calls["select"] += 1
        return core_query.select_iter(self._listed(query), query, self._figures())

    def by_activity_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, core_query.ActivityGroups]:
        self.calls["select"] += 1
        return core_query.by_activity_iter(self._listed(query), query)

    def _figures(self) -> dict[int, core_query.Figures]:
        return {
            row.id: core_query.Figures(row.speed, row.eta_s)
            for row in (self._row(d.id) for d in self.downloads if d.state in ACTIVE)
        }

    def by_cause_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, list[core_query.FailureGroup]]:
        self.calls["by_cause"] += 1
        return core_query.by_cause_iter(self._listed(query), query)

    def _listed(self, query: DownloadQuery) -> list[Download]:
        is_queue = query.view is core_query.View.QUEUED
        rows = self._queue() if is_queue else self.downloads
        return [row for row in rows if row.id not in self.dropped]

    def origins(self) -> list[OriginSnapshot]:
        counts: Counter[str] = Counter(d.origin for d in self.downloads)
        return [
            OriginSnapshot(
                origin,
                0,
                number,
                self.caps.get(origin) or self.per_host,
                0,
                0,
                0.0,
                0.0,
                cap_from="set" if self.caps.get(origin) else "",
            )._replace(**self.hosts.get(origin, {}))
            for origin, number in counts.most_common(200)
        ]

    def subscribe(self, exclude: Kinds = frozenset()) -> ReplicaSubscription:
        subscription = ReplicaSubscription(exclude, self.subscriptions.discard)
        self.subscriptions.add(subscription)
        return subscription

    @property
    def count(self) -> int:
        return len(self.downloads)

    def states(self, ids: Iterable[int] | None = None) -> bytes:
        wanted = range(len(self.downloads)) if ids is None else ids
        return bytes(
            self.downloads[id].state | REMOVED * (id in self.dropped) for id in wanted
        )

    def watch(self) -> FakeWatch:
        return FakeWatch(self)

    # -- the end ---------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Nothing makes progress without the user."""
        busy = ACTIVE
        if self.pause_reason is None:
            busy = busy | {_S.QUEUED, _S.WAITING}
        return not any(row.state in busy for row in self.downloads)

    async def wait_idle(self) -> None:
        while not self.is_idle:
            self._moved.clear()
            await self._moved.wait()

    async def close(self) -> None:
        self.closed += 1


def _is_a_service(service: FakeService) -> DownloadService:
    """The type checker holds the fake to the protocol here."""
    return service
