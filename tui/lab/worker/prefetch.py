"""Files for the strategies that compute: fetched before their clock starts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tui.lab.worker.fetching import FETCH_ERRORS, get, new_client, save, status_of

if TYPE_CHECKING:
    from pathlib import Path

    from tui.lab.job import Job, Target
    from tui.lab.worker.instrumentation import Instrumentation


def prefetch(job: Job, probe: Instrumentation) -> list[Path]:
    """Fetch all files of a job; count what fails.

    Returns:
        Where the others are, in the order of the list.
    """

    def download_one(target: Target) -> Path | None:
        if probe.is_cancelled:
            return None
        path = job.folder / target.name
        try:
            save(path, get(client, target, probe))
        except FETCH_ERRORS as error:
            probe.count(status_of(error), error)
            return None
        return path

    with new_client(job) as client, ThreadPoolExecutor(job.workers) as pool:
        paths = pool.map(download_one, job.targets)
        return [path for path in paths if path is not None]
