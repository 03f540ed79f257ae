"""The text of the list's lines: columns for a width, and styled text for each row.

All functions are pure. A row is a tuple of pieces; rows with equal tuples look the
same, so a line is repainted only when its tuple changes. ``RowWriter`` asks the service
for the visible rows and decides how often their figures change.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.download import ACTIVE, ENDED, DownloadState
from tui.core.listing.query import SortKey
from tui.core.quick.named_tuple import NamedTuple
from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_duration, format_rate, format_size, size_width
from tui.messages import failure_title, notice_text, remedy
from tui.ui.keys.keymap import key_of
from tui.ui.list.model import FinishedGroup
from tui.ui.style.ascii import to_ascii
from tui.ui.style.format import (
    appearance_of,
    appearance_of_row,
    bar,
    cells,
    count,
    done_fraction,
    fit,
    middle_ellipsis,
    percent,
    spinner_frame,
)
from tui.ui.style.sorting import arrow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from tui.core.listing.query import DownloadQuery
    from tui.core.service import DashboardService
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.list.model import Group, ListModel

_S = DownloadState

STALLED_AFTER_S = 3.0
"""Time without data after which ``stalled 12s`` replaces the speed."""
PREFIX = 3
"""Cells before the name: cursor, glyph, space."""
_PERCENT, _STATUS, _ETA, _TRY, _STATE, _FINISHED = 5, 11, 6, 5, 15, 8
_SIZE = 0
"""In a layout: the width of a size, which depends on the units."""
_MARGIN = 1
_FIGURE_TICKS = 5
"""Speeds and ETAs change every fifth frame: flickering digits cannot be read."""
_ROW_TICKS = 2
"""An active row changes every other frame, its neighbor in the frames between: five
steps a second look as smooth as ten, at half the work."""
_CUT = "…"


class Columns(NamedTuple):
    """Widths in cells; 0 for a column that is not shown."""

    width: int
    name: int
    state: int
    size: int
    received: int
    percent: int
    bar: int
    status: int
    eta: int
    finished: int
    tries: int
    host: int


class Piece(NamedTuple):
    """A run of text in one style."""

    text: str
    style: str
    """Name of a field of ``theme.Palette``."""


#: From wide to narrow; columns are dropped in this order: state word, host, tries,
#: bar, size, ETA.
_LAYOUTS: tuple[dict[str, int], ...] = (
    {
        "state": _STATE,
        "size": _SIZE,
        "bar": 32,
        "eta": _ETA,
        "tries": _TRY,
        "host": 32,
    },
    {
        "state": _STATE,
        "size": _SIZE,
        "bar": 18,
        "eta": _ETA,
        "tries": _TRY,
        "host": 24,
    },
    {"size": _SIZE, "bar": 16, "eta": _ETA, "tries": _TRY, "host": 18},
    {"size": _SIZE, "bar": 16, "eta": _ETA, "tries": _TRY, "host": 14},
    {"size": _SIZE, "bar": 16, "eta": _ETA, "tries": _TRY},
    {"size": _SIZE, "bar": 16, "eta": _ETA},
    {"size": _SIZE, "bar": 8, "eta": _ETA},
    {"bar": 8, "eta": _ETA},
    {"eta": _ETA},
)
_WITHOUT_HOST = 4
"""The first layout without the host."""
_NAME_PREFERRED = 29
_NAME_MIN = 8


def columns_for(width: int, chosen: Collection[str] = ()) -> Columns:
    """Return the columns that fit in ``width`` cells; the name gets the rest.

    Args:
        width: of the list.
        chosen: names of ``core.settings.COLUMNS``; empty for the usual ones.
    """
    for layout in _layouts(chosen):
        fixed = sum(size + _gap(column) for column, size in layout.items())
        name = width - fixed - PREFIX - _MARGIN
        preferred = _NAME_PREFERRED + (10 if "state" in layout else 0)
        if name >= preferred:
            break
    return Columns(
        width=width,
        name=max(_NAME_MIN, name),
        state=layout.get("state", 0),
        size=layout.get("size", 0),
        received=layout.get("received", 0),
        percent=layout.get("percent", 0),
        bar=layout.get("bar", 0),
        status=layout.get("speed", 0),
        eta=layout.get("eta", 0),
        finished=layout.get("finished", 0),
        tries=layout.get("tries", 0),
        host=layout.get("host", 0),
    )


def _layouts(chosen: Collection[str]) -> Iterator[dict[str, int]]:
    """Yield layouts from wide to narrow; the last one is shown whatever the width."""
    always = {"percent": _PERCENT, "speed": _STATUS}
    extra = {"received": _SIZE, "finished": _FINISHED}
    width = size_width()
    for number, usual in enumerate((*_LAYOUTS, {})):
        layout = always | usual
        if chosen:
            # The extra columns are dropped together with the host.
            layout |= extra if number < _WITHOUT_HOST else {}
            layout = {k: v for k, v in layout.items() if k in chosen}
        yield {k: v or width for k, v in layout.items()}


def _gap(column: str) -> int:
    return 1 if column == "eta" else 2


HEADINGS: tuple[tuple[str, str, SortKey | None], ...] = (
    ("name", "Name", SortKey.NAME),
    ("state", "State", SortKey.STATE),
    ("size", "Size", SortKey.SIZE),
    ("received", "Got", None),
    ("percent", "%", SortKey.PROGRESS),
    ("bar", "Progress", SortKey.PROGRESS),
    ("status", "Speed", SortKey.SPEED),
    ("eta", "ETA", SortKey.ETA),
    ("finished", "Finished", SortKey.FINISHED),
    ("tries", "Tries", SortKey.TRIES),
    ("host", "Host", SortKey.HOST),
)
_RIGHT = frozenset({"size", "received", "percent", "status", "eta", "tries"})


def heading(columns: Columns, query: DownloadQuery) -> list[tuple[str, SortKey | None]]:
    """Return the column headings with gaps, each with the key that a click sorts by."""
    spans: list[tuple[str, SortKey | None]] = [(" " * PREFIX, None)]
    is_marked = False
    for column, title, key in HEADINGS:
        width = getattr(columns, column)
        if not width:
            continue
        if key is query.sort and not is_marked:
            mark = arrow(query)
            title = f"{title} {mark}" if width > cells(title) + 1 else mark
            is_marked = True
        gap = 0 if column == "name" else _gap(column)
        if gap:
            spans.append((" " * gap, None))
        spans.append((fit(title, width, "right" if column in _RIGHT else "left"), key))
    return spans


def status_text(row: DownloadSnapshot) -> tuple[str, str]:
    """Return the speed or the state of a row, at most 11 cells, and its style."""
    state = row.state
    appearance = appearance_of_row(row)
    if state is _S.DOWNLOADING:
        if row.stalled_s >= STALLED_AFTER_S:
            return f"stalled {format_duration(row.stalled_s)}", "waiting"
        if row.has_speed:
            return format_rate(row.speed), "text"
    if state is _S.WAITING and row.retry_in_s is not None:
        return f"retry {format_duration(row.retry_in_s)}", appearance.style
    if state is _S.DONE and row.has_checksum:
        return "verified", appearance.style
    if state is _S.FAILED and row.status >= 400:
        return f"failed {row.status}", appearance.style
    return appearance.word, appearance.style


def _reason(row: DownloadSnapshot, width: int) -> str:
    """Return why a row is not running, abbreviated if the message does not fit."""
    word = "failed"
    if row.state is _S.WAITING:
        word = "retry" if row.retry_in_s is None else status_text(row)[0]
    full = f"{word}: {sanitize(row.error)}"
    if row.error and cells(full) <= width:
        return full
    code = str(row.status) if row.status >= 400 else ""
    # Kinds such as http_5xx add nothing to the status.
    kind = "" if row.error_kind.startswith("http_") else row.error_kind
    if row.status == 403:
        kind = "forbidden"
    short = " ".join([code, kind.replace("_", " ")]).strip()
    if not short:
        return full if row.error else word
    reason = f"{word}: {short}"
    if row.state is _S.FAILED and not code and cells(reason) > width >= cells(short):
        return short  # the glyph says that it failed
    return reason


def _note(row: DownloadSnapshot, columns: Columns) -> str:
    """Return the note on a finished row, after its state unless a column shows it."""
    word = status_text(row)[0]
    note = notice_text(row.note)
    is_shown = columns.state and word == appearance_of_row(row).word
    return note if is_shown else f"{word}: {note}"


def shown_name(row: DownloadSnapshot, width: int) -> str:
    """Return folder and name in at most ``width`` cells, safe to show.

    The folder is shortened first: names of a series differ in the middle.
    """
    name = sanitize(row.name)
    if not row.directory:
        return middle_ellipsis(name, width)
    folder = sanitize(row.directory)
    room = width - cells(name) - 1
    if room < 2:
        return middle_ellipsis(name, width)
    if cells(folder) > room:
        folder = fit(folder, room)
    return f"{folder}/{name}"


def host_of(origin: str) -> str:
    """Return an origin without its scheme, safe to show."""
    return sanitize(origin.partition("://")[2] or origin)


def _bar_pieces(row: DownloadSnapshot, width: int, is_ascii: bool) -> list[Piece]:
    fraction = done_fraction(row)
    if fraction is None and row.received:
        text = f"{format_size(row.received)} so far"
        if len(text) > width:
            text = format_size(row.received)
        return [Piece(fit(text, width), "dim")]
    if row.state is _S.QUEUED and not row.received:
        return [Piece(" " * width, "text")]  # most rows of a long list: draw nothing
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
    """Return a row's text and styles, ``columns.width`` cells without the cursor's.

    Args:
        row: the download.
        columns: widths.
        spinner: the spinner's current frame, for active rows.
        speed: speed and ETA to show instead of the row's own, so that digits change
            less often than bars.
        is_marked: whether the user marked it.
        is_ascii: draw glyphs and bars with characters below 0x80.
    """
    appearance = appearance_of_row(row)
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
    if columns.received:
        got = format_size(row.received) if row.received else ""
        pieces.append(Piece("  " + fit(got, columns.received, "right"), "dim"))
    has_begun = row.state is not _S.QUEUED or row.received > 0
    done = percent(done_fraction(row)) if has_begun else ""
    if columns.percent:
        done = fit(done, columns.percent, "right")
        pieces.append(Piece("  " + done, "text" if is_active else "dim"))
    pieces += _middle(row, columns, speed, is_ascii)
    if columns.finished:
        at = _clock_time(row.finished_at) if row.state in ENDED else ""
        pieces.append(Piece("  " + fit(at, columns.finished), "dim"))
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
    """Return which cells of a row to repaint, as ``(x, width)``.

    The glyph is a span of its own: in most frames only the spinner changes, and over a
    slow connection every cell that is not sent again counts.
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
    old = sum(cells(piece.text) for piece in before[first : len(before) - last])
    if width or old:
        spans.append((x, max(width, old)))
    return spans


def _mark(is_marked: bool, is_ascii: bool) -> Piece:
    return Piece(("*" if is_ascii else "●") if is_marked else " ", "key")


def _middle(
    row: DownloadSnapshot,
    columns: Columns,
    speed: tuple[str, str] | None,
    is_ascii: bool,
) -> list[Piece]:
    """Return bar, speed and ETA; or why a row waits or failed, or its note."""
    room = sum(
        width + _gap(column)
        for column, width in zip(_MIDDLE, _widths(columns), strict=True)
        if width
    )
    room = max(0, room - 2)
    if row.state in (_S.FAILED, _S.WAITING) and (columns.bar or columns.status):
        reason = _reason(row, room)
        if columns.bar or cells(reason) <= room:
            style = appearance_of(row.state).style
            return [Piece("  " + fit(reason, room), style)]
    if row.state is _S.DONE and row.note and columns.bar:
        # A note is more useful than a full bar.
        return [Piece("  " + fit(_note(row, columns), room), "dim")]
    if row.state is _S.QUEUED and room and (row.host_limit or row.is_host_blocked):
        return [Piece("  " + fit(_waits_for_host(row, room), room), "waiting")]
    pieces = []
    if columns.bar:
        pieces = [Piece("  ", "text"), *_bar_pieces(row, columns.bar, is_ascii)]
    status, style = status_text(row)
    if columns.state and status == appearance_of_row(row).word:
        status = ""  # the state column shows it
    eta = ""
    if row.state is _S.DONE and row.average and columns.status:
        return [*pieces, *_average(row, columns, status)]
    if row.has_speed:
        eta = format_duration(row.eta_s)
        if speed is not None and style == "text":
            status, eta = speed
    if columns.status:
        pieces.append(Piece("  " + fit(status, columns.status, "right"), style))
    if columns.eta:
        pieces.append(Piece(" " + fit(eta, columns.eta, "right"), "text"))
    return pieces


_MIDDLE = ("bar", "status", "eta")
"""Columns that a reason or a note replaces."""


def _widths(columns: Columns) -> tuple[int, int, int]:
    return columns.bar, columns.status, columns.eta


def _waits_for_host(row: DownloadSnapshot, room: int) -> str:
    """Return why a queued row does not start, in up to ``room`` cells if possible."""
    reason = f"host limited to {row.host_limit}"
    if row.is_host_blocked:
        reason = "backing off"
    texts = (f"waiting: {reason}", reason)
    return next((text for text in texts if len(text) <= room), "waiting")


def _average(row: DownloadSnapshot, columns: Columns, status: str) -> list[Piece]:
    """Return the average speed of a finished row, after its state if there is room."""
    style = appearance_of(row.state).style
    rate = format_rate(row.average)
    if not status:
        pieces = [Piece("  " + fit(rate, columns.status, "right"), "dim")]
        if columns.eta:
            pieces.append(Piece(" " * (columns.eta + 1), "text"))
        return pieces
    room = columns.status + (columns.eta + 1 if columns.eta else 0)
    space = room - cells(rate) - 1
    if cells(status) > space:
        return [Piece("  " + fit(status, room), style)]
    return [Piece("  " + fit(status, space + 1), style), Piece(rate, "dim")]


def _clock_time(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at)) if at else ""


_ASCII = str.maketrans({_CUT: "~", "—": "-", "×": "x", "↓": "v", "↑": "^"})


def _to_ascii(text: str) -> str:
    """Replace the dashboard's own characters; names stay unchanged."""
    return text.translate(_ASCII)


def group_heading(
    group: Group, width: int, *, is_folded: bool, is_ascii: bool
) -> tuple[Piece, ...]:
    """Return the heading of a group of failed or finished downloads.

    Args:
        group: the group.
        width: cells, without the cursor's.
        is_folded: whether its rows are hidden.
        is_ascii: use characters below 0x80 only.
    """
    fold = ("+" if is_folded else "-") if is_ascii else ("▸" if is_folded else "▾")
    if isinstance(group, FinishedGroup):
        left = _finished(group, width - 2, is_folded=is_folded, is_ascii=is_ascii)
        return _shown([Piece(f"{fold} ", "key"), *left], is_ascii)
    dot = "-" if is_ascii else "·"
    title = f"{failure_title(group.kind, group.status)} {dot} {count(len(group.ids))}"
    keys = f"{key_of('retry')} to retry"
    advice = remedy(group.kind, group.status)
    left = [Piece(f"{fold} ", "key"), Piece(title, "failed")]
    room = width - 2 - cells(title)
    if room >= len(keys) + 4:
        room -= len(keys) + 1
        text = fit(f"   {advice}" if room > 24 else "", room - 1)
        left.append(Piece(f"{text} ", "dim"))
        left.append(Piece(keys + " ", "key"))
    else:
        left.append(Piece(fit("", room), "dim"))
    return _shown(left, is_ascii)


def _finished(
    group: FinishedGroup, width: int, *, is_folded: bool, is_ascii: bool
) -> list[Piece]:
    """Return the number and the size of all finished downloads, and the key."""
    appearance = appearance_of(_S.DONE)
    glyph = appearance.ascii_glyph if is_ascii else appearance.glyph
    title = f"{glyph} {count(len(group.ids))} done"
    size = f", {format_size(group.nbytes)}"
    keys = f"{key_of('fold_done')} {'shows' if is_folded else 'hides'} them"
    room = width - cells(title) - cells(size)
    pieces = [Piece(title, appearance.style), Piece(size, "dim")]
    if room >= len(keys) + 3:
        return [
            *pieces,
            Piece(" " * (room - len(keys) - 1), "dim"),
            Piece(f"{keys} ", "key"),
        ]
    return [Piece(fit(title + size, width), appearance.style)]


def _shown(pieces: list[Piece], is_ascii: bool) -> tuple[Piece, ...]:
    if is_ascii:
        return tuple(Piece(to_ascii(text), style) for text, style in pieces)
    return tuple(pieces)


class RowWriter:
    """Writes lines of the model as pieces of text, for one width."""

    def __init__(self, service: DashboardService, model: ListModel) -> None:
        """Write the lines of ``model`` with the rows of ``service``."""
        self._service = service
        self._model = model
        self._figures: dict[int, tuple[str, str]] = {}
        self._kept: dict[int, tuple[tuple[object, ...], tuple[Piece, ...]]] = {}
        """Active rows as written last: what they depend on, and their pieces."""
        self.columns = columns_for(80)
        self.ticks = 0
        """Counts frames; drives the spinners."""
        self.is_still = False
        """Whether spinners are not animated."""
        self.is_ascii = False

    def tick(self, *, is_moving: bool) -> None:
        """Advance by one frame."""
        if is_moving:
            self.ticks += 1
        if self.ticks % _FIGURE_TICKS == 0 or not is_moving:
            self._figures.clear()
        if not is_moving:
            self._kept.clear()

    def invalidate(self, ids: Iterable[int]) -> None:
        """Let the figures of some downloads change with the next frame."""
        for id in ids:
            self._figures.pop(id, None)
            self._kept.pop(id, None)

    def invalidate_all(self) -> None:
        """Let every row change with the next frame."""
        self._figures.clear()
        self._kept.clear()

    def write(self, lines: Sequence[int]) -> dict[int, tuple[Piece, ...]]:
        """Return the text of lines: rows, and headings of groups."""
        model = self._model
        if len(self._kept) > 8 * len(lines):
            self._kept.clear()
        written = {
            line: group_heading(
                model.groups[line],
                self.columns.width - 1,
                is_folded=line in model.folded,
                is_ascii=self.is_ascii,
            )
            for line in lines
            if line in model.groups
        }
        for row in self._service.rows(line for line in lines if line >= 0):
            written[row.id] = self._pieces(row)
        return written

    def _pieces(self, row: DownloadSnapshot) -> tuple[Piece, ...]:
        is_marked = row.id in self._model.marks
        if row.state not in ACTIVE:
            self._kept.pop(row.id, None)
            return self._write_row(row, None, is_marked=is_marked)
        key = (
            *(row.version, row.state, row.connections, row.error, is_marked),
            *(self.columns, self.is_still, self.is_ascii),
        )
        kept = self._kept.get(row.id)
        if kept is not None and kept[0] == key and (self.ticks + row.id) % _ROW_TICKS:
            return kept[1]
        speed = None
        if row.has_speed:
            speed = self._figures.get(row.id)
            if speed is None:
                speed = format_rate(row.speed), format_duration(row.eta_s)
                self._figures[row.id] = speed
        pieces = self._write_row(row, speed, is_marked=is_marked)
        self._kept[row.id] = key, pieces
        return pieces

    def _write_row(
        self, row: DownloadSnapshot, speed: tuple[str, str] | None, *, is_marked: bool
    ) -> tuple[Piece, ...]:
        # Neighbors are out of step: many spinners in step look like flicker.
        frame = (self.ticks + row.id) // _ROW_TICKS + row.id
        return row_pieces(
            row,
            self.columns,
            spinner=spinner_frame(
                0 if self.is_still else frame, is_ascii=self.is_ascii
            ),
            speed=speed,
            is_marked=is_marked,
            is_ascii=self.is_ascii,
        )
