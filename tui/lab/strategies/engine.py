"""fetchtui's own engine: what the dashboard drives, without the dashboard.

What runs where: one task a download on a uvloop; sockets, TLS and HTTP in Rust, outside
the GIL; writes, syncs and renames of many files gathered into few executor trips.

What to learn: the same ideas, plus what a program needs whose user may pull the plug:
part files, resume records, a rename only when the file is whole. It says which of that
has a price: compare the CPU time and the memory. Segments and checks are as they come;
only its attempts after the first are switched off, since the others make none.
Cancelling closes the connections in the same turn of the loop; what takes longer is to
write down what is there, so that it can be continued.
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


async def run(job: Job, probe: Instrumentation) -> None:
    """Let the engine do it, and listen."""
    settings = Settings(
        output_dir=job.folder,
        concurrency=min(job.concurrency, len(job.targets)),
        timeout_s=job.timeout_s,
        retries=0,
        proxy="direct" if job.is_local else "",
    )
    engine = await open_engine(settings)
    probe.start_clock()  # certificates are read; the others have theirs from the start
    try:
        facts = engine.subscribe()
        engine.add(
            DownloadRequest((target.url,), name=target.name, headers=target.headers)
            for target in job.targets
        )
        while probe.ended < len(job.targets):
            await facts.wait()
            for fact in facts.drain():
                match fact:
                    case Started():
                        probe.begin()
                    case Done():
                        probe.end()
                        probe.count(Status.OK)
                    case Failed(error_kind="not_found"):
                        probe.end()
                        probe.count(Status.NOT_FOUND)
                    case Failed(error=error):
                        probe.end()
                        probe.count(Status.ERROR, error)
            probe.received = engine.snapshot().received
    finally:
        await engine.close()
