"""Whole screens match their snapshots: dark, light, ASCII, NO_COLOR, all sizes."""

from __future__ import annotations

import re

import pytest

from tests.ui.snapshot import SHOTS, SNAPSHOTS, dump
from tui.core.download import DownloadState
from tui.ui.style.format import appearance_of


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")  # so that it is put back afterwards


@pytest.mark.parametrize("name", SHOTS)
async def test_the_screen_is_as_it_was(name):
    """If it is meant to differ: ``python -m tests.ui.snapshot``, and look at it."""
    kept = (SNAPSHOTS / f"{name}.txt").read_text("utf-8")
    assert await dump(SHOTS[name]) == kept


def test_no_file_is_left_over():
    assert {path.stem for path in SNAPSHOTS.iterdir()} == set(SHOTS)


def test_no_color_draws_gray_and_states_stay_distinguishable():
    text = (SNAPSHOTS / "no-colour-80x24.txt").read_text("utf-8")
    legend = text.rpartition("\n\n")[2]
    for line in legend.splitlines():
        for red, green, blue in re.findall(r"#(\w\w)(\w\w)(\w\w)", line):
            assert red == green == blue, line
    looks = [appearance_of(state) for state in DownloadState]
    assert len({shown.glyph for shown in looks}) == len(looks)
    assert len({shown.ascii_glyph for shown in looks}) == len(looks)
    assert len({shown.word for shown in looks}) == len(looks)


def test_in_ascii_there_is_nothing_else():
    text = (SNAPSHOTS / "ascii-80x24.txt").read_text("utf-8")
    assert text.isascii()
