"""Window title and progress: correct, at most once a second, cleared at the end."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import some_downloads
from tui.core.download import DownloadState
from tui.ui.terminal.title import (
    CLEAR_PROGRESS,
    CLEAR_TITLE,
    SAVE_TITLE,
    TerminalTitle,
    progress_code,
    supports_progress,
    supports_title,
    title_text,
)

_S = DownloadState


class Written(list):
    """What a ``TerminalTitle`` wrote, with a clock that the test sets."""

    now_s = 0.0

    def title(self, *, has_title=True, has_progress=True) -> TerminalTitle:
        return TerminalTitle(
            self.append,
            has_title=has_title,
            has_progress=has_progress,
            monotonic=lambda: self.now_s,
        )


def running(*, held=False) -> FakeService:
    service = FakeService()
    service.put("a", _S.DOWNLOADING, size=1000, received=500, speed=2_000_000.0)
    service.is_queue_paused = held
    return service


def test_the_title_shows_percent_speed_and_result():
    service = running()
    assert title_text(service.snapshot(), 0.5) == "50% 2.00 MB/s - fetchtui"
    assert title_text(running(held=True).snapshot(), 0.5) == "50% paused - fetchtui"
    service.finish(0)
    assert title_text(service.snapshot(), 1.0) == "done - fetchtui"
    service.put("b", _S.FAILED)
    assert title_text(service.snapshot(), 1.0) == "1 failed - fetchtui"
    assert title_text(FakeService().snapshot(), None) == "fetchtui"


def test_progress_shows_running_failed_paused_unknown_and_none():
    now = running().snapshot()
    assert progress_code(now, 0.384) == "\x1b]9;4;1;38\x1b\\"
    assert progress_code(now, None) == "\x1b]9;4;3;0\x1b\\"
    assert progress_code(some_downloads().snapshot(), 0.5) == "\x1b]9;4;2;50\x1b\\"
    assert progress_code(running(held=True).snapshot(), 0.5) == "\x1b]9;4;4;50\x1b\\"
    assert progress_code(FakeService().snapshot(), None) == ""


def test_it_writes_at_most_once_a_second_and_only_what_changed():
    written = Written()
    title = written.title()
    now = running().snapshot()
    for tick in range(50):
        written.now_s = tick / 10
        title.update(now, 0.5)
    assert len(written) == 2
    title.update(now, 0.6)
    written.now_s = 6.0
    title.update(now, 0.6)
    assert len(written) == 4


def test_progress_is_repeated_for_terminals_that_clear_it():
    written = Written()
    title = written.title(has_title=False)
    now = running().snapshot()
    for second in range(31):
        written.now_s = float(second)
        title.update(now, 0.5)
    assert len(written) == 4


def test_at_the_end_progress_is_cleared_and_the_title_restored():
    written = Written()
    title = written.title()
    assert title.opening == SAVE_TITLE
    assert title.closing == CLEAR_PROGRESS + CLEAR_TITLE
    service = running()
    title.update(service.snapshot(), 0.5)
    service.finish(0)
    written.now_s = 2.0
    title.update(service.snapshot(), 1.0)
    assert written[-1] == CLEAR_PROGRESS


def test_a_terminal_without_support_gets_no_sequences():
    written = Written()
    title = written.title(has_title=False, has_progress=False)
    title.update(running().snapshot(), 0.5)
    assert written == []
    assert title.opening + title.closing == ""


@pytest.mark.parametrize(
    ("environment", "title", "progress"),
    [
        ({"TERM": "xterm-256color"}, True, False),
        ({"TERM": "xterm-256color", "WT_SESSION": "1"}, True, True),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, True, True),
        ({"TERM": "tmux-256color", "TMUX": "x", "WT_SESSION": "1"}, True, False),
        ({"TERM": "screen", "TMUX": "x"}, True, False),
        ({"TERM": "screen", "TERM_PROGRAM": "WezTerm"}, False, False),
        ({"TERM": "linux"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "vt100"}, False, False),
        (
            {
                "TERM": "xterm",
                "TERM_PROGRAM": "iTerm.app",
                "TERM_PROGRAM_VERSION": "3.6.5",
            },
            True,
            False,
        ),
        (
            {
                "TERM": "xterm",
                "TERM_PROGRAM": "iTerm.app",
                "TERM_PROGRAM_VERSION": "3.6.6",
            },
            True,
            True,
        ),
        ({"TERM": "xterm", "KONSOLE_VERSION": "240802"}, True, True),
        ({"TERM": "xterm", "KONSOLE_VERSION": "220400"}, True, False),
        ({}, False, False),
    ],
)
def test_only_supporting_terminals_get_sequences(environment, title, progress):
    assert (supports_title(environment), supports_progress(environment)) == (
        title,
        progress,
    )
