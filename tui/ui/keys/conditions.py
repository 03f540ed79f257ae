"""When actions are enabled: the state of the dashboard, and conditions on it.

They run on every refresh, so none of them looks at more than the counters and one row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import UNFINISHED, DownloadState
from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from tui.core.snapshot import DownloadSnapshot, EngineSnapshot

_S = DownloadState


class ActionState(NamedTuple):
    """The state that decides which actions are enabled."""

    row: DownloadSnapshot | None
    """The download under the cursor."""
    many: int
    """Number of marked downloads, or of those in the group; 0 acts on ``row`` alone."""
    is_heading: bool
    """Whether the cursor is on a group heading."""
    engine: EngineSnapshot
    can_undo: bool
    can_escape: bool
    """Whether a pane is zoomed, a filter is open or set, or a download is marked."""
    is_read_only: bool = False
    """Whether nothing can be changed: the downloads are those of another process, which
    this dashboard only watches or cannot reach."""


def always(_: ActionState) -> bool:
    """Return True: the action is enabled at any time."""
    return True


def on_row(now: ActionState) -> bool:
    """Return True if the cursor is on a download."""
    return now.row is not None


def on_any(now: ActionState) -> bool:
    """Return True if a download is under the cursor or marked."""
    return now.row is not None or now.many > 0


def on_line(now: ActionState) -> bool:
    """Return True if the cursor is on a download or on the heading of a group."""
    return now.row is not None or now.is_heading


def in_state(now: ActionState, *states: DownloadState) -> bool:
    """Return True if the download under the cursor is in a state, or any is marked."""
    # This runs on every refresh, and checking many downloads costs too much: the
    # handler checks them when the key is pressed.
    return now.many > 0 or (now.row is not None and now.row.state in states)


def can_cancel(now: ActionState) -> bool:
    """Return True if what the action applies to may be unfinished."""
    return in_state(now, *UNFINISHED)


def can_retry(now: ActionState) -> bool:
    """Return True if what the action applies to may have failed or be waiting."""
    return in_state(now, _S.FAILED, _S.WAITING, _S.CANCELLED)


def is_running(now: ActionState) -> bool:
    """Return True if what the action applies to may be downloading."""
    return in_state(now, _S.DOWNLOADING)


def is_queued(now: ActionState) -> bool:
    """Return True if what the action applies to may be queued."""
    return in_state(now, _S.QUEUED)


def is_done(now: ActionState) -> bool:
    """Return True if the download under the cursor is done."""
    return now.row is not None and now.row.state is _S.DONE


def any_unfinished(now: ActionState) -> bool:
    """Return True if any download of the run is unfinished."""
    return any(now.engine.counts[state] for state in UNFINISHED)


def is_not_done(now: ActionState) -> bool:
    """Return True if the download under the cursor is not done."""
    return now.row is not None and now.row.state is not _S.DONE


def any_failed(now: ActionState) -> bool:
    """Return True if any download of the run has failed."""
    return now.engine.counts[_S.FAILED] > 0


def has_any(now: ActionState) -> bool:
    """Return True if the list has downloads."""
    return now.engine.total > 0


def can_undo(now: ActionState) -> bool:
    """Return True if there is something to undo."""
    return now.can_undo


def can_escape(now: ActionState) -> bool:
    """Return True if there is something to leave or to clear."""
    return now.can_escape
