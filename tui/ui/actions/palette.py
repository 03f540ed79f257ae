"""The command palette: every action by name, and a number to set the concurrency."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from textual.await_complete import AwaitComplete
from textual.command import (
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hit,
    Hits,
    Provider,
)
from textual.errors import NoWidget

from tui.core.settings import MAX_CONCURRENCY
from tui.ui.dialogs.dialog import Options, is_on_top
from tui.ui.dialogs.help import find
from tui.ui.keys.keymap import current
from tui.ui.keys.registry import Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.events import Click

_NUMBER = re.compile(r"(?<!\S)\d+(?=\s*$)")


class PaletteHost(Protocol):
    """The application whose actions the palette runs."""

    def perform(self, id: str) -> None:
        """Run an action, or show why it is disabled."""
        ...

    def set_concurrency(self, number: int) -> None:
        """Set the concurrency."""
        ...


class _Commands(CommandList, Options, can_focus=False):
    """The list of the palette, which is cleared while the user types."""


class ActionPalette(CommandPalette):
    """Textual's palette, which may be left twice: by a double click, by two keys."""

    def compose(self) -> ComposeResult:
        """Lay out Textual's widgets with our list."""
        for widget in super().compose():
            yield _Commands() if type(widget) is CommandList else widget

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close, unless that was done already."""
        return super().dismiss(result) if is_on_top(self) else AwaitComplete()

    def _on_click(self, event: Click) -> None:  # type: ignore[override]
        """Close on a click outside; ignore one outside the screen, or a late one."""
        event.prevent_default()  # Textual calls the handler of the base class as well
        if is_on_top(self):
            with suppress(NoWidget):
                super()._on_click(event)


def _once(run: Callable[[], object]) -> Callable[[], None]:
    """Return ``run`` so that it runs once: Enter pressed twice arrives as two calls."""
    is_done = False

    def call() -> None:
        nonlocal is_done
        if not is_done:
            is_done = True
            run()

    return call


class ActionProvider(Provider):
    """Finds actions by title, key, text or synonym; a number sets the concurrency."""

    @property
    def _host(self) -> PaletteHost:
        # Textual types a provider's application as any App; the palette is opened by
        # the dashboard only.
        return cast("PaletteHost", self.app)

    def _run(self, id: str) -> Callable[[], None]:
        return _once(partial(self._host.perform, id))

    async def discover(self) -> Hits:
        """List all actions before anything is typed."""
        for action in current().actions:
            if action.group is not Group.MOVE:
                yield DiscoveryHit(
                    f"{action.title}  ({action.shown_key or 'no key'})",
                    self._run(action.id),
                    text=action.title,
                    help=action.help,
                )

    async def search(self, query: str) -> Hits:
        """Find actions as the help screen does; a number at the end comes first."""
        found = find(current().actions, query) if query.strip() else []
        number = _NUMBER.search(query)
        if number is not None and 1 <= int(number[0]) <= MAX_CONCURRENCY:
            count = int(number[0])
            yield Hit(
                len(found) + 1,
                f"Set concurrency to {count}",
                _once(partial(self._host.set_concurrency, count)),
                help="Number of downloads to run at a time.",
            )
        matcher = self.matcher(query)
        for index, action in enumerate(found):
            # The matcher would highlight scattered letters of other titles.
            has_query = query.casefold() in action.title.casefold()
            yield Hit(
                len(found) - index,
                matcher.highlight(action.title) if has_query else action.title,
                self._run(action.id),
                text=action.title,
                help=f"{action.shown_keys}   {action.help}",
            )
