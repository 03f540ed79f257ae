"""Notes on downloads that front ends show and hear about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.events import DownloadNotice

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.core.notices import Notice
    from tui.engine.context import EngineContext


def add_note(context: EngineContext, download: Download, notice: Notice) -> None:
    """Set the note of a download and publish it as an event."""
    download.note = notice
    context.registry.touch(download)
    context.bus.publish(DownloadNotice(download.id, context.clock.wall(), notice))
