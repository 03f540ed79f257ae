"""Workers of Dask: those of a running cluster, or of one started on this machine.

Each lease is one Dask task, restricted to the worker that the coordinator chose. Dask
starts processes, carries messages and notices lost workers; which worker gets which
shard is decided here, because Dask does not know that two shards share a host.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from tui import __version__
from tui.core.rules.child_python import isolate_multiprocessing
from tui.core.text.sanitize import sanitize
from tui.scale import remote
from tui.scale.errors import ScaleError
from tui.scale.pool import Ended, failed_by_bug
from tui.scale.worker import SHARDS_AT_ONCE

if TYPE_CHECKING:
    from tui.scale.model import WorkerStatus
    from tui.scale.worker import JobSpec, Lease, ShardResult, WorkerLimits

_CONNECT_S = 10.0
_CALL_S = 5.0
_CLOSE_S = 10.0


class DaskPool:
    """Workers of a Dask cluster.

    Args:
        spec: the job.
        address: the scheduler, such as ``tcp://10.0.0.1:8786``; "" starts one here.
        processes: worker processes to start on this machine.
    """

    shards_at_once = SHARDS_AT_ONCE

    def __init__(self, spec: JobSpec, address: str = "", processes: int = 0) -> None:
        self._spec = spec
        self._address = address
        self._processes = processes
        self._cluster: Any = None
        self._client: Any = None
        self._leases: dict[asyncio.Task[None], tuple[str, Any]] = {}
        self._ended: list[Ended] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._checked: set[str] = set()
        self._rejected: dict[str, str] = {}
        if processes:
            from multiprocessing import resource_tracker

            isolate_multiprocessing()
            # Started now, because it needs the descriptor of stderr, which a dashboard
            # replaces; worker processes are started later, and again after a crash.
            resource_tracker.ensure_running()

    async def start(self) -> None:
        """Connect to the scheduler, and check its workers.

        Raises:
            ScaleError: it cannot be reached, or no worker can do the job.
        """
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            raise ScaleError(
                "--scheduler needs Dask; pip install 'fetchtui[scale]', or use"
                " --shard I/N without a scheduler"
            ) from None
        _quiet_logs()
        try:
            if self._processes:
                self._cluster = await LocalCluster(
                    n_workers=self._processes,
                    threads_per_worker=self.shards_at_once,
                    processes=True,
                    dashboard_address=None,
                    # Without it, Dask warns if something has its usual port.
                    scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                    asynchronous=True,
                    silence_logs=50,
                    memory_limit=0,
                )
            self._client = await Client(
                self._cluster or self._address,
                asynchronous=True,
                timeout=_CONNECT_S,
                set_as_default=False,
            )
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            await self.close()
            where = self._address or "this machine"
            raise ScaleError(
                f"cannot connect to the scheduler at {sanitize(where)}:"
                f" {sanitize(str(error), 200) or 'timeout'}; check the address, or"
                " start one with dask scheduler"
            ) from None
        names = await self.workers()
        if self._rejected and not names:
            reason = next(iter(self._rejected.values()))
            raise ScaleError(f"no worker can do this job: {reason}")

    async def workers(self) -> list[str]:
        """Return the addresses of the workers that can do the job.

        Raises:
            ScaleError: the scheduler is gone.
        """
        try:
            async with asyncio.timeout(_CALL_S):
                identity = await self._client.scheduler.identity(n_workers=-1)
        except Exception as error:
            raise ScaleError(
                "the scheduler is gone"
                f" ({sanitize(str(error), 100) or type(error).__name__}); finished"
                " shards are kept, so run the same command to resume"
            ) from None
        names = list(identity["workers"])
        self._rejected = {n: self._rejected[n] for n in names if n in self._rejected}
        new = [name for name in names if name not in self._checked]
        if new:
            await self._check(new)
        return [name for name in names if name not in self._rejected]

    async def _check(self, names: list[str]) -> None:
        """Reject workers with another version or without the job directory."""
        answers = await self._run(
            remote.hello, self._spec.root, self._spec.id, workers=names
        )
        for name in names:
            answer = answers.get(name)
            if answer is None:
                continue  # it may be starting; the next call checks it
            self._checked.add(name)
            reason = ""
            if isinstance(answer, BaseException):
                reason = (
                    f"the worker {name} cannot load fetchtui {__version__}"
                    f" ({sanitize(str(answer), 100)}); install it there"
                )
            elif answer["version"] != __version__:
                reason = (
                    f"the worker {name} has fetchtui {answer['version']}, and this is"
                    f" {__version__}; install the same version"
                )
            elif not (answer["sees_job"] and answer["can_write"]):
                reason = (
                    f"the worker {name} on {answer['host']} cannot write to"
                    f" {sanitize(self._spec.root)}; use a directory that all machines"
                    " share"
                )
            elif self._spec.format == "parquet" and not answer["has_pyarrow"]:
                reason = (
                    f"the worker {name} has no pyarrow, which --format parquet needs;"
                    " pip install 'fetchtui[scale]' there"
                )
            elif self._spec.store and not answer["has_obstore"]:
                reason = (
                    f"the worker {name} has no obstore, which the destination needs;"
                    " pip install 'fetchtui[cloud]' there"
                )
            if reason:
                self._rejected[name] = reason

    @property
    def rejected(self) -> dict[str, str]:
        """Return the workers that cannot do the job, with the reasons."""
        return self._rejected

    def submit(self, worker: str, lease: Lease, limits: WorkerLimits) -> None:
        """Start a lease as a task."""
        key = f"fetchtui-{self._spec.id}-{lease.shard.id:06d}-g{lease.generation}"
        future = self._client.submit(
            remote.run_shard,
            self._spec,
            worker,
            limits,
            lease,
            key=key,
            workers=[worker],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        task = asyncio.create_task(self._wait(worker, lease, future))
        self._leases[task] = (worker, future)
        task.add_done_callback(lambda task: self._leases.pop(task, None))

    async def _wait(self, worker: str, lease: Lease, future: Any) -> None:
        result: ShardResult | None = None
        try:
            result = await future
        except asyncio.CancelledError:
            # Dask reports a lost connection as a cancelled future; the coordinator
            # cancels this task.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        except Exception as error:
            if not _means_lost(error):
                result = failed_by_bug(lease, error)
        self._ended.append(Ended(worker, lease, result))

    def ended(self) -> list[Ended]:
        """Return the leases that ended."""
        ended, self._ended = self._ended, []
        return ended

    def drop(self, worker: str) -> None:
        """Drop the tasks of a worker, so that Dask does not wait for its return."""
        for task, (name, future) in list(self._leases.items()):
            if name == worker:
                task.cancel()
                self._call(future.cancel(force=True, msg="worker lost"))
        self._checked.discard(worker)

    async def statuses(self) -> dict[str, WorkerStatus]:
        """Return what the workers report."""
        answers = await self._run(remote.status, self._spec.id)
        return {
            name: answer._replace(name=name)
            for name, answer in answers.items()
            if answer is not None and not isinstance(answer, BaseException)
        }

    def set_limits(self, worker: str, limits: WorkerLimits) -> None:
        """Send limits."""
        self._send(worker, "set_limits", limits)

    def slow_down(self, worker: str, origin: str, cap: int, blocked_s: float) -> None:
        """Send what another worker learned."""
        self._send(worker, "slow_down", origin, cap, blocked_s)

    def cancel(self, worker: str, shard: int) -> None:
        """Cancel a shard."""
        self._send(worker, "cancel", shard)

    def _send(self, worker: str, *arguments: Any) -> None:
        self._call(self._run(remote.call, self._spec.id, *arguments, workers=[worker]))

    def _call(self, work: Any) -> None:
        async def run() -> None:
            with contextlib.suppress(Exception):
                await work

        task = asyncio.create_task(run())
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _run(
        self, function: Any, *arguments: Any, workers: list[str] | None = None
    ) -> dict[str, Any]:
        """Call a function on workers; those that do not answer in time are missing."""
        try:
            async with asyncio.timeout(_CALL_S):
                answers = await self._client.run(
                    function, *arguments, workers=workers, on_error="return"
                )
        except Exception:
            return {}
        return answers if isinstance(answers, dict) else {}

    async def close(self) -> None:
        """Stop all leases; end a cluster that was started here."""
        for task in list(self._leases):
            task.cancel()
        if self._client is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_S):
                    await self._run(remote.close, self._spec.id)
                    await self._client.close()
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_S):
                    await self._cluster.close()
        self._client = self._cluster = None


def _means_lost(error: BaseException) -> bool:
    return type(error).__name__ in (
        "KilledWorker",
        "FutureCancelledError",
        "CancelledError",
        "CommClosedError",
    )


def _quiet_logs() -> None:
    """Silence Dask's log, which would be printed over progress and dashboard.

    Its configuration gives some of its loggers levels of their own.
    """
    import logging

    parents = ("distributed", "tornado", "bokeh")
    for name in (*parents, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in parents:
            logging.getLogger(name).setLevel(logging.CRITICAL)
