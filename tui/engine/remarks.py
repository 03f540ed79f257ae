"""What others have to say about a download or the run: noted, and told as a fact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.events import RunNotice

if TYPE_CHECKING:
    from tui.core.download import DownloadId
    from tui.core.notices import Notice
    from tui.engine.context import EngineContext


class Remarks:
    """The part of the engine that passes words on."""

    def __init__(self, context: EngineContext) -> None:
        """Take the run's tools."""
        self._context = context

    def annotate(self, id: DownloadId, notice: Notice, *, is_news: bool = True) -> None:
        """Note on a download what became of it after its end."""
        download = self._context.registry.downloads[id]
        if is_news:
            self._context.notice(download, notice)
        elif download.note != notice:
            download.note = notice
            self._context.registry.touch(download)

    def tell(self, notice: Notice) -> None:
        """Tell something about the run that a person should know."""
        self._context.bus.publish(RunNotice(self._context.clock.wall(), notice))
