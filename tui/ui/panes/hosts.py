"""The hosts pane: a row per host with its downloads, speed, limit and errors.

The busiest hosts come first. The cursor stays on its host when rows move; Enter asks
for the host's limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.binding import Binding

from tui.core.quick.named_tuple import NamedTuple
from tui.core.text.sanitize import sanitize, sanitize_url
from tui.core.text.units import format_duration, format_rate
from tui.ui.keys.keymap import key_of
from tui.ui.panes.pane import Line, Pane, Span, clip, line_width
from tui.ui.style.format import cells, count, fit, middle_ellipsis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import ClassVar

    from textual import events

    from tui.core.snapshot import OriginSnapshot

MIN_NAME = 24
"""Cells that a host's name gets at least; columns are dropped before it shrinks."""
MIN_NAME_NARROW = 14
_NARROW = 90
MAX_NAME = 48
_GAP = 2
_RANGES = {
    "supported": ("supported", "done"),
    "refused": ("unsupported", "warn"),
    "unknown": ("unknown", "dim"),
}


class Column(NamedTuple):
    """One column, and when it is dropped from a narrow pane."""

    title: str
    width: int
    rank: int
    """The highest is dropped first."""
    is_left: bool = False


COLUMNS = (
    Column("Active", 9, 0),
    Column("Speed", 10, 1),
    Column("State", 12, 2, is_left=True),
    Column("Errors", 6, 3),
    Column("Queued", 7, 4),
    Column("Done", 7, 5),
    Column("Ranges", 11, 6, is_left=True),
    Column("Protocol", 9, 7, is_left=True),
    Column("Failed", 7, 8),
)


def columns_for(width: int) -> list[Column]:
    """Return the columns that fit beside the name, in their order."""
    kept = list(COLUMNS)
    least = (MIN_NAME if width >= _NARROW else MIN_NAME_NARROW) + 2
    while kept and sum(c.width + _GAP for c in kept) + least > width:
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def shown_origin(origin: str) -> str:
    """Return an origin for display, without ``https://``."""
    return sanitize_url(origin, 300).removeprefix("https://")


def cell_of(host: OriginSnapshot, title: str) -> Span:
    """Return a host's value in one column."""
    if title == "Active":
        cap = f"/{count(host.cap)}" if host.cap else ""
        style = "warn" if host.cap_from == "learned" else "text"
        return Span(f"{count(host.active)}{cap}", style)
    if title == "Speed":
        return Span(format_rate(host.speed) if host.speed >= 1 else "", "strong")
    if title == "State":
        return _state(host)
    if title == "Errors":
        return Span(count(host.errors) if host.errors else "", "waiting")
    if title == "Failed":
        return Span(count(host.failed) if host.failed else "", "failed")
    if title == "Ranges":
        return Span(*_RANGES.get(host.ranges, (sanitize(host.ranges, 12), "dim")))
    if title == "Protocol":
        return Span(sanitize(host.protocol, 12), "dim")
    number = host.queued if title == "Queued" else host.done
    return Span(count(number) if number else "", "text")


def _state(host: OriginSnapshot) -> Span:
    """Return ``wait 12s`` while backing off, or else where the limit comes from."""
    if host.blocked_s > 0:
        return Span(f"wait {format_duration(host.blocked_s)}", "warn")
    if host.cap_from == "learned":
        return Span("limiting", "warn")
    return Span("limit set" if host.cap_from == "set" else "", "dim")


def heading(columns: Sequence[Column], name_width: int) -> Line:
    """Return the line of column titles."""
    line = [Span("  " + fit("Host", name_width), "dim")]
    for column in columns:
        text = _aligned(column.title, column)
        line.append(Span(" " * _GAP + text, "dim"))
    return line


def host_line(
    host: OriginSnapshot,
    columns: Sequence[Column],
    name_width: int,
    *,
    is_cursor: bool,
    is_ascii: bool = False,
) -> Line:
    """Return one host's row, aligned with the titles."""
    mark = (">" if is_ascii else "▌") if is_cursor else " "
    name = middle_ellipsis(shown_origin(host.origin), name_width)
    line = [
        Span(f"{mark} ", "key"),
        Span(
            name + " " * (name_width - cells(name)),
            "strong" if host.active else "text" if host.queued else "dim",
        ),
    ]
    for column in columns:
        cell = cell_of(host, column.title)
        line.append(Span(" " * _GAP + _aligned(cell.text, column), cell.style))
    return line


def _aligned(text: str, column: Column) -> str:
    text = fit(text, column.width) if cells(text) > column.width else text
    pad = " " * (column.width - cells(text))
    return text + pad if column.is_left else pad + text


class HostsPane(Pane, can_focus=True):
    """All hosts of the run; works like a list while it has the focus."""

    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("pagedown,ctrl+d", "page(1)", show=False),
        Binding("home,g", "move(-1000)", show=False),
        Binding("end,G", "move(1000)", show=False),
    ]
    TAKES = frozenset({"details", "set_number"})
    """Actions whose keys ask for the limit of the host under the cursor while the pane
    has the focus."""

    def __init__(
        self, ask_cap: Callable[[OriginSnapshot], None], **options: Any
    ) -> None:
        """Create an empty pane.

        Args:
            ask_cap: asks the user for the maximum number of downloads from a host.
            options: of any Textual widget.
        """
        super().__init__(**options)
        self._ask_cap = ask_cap
        self._hosts: list[OriginSnapshot] = []
        self._cursor = ""
        """Origin under the cursor; rows may move."""
        self._top = 0

    def show(self, hosts: Sequence[OriginSnapshot]) -> None:
        """Draw these hosts, in this order."""
        self._hosts = list(hosts)
        self.redraw()

    @property
    def cursor_host(self) -> OriginSnapshot | None:
        """The host under the cursor."""
        return self._hosts[self._cursor_index()] if self._hosts else None

    def _cursor_index(self) -> int:
        for index, host in enumerate(self._hosts):
            if host.origin == self._cursor:
                return index
        return 0

    # -- the frame -------------------------------------------------------------------

    def title(self) -> Line:
        """Return name and key."""
        return [Span("Hosts ", "title"), Span(f"[{key_of('hosts')}]", "key")]

    def corner(self) -> Line:
        """Return the number of hosts, and how many are backing off."""
        if not self._hosts:
            return []
        number = len(self._hosts)
        total = "1 host" if number == 1 else f"{count(number)} hosts"
        blocked = sum(host.blocked_s > 0 for host in self._hosts)
        if blocked:
            total = f"{count(blocked)} backing off, {total}"
        return [Span(total, "dim")]

    def foot(self) -> Line:
        """Return what Enter does, and the last error of the host under the cursor."""
        host = self.cursor_host
        if host is None:
            return []
        line = [
            Span(f"[{key_of('details')}]", "key", "cap"),
            Span(" max downloads", "dim"),
        ]
        if host.trouble:
            line.append(Span(f"  last error: {sanitize(host.trouble, 200)}", "waiting"))
        return line

    # -- the lines -------------------------------------------------------------------

    def body(self, width: int, height: int) -> list[Line]:
        """Return the column titles and as many hosts as fit."""
        if not self._hosts:
            return [[Span("No hosts yet; they appear with the first download.", "dim")]]
        columns = columns_for(width)
        taken = sum(column.width + _GAP for column in columns)
        name_width = max(1, min(MAX_NAME, width - taken - 2))
        rows = max(1, height - 1)
        cursor = self._cursor_index()
        self._top = max(0, min(self._top, cursor, len(self._hosts) - rows))
        self._top = max(self._top, cursor - rows + 1)
        shown = self._hosts[self._top : self._top + rows]
        lines = [
            host_line(
                host,
                columns,
                name_width,
                is_cursor=self._top + index == cursor and self.has_focus,
                is_ascii=self.is_ascii,
            )
            for index, host in enumerate(shown)
        ]
        if height < 2:
            return lines
        return [heading(columns, name_width), *lines]

    def folded(self, width: int) -> Line:
        """Return the number of hosts, and the first one."""
        line = [Span(" hosts ", "title")]
        if not self._hosts:
            return [*line, Span("none yet", "dim")]
        host = self._hosts[0]
        line += [Span(f"{count(len(self._hosts))}  "), cell_of(host, "Active")]
        line += [Span(" "), cell_of(host, "Speed"), Span("  ")]
        room = max(0, width - line_width(line))
        line.append(Span(middle_ellipsis(shown_origin(host.origin), room), "dim"))
        return clip(line, width)

    # -- keys and clicks -------------------------------------------------------------

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        if not self._hosts:
            return
        at = max(0, min(len(self._hosts) - 1, self._cursor_index() + lines))
        self._cursor = self._hosts[at].origin
        self.redraw()

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.action_move(pages * max(1, self.size.height - 3))

    def ask_for_cap(self) -> None:
        """Ask for the limit of the host under the cursor."""
        host = self.cursor_host
        if host is not None:
            self._ask_cap(host)

    def pressed(self, action: str) -> None:
        """Handle a click on the button in the frame."""
        del action
        self.ask_for_cap()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked host; a double click asks for its limit."""
        frame = 0 if self.is_folded else 1
        index = self._top + event.y - frame - 1
        is_row = 0 < event.y - frame < self.size.height - 1 - frame
        if not is_row or self.is_folded or not 0 <= index < len(self._hosts):
            super().on_click(event)
            return
        event.stop()
        is_again = self._hosts[index].origin == self._cursor and event.chain == 2
        self._cursor = self._hosts[index].origin
        self.redraw()
        if is_again:
            self.ask_for_cap()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move three lines up."""
        event.stop()
        self.action_move(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move three lines down."""
        event.stop()
        self.action_move(3)
