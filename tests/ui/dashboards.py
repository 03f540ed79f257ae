"""Opens the dashboard in a test and reads its screen."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from textual.events import Key
from textual.keys import key_to_character

from tests.support.fake_service import FakeService
from tui.config.precedence import DashboardSettings
from tui.core.download import DownloadState
from tui.ui.app import DashboardApp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from textual.pilot import Pilot

    from tui.core.request import DownloadRequest

_S = DownloadState
_LIMIT_S = 120.0
"""For the messages of a screen; Textual's 30 s are short on a busy machine."""


class Dashboard:
    """An open dashboard."""

    def __init__(self, app: DashboardApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot
        self.main = app.main
        self.list = app.main.list

    async def press(self, *keys: str) -> None:
        """Press keys; wait after each until all its messages have been handled.

        Pilot's own waits until the process is idle, 50 ms a key and more; with a key
        for every action that is most of a minute.
        """
        for key in keys:
            self._send(key)
            await self.wait_idle()

    async def burst(self, *keys: str) -> None:
        """Press keys all at once, as they arrive over a slow connection."""
        for key in keys:
            self._send(key)
        await self.wait_idle()

    def _send(self, key: str) -> None:
        # Textual finds no character of its own name for the slash.
        character = "/" if key == "slash" else key_to_character(key)
        event = Key(key, character)
        event.set_sender(self.app)
        self.app._driver.send_message(event)

    async def wait_idle(self) -> None:
        """Wait until all pending messages have been handled."""
        for _ in range(3):
            await self.pilot._wait_for_screen(_LIMIT_S)
        self.app.screen._on_timer_update()

    async def type(self, text: str) -> None:
        names = {"/": "slash", ".": "full_stop", " ": "space", ":": "colon"}
        await self.press(*(names.get(letter, letter) for letter in text))

    async def tick(self) -> None:
        """Let the dashboard poll the engine now."""
        self.main.tick()
        await self.wait_idle()

    def screen(self) -> list[str]:
        """Return the lines on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    def text(self) -> str:
        return "\n".join(self.screen())

    def words(self) -> str:
        """Return the text on the screen without its frames and line breaks."""
        return " ".join(self.text().replace("│", " ").split())

    def message(self) -> str:
        return self.main.messages.message

    def toasts(self) -> list[str]:
        return [note.message for note in self.app._notifications]


@asynccontextmanager
async def dashboard(
    service: FakeService | None = None,
    size: tuple[int, int] = (120, 36),
    *,
    requests: Sequence[DownloadRequest] = (),
    exit_when_done: bool = False,
    keys: dict[str, object] | None = None,
    theme: str = "",
    draws_toasts: bool = False,
) -> AsyncIterator[Dashboard]:
    """Open the dashboard on a fake engine."""
    app = DashboardApp(
        service or some_downloads(),
        requests,
        "list.txt",
        exit_when_done=exit_when_done,
        chosen=DashboardSettings(theme, keys=tuple((keys or {}).items())),
    )
    async with app.run_test(size=size, notifications=draws_toasts) as pilot:
        board = Dashboard(app, pilot)
        await pilot.pause()
        while board.list.model.is_searching:
            await board.wait_idle()  # a long list is not complete yet
        yield board


def some_downloads() -> FakeService:
    """Return an engine with one download in each state that keys treat differently."""
    service = FakeService(concurrency=4)
    service.put("running.bin", _S.DOWNLOADING, size=1000, received=500, speed=100.0)
    service.put("failed.bin", _S.FAILED, size=1000, error="404", error_kind="not_found")
    service.put("paused.bin", _S.PAUSED, size=1000, received=100)
    service.put("queued.bin", _S.QUEUED)
    service.put("done.bin", _S.DONE, size=1000, received=1000)
    return service


RUNNING, FAILED, PAUSED, QUEUED, DONE = range(5)
"""The IDs of these downloads, which are also their rows."""
