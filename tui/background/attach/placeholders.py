"""What a replica shows before the process has said more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tui.core.diagnosis import NO_DIAGNOSIS
from tui.core.download import DownloadState
from tui.core.snapshot import (
    DetailSnapshot,
    DiskSnapshot,
    DownloadSnapshot,
    EngineSnapshot,
    LoopSnapshot,
)

if TYPE_CHECKING:
    from tui.core.download import DownloadId

EMPTY: Final = EngineSnapshot(
    counts=(0,) * len(DownloadState),
    total=0,
    revision=0,
    received=0,
    fetched=0,
    known_size=0,
    known_received=0,
    unknown=0,
    speed=0.0,
    average=0.0,
    peak=0.0,
    history=(),
    eta_s=None,
    elapsed_s=0.0,
    concurrency=1,
    active=0,
    per_host=0,
    segments=0,
    rate_limit=None,
    is_queue_paused=False,
    pause_reason=None,
    waiting_for=None,
    disk=DiskSnapshot((), 1, False, 0, 0, 1, 0.0, 0, 0, 0.0, 0.0, 0.0),
    loop=LoopSnapshot(0.0, 0.0, ()),
    output_dir="",
)
"""The totals before the first connection."""


def unknown_row(id: DownloadId, state: DownloadState) -> DownloadSnapshot:
    """Return the row of a download of which only the state is known."""
    return DownloadSnapshot(
        id=id,
        version=-1,
        state=state,
        name=f"#{id}",
        directory="",
        url="",
        origin="",
        size=None,
        received=0,
        speed=0.0,
        eta_s=None,
        stalled_s=0.0,
        connections=0,
        attempt=0,
        attempts_allowed=0,
        retry_in_s=None,
        status=0,
        error="",
        error_kind="",
        note=None,
        has_checksum=False,
    )


def unknown_detail(row: DownloadSnapshot, path: str) -> DetailSnapshot:
    """Return the details of a download of which only the row is known."""
    return DetailSnapshot(
        row=row,
        path=path,
        part_path=f"{path}.part",
        mirrors=(row.url,),
        finished=(),
        segments=(),
        attempts=(),
        answer=(),
        validator="",
        http_version="",
        checksum="",
        checksum_state="none",
        source="",
        started_at=0.0,
        finished_at=0.0,
        connections_wanted=0,
        rate_limit=None,
        diagnosis=NO_DIAGNOSIS,
    )
