"""Saving downloads as a list that fetchtui and others take back."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.listing.query import DownloadQuery, View
from tui.core.text.plain_text import plain
from tui.sources.writers import ListFormat, entry_of_detail, write_list
from tui.ui.dialogs.save import SaveChoice, SaveScreen
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.download import DownloadId
    from tui.ui.main_screen import MainScreen

_SLICE = 200
"""Downloads looked at in one turn of the loop: 4 ms."""


class FailedExport:
    """Writes lists and remembers where the last one is."""

    def __init__(self, screen: MainScreen) -> None:
        """Take the screen whose run it is."""
        self._screen = screen
        self.path: Path | None = None
        """The list that was written last."""

    async def save(self) -> None:
        """Write what failed, by cause, to a new file in the output directory."""
        ids = self._failed()
        text = await self._text(ids, ListFormat.ARIA2, f"{count(len(ids))} that failed")
        stem = time.strftime("failed-%Y%m%d-%H%M%S")
        paths = [f"{stem}.txt", *(f"{stem}-{number}.txt" for number in range(2, 100))]
        await self._write(paths, text, len(ids))

    def ask(self) -> None:
        """Ask which downloads to save, how and where."""
        service, model = self._screen.service, self._screen.list.model
        groups: dict[str, Sequence[DownloadId]] = {
            "All": service.select(DownloadQuery()),
            "Listed now": list(model.ids),
            "Marked": list(model.marks.ids),
            "Not finished": service.select(DownloadQuery(text="is:unfinished")),
            "Failed": self._failed(),
        }

        def save(choice: SaveChoice | None) -> None:
            if choice is not None:
                work = self._save_as(groups[choice.group], choice)
                self._screen.run_worker(work, group="export")

        counts = {name: len(ids) for name, ids in groups.items()}
        self._screen.app.push_screen(SaveScreen(counts), save)

    async def _save_as(self, ids: Sequence[DownloadId], choice: SaveChoice) -> None:
        text = await self._text(ids, choice.format, f"{count(len(ids))} downloads")
        await self._write([choice.path], text, len(ids))

    def _failed(self) -> list[DownloadId]:
        return [
            id
            for cause in self._screen.service.by_cause(DownloadQuery(View.FAILED))
            if cause.kind
            for id in cause.ids
        ]

    async def _text(
        self, ids: Sequence[DownloadId], format: ListFormat, title: str
    ) -> str:
        stamp = time.strftime("%Y-%m-%d %H:%M")
        entries = []
        for start in range(0, len(ids), _SLICE):
            entries += [
                entry_of_detail(self._screen.service.detail(id))
                for id in ids[start : start + _SLICE]
            ]
            await asyncio.sleep(0)
        title = f"{title}, {stamp}; fetchtui takes this list"
        return await asyncio.to_thread(
            lambda: "".join(write_list(entries, format, title))
        )

    async def _write(self, paths: Sequence[str], text: str, number: int) -> None:
        screen = self._screen
        folder = Path(screen.bridge.snapshot.output_dir)
        try:
            self.path = await asyncio.to_thread(_write_new, folder, paths, text)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            screen.tell(f"No list was saved: {plain(reason)}", severity="error")
        else:
            screen.tell(f"Saved {count(number)} as {plain(str(self.path))}")


def _write_new(folder: Path, names: Sequence[str], text: str) -> Path:
    """Write a file of our own, never over another; for its owner's eyes."""
    for name in names:
        path = folder / os.path.expanduser(name)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        # As it is: a table has line ends of its own.
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return path
    raise FileExistsError(None, "there is a file of that name", str(folder))
