"""The final notification: on the desktop if there is one, else in the terminal."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tui.core.request import DownloadRequest
from tui.postprocess.notification import (
    desktop_command,
    notify,
    terminal_sequence,
    words,
)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A PATH with a notify-send that records its arguments."""
    program = tmp_path / "notify-send"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/shown\nexit $FAILS\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("FAILS", "0")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    return tmp_path


async def test_desktop_program_shows_the_notification(programs, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    sent: list[str] = []
    await notify("3 done", sent.append)
    shown = (programs / "shown").read_text().splitlines()
    assert shown == ["--app-name", "fetchtui", "--", "fetchtui", "3 done"]
    assert sent == []


async def test_failing_desktop_program_falls_back_to_the_terminal(
    programs, monkeypatch
):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("FAILS", "1")
    sent: list[str] = []
    await notify("3 done", sent.append)
    assert len(sent) == 1
    await notify("3 done", None)


def test_ssh_uses_the_terminal(programs):
    assert desktop_command("x", {"DISPLAY": ":0", "SSH_CONNECTION": "1"}) is None
    assert desktop_command("x", {}) is None


@pytest.mark.parametrize(
    ("environment", "sent"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, "\x1b]9;fetchtui: x\x1b\\"),
        ({"KITTY_WINDOW_ID": "1"}, "\x1b]9;fetchtui: x\x1b\\"),
        ({"TERM": "foot-extra"}, "\x1b]777;notify;fetchtui;x\x1b\\"),
        ({"VTE_VERSION": "7000"}, "\x1b]777;notify;fetchtui;x\x1b\\"),
        ({"TERM": "xterm-256color"}, "\a"),
        ({"VTE_VERSION": "7000", "TMUX": "x"}, "\a"),
        ({}, "\a"),
    ],
)
def test_terminal_gets_a_sequence_it_supports(environment, sent):
    assert terminal_sequence("x", environment) == sent


def test_notification_text_has_only_counts():
    service = FakeService()
    service.add([DownloadRequest(("http://h/evil\x1b]name",))])
    service.fail(0)
    assert words(service.snapshot()).startswith("0 done, 1 failed: ")
