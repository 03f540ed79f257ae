"""The line of advice on what is under the cursor: the problem, and what to press."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_duration
from tui.messages import failure_title, remedy_for
from tui.ui.keys.keymap import key_of
from tui.ui.list.model import FinishedGroup
from tui.ui.style.format import count

if TYPE_CHECKING:
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.list.model import Group


def cursor_advice(row: DownloadSnapshot | None, group: Group | None) -> str:
    """Return what is wrong with the row or the group under the cursor, and its keys.

    Returns:
        One line, safe to show; "" if nothing is wrong.
    """
    if isinstance(group, FinishedGroup):
        fold, remove = key_of("details"), key_of("remove")
        number = count(len(group.ids))
        return f"{fold} to show or hide them · {remove} to remove all {number}"
    if group is not None:
        return _group_advice(len(group.ids))
    if row is None:
        return ""
    if row.state is DownloadState.FAILED:
        reason = sanitize(row.error) or failure_title(row.error_kind, row.status)
        remedy = remedy_for(row.error_kind, row.error, row.status)
        if remedy:
            reason = f"{reason} → {remedy}"
        return f"{reason} · {key_of('retry')} to retry, {key_of('remove')} to remove"
    if row.state is DownloadState.WAITING and row.retry_in_s is not None:
        wait = format_duration(row.retry_in_s)
        attempt = f"{row.attempt + 1}/{row.attempts_allowed}"
        key = key_of("retry")
        return f"{sanitize(row.error)} · retry {attempt} in {wait}, {key} to retry now"
    return ""


def _group_advice(size: int) -> str:
    retry, remove, fold = key_of("retry"), key_of("remove"), key_of("details")
    if size == 1:
        return f"{retry} to retry it · {remove} to remove it · {fold} to fold the group"
    number = count(size)
    return (
        f"{retry} to retry all {number} · {remove} to remove all {number}"
        f" · {fold} to fold the group"
    )
