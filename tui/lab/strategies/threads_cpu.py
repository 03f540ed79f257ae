"""Work for the processor in threads: the fetched files, unpacked and hashed.

What runs where: the files are fetched before the clock starts. Then each is unpacked
and hashed by pure Python code in a thread of the pool, all of them in one process.

What to learn: only one thread at a time runs Python code, whoever holds the GIL.
Threads wait for a network side by side, but they compute one after another: CPU time
and wall time are the same, and a second core stays idle. Compare with the row below.
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


def run(job: Job, probe: Instrumentation) -> None:
    """Fetch, start the clock, compute in threads."""

    def work(path: Path) -> Worked:
        with probe.download():
            return hash_and_unpack(path)

    paths = prefetch(job, probe)
    probe.start_clock()
    workers = min(job.concurrency, len(job.targets))
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, path) for path in paths]
        probe.on_cancel(lambda: sum(future.cancel() for future in futures))
        for future in as_completed(futures):
            try:
                worked = future.result()
            except CancelledError:
                continue
            probe.took(worked.size)
            probe.count(Status.OK)
