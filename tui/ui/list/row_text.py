"""What one line of the list says: columns for a width, text and styles for a row.

Pure functions. A row is a tuple of spans; two equal tuples look the same, so a line
is repainted only when its tuple differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tui.core.download import ACTIVE, DownloadState
from tui.core.listing.query import SortKey
from tui.core.text.plain_text import plain
from tui.core.text.units import format_duration, format_rate, format_size
from tui.messages import notice_text
from tui.ui.style.format import (
    appearance_of,
    bar,
    cells,
    done_fraction,
    fit,
    middle_ellipsis,
    percent,
)

if TYPE_CHECKING:
    from tui.core.snapshot import DownloadSnapshot

_S = DownloadState

STALLED_AFTER_S = 3.0
"""Silence after which the speed gives way to ``stalled 12s``."""
PREFIX = 3
"""Cells before the name: cursor, glyph, space."""
_SIZE, _PERCENT, _STATUS, _ETA, _TRY, _STATE = 7, 5, 11, 6, 5, 14
_MARGIN = 1
_CUT = "…"


class Columns(NamedTuple):
    """Widths in cells; 0 for a column that is not there."""

    width: int
    name: int
    state: int
    size: int
    percent: int
    bar: int
    status: int
    eta: int
    tries: int
    host: int


class Piece(NamedTuple):
    """A run of text in one style."""

    text: str
    style: str
    """Name of a field of ``theme.Palette``."""


#: Narrower and narrower, in the order in which columns leave: state word, host,
#: tries, bar, size, ETA.
_LAYOUTS: tuple[dict[str, int], ...] = (
    {"state": _STATE, "size": _SIZE, "bar": 32, "eta": _ETA, "tries": _TRY, "host": 32},
    {"state": _STATE, "size": _SIZE, "bar": 18, "eta": _ETA, "tries": _TRY, "host": 24},
    {"size": _SIZE, "bar": 16, "eta": _ETA, "tries": _TRY, "host": 18},
    {"size": _SIZE, "bar": 16, "eta": _ETA, "tries": _TRY, "host": 14},
    {"size": _SIZE, "bar": 16, "eta": _ETA, "tries": _TRY},
    {"size": _SIZE, "bar": 16, "eta": _ETA},
    {"size": _SIZE, "bar": 8, "eta": _ETA},
    {"bar": 8, "eta": _ETA},
    {"eta": _ETA},
)
_NAME_WANTED = 29
_NAME_LEAST = 8


def columns_for(width: int) -> Columns:
    """Return the columns that fit in ``width`` cells; the name takes what is left."""
    for layout in (*_LAYOUTS, {}):
        fixed = sum(size + _gap(column) for column, size in layout.items())
        fixed += PREFIX + _PERCENT + 2 + _STATUS + 2 + _MARGIN
        name = width - fixed
        wanted = _NAME_WANTED + (10 if "state" in layout else 0)
        if name >= wanted or not layout:
            return Columns(
                width=width,
                name=max(_NAME_LEAST, name),
                state=layout.get("state", 0),
                size=layout.get("size", 0),
                percent=_PERCENT,
                bar=layout.get("bar", 0),
                status=_STATUS,
                eta=layout.get("eta", 0),
                tries=layout.get("tries", 0),
                host=layout.get("host", 0),
            )
    raise AssertionError("the empty layout fits everything")


def _gap(column: str) -> int:
    return 1 if column == "eta" else 2


HEADINGS: tuple[tuple[str, str, SortKey | None], ...] = (
    ("name", "Name", SortKey.NAME),
    ("state", "State", SortKey.STATE),
    ("size", "Size", SortKey.SIZE),
    ("percent", "%", SortKey.PROGRESS),
    ("bar", "Progress", SortKey.PROGRESS),
    ("status", "Speed", None),
    ("eta", "ETA", None),
    ("tries", "Try", None),
    ("host", "Host", SortKey.HOST),
)
_RIGHT = frozenset({"size", "percent", "status", "eta", "tries"})


def heading(
    columns: Columns, sort: SortKey, is_reversed: bool
) -> list[tuple[str, SortKey | None]]:
    """Return the headings with their gaps, and what a click on each sorts by."""
    spans: list[tuple[str, SortKey | None]] = [(" " * PREFIX, None)]
    arrow = "↑" if is_reversed else "↓"
    is_marked = False
    for column, title, key in HEADINGS:
        width = getattr(columns, column)
        if not width:
            continue
        if key is sort and not is_marked:
            title = f"{title} {arrow}" if width > cells(title) + 1 else arrow
            is_marked = True
        gap = 0 if column == "name" else _gap(column)
        if gap:
            spans.append((" " * gap, None))
        spans.append((fit(title, width, "right" if column in _RIGHT else "left"), key))
    return spans


def status_text(row: DownloadSnapshot) -> tuple[str, str]:
    """Return the word or the speed of a row, at most 11 cells, and its style."""
    state = row.state
    appearance = appearance_of(state)
    if state is _S.DOWNLOADING:
        if row.stalled_s >= STALLED_AFTER_S:
            return f"stalled {format_duration(row.stalled_s)}", "waiting"
        return format_rate(row.speed), "text"
    if state is _S.WAITING and row.retry_in_s is not None:
        return f"retry {format_duration(row.retry_in_s)}", appearance.style
    if state is _S.DONE and row.has_checksum:
        return "verified", appearance.style
    if state is _S.FAILED and row.status >= 400:
        return f"failed {row.status}", appearance.style
    return appearance.word, appearance.style


def _reason(row: DownloadSnapshot, width: int) -> str:
    """Return why a row is not running: in full where it fits, else in short."""
    word = "failed"
    if row.state is _S.WAITING:
        word = "retry" if row.retry_in_s is None else status_text(row)[0]
    full = f"{word}: {plain(row.error)}"
    if row.error and cells(full) <= width:
        return full
    code = str(row.status) if row.status >= 400 else ""
    # http_5xx and its like say no more than the status does.
    kind = "" if row.error_kind.startswith("http_") else row.error_kind
    short = " ".join([code, kind.replace("_", " ")]).strip()
    if short:
        return f"{word}: {short}"
    return full if row.error else word


def _noted(row: DownloadSnapshot, columns: Columns) -> str:
    """Return the note on a finished row, after its state where no column says it."""
    word = status_text(row)[0]
    note = notice_text(row.note)
    is_said = columns.state and word == appearance_of(row.state).word
    return note if is_said else f"{word}: {note}"


def shown_name(row: DownloadSnapshot, width: int) -> str:
    """Return folder and name in at most ``width`` cells, safe to show.

    The folder gives way first: names of a series differ in the middle.
    """
    name = plain(row.name)
    if not row.directory:
        return middle_ellipsis(name, width)
    folder = plain(row.directory)
    room = width - cells(name) - 1
    if room < 2:
        return middle_ellipsis(name, width)
    if cells(folder) > room:
        folder = fit(folder, room)
    return f"{folder}/{name}"


def host_of(origin: str) -> str:
    """Return an origin without its scheme, safe to show."""
    return plain(origin.partition("://")[2] or origin)


def _bar_pieces(row: DownloadSnapshot, width: int, is_ascii: bool) -> list[Piece]:
    fraction = done_fraction(row)
    if fraction is None and row.received:
        text = f"{format_size(row.received)} so far"
        if len(text) > width:
            text = format_size(row.received)
        return [Piece(fit(text, width), "dim")]
    if row.state is _S.QUEUED and not row.received:
        return [Piece(" " * width, "text")]  # most rows of a long list: no ink
    filled, rest = bar(fraction, width, is_ascii=is_ascii)
    style = appearance_of(row.state).style
    return [Piece(filled, style), Piece(rest, "faint")]


def row_pieces(
    row: DownloadSnapshot,
    columns: Columns,
    *,
    spinner: str,
    speed: tuple[str, str] | None = None,
    is_marked: bool = False,
    is_ascii: bool = False,
) -> tuple[Piece, ...]:
    """Return a row's text and styles, ``columns.width`` cells wide but the cursor's.

    Args:
        row: what the engine says.
        columns: widths.
        spinner: the spinner's frame now; drawn on rows in flight.
        speed: speed and ETA to show instead of the row's own, so that digits change
            more slowly than bars.
        is_marked: whether a person marked it.
        is_ascii: use characters below 0x80 for all that is ours.
    """
    appearance = appearance_of(row.state)
    is_active = row.state in ACTIVE
    glyph = appearance.ascii_glyph if is_ascii else appearance.glyph
    if is_active:
        glyph = spinner
    is_dim = row.state in (_S.QUEUED, _S.CANCELLED)
    name_style = appearance.style if is_dim else "text"
    name = fit(shown_name(row, columns.name), columns.name)
    pieces = [Piece(glyph, appearance.style), _mark(is_marked, is_ascii)]
    pieces.append(Piece(name, "strong" if is_marked else name_style))
    if columns.state:
        word = appearance.word
        if row.state is _S.DOWNLOADING and row.connections > 1:
            word = f"{word} ×{row.connections}"
        pieces.append(Piece("  " + fit(word, columns.state), appearance.style))
    if columns.size:
        size = fit(format_size(row.size), columns.size, "right")
        pieces.append(Piece("  " + size, "dim"))
    shown = percent(done_fraction(row))
    is_told = row.state not in (_S.QUEUED,) or row.received > 0
    part = fit(shown if is_told else "", columns.percent, "right")
    pieces.append(Piece("  " + part, "text" if is_active else "dim"))
    pieces += _middle(row, columns, speed, is_ascii)
    if columns.tries:
        tries = f"{row.attempt}/{row.attempts_allowed}" if row.attempt > 1 else ""
        pieces.append(Piece("  " + fit(tries, columns.tries, "right"), "dim"))
    if columns.host:
        pieces.append(Piece("  " + fit(host_of(row.origin), columns.host), "dim"))
    if is_ascii:
        return tuple(Piece(_to_ascii(text), style) for text, style in pieces)
    return tuple(pieces)


def changed_spans(
    before: tuple[Piece, ...], after: tuple[Piece, ...]
) -> list[tuple[int, int]]:
    """Return where a row's cells have to be drawn anew, as ``(x, width)``.

    The glyph apart from the rest: on most frames only the spinner turned, and a
    terminal at the end of a slow line is glad of each cell that is not sent again.
    """
    spans = [(0, cells(after[0].text))] if before[0] != after[0] else []
    first, last = 1, 0
    short = min(len(before), len(after))
    while first < short and before[first] == after[first]:
        first += 1
    while last < short - first and before[-1 - last] == after[-1 - last]:
        last += 1
    x = sum(cells(piece.text) for piece in after[:first])
    width = sum(cells(piece.text) for piece in after[first : len(after) - last])
    was = sum(cells(piece.text) for piece in before[first : len(before) - last])
    if width or was:
        spans.append((x, max(width, was)))
    return spans


def _mark(is_marked: bool, is_ascii: bool) -> Piece:
    return Piece(("*" if is_ascii else "●") if is_marked else " ", "key")


def _middle(
    row: DownloadSnapshot,
    columns: Columns,
    speed: tuple[str, str] | None,
    is_ascii: bool,
) -> list[Piece]:
    """Bar, speed and ETA; in their place why a row waits or failed, what is noted."""
    if row.state in (_S.FAILED, _S.WAITING) and columns.bar:
        room = columns.bar + 2 + columns.status
        room += columns.eta + 1 if columns.eta else 0
        return [
            Piece("  " + fit(_reason(row, room), room), appearance_of(row.state).style)
        ]
    if row.state is _S.DONE and row.note and columns.bar:
        # A full bar says nothing; what became of the file since does.
        room = columns.bar + 2 + columns.status
        room += columns.eta + 1 if columns.eta else 0
        return [Piece("  " + fit(_noted(row, columns), room), "dim")]
    pieces = []
    if columns.bar:
        pieces = [Piece("  ", "text"), *_bar_pieces(row, columns.bar, is_ascii)]
    status, style = status_text(row)
    if columns.state and status == appearance_of(row.state).word:
        status = ""  # said already
    eta = ""
    if row.state is _S.DOWNLOADING:
        eta = format_duration(row.eta_s)
        if speed is not None and style == "text":
            status, eta = speed
    pieces.append(Piece("  " + fit(status, columns.status, "right"), style))
    if columns.eta:
        pieces.append(Piece(" " + fit(eta, columns.eta, "right"), "text"))
    return pieces


_ASCII = str.maketrans({_CUT: "~", "—": "-", "×": "x", "↓": "v", "↑": "^"})


def _to_ascii(text: str) -> str:
    """Replace our own signs; names keep what their owners gave them."""
    return text.translate(_ASCII)
