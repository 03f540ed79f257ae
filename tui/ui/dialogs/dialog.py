"""The base class of all dialogs, a framed box on an opaque background, and its lists.

The background is opaque because Textual would blend every cell of the live list below a
translucent one: three times the cost of a frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.css.query import NoMatches
from textual.events import Click, Key, Mount, Resize
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from textual import events
    from textual.app import ComposeResult
    from textual.message_pump import MessagePump
    from textual.screen import Screen
    from textual.types import CSSPathType
    from textual.worker import Worker

PRINTABLE = "[^\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f]*"
"""Characters accepted in an ``Input``: Textual draws an ESC there unchanged."""

Result = TypeVar("Result")


MOVES: tuple[Binding, ...] = (
    Binding("up", "move(-1)", show=False, priority=True),
    Binding("down", "move(1)", show=False, priority=True),
    Binding("pageup", "move(-10)", show=False, priority=True),
    Binding("pagedown", "move(10)", show=False, priority=True),
)
"""Bindings of a dialog in which the user types to search a list."""

SCROLLS: tuple[Binding, ...] = (
    Binding("j", "scroll(1)", show=False),
    Binding("k", "scroll(-1)", show=False),
    Binding("ctrl+d,space", "scroll(10)", show=False),
    Binding("ctrl+u", "scroll(-10)", show=False),
    Binding("g", "scroll(-10000)", show=False),
    Binding("G", "scroll(10000)", show=False),
)
"""Bindings of a dialog with a text to read; its ``action_scroll`` gets the lines."""


def is_on_top(screen: Screen[Any]) -> bool:
    """Return True if keys and clicks reach this screen."""
    return screen.is_running and screen.app.screen is screen


class Options(OptionList):
    """A list of options that ignores a click or a page key that arrives too late.

    Textual fails on an option that is gone, and on a page key before the list has
    space on the screen (8.2.8).
    """

    async def _on_click(self, event: Click) -> None:
        event.prevent_default()  # Textual calls the handler of the base class as well
        if event.style.meta.get("option", 0) < self.option_count:
            await super()._on_click(event)

    def _move_page(self, direction: Literal[-1, 1]) -> None:
        self._update_lines()
        if self._lines:
            super()._move_page(direction)


_EDITING_KEYS = {
    key: binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding)
    for key in binding.key.split(",")
}


class Field(Input):
    """A line to type in that takes all keys in the order in which they were pressed.

    Textual's own inserts letters at once but runs Backspace, the arrows and Enter only
    after the application has seen them (8.2.8): in a burst of keys, as over a slow
    connection, letters overtake them.

    Keys that follow Enter in a burst are meant for the screen that is shown once Enter
    has had its effect: the one below, if a dialog closes.
    """

    _late: list[Key] | None = None
    """Keys after an Enter that has not had its effect yet; else ``None``."""

    async def _on_key(self, event: Key) -> None:
        action = _EDITING_KEYS.get(event.key)
        if self._late is None and action is None:
            return
        event.stop()
        event.prevent_default()  # Textual calls the base class's handler as well
        if self._late is not None:
            self._late.append(event)
            return
        assert action is not None
        await self.run_action(action)
        if event.key == "enter":
            self._late = []
            # Twice: what handles the message of Enter may post another one.
            self.call_later(self._follow, self, 2)

    def _follow(self, node: MessagePump, rounds: int) -> None:
        """Go where messages of this field go, then pass on the keys after Enter.

        A dialog that closes meanwhile has called ``pass_on``.
        """
        if self._late is None:
            return
        above = None if node is self.screen else node._parent
        if above is None and rounds > 1:
            above, rounds = self, rounds - 1
        if above is None or not above.call_later(self._follow, above, rounds):
            self.pass_on()

    def pass_on(self) -> None:
        """Let the application send the keys after Enter to what has the focus now."""
        late, self._late = self._late, None
        for event in late or ():
            self.app.post_message(Key(event.key, event.character))


class Dialog(ModalScreen[Result]):
    """A box with a title, its keys on the lower edge, and the widgets of a subclass."""

    CSS_PATH: ClassVar[CSSPathType | None] = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", show=False, priority=True),
    ]
    TITLE_TEXT: ClassVar[str] = ""
    KEYS: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of key and word for the lower edge, most important first."""

    def compose(self) -> ComposeResult:
        """Lay out the box; ``compose_box`` fills it."""
        with Vertical(id="box") as box:
            box.border_title = Content(self.title_text())
            yield from self.compose_box()

    def compose_box(self) -> ComposeResult:
        """Yield the widgets inside the box."""
        raise NotImplementedError

    def title_text(self) -> str:
        """Return the title of the box, as plain text."""
        return self.TITLE_TEXT

    async def on_event(self, event: events.Event) -> None:
        """Ignore late events: when the program ends, the widgets go first."""
        is_closing = self.app._exit or not self.app._running
        if not (is_closing and isinstance(event, Mount | Resize)):
            await super().on_event(event)

    def on_mount(self) -> None:
        """Use ASCII if the dashboard does."""
        self.set_class(bool(getattr(self.app, "is_ascii", False)), "-ascii")

    def on_resize(self, event: events.Resize) -> None:
        """Fill a small terminal, and show as many keys as fit."""
        width, height = event.size
        self.set_class(width < 72 or height < 24, "-small")
        self.set_class(height < 14, "-low")
        box = self.query_one("#box")
        words = ""
        for key, word in self.KEYS:
            more = f"{words}  {key} {word}" if words else f"{key} {word}"
            if len(more) > min(width, 84) - 8:
                break
            words = more
        box.border_subtitle = Content(words) if words else None

    @property
    def is_whole(self) -> bool:
        """Whether the widgets are there: when the program ends, they go first."""
        app = self.app
        return app._running and not app._exit and self in app.screen_stack

    def start(
        self,
        work: Callable[[], Coroutine[Any, Any, object]],
        group: str,
        *,
        is_exclusive: bool = False,
    ) -> None:
        """Run a coroutine until it is done or the dialog is closed.

        Args:
            work: makes the coroutine.
            group: group of workers.
            is_exclusive: cancel what else runs in the group.
        """

        async def run() -> None:
            try:
                await work()
            except NoMatches:
                if self.is_whole:
                    raise

        # mypy infers the type of the result from here.
        _: Worker[None] = self.run_worker(run, group=group, exclusive=is_exclusive)

    def action_close(self) -> None:
        """Close without a result."""
        self.dismiss(None)

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Close with a result; ignored unless this is the screen on top.

        Two keys or clicks can arrive together, and both mean this dialog. Textual would
        close the screen below as well, or fail if that is the main screen (8.2.8).
        """
        if not is_on_top(self):
            return AwaitComplete()
        # Else they could still run, and look for widgets that are gone.
        self.workers.cancel_node(self)
        closing = super().dismiss(result)
        for field in self.query(Field):
            field.pass_on()
        return closing
