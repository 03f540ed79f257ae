"""The coordinator: leases shards to workers, shares out the limits, and counts.

It is the only process that raises generations. All that it needs to continue after a
kill is on disk: the plan, the fences and the manifests.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tui.core.text.sanitize import sanitize
from tui.scale import manifest
from tui.scale.errors import ScaleError
from tui.scale.lanes import cap_of_lane, share
from tui.scale.leases import Leases
from tui.scale.model import (
    HostStatus,
    JobSnapshot,
    Limits,
    ShardRow,
    ShardState,
    WorkerRow,
    WorkerStatus,
)
from tui.scale.worker import Lease, WorkerLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui.scale.lanes import Layout, Shard
    from tui.scale.manifest import Counts
    from tui.scale.plan import JobPaths
    from tui.scale.pool import Ended, Pool

_TICK_S = 0.1
_STATUS_S = 1.0
_NO_WORKERS_S = 120.0
"""Time without any worker after which the run ends."""
_LEASES_PER_SHARD = 5
"""Leases of a shard whose workers were lost, before it counts as failed."""
_SHOWN = 500
_HOSTS_SHOWN = 100


class JobEvent(dict[str, object]):
    """An event for ``--json``: ``event`` names its kind."""


@dataclass(eq=False)
class _Worker:
    name: str
    status: WorkerStatus
    leases: dict[int, Lease] = field(default_factory=dict)
    limits: WorkerLimits | None = None
    note: str = ""
    """Why it gets no more shards."""
    is_lost: bool = False
    is_rejected: bool = False
    """It cannot do this job at all."""
    last_lane: int | None = None


class Coordinator:
    """Runs a plan on a pool; implements ``model.JobControl``.

    Args:
        paths: the job.
        layout: its shards and lanes.
        pool: the workers.
        limits: limits of this process's workers together.
        lanes: the lanes to work on; ``None`` for all.
        reopened: shards that were done, and run again.
        on_event: called with each ``JobEvent``.
    """

    def __init__(
        self,
        paths: JobPaths,
        layout: Layout,
        pool: Pool,
        limits: Limits,
        *,
        lanes: set[int] | None = None,
        reopened: Iterable[int] = (),
        on_event: Callable[[JobEvent], None] = lambda _event: None,
    ) -> None:
        self._paths = paths
        self._layout = layout
        self._pool = pool
        self._limits = limits
        self._publish = on_event
        mine = [s for s in layout.shards if lanes is None or s.lane in lanes]
        self._mine = {shard.id for shard in mine}
        self._rows = sum(shard.rows for shard in mine)
        self._counts: dict[int, Counts] = {}
        """Manifests, by shard."""
        self._lanes = lanes
        self._leases = Leases(layout, (), lanes)
        self._workers: dict[str, _Worker] = {}
        self._seen_end = set(reopened)
        """Shards that were leased before and certainly run nowhere."""
        self._starting: set[int] = set()
        """Shards that were leased and whose generation is being written."""
        self._states: dict[int, ShardRow] = {}
        """Failed and cancelled shards."""
        self._lost: Counter[int] = Counter()
        self._causes: Counter[tuple[str, int]] = Counter()
        self._failed_list = f"failed{manifest.table_suffix()}"
        self._slowed: dict[str, tuple[str, int]] = {}
        """Hosts of split lanes that slow down: the worker that learned it, the cap."""
        self._done = self._failed = 0
        self._last_status = 0.0
        self._alone_since: float | None = None
        self._started = time.monotonic()
        self._ended_at: float | None = None
        self._problem = ""

    # -- the run ----------------------------------------------------------------------

    def load_manifests(self) -> int:
        """Read which shards are done; blocks. Return their number.

        Raises:
            ScaleError: a manifest is damaged.
        """
        for shard, path in manifest.listed(self._paths).items():
            if shard in self._mine:
                self._add_counts(shard, manifest.read_counts(path))
        self._leases = Leases(self._layout, self._counts, self._lanes)
        return len(self._counts)

    async def run(self, stop: asyncio.Event) -> bool:
        """Run all shards; return True if each of them is done.

        Args:
            stop: ends the run; what was downloaded is kept.

        Raises:
            ScaleError: the pool cannot start, or the scheduler is gone.
        """
        self._started = time.monotonic()
        try:
            if len(self._counts) < len(self._mine):
                await self._pool.start()
                await self._loop(stop)
                # What was received since the last look, or in all of a short run.
                await self._update_statuses()
        except ScaleError as error:
            self._problem = str(error)
            raise
        finally:
            self._ended_at = time.monotonic()
            for worker in self._workers.values():
                # The last report is of a moment before the end.
                worker.status = worker.status._replace(active=0, speed=0.0)
            await self._pool.close()
        return len(self._counts) == len(self._mine)

    async def _loop(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            now = time.monotonic()
            if now - self._last_status >= _STATUS_S:
                self._last_status = now
                self._update_workers(await self._pool.workers())
                await self._update_statuses()
                self._spread_slowdowns()
            for ended in self._pool.ended():
                await self._on_ended(ended)
            await self._lease()
            is_running = any(worker.leases for worker in self._workers.values())
            if not is_running and not self._leases.waiting:
                return
            if not is_running and not self._usable():
                self._check_workers(now)
            else:
                self._alone_since = None
            try:
                async with asyncio.timeout(_TICK_S):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _update_statuses(self) -> None:
        for name, status in (await self._pool.statuses()).items():
            if name in self._workers:
                self._workers[name].status = status

    def _usable(self) -> list[_Worker]:
        workers = self._workers.values()
        return [worker for worker in workers if not (worker.note or worker.is_lost)]

    def _check_workers(self, now: float) -> None:
        """End the run if no worker can continue.

        Raises:
            ScaleError: there is none.
        """
        notes = [
            worker.note
            for worker in self._workers.values()
            if worker.note and not (worker.is_lost or worker.is_rejected)
        ]
        if notes:
            raise ScaleError(
                f"no worker can continue: {notes[-1]}; run the same command to resume"
            )
        if self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > _NO_WORKERS_S:
            raise ScaleError(
                f"the scheduler has had no worker for {_NO_WORKERS_S:.0f} s; start"
                " workers and run the same command to resume"
            )

    def _update_workers(self, names: Iterable[str]) -> None:
        present = set(names)
        is_changed = False
        for name, reason in self._pool.rejected.items():
            if name not in self._workers:
                self._workers[name] = _Worker(
                    name, WorkerStatus(name), note=reason, is_rejected=True
                )
                self._event("worker_rejected", worker=name, reason=reason)
        for name in present:
            worker = self._workers.get(name)
            if worker is None or worker.is_lost:
                self._workers[name] = _Worker(name, WorkerStatus(name))
                self._event("worker_joined", worker=name)
                is_changed = True
        for worker in self._workers.values():
            if worker.name in present or worker.is_lost:
                continue
            if worker.name in self._pool.rejected:
                continue
            worker.is_lost = is_changed = True
            worker.status = WorkerStatus(worker.name)
            self._event("worker_lost", worker=worker.name, shards=list(worker.leases))
            self._pool.drop(worker.name)
            for lease in list(worker.leases.values()):
                self._lose(worker, lease)
        if is_changed:
            self._share_limits()

    def _share_limits(self) -> None:
        """Divide the limits among the workers that can work, and send them."""
        workers = self._usable()
        # With fewer slots than workers, some get none.
        able = workers[: max(1, self._limits.concurrency)]
        for number, worker in enumerate(workers):
            if number >= len(able):
                worker.limits = None
                continue
            rate = self._limits.rate
            limits = WorkerLimits(
                max(1, share(self._limits.concurrency, number, len(able))),
                None if rate is None else max(1, share(rate, number, len(able))),
                self._limits.per_host,
            )
            if limits != worker.limits:
                worker.limits = limits
                self._pool.set_limits(worker.name, limits)

    async def _lease(self) -> None:
        """Give shards to workers that have a free slot.

        Raises:
            ScaleError: the job directory cannot be written.
        """
        chosen = self._choose()
        if not chosen:
            return
        self._starting = {shard.id for _, shard in chosen}
        try:
            generations = await asyncio.to_thread(
                manifest.next_generations, self._paths, sorted(self._starting)
            )
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ScaleError(
                f"cannot write to {sanitize(str(self._paths.root))}: {reason}; finished"
                " shards are kept, so run the same command to resume"
            ) from None
        for worker, shard in chosen:
            generation = generations[shard.id]
            was_leased = generation > 1 and shard.id not in self._seen_end
            lane = self._layout.lanes[shard.lane]
            lease = Lease(shard, lane, generation, was_leased)
            if shard.id not in self._starting:
                # It was cancelled meanwhile.
                del worker.leases[shard.id]
                self._leases.finish(shard)
                self._set_aside(lease, ShardState.CANCELLED, "")
                continue
            if worker.limits is None:
                # The limits were lowered meanwhile, and it has no part of them.
                del worker.leases[shard.id]
                self._leases.give_back(shard)
                continue
            worker.leases[shard.id] = lease
            self._seen_end.discard(shard.id)
            self._pool.submit(worker.name, lease, worker.limits)
            self._event(
                "shard_started",
                shard=shard.id,
                worker=worker.name,
                generation=generation,
                rows=shard.rows,
            )
        self._starting.clear()

    def _choose(self) -> list[tuple[_Worker, Shard]]:
        """Return which shards start now, and on which workers: the least busy first.

        Otherwise a worker would keep its lanes although others have nothing to do.
        """
        chosen: list[tuple[_Worker, Shard]] = []
        is_any = True
        while is_any and self._leases.waiting:
            is_any = False
            for worker in sorted(self._usable(), key=lambda one: len(one.leases)):
                if worker.limits is None:
                    continue
                if len(worker.leases) >= self._pool.shards_at_once:
                    continue
                shard = self._leases.take(worker.name, worker.last_lane, self._allows)
                worker.last_lane = None
                if shard is None:
                    continue
                # The generation follows, before it is submitted.
                lane = self._layout.lanes[shard.lane]
                worker.leases[shard.id] = Lease(shard, lane, 0)
                chosen.append((worker, shard))
                is_any = True
        return chosen

    def _allows(self, lane: int) -> bool:
        """Return False for a split lane whose part of the limit per host is zero."""
        per_host = self._limits.per_host
        return not per_host or cap_of_lane(per_host, self._layout.lanes[lane]) > 0

    async def _on_ended(self, ended: Ended) -> None:
        worker = self._workers.get(ended.worker)
        lease = ended.lease
        shard = lease.shard
        if worker is None or worker.leases.get(shard.id) != lease:
            return  # leased again meanwhile
        result = ended.result
        if result is None:
            self._lose(worker, lease)
            return
        del worker.leases[shard.id]
        worker.last_lane = shard.lane
        self._seen_end.add(shard.id)
        if result.outcome == "done":
            self._leases.finish(shard)
            self._add_counts(shard.id, result.counts)
            counts = result.counts
            self._event(
                "shard_done",
                shard=shard.id,
                worker=worker.name,
                generation=lease.generation,
                done=counts.done,
                failed=counts.failed,
                bytes=counts.bytes,
            )
        elif result.outcome == "superseded":
            await self._on_superseded(lease)
        elif result.outcome == "cancelled":
            self._leases.finish(shard)
            self._set_aside(lease, ShardState.CANCELLED, "")
        else:
            self._on_failed(worker, lease, result.reason, result.is_workers_fault)

    async def _on_superseded(self, lease: Lease) -> None:
        """Take over the manifest of another process, or run the shard again."""
        shard = lease.shard
        counts = await asyncio.to_thread(manifest.published, self._paths, shard.id)
        if counts is None:
            self._leases.give_back(shard)
            return
        self._leases.finish(shard)
        self._add_counts(shard.id, counts)

    def _on_failed(
        self, worker: _Worker, lease: Lease, reason: str, is_workers_fault: bool
    ) -> None:
        runs_again = False
        if is_workers_fault:
            # Say its disk is full: others may continue, and take this shard, too.
            worker.note = worker.note or reason
            self._share_limits()
            self._lost[lease.shard.id] += 1
            is_left = self._lost[lease.shard.id] < _LEASES_PER_SHARD
            runs_again = bool(self._usable()) and is_left
        self._event(
            "shard_failed",
            shard=lease.shard.id,
            worker=worker.name,
            reason=reason,
            runs_again=runs_again,
        )
        if runs_again:
            self._leases.give_back(lease.shard)
            return
        self._leases.finish(lease.shard)
        self._set_aside(lease, ShardState.FAILED, reason)

    def _lose(self, worker: _Worker, lease: Lease) -> None:
        """Let a shard of a lost worker wait for another one."""
        worker.leases.pop(lease.shard.id, None)
        number = lease.shard.id
        self._lost[number] += 1
        if self._lost[number] < _LEASES_PER_SHARD:
            self._leases.give_back(lease.shard)
            return
        self._leases.finish(lease.shard)
        reason = f"{_LEASES_PER_SHARD} workers were lost while they ran it"
        self._set_aside(lease, ShardState.FAILED, reason)

    def _set_aside(self, lease: Lease, state: ShardState, note: str) -> None:
        shard = lease.shard
        self._states[shard.id] = ShardRow(
            shard.id, state, shard.rows, generation=lease.generation, note=note
        )

    def _add_counts(self, shard: int, counts: Counts) -> None:
        self._counts[shard] = counts
        self._states.pop(shard, None)
        self._done += counts.done
        self._failed += counts.failed
        for kind, status, number in counts.causes:
            self._causes[kind, status] += number

    def _spread_slowdowns(self) -> None:
        """Let all workers that request a host follow what one of them learned.

        Only hosts of split lanes are requested by several workers.
        """
        seen: dict[str, tuple[str, HostStatus]] = {}
        hosts: dict[str, set[str]] = {}
        for worker in self._usable():
            if not any(lease.lane.of > 1 for lease in worker.leases.values()):
                continue
            for host in worker.status.hosts:
                hosts.setdefault(host.origin, set()).add(worker.name)
                if host.is_limiting or host.blocked_s > 0:
                    known = seen.get(host.origin)
                    if known is None or host.blocked_s > known[1].blocked_s:
                        seen[host.origin] = (worker.name, host)
        for origin, (source, host) in seen.items():
            cap = host.cap if host.is_limiting else 1
            if self._slowed.get(origin) == (source, cap) and not host.blocked_s:
                continue
            self._slowed[origin] = (source, cap)
            for name in hosts[origin] - {source}:
                self._pool.slow_down(name, origin, max(1, cap), host.blocked_s)
        for origin in [origin for origin in self._slowed if origin not in seen]:
            source, _ = self._slowed.pop(origin)
            for worker in self._usable():
                if worker.name != source:
                    self._pool.slow_down(worker.name, origin, 0, 0.0)

    def _event(self, kind: str, **values: object) -> None:
        self._publish(JobEvent(event=kind, at=time.time(), **values))

    # -- control ----------------------------------------------------------------------

    def set_limits(self, limits: Limits) -> None:
        """Change the limits of all workers together."""
        self._limits = limits
        self._share_limits()

    def cancel_shard(self, shard: int) -> bool:
        """Cancel a running or waiting shard; False if it has ended."""
        if not 0 <= shard < len(self._layout.shards):
            return False
        withdrawn = self._leases.withdraw(shard)
        if withdrawn is not None:
            self._states[shard] = ShardRow(shard, ShardState.CANCELLED, withdrawn.rows)
            return True
        if shard in self._starting:
            self._starting.discard(shard)
            return True
        for worker in self._workers.values():
            if shard in worker.leases:
                self._pool.cancel(worker.name, shard)
                return True
        return False

    def retry_shard(self, shard: int) -> bool:
        """Run a failed or cancelled shard again; False if it is neither."""
        if self._states.pop(shard, None) is None:
            return False
        self._lost[shard] = 0
        self._leases.put_back(self._layout.shards[shard])
        return True

    def snapshot(self) -> JobSnapshot:
        """Return the state of the run."""
        done, failed = self._done, self._failed
        running = []
        for worker in self._workers.values():
            progress = {one.shard: one for one in worker.status.shards}
            for lease in worker.leases.values():
                shard = lease.shard
                one = progress.get(shard.id)
                if one is not None:
                    done += one.done
                    failed += one.failed
                running.append(
                    ShardRow(
                        shard.id,
                        ShardState.RUNNING,
                        shard.rows,
                        worker.name,
                        lease.generation,
                        one.done if one else 0,
                        one.failed if one else 0,
                        one.received if one else 0,
                        one.stage if one else "starting",
                    )
                )
        statuses = [worker.status for worker in self._workers.values()]
        end = self._ended_at or time.monotonic()
        return JobSnapshot(
            shards=len(self._mine),
            shards_done=len(self._counts),
            rows=self._rows,
            rows_done=done,
            rows_failed=failed,
            received=sum(status.received for status in statuses),
            speed=sum(status.speed for status in statuses),
            elapsed_s=end - self._started,
            limits=self._limits,
            workers=tuple(map(_row_of, self._workers.values())),
            shown=(*sorted(running), *list(self._states.values())[:_SHOWN]),
            hosts=_sum_hosts(statuses),
            causes=tuple(
                (kind, status, number)
                for (kind, status), number in self._causes.most_common()
            ),
            is_over=self._ended_at is not None,
            problem=self._problem,
            failed_list=self._failed_list,
        )


def _row_of(worker: _Worker) -> WorkerRow:
    if worker.is_lost:
        state = "lost"
    elif worker.note:
        state = "stopped"
    else:
        state = "running" if worker.leases else "idle"
    return WorkerRow(worker.name, state, worker.status, worker.note)


def _sum_hosts(statuses: Iterable[WorkerStatus]) -> tuple[HostStatus, ...]:
    total: dict[str, HostStatus] = {}
    for status in statuses:
        for host in status.hosts:
            known = total.get(host.origin)
            if known is None:
                total[host.origin] = host
                continue
            total[host.origin] = HostStatus(
                host.origin,
                known.active + host.active,
                known.queued + host.queued,
                known.cap + host.cap if known.cap and host.cap else 0,
                known.done + host.done,
                known.failed + host.failed,
                known.speed + host.speed,
                max(known.blocked_s, host.blocked_s),
                known.is_limiting or host.is_limiting,
                known.workers + 1,
            )
    busiest = sorted(total.values(), key=lambda host: (-host.active, -host.queued))
    return tuple(busiest[:_HOSTS_SHOWN])
