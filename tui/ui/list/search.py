"""Finding what a filter asks for among very many, beside keys and frames."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from tui.ui.list.widget import DownloadList

_PAUSE_S = 0.004
"""Between two slices: a key takes several turns of the loop to show."""


class Searched(Message):
    """A search that a key asked for takes long, or is over."""


class Search:
    """Works on the search of a list's model until it is over."""

    def __init__(self, list: DownloadList) -> None:
        """Take the list that searches."""
        self._list = list

    def go_on(self) -> None:
        """Work in slices from now on; ends the work on an earlier search."""
        self._list.run_worker(self._work(), group="search", exclusive=True)

    async def _work(self) -> None:
        model = self._list.model
        is_told = False
        while model.is_searching:
            await asyncio.sleep(_PAUSE_S)
            is_over = self._list.take_found()
            if model.is_asked and (is_over or (model.is_late and not is_told)):
                is_told = True
                self._list.post_message(Searched())
