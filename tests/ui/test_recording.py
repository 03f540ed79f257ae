"""The recording in the repository: small, playable, and nothing in it meddles."""

from __future__ import annotations

import io
import json
import re
import sys
from xml.etree import ElementTree

from tests.ui.animation import PICTURE, animate, picture
from tests.ui.grid import Grid, styled
from tests.ui.recording import HEIGHT, RECORDING, SCRIPT, WIDTH, load, play, tidied

_ALLOWED = re.compile(r"\x1b\[[\d;]*[Hm]")


def test_it_is_an_asciicast_and_small():
    head = json.loads(RECORDING.read_text("utf-8").splitlines()[0])
    assert (head["version"], head["width"], head["height"]) == (2, WIDTH, HEIGHT)
    assert RECORDING.stat().st_size < 500_000


def test_it_only_draws_and_never_asks_the_terminal_anything():
    (_, opening), *events = load(RECORDING)
    assert opening == "\x1b[?1049h\x1b[?25l\x1b[2J"
    for _, text in events:
        assert "\x1b" not in _ALLOWED.sub("", text)


def test_it_shows_what_it_promises_from_the_first_frame_to_the_end():
    grid = Grid(WIDTH, HEIGHT)
    seen = ""
    for _, text in load(RECORDING):
        grid.feed(text)
        seen += "\n".join(grid.lines)
    for words in ("field-notes-4k.mp4", "404 not found", "Undid", "INLINE", "Keys"):
        assert words in seen
    at = [at for at, _ in load(RECORDING)]
    assert at == sorted(at)
    assert at[-1] > 0.8 * sum(wait for wait, _ in SCRIPT)


def test_what_is_left_out_changes_no_picture():
    events = load(RECORDING)
    one, two = Grid(WIDTH, HEIGHT), Grid(WIDTH, HEIGHT)
    for _, text in events:
        one.feed(text)
    for _, text in tidied(events):
        two.feed(text)
    assert one.lines == two.lines
    assert one.styles == two.styles


def test_playing_writes_all_of_it_and_gives_the_terminal_back(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    play([(0.0, "a"), (0.5, "b")], 1e9)
    assert out.getvalue() == "ab\x1b[0m\x1b[?25h\x1b[?1049l"


def test_a_grid_draws_wide_characters_moves_and_styles():
    grid = Grid(10, 3)
    grid.feed("\x1b[2;3H\x1b[1;38;5;9m日x\x1b[0m.\r\nend")
    assert grid.lines == [" " * 10, "  日x.    ", "end" + " " * 7]
    assert grid.styles[1][2] == "38;5;9;1"
    assert grid.changes().count("\x1b[2;3H") == 1
    assert grid.changes() == ""


def test_styles_add_up_and_are_taken_back():
    style = styled(("", "", ""), "1;38;2;1;2;3;48;5;7")
    assert style == ("48;5;7", "38;2;1;2;3", "1")
    assert styled(style, "39;49") == ("", "", "1")
    assert styled(style, "") == ("", "", "")


def test_the_animated_picture_is_made_from_the_recording():
    text = PICTURE.read_text("utf-8")
    assert text == picture(load(RECORDING)), "run: python -m tests.ui.animation"
    ElementTree.fromstring(text)
    assert len(text) < 700_000


def test_a_line_is_visible_only_between_its_times():
    assert animate([0.0, 10.0], 10.0) == ""
    assert 'values="inline;none" keyTimes="0;0.5"' in animate([0.0, 5.0], 10.0)
    assert 'values="none;inline" keyTimes="0;0.5"' in animate([5.0, 10.0], 10.0)
    assert 'values="none;inline;none" keyTimes="0;0.2;0.4"' in animate([2.0, 4.0], 10.0)
