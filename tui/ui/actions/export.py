"""Saving downloads as a list that fetchtui and other programs can read."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.download import UNFINISHED, DownloadState
from tui.core.listing.query import DownloadQuery, View
from tui.core.service import ServiceLost
from tui.core.text.sanitize import sanitize
from tui.messages import loss_text
from tui.ui.actions.batch_runner import finish
from tui.ui.style.format import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.download import DownloadId
    from tui.sources.writers import ListFormat
    from tui.ui.actions.context import ActionContext
    from tui.ui.dialogs.save import SaveChoice

_SLICE = 200
"""Downloads read per turn of the loop: 4 ms."""


class ListExport:
    """Writes lists and remembers the path of the last one."""

    def __init__(self, context: ActionContext) -> None:
        """Export downloads of the context's service and list."""
        self._context = context
        self._service = context.service
        self.path: Path | None = None
        """The list that was written last."""

    async def save_failed(self) -> None:
        """Write failed downloads, grouped by cause, to a new file."""
        try:
            await self._save_failed()
        except ServiceLost as error:
            self._report_loss(error)

    async def _save_failed(self) -> None:
        from tui.sources.writers import ListFormat

        groups = await finish(self._service.by_cause_iter(DownloadQuery(View.FAILED)))
        ids = [id for group in groups for id in group.ids]
        title = f"{count(len(ids))} failed downloads"
        text = await self._text(ids, ListFormat.ARIA2, title)
        stem = time.strftime("failed-%Y%m%d-%H%M%S")
        paths = [f"{stem}.txt", *(f"{stem}-{number}.txt" for number in range(2, 100))]
        await self._write(paths, text, len(ids))

    def ask(self) -> None:
        """Ask which downloads to save, in which format and where."""
        from tui.ui.dialogs.save import SaveScreen

        service, model = self._service, self._context.list.model
        groups: dict[str, Sequence[DownloadId]] = {
            "All": service.in_states(frozenset(DownloadState)),
            "Listed now": list(model.listed),
            "Marked": list(model.marks.ids),
            "Unfinished": service.in_states(UNFINISHED),
            "Failed": service.in_states((DownloadState.FAILED,)),
        }

        def save(choice: SaveChoice | None) -> None:
            if choice is not None:

                async def work() -> None:
                    await self._save_as(groups[choice.group], choice)

                self._context.run_in_background(work, group="export")

        counts = {name: len(ids) for name, ids in groups.items()}
        self._context.ask(SaveScreen(counts), save)

    async def _save_as(self, ids: Sequence[DownloadId], choice: SaveChoice) -> None:
        try:
            await self._save_now(ids, choice)
        except ServiceLost as error:
            self._report_loss(error)

    def _report_loss(self, error: ServiceLost) -> None:
        text = loss_text(error, "the list was not saved")
        self._context.notify(text, severity="error")

    async def _save_now(self, ids: Sequence[DownloadId], choice: SaveChoice) -> None:
        text = await self._text(ids, choice.format, f"{count(len(ids))} downloads")
        await self._write([choice.path], text, len(ids))

    async def _text(
        self, ids: Sequence[DownloadId], format: ListFormat, title: str
    ) -> str:
        from tui.sources.writers import entry_of_detail, write_list

        stamp = time.strftime("%Y-%m-%d %H:%M")
        entries = []
        for start in range(0, len(ids), _SLICE):
            details = await self._service.fetch_details(ids[start : start + _SLICE])
            entries += [entry_of_detail(detail) for detail in details]
            await asyncio.sleep(0)
        title = f"{title}, {stamp}; a list for fetchtui"
        return await asyncio.to_thread(
            lambda: "".join(write_list(entries, format, title))
        )

    async def _write(self, paths: Sequence[str], text: str, number: int) -> None:
        try:
            if self._context.is_remote:
                folder = Path.cwd()
            else:
                folder = Path(self._service.snapshot().output_dir)
            self.path = await asyncio.to_thread(_write_new, folder, paths, text)
        except OSError as error:
            reason = sanitize(error.strerror or type(error).__name__)
            self._context.notify(f"Could not save the list: {reason}", severity="error")
        else:
            self._context.notify(f"Saved {count(number)} as {sanitize(str(self.path))}")


def _write_new(folder: Path, names: Sequence[str], text: str) -> Path:
    """Write a new file that only its owner can read; never replace an existing one."""
    from tui.disk.state.replace import creating

    for name in names:
        path = folder / os.path.expanduser(name)
        with suppress(FileExistsError):
            with creating(path) as file:
                file.write(text)
            return path
    raise FileExistsError(None, "a file with that name already exists", str(folder))
