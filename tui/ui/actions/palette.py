"""The command palette: every action of the registry, and numbers typed straight in."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.core.settings import MAX_CONCURRENCY
from tui.ui.keys.keymap import current
from tui.ui.keys.registry import Group

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = re.compile(r"\d+")


class ActionProvider(Provider):
    """Finds actions by name; a number sets how many downloads run at once."""

    @property
    def _run(self) -> Callable[[str], None]:
        run: Callable[[str], None] = self.app.run_named  # type: ignore[attr-defined]
        return run

    async def discover(self) -> Hits:
        """List all actions before anything is typed."""
        for action in current().actions:
            if action.group is not Group.MOVE:
                yield DiscoveryHit(
                    f"{action.title}  ({action.shown_key or 'no key'})",
                    partial(self._run, action.id),
                    text=action.title,
                    help=action.help,
                )

    async def search(self, query: str) -> Hits:
        """Match names and explanations."""
        number = _NUMBER.search(query)
        if number is not None and 1 <= int(number[0]) <= MAX_CONCURRENCY:
            count = int(number[0])
            yield Hit(
                2.0,
                f"Set downloads at once to {count}",
                partial(self.app.set_concurrency, count),  # type: ignore[attr-defined]
                help="How many downloads run at the same time, from now on.",
            )
        matcher = self.matcher(query)
        for action in current().actions:
            score = matcher.match(action.title)
            shown = matcher.highlight(action.title)
            if score <= 0:
                # Explanations are searched as well, but names come first.
                score = matcher.match(action.help) / 2
            if score > 0:
                yield Hit(
                    score,
                    shown,
                    partial(self._run, action.id),
                    text=action.title,
                    help=f"{action.shown_keys}   {action.help}",
                )
