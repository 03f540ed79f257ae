"""The tabs: views with their counts, and how the list is sorted and filtered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.core.listing.query import VIEW_STATES, DownloadQuery, View
from tui.core.quick.named_tuple import NamedTuple
from tui.core.text.sanitize import sanitize
from tui.ui.bars.header import ActionPressed
from tui.ui.keys.keymap import key_of
from tui.ui.panes.pane import Line, Pane, Span, justify, line_width
from tui.ui.style.ascii import to_ascii
from tui.ui.style.format import count, fit, short_count
from tui.ui.style.sorting import arrow, sort_name

if TYPE_CHECKING:
    from tui.core.snapshot import EngineSnapshot
    from tui.ui.list.model import ListModel


class _Form(NamedTuple):
    """How much the line shows."""

    gap: str
    """Separator between tabs."""
    counts: bool = True
    zeros: bool = True
    """Whether tabs of empty views have a count."""
    sort: bool = True
    """Whether ``sort`` stands before the order."""
    order: bool = True
    """Whether the order is shown; the column headings mark it as well."""
    is_short: bool = False
    """Whether to round counts: ``1.9k``."""


_FORMS = (
    _Form("  │"),
    _Form(" │"),
    _Form(" "),
    _Form(" ", sort=False),
    _Form(" ", zeros=False, sort=False),
    _Form("", zeros=False, sort=False),
    _Form("", zeros=False, sort=False, order=False),
    _Form("", zeros=False, sort=False, order=False, is_short=True),
    _Form("", counts=False, sort=False),
)
"""From wide to narrow."""
_FILTER = Span("filter ", "dim")


class TabsBar(Pane):
    """Shows the views; each can be opened with a digit or a click."""

    DEFAULT_CSS = "TabsBar { height: 1; }"
    has_frame = False

    def __init__(self, **options: Any) -> None:
        """Accept the options of any Textual widget."""
        super().__init__(**options)
        self._snapshot: EngineSnapshot | None = None
        self._query = DownloadQuery()
        self._marked = 0
        self._mode = ""
        self._is_late = False

    def show(self, snapshot: EngineSnapshot, model: ListModel, mode: str) -> None:
        """Draw the counts of a snapshot, and the query of the list.

        Args:
            snapshot: the run.
            model: the list.
            mode: ``freeze`` or ``follow`` while that mode is on, else "".
        """
        query, marked, is_late = model.query, len(model.marks), model.is_late
        is_same = self._snapshot is not None and (
            self._snapshot.counts == snapshot.counts
            and (self._query, self._marked, self._mode) == (query, marked, mode)
            and self._is_late is is_late
        )
        self._snapshot = snapshot
        self._query = query
        self._marked = marked
        self._mode = mode
        self._is_late = is_late
        if not is_same:
            self.redraw()

    def pressed(self, action: str) -> None:
        """Post the action of the clicked view."""
        self.post_message(ActionPressed(action))

    def body(self, width: int, height: int) -> list[Line]:
        """Return the line; in a narrow terminal the counts are dropped first."""
        del height
        for form in _FORMS:
            left = self._tabs(form)
            right = self._right(width, form)
            if line_width(left) + line_width(right) + 1 <= width:
                break
        return [justify(left, right, width)]

    def _tabs(self, form: _Form) -> Line:
        now, gap = self._snapshot, form.gap
        if self.is_ascii:
            gap = gap.replace("│", "|")
        line: Line = []
        for number, view in enumerate(View, 1):
            total = 0
            if now is not None:
                total = sum(now.counts[state] for state in VIEW_STATES[view])
            action = f"view_{view.value}"
            is_chosen = view is self._query.view
            if view is View.CANCELLED and not total and not is_chosen:
                continue  # most runs have none
            if number > 1:
                line.append(Span(gap, "faint"))
            mark = (">" if self.is_ascii else "▸") if is_chosen else " "
            line.append(Span(f"{mark}{key_of(action)}", "key", action))
            style = "title" if is_chosen else "text" if total else "dim"
            space = " " if gap.strip() else ""
            line.append(Span(space + view.value.capitalize(), style, action))
            if form.counts and (total or form.zeros):
                shade = "failed" if view is View.FAILED and total else "dim"
                size = short_count(total) if form.is_short else count(total)
                line.append(Span(f" {size}", shade, action))
        return line

    def _right(self, width: int, form: _Form) -> Line:
        query = self._query
        order = f"{sort_name(query.sort)} {arrow(query)}".rstrip()
        if self.is_ascii:
            order = to_ascii(order)
        line: Line = []
        if self._mode:
            word = {"freeze": "frozen", "follow": "following"}[self._mode]
            line += [Span(word, "warn", self._mode), Span("  ")]
        if self._marked:
            mark = "*" if self.is_ascii else "●"
            line.append(Span(f"{mark} {count(self._marked)} marked", "key", "escape"))
            line.append(Span("  "))
        if query.text:
            text = sanitize(query.text, 40)
            room = max(8, min(24, width // 5))
            shown = text if len(text) <= room else fit(text, room)
            words = Span("searching ", "warn") if self._is_late else _FILTER
            line += [words, Span(shown, "warn", "filter"), Span("  ")]
        if not form.order:
            return line
        line += [
            Span("sort " if form.sort else "", "dim"),
            Span(order, "key", "sort"),
            Span(" "),
        ]
        return line
