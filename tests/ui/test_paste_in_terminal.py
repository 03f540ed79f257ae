"""Pastes through a real terminal: they press no key and block nothing."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from tests.ui.test_paste import ATTACKS
from tui.ui.terminal.paste import END, START


def send(program, text: str) -> None:
    """Write all of a text while reading what the program draws."""
    data = text.encode()
    os.set_blocking(program.master, False)
    kept = ""
    while data:
        _, writable, _ = select.select([], [program.master], [], 0.05)
        if writable:
            data = data[os.write(program.master, data[:4096]) :]
        program.drain(0)
        if select.select([program.master], [], [], 0)[0]:
            program.drain(0.01)
            kept += program.text
    os.set_blocking(program.master, True)
    program.text = kept


def opens_help(program) -> bool:
    """Leave what is open, and open the help.

    A dialog may open after the key that should leave it: then once more.
    """
    for _ in range(10):
        program.press("\x1b")
        program.drain(0.5)
        program.press("?")
        if program.wait_for(program.pattern("type to search"), 3) is not None:
            return True
    return False


# Every key of these would show: help, settings, palette, the question before quitting.
SCREENS = (
    "type to search",
    "search settings",
    "Action, or a",
    "Save progress and quit",
)


@pytest.mark.parametrize("name", ["ESC and a comma", "an end mark", "control keys"])
def test_pasted_keys_do_nothing_on_the_main_screen(program, name):
    program.drain(0.5)
    program.text = ""
    send(program, START + ATTACKS[name] + "\x1b?\x1b,\x1b[Aq" + END)
    text = program.text
    if "Add downloads" not in text:
        assert program.wait_for(program.pattern("Add downloads"), 30) is not None
        text += program.text
    program.drain(0.5)
    text += program.text
    assert not [screen for screen in SCREENS if screen in text]
    assert program.process.poll() is None


@pytest.mark.parametrize("opening", ["/", "?", ",", ":", "a", "b"])
def test_pasted_keys_do_nothing_in_an_input(program, opening):
    """The filter, help, settings, palette, add dialog and a prompt."""
    program.drain(0.5)
    program.press(opening)
    program.drain(1)
    send(program, f"{START}zebra\x1b\x1bq\x03\x03\x1b[201~\x03\x03{END}")
    program.drain(1)
    assert program.process.poll() is None
    program.press("\x7f")
    program.drain(0.5)
    assert program.process.poll() is None


@pytest.mark.parametrize(
    "content",
    ["\0\x1b" * 2_500_000, "\n".join(["a" * 65_000] * 10), "\x1b[31m" * 80_000],
    ids=["controls", "long lines", "colors"],
)
def test_a_huge_paste_does_not_freeze_the_dashboard(program, content):
    program.drain(1.5)  # opening the dashboard is not what is measured
    send(program, START + content + END)
    program.drain(1)
    program.press("\x1b\x1b")
    program.drain(0.5)
    assert opens_help(program)
    assert program.loop_gaps()[1] < 2.0


def test_keys_work_while_five_megabytes_of_urls_are_read(program):
    """Escape stops reading, or closes the dialog if all was read by then."""
    program.drain(1.5)
    # Short ones, which take the longest: progress is shown only after half a second.
    urls = "\n".join(f"http://h/{number:06}" for number in range(300_000))
    send(program, START + urls + END)
    is_reading_or_done = re.compile("entries so far; esc stops|300,000 to add")
    assert program.wait_for(is_reading_or_done, 30) is not None
    program.press("\x1b")
    program.drain(0.5)
    assert opens_help(program)
    assert program.loop_gaps()[1] < 0.5


@pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")
def test_pasted_keys_do_nothing_through_tmux(tmp_path):
    socket = str(tmp_path / "tmux")

    def tmux(*words: str, text: str = "") -> str:
        command = ["tmux", "-f", "/dev/null", "-S", socket, *words]
        return subprocess.run(
            command, input=text, capture_output=True, text=True, check=True
        ).stdout

    run = f"{sys.executable} -m tests.ui.fake_run {tmp_path / 'gap'}"
    tmux("new-session", "-d", "-x", "120", "-y", "36", run)
    try:
        deadline = time.monotonic() + 30
        while "ubuntu" not in tmux("capture-pane", "-p"):
            assert time.monotonic() < deadline
        attack = "https://a.example/x\x1b,hooks\x1b[201~?\x1b,\x03\x03"
        tmux("load-buffer", "-", text=attack)
        # Without -S, newer versions of tmux make control characters visible.
        has_raw = "-dprS" in tmux("list-commands", "paste-buffer")
        tmux("paste-buffer", "-pS" if has_raw else "-p")
        deadline = time.monotonic() + 20
        while "x,hooks" not in (screen := tmux("capture-pane", "-p")):
            assert not [name for name in SCREENS if name in screen]
            assert time.monotonic() < deadline
    finally:
        tmux("kill-server")
