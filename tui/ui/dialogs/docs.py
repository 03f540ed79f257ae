"""The user guide, one topic at a time."""

from __future__ import annotations

import asyncio
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text
from rich.theme import Theme as RichTheme
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.docs import TOPICS, read_topic
from tui.ui.dialogs.dialog import SCROLLS, Dialog, Options

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.theme import Theme
    from textual.types import CSSPathType

_NAMES = tuple(TOPICS)


class GuideScreen(Dialog[None]):
    """Topics on the left, the text of one on the right."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "docs.tcss"]
    TITLE_TEXT = "Guide"
    KEYS = (("left/right", "topic"), ("up/down", "scroll"), ("esc", "close"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "close", show=False),
        Binding("left,shift+tab", "topic(-1)", show=False, priority=True),
        Binding("right,tab", "topic(1)", show=False, priority=True),
        *SCROLLS,
    ]

    def __init__(self, topic: str = _NAMES[0]) -> None:
        """Open ``topic`` first."""
        super().__init__()
        self._first = _NAMES.index(topic)

    def compose_box(self) -> ComposeResult:
        """Lay out the list of topics and the text."""
        with Horizontal():
            topics = Options(*(Option(Content(name)) for name in _NAMES))
            topics.can_focus = False
            yield topics
            with VerticalScroll():
                yield Static(id="topic")

    def on_mount(self) -> None:
        """Open the first topic."""
        self.query_one(OptionList).highlighted = self._first
        self.query_one(VerticalScroll).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Wrap the text for the new width."""
        del event
        self.call_after_refresh(self.show_topic)

    @on(OptionList.OptionHighlighted)
    def open_topic(self, event: OptionList.OptionHighlighted) -> None:
        """Show the topic from its beginning."""
        event.stop()
        self.query_one(VerticalScroll).scroll_home(animate=False)
        self.show_topic()

    def show_topic(self) -> None:
        """Draw the highlighted topic for the current width and theme.

        In a thread: the longest one takes 0.1 s, and downloads share the event loop.
        """
        if not self.is_whole:
            return
        width = self.query_one(VerticalScroll).scrollable_content_region.width
        name = _NAMES[self.query_one(OptionList).highlighted or 0]
        if width:
            work = partial(self._draw, name, width)
            self.start(work, "topic", is_exclusive=True)

    async def _draw(self, name: str, width: int) -> None:
        theme = self.app.current_theme
        text = await asyncio.to_thread(_draw_topic, name, width, theme)
        self.query_one("#topic", Static).update(text)

    def action_topic(self, step: int) -> None:
        """Go to the next or previous topic."""
        topics = self.query_one(OptionList)
        topics.highlighted = ((topics.highlighted or 0) + step) % len(_NAMES)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def _draw_topic(name: str, width: int, theme: Theme) -> Text:
    return draw(read_topic(name), width, theme)


def draw(text: str, width: int, theme: Theme) -> Text:
    """Return Markdown as styled text in the colors of a theme."""
    muted = "dim"
    styles = {
        "markdown.h1": f"bold {theme.primary}",
        "markdown.h2": f"bold {theme.primary}",
        "markdown.h3": "bold",
        "markdown.code": theme.accent or theme.primary,
        "markdown.item.bullet": theme.primary,
        "markdown.table.header": "bold",
        "markdown.table.border": muted,
    }
    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=True,
        color_system="truecolor",
        theme=RichTheme(styles),
    )
    code_theme = "ansi_dark" if theme.dark else "ansi_light"
    markdown = Markdown(text, code_theme=code_theme, hyperlinks=False)
    drawn = Text()
    for segment in console.render(markdown):
        if not segment.control:
            drawn.append(segment.text, segment.style)
    drawn.rstrip()
    return drawn
