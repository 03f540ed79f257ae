"""Why downloads failed, in words: headings of groups, and advice on one row."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.text.plain_text import plain
from tui.core.text.units import format_duration
from tui.messages import remedy, remedy_for
from tui.ui.keys.keymap import key_of
from tui.ui.list.row_text import Piece
from tui.ui.panes.pane import to_ascii
from tui.ui.style.format import cells, count, fit

if TYPE_CHECKING:
    from tui.core.listing.query import Cause
    from tui.core.snapshot import DownloadSnapshot

_S = DownloadState


def cause_words(kind: str, status: int) -> str:
    """Name a cause: ``404 not found``, ``403 forbidden``, ``connect timeout``."""
    if not kind:
        return "cancelled by you"
    words = kind.replace("_", " ")
    if kind.startswith("http_") or status == HTTPStatus.FORBIDDEN:
        try:
            words = HTTPStatus(status).phrase.lower()
        except ValueError:
            words = "refused" if status < 500 else "server trouble"
    return f"{status} {words}" if status else words


def cause_pieces(
    cause: Cause, width: int, *, is_folded: bool, is_ascii: bool
) -> tuple[Piece, ...]:
    """Return the heading of a group, ``width`` cells wide.

    Args:
        cause: the group.
        width: cells, without the cursor's.
        is_folded: whether its rows are not listed.
        is_ascii: use characters below 0x80 only.
    """
    fold = ("+" if is_folded else "-") if is_ascii else ("▸" if is_folded else "▾")
    dot = "-" if is_ascii else "·"
    title = f"{cause_words(cause.kind, cause.status)} {dot} {count(len(cause.ids))}"
    verb = "retries them" if cause.kind else "queues them again"
    keys = f"{key_of('retry')} {verb}"
    advice = remedy(cause.kind, cause.status)
    style = "failed" if cause.kind else "cancelled"
    left = [Piece(f"{fold} ", "key"), Piece(title, style)]
    room = width - 2 - cells(title)
    if room >= len(keys) + 4:
        room -= len(keys) + 1
        left.append(Piece(fit(f"   {advice}" if room > 24 else "", room), "dim"))
        left.append(Piece(keys + " ", "key"))
    else:
        left.append(Piece(fit("", room), "dim"))
    if is_ascii:
        return tuple(Piece(to_ascii(text), style) for text, style in left)
    return tuple(left)


def advice_on(row: DownloadSnapshot | None, cause: Cause | None) -> str:
    """Say what is wrong with what is under the cursor, why, and which key is next.

    Returns:
        One line, safe to show; "" where nothing is wrong.
    """
    if cause is not None:
        them = "it" if len(cause.ids) == 1 else f"all {count(len(cause.ids))}"
        return (
            f"{key_of('retry')} retries {them} · {key_of('drop')} drops {them}"
            f" · {key_of('details')} folds the group"
        )
    if row is None:
        return ""
    if row.state is _S.FAILED:
        why = plain(row.error) or cause_words(row.error_kind, row.status)
        advice = remedy_for(row.error_kind, row.error, row.status)
        hint = f" → {advice}" if advice else ""
        return f"{why}{hint} · {key_of('retry')} retries, {key_of('drop')} drops"
    if row.state is _S.WAITING and row.retry_in_s is not None:
        wait = format_duration(row.retry_in_s)
        number = f"{row.attempt + 1}/{row.attempts_allowed}"
        now = f"{key_of('retry')} now"
        return f"{plain(row.error)} · tries again in {wait} ({number}), {now}"
    return ""
