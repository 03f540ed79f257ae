"""Saving what failed as a list that fetchtui takes back."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.query import DownloadQuery, View
from tui.sources.failed_list import list_entry
from tui.ui.format import count

if TYPE_CHECKING:
    from tui.core.download import DownloadId
    from tui.ui.screens.main import MainScreen

_SLICE = 200
"""Downloads looked at in one turn of the loop: 4 ms."""


class FailedExport:
    """Writes the list and remembers where it is."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen whose run it is."""
        self._screen = screen
        self.path: Path | None = None
        """The list that was written last."""

    async def save(self) -> None:
        """Write what failed, by cause, to a new file in the output directory."""
        screen = self._screen
        ids = [
            id
            for cause in screen.service.by_cause(DownloadQuery(View.FAILED))
            if cause.kind
            for id in cause.ids
        ]
        text = await self._text(ids)
        folder = Path(screen.bridge.snapshot.output_dir)
        try:
            self.path = await asyncio.to_thread(_write_new, folder, text)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            screen.tell(f"No list was saved: {reason}", severity="error")
        else:
            screen.tell(f"Saved {count(len(ids))} as {self.path}")

    async def _text(self, ids: list[DownloadId]) -> str:
        stamp = time.strftime("%Y-%m-%d %H:%M")
        parts = [
            f"# {count(len(ids))} that failed, {stamp}; fetchtui takes this list\n"
        ]
        for start in range(0, len(ids), _SLICE):
            parts += [
                list_entry(self._screen.service.detail(id))
                for id in ids[start : start + _SLICE]
            ]
            await asyncio.sleep(0)
        return "\n".join(parts)


def _write_new(folder: Path, text: str) -> Path:
    """Write a file of our own, never over another; for its owner's eyes."""
    stem = time.strftime("failed-%Y%m%d-%H%M%S")
    for number in range(1, 100):
        path = folder / (f"{stem}.txt" if number == 1 else f"{stem}-{number}.txt")
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return path
    raise FileExistsError(None, "too many lists of this second", str(folder))
