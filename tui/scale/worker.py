"""A worker: downloads shards with the ordinary engine, and publishes their manifests.

One engine serves all shards that a worker has at a time, so connections and limits
learned from servers carry over from shard to shard. The registry of an engine keeps a
record of each download, therefore a new engine replaces it now and then.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tui.cloud.address import parse_address
from tui.cloud.errors import CloudError
from tui.cloud.upload import open_uploader
from tui.core.download import DownloadState
from tui.core.errors import ErrorKind, LocalError
from tui.core.events import (
    Cancelled,
    Done,
    DownloadNotice,
    Failed,
    Paused,
    Queued,
    QueuePaused,
    Retrying,
    Started,
    Verified,
)
from tui.core.request import origin_of
from tui.core.settings import Hooks, OnExists
from tui.engine.factory import open_engine
from tui.messages import error_text
from tui.net.filename import name_from_url, safe_name
from tui.scale import manifest
from tui.scale.errors import OldGenerationError, ScaleError, ShardFailedError
from tui.scale.lanes import HostCaps, Lane, Shard
from tui.scale.manifest import Counts, PartialRows, Row
from tui.scale.model import HostStatus, ShardProgress, WorkerStatus
from tui.scale.output import pack
from tui.scale.plan import JobPaths, read_shard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.cloud.upload import Uploader
    from tui.core.request import DownloadRequest
    from tui.core.settings import Settings
    from tui.engine.engine import Engine
    from tui.engine.events import EventSubscription

SHARDS_AT_ONCE = 4
"""Shards of different lanes per worker, so that one slow host leaves no slot idle."""
_ENGINE_DOWNLOADS = 100_000
"""Downloads after which a new engine replaces the old one: about 100 MB of records."""
_SLICE = 1000
"""Requests added per iteration of the loop, which takes about 5 ms."""
_EVENT_INTERVAL_S = 0.05
_DRAIN_INTERVAL_S = 0.05
_FENCE_INTERVAL_S = 0.5
"""Between looks at the generation of a running shard."""
_TAKEOVER = 1.6
"""Such intervals pass before a shard that was leased before starts again: a worker that
was only cut off has stopped by then, so hosts never see both."""
_HOSTS_REPORTED = 40
_EXCLUDED = frozenset({Queued, Started, Retrying, DownloadNotice, Verified, Paused})
_LOCAL = frozenset(
    {
        ErrorKind.DISK_FULL,
        ErrorKind.TOO_LARGE,
        ErrorKind.NOT_WRITABLE,
        ErrorKind.DIRECTORY_GONE,
        ErrorKind.DESCRIPTORS,
        ErrorKind.DISK,
    }
)
"""Errors of a worker's machine: another worker may not have them."""
_EXTENSION_LENGTH = 10
_UPLOADS_AT_ONCE = 8


class WorkerLimits(NamedTuple):
    """A worker's part of the limits."""

    concurrency: int
    rate: int | None
    """Bytes per second."""
    per_host: int
    """The limit over all workers: lanes decide which part of it applies; 0: none."""


class Lease(NamedTuple):
    """A shard to work on."""

    shard: Shard
    lane: Lane
    generation: int
    was_leased: bool = False
    """Another worker may still run it, because nobody saw that lease end."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What workers need to know about the job; sent to other machines."""

    id: str
    root: str
    """The job directory, which all workers can reach under this path."""
    destination: str
    format: str
    settings: Settings
    store: str = ""
    """Address of the object store that the output is uploaded to, or ""."""

    @property
    def paths(self) -> JobPaths:
        """Return the files of the job."""
        return JobPaths(Path(self.root))

    @property
    def base(self) -> Path:
        """Return the directory into which the engine writes."""
        if self.format == "files" and not self.store:
            return Path(self.destination)
        return self.paths.folder("staging")


class ShardResult(NamedTuple):
    """How a shard ended."""

    shard: int
    generation: int
    outcome: str
    """``done``, ``superseded``, ``cancelled`` or ``failed``."""
    counts: Counts = Counts()
    reason: str = ""
    """Why it failed."""
    is_workers_fault: bool = False
    """It failed for a reason that other workers need not have."""


def named_requests(
    shard: int, requests: list[DownloadRequest]
) -> list[tuple[int, DownloadRequest]]:
    """Give each request of a shard a name of its own, and leave out duplicates.

    Names depend on the plan alone, so that each generation finds the files of earlier
    ones. A name from the list is kept unless another row of the shard has it.
    """
    seen_requests = set()
    seen_names = set()
    named = []
    for row, request in enumerate(requests):
        key = (request.mirrors, request.name, request.directory)
        if key in seen_requests:
            continue
        seen_requests.add(key)
        name = request.name
        if name is None:
            suffix = os.path.splitext(name_from_url(request.mirrors[0]))[1]
            is_usual = suffix[1:].isalnum() and len(suffix) <= _EXTENSION_LENGTH
            name = f"{shard:06d}-{row:05d}{suffix.lower() if is_usual else ''}"
        folder = f"{shard:06d}"
        if request.directory:
            folder = f"{folder}/{request.directory}"
        if (folder, name.casefold()) in seen_names:
            name = safe_name(f"{row:05d}-{name}") or f"{row:05d}"
        seen_names.add((folder, name.casefold()))
        named.append((row, request._replace(name=name, directory=folder)))
    return named


@dataclass(eq=False)
class _ShardRun:
    """A shard that is being downloaded."""

    lease: Lease
    partial: PartialRows
    rows: list[Row] = field(default_factory=list)
    ids: dict[int, tuple[int, DownloadRequest]] = field(default_factory=dict)
    """Unfinished downloads: id -> position in the shard, request."""
    ended: list[int] = field(default_factory=list)
    """Ids of downloads that ended and have no row yet."""
    origins: set[str] = field(default_factory=set)
    uploaded: frozenset[int] = frozenset()
    """Rows whose files an earlier run uploaded."""
    replaces: bool = False
    """The object of this shard is replaced, because an earlier run uploaded one with
    fewer downloads."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    is_cancelled: bool = False
    is_superseded: bool = False
    """Its shard was leased again under a higher generation."""
    problem: str = ""
    """Why no download of this worker can continue."""
    stage: str = "downloading"

    @property
    def progress(self) -> ShardProgress:
        counts = manifest.count(self.rows)
        return ShardProgress(
            self.lease.shard.id,
            self.lease.generation,
            counts.done,
            counts.failed,
            counts.bytes,
            self.stage,
        )


class ShardWorker:
    """Runs shards on one event loop.

    Args:
        spec: the job.
        name: the worker's name in statuses.
        limits: its part of the limits.
    """

    def __init__(self, spec: JobSpec, name: str, limits: WorkerLimits) -> None:
        self._spec = spec
        self._name = name
        self._limits = limits
        self._engine: Engine | None = None
        self._subscription: EventSubscription | None = None
        self._pump: asyncio.Task[None] | None = None
        self._added = 0
        self._is_stale = False
        """The engine still has downloads of a shard that did not finish: their names
        are reserved, so another one has to run that shard."""
        self._opening = asyncio.Lock()
        self._is_unused = asyncio.Event()
        """Set when the last shard of the engine ended."""
        self._uploader: Uploader | None = None
        self._is_closed = False
        self._preparing: dict[int, _ShardRun] = {}
        """Shards that are being read, and those that wait for an engine."""
        self._runs: dict[int, _ShardRun] = {}
        self._run_of: dict[int, _ShardRun] = {}
        """By id of the download."""
        self._draining: dict[int, _ShardRun] = {}
        """Shards that ended, and whose lane is not free yet."""
        self._caps = HostCaps(spec.settings.hosts, limits.per_host)
        self._done = self._failed = self._received = 0

    # -- shards -----------------------------------------------------------------------

    async def run(self, lease: Lease) -> ShardResult:
        """Download a shard and publish its manifest; what goes wrong is in the result.

        Only a bug raises.
        """
        number = lease.shard.id
        try:
            return await self._run(lease)
        except OldGenerationError:
            return ShardResult(number, lease.generation, "superseded")
        except ShardFailedError as error:
            return ShardResult(
                number,
                lease.generation,
                "failed",
                reason=str(error),
                is_workers_fault=True,
            )
        except ScaleError as error:
            return ShardResult(number, lease.generation, "failed", reason=str(error))
        except LocalError as error:
            return ShardResult(
                number,
                lease.generation,
                "failed",
                reason=error_text(error),
                is_workers_fault=True,
            )
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            return ShardResult(
                number,
                lease.generation,
                "failed",
                reason=reason,
                is_workers_fault=True,
            )

    async def _run(self, lease: Lease) -> ShardResult:
        shard = lease.shard
        run = _ShardRun(
            lease, PartialRows(self._spec.paths, shard.id, lease.generation)
        )
        cancelled = ShardResult(shard.id, lease.generation, "cancelled")
        self._preparing[shard.id] = run
        try:
            if lease.was_leased:
                await asyncio.sleep(_TAKEOVER * _FENCE_INTERVAL_S)
            wanted = await self._prepare(run)
            engine = None
            if not run.is_cancelled:
                engine = await self._open_engine(len(wanted))
            if engine is None:
                return cancelled
        finally:
            del self._preparing[shard.id]
        self._runs[shard.id] = run
        watching = asyncio.create_task(self._watch_generation(run))
        try:
            run.origins = {origin_of(request.mirrors[0]) for _, request in wanted}
            self._caps.add_lane(shard.id, lease.lane, run.origins)
            self._set_caps(run.origins)
            await self._download(engine, run, wanted)
            if run.is_cancelled:
                return cancelled
            counts = await self._publish(run)
            return ShardResult(shard.id, lease.generation, "done", counts)
        finally:
            watching.cancel()
            del self._runs[shard.id]
            self._caps.remove_lane(shard.id)
            if not self._runs:
                self._is_unused.set()
            for id in run.ids:
                self._run_of.pop(id, None)
            if run.ids:
                engine.cancel(list(run.ids))
                self._is_stale = True
            if lease.lane.of > 1:
                await self._drain(engine, run)

    async def _prepare(self, run: _ShardRun) -> list[tuple[int, DownloadRequest]]:
        """Read a shard and what is known about it; return what is not complete."""
        shard, partial = run.lease.shard, run.partial
        requests = await asyncio.to_thread(read_shard, self._spec.paths, shard)
        known = await asyncio.to_thread(self._read_known, partial)
        named = named_requests(shard.id, requests)
        if self._spec.store:
            uploaded = await asyncio.to_thread(partial.uploaded)
            if self._spec.format == "files":
                known = {**known, **uploaded}
                run.uploaded = frozenset(uploaded)
            else:
                run.replaces = bool(uploaded)
        run.rows += [known[row] for row, _ in named if row in known]
        return [(row, request) for row, request in named if row not in known]

    async def _watch_generation(self, run: _ShardRun) -> None:
        """Stop a shard that was leased to another worker.

        This one was cut off, or its command was killed. Both would otherwise download
        the rest, and use the limits of its hosts twice.
        """
        lease = run.lease
        while not run.is_superseded:
            await asyncio.sleep(_FENCE_INTERVAL_S)
            try:
                current = await asyncio.to_thread(
                    manifest.current_generation, self._spec.paths, lease.shard.id
                )
            except (OSError, ScaleError):
                continue  # publishing the manifest reports it
            # A network file system may still show an older one.
            run.is_superseded = current > lease.generation
        run.wake.set()

    async def _drain(self, engine: Engine, run: _ShardRun) -> None:
        """Return when the limits of a split host hold without a lane that ended.

        Its part of the limit belongs to the next worker from then on. Until now,
        downloads of another lane may have used it.
        """
        run.stage = "draining"
        self._draining[run.lease.shard.id] = run
        try:
            self._set_caps(run.origins)
            while engine is self._engine:
                active = {one.origin: one.active for one in engine.origins()}
                if self._caps.are_kept(run.origins, active):
                    return
                await asyncio.sleep(_DRAIN_INTERVAL_S)
        finally:
            del self._draining[run.lease.shard.id]

    def _read_known(self, partial: PartialRows) -> dict[int, Row]:
        """Return downloads of earlier generations whose files are still complete."""
        base = self._spec.base
        return {
            number: row
            for number, row in partial.read().items()
            if _size_of(base / row.path) == row.bytes
        }

    async def _download(
        self, engine: Engine, run: _ShardRun, wanted: list[tuple[int, DownloadRequest]]
    ) -> None:
        for at in range(0, len(wanted), _SLICE):
            if run.is_cancelled:
                return
            part = wanted[at : at + _SLICE]
            ids = engine.add([request for _, request in part])
            for id, entry in zip(ids, part, strict=True):
                run.ids[id] = entry
                self._run_of[id] = run
            await asyncio.sleep(0)
        while run.ids and not (run.is_cancelled or run.problem):
            await run.wake.wait()
            run.wake.clear()
            await self._collect(engine, run)
            if run.is_superseded:
                raise OldGenerationError
        if run.problem:
            raise ShardFailedError(run.problem)

    async def _collect(self, engine: Engine, run: _ShardRun) -> None:
        """Make rows of downloads that ended: hash their files, and note them."""
        ids, run.ended = run.ended, []
        entries = []
        for id, snapshot in zip(ids, engine.rows(ids), strict=True):
            if snapshot.state is DownloadState.CANCELLED:
                continue
            detail = engine.detail(id)
            is_done = snapshot.state is DownloadState.DONE
            if not is_done and snapshot.error_kind in _LOCAL:
                run.problem = run.problem or snapshot.error
            path = f"{snapshot.directory}/{snapshot.name}"
            entries.append(
                Row(
                    row=run.ids[id][0],
                    url=run.ids[id][1].mirrors[0],
                    final_url=snapshot.url,
                    state=manifest.DONE if is_done else "failed",
                    status=snapshot.status,
                    error_kind=snapshot.error_kind if not is_done else "",
                    error=snapshot.error if not is_done else "",
                    bytes=snapshot.received if is_done else 0,
                    sha256="",
                    path=path.lstrip("/") if is_done else "",
                    etag=detail.etag,
                    started=detail.started_at,
                    ended=detail.finished_at,
                    attempts=snapshot.attempt,
                )
            )
        rows = await asyncio.to_thread(self._hash_and_note, run, entries)
        run.rows += rows
        for row in rows:
            self._done += row.state == manifest.DONE
            self._failed += row.state != manifest.DONE
        for id in ids:
            run.ids.pop(id, None)
            self._run_of.pop(id, None)

    def _hash_and_note(self, run: _ShardRun, rows: list[Row]) -> list[Row]:
        """Add digests to the rows of complete files, and append them to disk."""
        hashed = []
        for row in rows:
            if row.state == manifest.DONE:
                with open(self._spec.base / row.path, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                    size = os.fstat(file.fileno()).st_size
                hashed.append(row._replace(sha256=digest, bytes=size))
            else:
                hashed.append(row)
        if hashed:
            run.partial.append(row for row in hashed if row.state == manifest.DONE)
        return hashed

    async def _publish(self, run: _ShardRun) -> Counts:
        spec, lease = self._spec, run.lease
        shard = lease.shard.id
        current = await asyncio.to_thread(
            manifest.current_generation, spec.paths, shard
        )
        if current > lease.generation:
            raise OldGenerationError
        rows = sorted(run.rows)
        if spec.format != "files":
            run.stage = "packing"
            _, rows = await asyncio.to_thread(
                pack,
                spec.format,
                spec.base,
                Path(spec.destination),
                f"{shard:06d}",
                rows,
            )
        if spec.store:
            run.stage = "uploading"
            rows = await self._upload(run, rows)
        run.stage = "publishing"
        _, counts = await asyncio.to_thread(
            manifest.publish, spec.paths, shard, lease.generation, rows
        )
        await asyncio.to_thread(run.partial.remove)
        if spec.format != "files" or spec.store:
            folder = spec.base / f"{shard:06d}"
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return counts

    async def _upload(self, run: _ShardRun, rows: list[Row]) -> list[Row]:
        """Upload the output of a shard; return its rows with keys as paths.

        Raises:
            ScaleError: the store refuses it, or has another object of that name.
            ShardFailedError: this worker has no credentials for the store.
        """
        spec = self._spec
        if self._uploader is None:
            address = parse_address(spec.store)
            try:
                self._uploader = open_uploader(address, spec.paths.root)
            except CloudError as error:
                # The credentials are those of this machine.
                raise ShardFailedError(str(error)) from None
        uploader = self._uploader
        is_packed = spec.format != "files"
        base = Path(spec.destination) if is_packed else spec.base
        new = [row for row in rows if row.path and row.row not in run.uploaded]
        names = {row.path for row in new}
        if is_packed:
            # A member of a tar file has the name of the file in front.
            names = {name.partition("/")[0] for name in names}
        slots = asyncio.Semaphore(_UPLOADS_AT_ONCE)

        async def put(name: str) -> None:
            async with slots:
                await uploader.put_own(base / name, name, replaces=run.replaces)

        try:
            await asyncio.gather(*map(put, sorted(names)))
        except CloudError as error:
            raise ScaleError(f"not uploaded: {error}") from None
        if is_packed:
            for name in names:
                await asyncio.to_thread(os.unlink, base / name)
        keys = {row.row: uploader.address.key(row.path) for row in new}
        return [row._replace(path=keys.get(row.row, row.path)) for row in rows]

    # -- the engine -------------------------------------------------------------------

    async def _open_engine(self, count: int) -> Engine | None:
        """Return an engine for ``count`` more downloads; ``None`` once closed."""
        async with self._opening:
            if self._engine is not None and (
                self._added >= _ENGINE_DOWNLOADS or self._is_stale
            ):
                # Its shards end first: two engines would exceed the limits.
                self._is_unused.clear()
                if self._runs:
                    await self._is_unused.wait()
                await self._close_engine()
            if self._is_closed:
                return None
            if self._engine is None:
                limits = self._limits
                settings = self._spec.settings._replace(
                    output_dir=self._spec.base,
                    concurrency=max(1, limits.concurrency),
                    per_host=limits.per_host,
                    rate_limit=limits.rate,
                    auto=False,
                    # Names belong to rows of the plan: a file that has its final name
                    # is the complete download of an earlier generation.
                    on_exists=OnExists.SKIP,
                    hooks=Hooks(),
                    notify=False,
                    unpack=False,
                    folders=(),
                    log_file=None,
                    keeps_etags=True,
                )
                self._engine = await open_engine(settings)
                self._subscription = self._engine.subscribe(_EXCLUDED)
                self._pump = asyncio.create_task(self._follow(self._subscription))
                self._added = 0
                self._is_stale = False
                self._caps.reset()
            self._added += count
            return self._engine

    async def _follow(self, subscription: EventSubscription) -> None:
        """Pass events on to the shards, some at a time."""
        while True:
            await subscription.wait()
            await asyncio.sleep(_EVENT_INTERVAL_S)
            for event in subscription.drain():
                if isinstance(event, (Done, Failed, Cancelled)):
                    run = self._run_of.get(event.id)
                    if run is not None:
                        run.ended.append(event.id)
                        run.wake.set()
                elif isinstance(event, QueuePaused) and event.reason is not None:
                    problem = event.reason.detail
                    for run in self._runs.values():
                        run.problem = problem
                        run.wake.set()

    async def _close_engine(self) -> None:
        engine, self._engine = self._engine, None
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        if self._subscription is not None:
            self._subscription.close()
        if engine is not None:
            self._received += engine.snapshot().fetched
            await engine.close()

    async def close(self) -> None:
        """Stop all downloads; they can be resumed later."""
        self._is_closed = True
        for run in (*self._preparing.values(), *self._runs.values()):
            run.is_cancelled = True
            run.wake.set()
        # A shard may be opening the engine.
        async with self._opening:
            await self._close_engine()

    # -- control ----------------------------------------------------------------------

    def set_limits(self, limits: WorkerLimits) -> None:
        """Apply a new part of the limits."""
        self._limits = limits
        self._caps.per_host = limits.per_host
        if self._engine is None:
            return
        self._engine.set_concurrency(max(1, limits.concurrency))
        self._engine.set_rate_limit(limits.rate)
        self._engine.set_per_host(limits.per_host)
        for run in self._runs.values():
            self._set_caps(run.origins)

    def slow_down(self, origin: str, cap: int, blocked_s: float) -> None:
        """Follow what another worker learned about a host that both request.

        Args:
            origin: the host.
            cap: its learned limit; 0 ends the slowdown.
            blocked_s: seconds that the host asked to wait.
        """
        self._caps.slow_down(origin, cap)
        if self._engine is None:
            return
        if blocked_s > 0:
            self._engine.block_origin(origin, blocked_s)
        self._set_caps({origin})

    def cancel(self, shard: int) -> None:
        """Cancel a shard; what was downloaded is kept."""
        run = self._runs.get(shard) or self._preparing.get(shard)
        if run is not None:
            run.is_cancelled = True
            run.wake.set()

    def status(self) -> WorkerStatus:
        """Return what front ends show."""
        engine = self._engine
        runs = (*self._runs.values(), *self._draining.values())
        shards = tuple(run.progress for run in runs)
        if engine is None:
            return WorkerStatus(
                self._name, shards, concurrency=self._limits.concurrency
            )
        snapshot = engine.snapshot()
        hosts = tuple(
            HostStatus(
                origin.origin,
                origin.active,
                origin.queued,
                origin.cap,
                origin.done,
                origin.failed,
                origin.speed,
                origin.blocked_s,
                origin.cap_from == "learned",
            )
            for origin in engine.origins()[:_HOSTS_REPORTED]
            if origin.active or origin.queued or origin.blocked_s
        )
        return WorkerStatus(
            self._name,
            shards,
            snapshot.active,
            self._limits.concurrency,
            self._limits.rate,
            snapshot.speed,
            self._done,
            self._failed,
            self._received + snapshot.fetched,
            hosts,
        )

    def _set_caps(self, origins: Iterable[str]) -> None:
        if self._engine is not None:
            for origin, cap in self._caps.changes(origins).items():
                self._engine.limit_origin(origin, cap)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
