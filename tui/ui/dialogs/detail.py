"""The details of one download on the full screen, updated while open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content

from tui.core.text.sanitize import sanitize
from tui.ui.dialogs.dialog import SCROLLS, Dialog
from tui.ui.keys.keymap import current
from tui.ui.panes.detail_lines import sheet_lines
from tui.ui.panes.pane import Line, Pane
from tui.ui.style.format import middle_ellipsis

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult
    from textual.types import CSSPathType

    from tui.core.snapshot import DetailSnapshot

_REFRESH_S = 0.25


class DetailSheet(Pane):
    """All details without a frame, as high as its content; to be scrolled."""

    DEFAULT_CSS = "DetailSheet { height: auto; }"
    has_frame = False

    def __init__(self, **options: Any) -> None:
        """Create an empty pane."""
        super().__init__(**options)
        self._detail: DetailSnapshot | None = None

    def show(self, detail: DetailSnapshot) -> None:
        """Draw a download and fit the height to its lines."""
        self._detail = detail
        height = len(sheet_lines(detail, self.size.width or 80, self.is_ascii))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.redraw()

    def on_resize(self) -> None:
        """Recompute the height: it depends on how lines wrap."""
        if self._detail is not None:
            self.show(self._detail)

    def body(self, width: int, height: int) -> list[Line]:
        """Return all lines."""
        del height
        if self._detail is None:
            return []
        return sheet_lines(self._detail, width, self.is_ascii)


class DetailScreen(Dialog[None]):
    """Ranges with their speeds, attempts, the response, mirrors and paths."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "detail.tcss"]
    KEYS = (("esc", "close"), ("up/down", "scroll"))
    CHANGES = ("connections_more", "connections_fewer", "limit_row")
    """Actions that also work here, with the same keys as in the dashboard."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q", "close", show=False),
        *SCROLLS,
    ]

    def __init__(
        self,
        read: Callable[[], DetailSnapshot],
        change: Callable[[str], None] | None = None,
    ) -> None:
        """Create the dialog.

        Args:
            read: returns a fresh snapshot; called four times a second.
            change: performs one of ``CHANGES``, given its id, on this download.
        """
        super().__init__()
        self._read = read
        self._change = change
        for id in self.CHANGES:
            for key in current().by_id[id].keys:
                self._bindings.bind(key, f"change('{id}')", show=False)

    def compose_box(self) -> ComposeResult:
        """Lay out a sheet that scrolls."""
        with VerticalScroll():
            yield DetailSheet()

    def on_mount(self) -> None:
        """Start updating."""
        self.query_one(VerticalScroll).focus()
        self.set_interval(_REFRESH_S, self.update)

    def on_resize(self, event: events.Resize) -> None:
        """Redraw for the new width."""
        del event
        self.call_after_refresh(self.update)

    def update(self) -> None:
        """Read the download and redraw it."""
        if not self.is_whole:
            return
        detail = self._read()
        box = self.query_one("#box")
        room = max(8, box.size.width - 6)
        title = Content(middle_ellipsis(sanitize(detail.row.name), room))
        if box.border_title != title.markup:
            box.border_title = title
        self.query_one(DetailSheet).show(detail)

    def action_change(self, id: str) -> None:
        """Change the download's connections or its rate limit."""
        if self._change is not None:
            self._change(id)
            self.update()

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
