"""fetchtui's own engine: what runs under the dashboard, without the dashboard.

What runs where: one task per download on a uvloop event loop, with an HTTP/1.1 client
of its own; writes, syncs and renames of many files are batched into few executor calls.

What to learn: the same ideas, plus what a real program needs when it may be killed at
any time: part files, resume records, and a rename only when the file is complete. The
figures show what that costs: compare CPU time and memory. Segments and verification are
at their defaults; only retries are switched off, since the other strategies make none.
Cancelling closes the connections in the same turn of the loop; the rest of the time is
spent on recording what was received, so that it can be resumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.events import Done, Failed, Started
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.engine.factory import open_engine
from tui.lab.report.figures import Status

if TYPE_CHECKING:
    from tui.lab.job import Job
    from tui.lab.worker.instrumentation import Instrumentation

WANTS_UVLOOP = True


async def run(job: Job, stats: Instrumentation) -> None:
    """Add all files to the engine and count its events."""
    settings = Settings(
        output_dir=job.folder,
        concurrency=min(job.concurrency, len(job.targets)),
        timeout_s=job.timeout_s,
        retries=0,
        proxy="direct" if job.is_local else "",
    )
    engine = await open_engine(settings)
    stats.start_clock()  # after loading certificates, as for the other strategies
    try:
        subscription = engine.subscribe()
        engine.add(
            DownloadRequest((target.url,), name=target.name, headers=target.headers)
            for target in job.targets
        )
        while stats.ended < len(job.targets):
            await subscription.wait()
            for event in subscription.drain():
                match event:
                    case Started():
                        stats.begin()
                    case Done():
                        stats.end()
                        stats.count(Status.OK)
                    case Failed(error_kind="not_found"):
                        stats.end()
                        stats.count(Status.NOT_FOUND)
                    case Failed(error=error):
                        stats.end()
                        stats.count(Status.ERROR, error)
            stats.received = engine.snapshot().received
    finally:
        await engine.close()
