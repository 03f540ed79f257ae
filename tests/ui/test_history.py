"""The screen of sessions and finished downloads."""

from __future__ import annotations

import time

import pytest

from tests.ui.dashboards import dashboard
from tui.core.listing.history import FinishedDownload, History, SessionSummary
from tui.ui.history.lines import Order, find_finished, finished_line, session_line
from tui.ui.history.screen import HistoryScreen
from tui.ui.style.format import cells

NOW = time.mktime((2026, 11, 29, 12, 0, 0, 0, 0, -1))
HOUR = 3600.0


def finished(name: str, *, age_h: float = 1, size: int = 10, speed: float = 5.0):
    path, url = f"/data/{name}", f"https://example.org/{name}"
    return FinishedDownload("1", 7, name, path, url, size, NOW - age_h * HOUR, speed)


SESSIONS = (
    SessionSummary("3", "new.txt", NOW, "/data", is_current=True),
    SessionSummary("2", "\x1b[31mmirror.txt", NOW - HOUR, "/data", 1_990, 2, 8, 10**9),
    SessionSummary("1", "", NOW - 900 * 24 * HOUR, "", problem="open in another\nx"),
)
FINISHED = (
    finished("b.iso", age_h=1, size=5_000_000, speed=1e6),
    finished("a.iso", age_h=2, size=9_000_000, speed=2e6),
    finished("c.pdf", age_h=3, size=1_000, speed=0.0),
)


class FakeHistory:
    """Saved sessions in memory."""

    def __init__(self) -> None:
        self.saved = History(SESSIONS, FINISHED)
        self.opened = ""

    async def load(self) -> History:
        return self.saved

    async def forget(self, ids) -> int:
        kept = tuple(one for one in self.saved.sessions if one.id not in ids)
        gone = len(self.saved.sessions) - len(kept)
        self.saved = self.saved._replace(sessions=kept)
        return gone

    async def forget_finished(self, downloads) -> int:
        kept = tuple(one for one in self.saved.finished if one not in downloads)
        self.saved = self.saved._replace(finished=kept)
        return len(downloads)

    def open_next(self, id: str) -> None:
        self.opened = id


@pytest.mark.parametrize("width", [36, 56, 76, 110, 196])
def test_lines_fit_and_show_no_control_codes(width):
    for row in SESSIONS:
        text = "".join(span.text for span in session_line(row, width, NOW))
        assert cells(text) == width
        assert text.isprintable()
    for download in (*FINISHED, finished("x" * 300)):
        text = "".join(span.text for span in finished_line(download, width, NOW))
        assert cells(text) == width


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (Order.TIME, "bac"),
        (Order.SIZE, "abc"),
        (Order.SPEED, "abc"),
        (Order.NAME, "abc"),
    ],
)
def test_finished_downloads_are_searched_and_sorted(order, names):
    assert "".join(row.name[0] for row in find_finished(FINISHED, "", order)) == names
    found = find_finished(FINISHED, "ISO example", order)
    assert {row.name for row in found} == {"a.iso", "b.iso"}


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
async def test_a_session_is_opened_after_a_question_while_downloads_run(size):
    async with dashboard(size=size) as board:
        history = board.app.history = FakeHistory()
        await board.press("ctrl+r")
        assert isinstance(board.app.screen, HistoryScreen)
        assert "new.txt (this session)" in board.text()
        await board.press("enter")
        assert "open already" in board.text()
        await board.type("mirr")
        await board.press("enter")
        await board.pilot.pause()
        assert "1 running downloads stop now" in board.text()
        await board.press("y")
        assert history.opened == "2"
        assert board.app.is_switching


async def test_finished_downloads_and_sessions_are_cleared(monkeypatch):
    async with dashboard() as board:
        history = board.app.history = FakeHistory()
        await board.press("ctrl+r", "tab", "ctrl+t")
        assert "by size" in board.text()
        await board.press("delete", "y")
        assert [row.name for row in history.saved.finished] == ["b.iso", "c.pdf"]
        assert "Cleared" in board.text()
        await board.press("tab", "delete")
        assert "cannot be cleared" in board.text()
        await board.press("down", "delete", "n")
        assert len(history.saved.sessions) == 3
        await board.press("delete", "y")
        assert [one.id for one in history.saved.sessions] == ["3", "1"]


async def test_a_finished_download_opens_its_folder(monkeypatch):
    opened = []

    async def open_path(path: str) -> str:
        opened.append(path)
        return "this is a session over ssh"

    monkeypatch.setattr("tui.ui.actions.rows.open_path", open_path)
    async with dashboard() as board:
        board.app.history = FakeHistory()
        await board.press("ctrl+r", "tab", "enter")
        await board.wait_idle()
        assert opened == ["/data"]
        assert "Cannot open it: this is a session over ssh; copied /data" in (
            board.message()
        )


async def test_a_dashboard_without_sessions_says_so():
    async with dashboard() as board:
        await board.press("ctrl+r")
        assert "no sessions of its own" in board.message()
