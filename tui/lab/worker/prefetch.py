"""Fetches the files for CPU-bound strategies before their clock starts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tui.lab.worker.fetching import FETCH_ERRORS, get, new_client, save, status_of

if TYPE_CHECKING:
    from pathlib import Path

    from tui.lab.job import Job, Target
    from tui.lab.worker.instrumentation import Instrumentation


def prefetch(job: Job, stats: Instrumentation) -> list[Path]:
    """Fetch all files of a job; count those that fail.

    Returns:
        The paths of the others, in the order of the list.
    """

    def download_one(target: Target) -> Path | None:
        if stats.is_cancelled:
            return None
        path = job.folder / target.name
        try:
            save(path, get(client, target, stats))
        except FETCH_ERRORS as error:
            stats.count(status_of(error), error)
            return None
        return path

    with new_client(job) as client, ThreadPoolExecutor(job.workers) as pool:
        paths = pool.map(download_one, job.targets)
        return [path for path in paths if path is not None]
