"""CPU-bound work in threads: unpack and hash the fetched files.

What runs where: the files are fetched before the clock starts. Then each is unpacked
and hashed by pure Python code in a thread of the pool, all in one process.

What to learn: only one thread at a time runs Python code, the one that has the GIL.
Threads can wait for the network side by side, but they compute one after another: CPU
time equals wall time, and a second core stays idle. Compare with the row below.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from tui.lab.report.figures import Status
from tui.lab.worker.cpu_work import hash_and_unpack
from tui.lab.worker.prefetch import prefetch

if TYPE_CHECKING:
    from pathlib import Path

    from tui.lab.job import Job
    from tui.lab.worker.cpu_work import Worked
    from tui.lab.worker.instrumentation import Instrumentation


def run(job: Job, stats: Instrumentation) -> None:
    """Fetch, start the clock, compute in threads."""

    def work(path: Path) -> Worked:
        with stats.download():
            return hash_and_unpack(path)

    paths = prefetch(job, stats)
    stats.start_clock()
    workers = min(job.concurrency, len(job.targets))
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, path) for path in paths]
        stats.on_cancel(lambda: sum(future.cancel() for future in futures))
        for future in as_completed(futures):
            try:
                worked = future.result()
            except CancelledError:
                continue
            stats.add_bytes(worked.size)
            stats.count(Status.OK)
