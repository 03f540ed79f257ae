"""ASCII mode: no part draws a byte above 0x7f, and widths stay the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from rich.cells import cell_len

from tests.ui.dashboards import dashboard
from tests.ui.sample_state import sample_events, sample_service
from tui.core.download import DownloadState
from tui.ui.style.ascii import to_ascii
from tui.ui.terminal.charset import wants_ascii

_SCREENS = {
    "list": (),
    "failed": ("5",),
    "filter": ("slash", "s"),
    "help": ("question_mark",),
    "palette": ("ctrl+p",),
    "add": ("a",),
    "details": ("enter",),
    "theme": ("T",),
    "number": ("c",),
    "quit": ("q",),
    "question": ("X",),
    "log": ("L",),
    "zoomed disk": ("d", "d", "z"),
    "marks": ("space", "space"),
}


@pytest.mark.parametrize("keys", _SCREENS.values(), ids=_SCREENS)
@pytest.mark.parametrize("size", [(120, 36), (60, 15)], ids=str)
async def test_every_screen_is_drawn_in_ascii(keys, size):
    service = sample_service()
    service.put("日本語-🎉-é-\u202ertl", DownloadState.FAILED, error="nicht gefunden…")
    async with dashboard(service, size=size) as board:
        board.app.is_ascii = True
        sample_events(service)
        board.main.tick()
        await board.press(*keys)
        await board.pilot.pause()
        lines = board.screen()
        drawn = "".join(lines)
        assert drawn.isascii(), {char for char in drawn if not char.isascii()}
        assert {cell_len(line) for line in lines} == {size[0]}


async def test_it_can_be_switched_while_it_runs():
    async with dashboard(sample_service()) as board:
        assert "━" in board.text()
        board.app.is_ascii = True
        await board.pilot.pause()
        assert board.text().isascii()
        board.app.is_ascii = False
        await board.pilot.pause()
        assert "━" in board.text()


@pytest.mark.parametrize(("key", "order"), [("z", "size v"), ("n", "name ^")])
async def test_the_order_has_an_arrow(key, order):
    async with dashboard(sample_service(), size=(120, 36)) as board:
        board.app.is_ascii = True
        await board.press("s", key)
        heads = board.screen()[2:4]
        assert heads[0].rstrip().endswith(order)
        assert order.capitalize() in heads[1]
        assert "|" not in board.screen()[4][:1], "the cursor is no spinner"


@pytest.mark.parametrize("text", ["日本", "é", "e\u0301", "a…", "╭─╮", "🎉", "x"])
def test_a_form_in_ascii_takes_as_many_cells(text):
    assert to_ascii(text).isascii()
    assert cell_len(to_ascii(text)) == cell_len(text)


@pytest.mark.parametrize(
    ("variables", "is_ascii"),
    [
        ("LC_ALL=C", True),
        ("LANG=C", True),
        ("LANG=POSIX", True),
        ("LANG=xx_XX.ISO-8859-1", True),
        ("LC_ALL=C LANG=C.UTF-8", True),
        ("LANG=", False),
        ("LANG=xx_XX.UTF-8", False),
        ("LC_CTYPE=C.UTF-8 LANG=C", False),
    ],
)
def test_the_locale_can_ask_for_it(variables, is_ascii):
    chosen = dict(pair.split("=") for pair in variables.split())
    names = ("LANG", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "PYTHONCOERCECLOCALE")
    others = {name: text for name, text in os.environ.items() if name not in names}
    code = "from tui.ui.terminal.charset import wants_ascii; print(wants_ascii())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**others, **chosen, "TERM": "xterm"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == f"{is_ascii}\n"


def test_the_environment_can_ask_for_it(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FETCHTUI_ASCII", "1")
    assert wants_ascii()
    monkeypatch.setenv("FETCHTUI_ASCII", "0")
    monkeypatch.setattr("locale.getpreferredencoding", lambda do_setlocale: "UTF-8")
    assert not wants_ascii()
    monkeypatch.setenv("TERM", "linux")
    assert wants_ascii()
