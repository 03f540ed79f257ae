"""Prompt on the terminal for passwords that no setting provides."""

from __future__ import annotations

import asyncio
import os
import pty
import sys

import pytest

from tests.support.command import fetchtui, finish
from tui.cli.load_settings import prompt_for_passwords
from tui.core.settings import HostRule, Login, Settings
from tui.demo.server import Pattern, ResponseScript


async def typed(word: str, *arguments: str, cwd) -> tuple[int, str]:
    """Run the command on its own pseudo-terminal; type ``word`` at the prompt."""
    leader, follower = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _OWN_TERMINAL, *arguments),
        cwd=cwd,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    loop = asyncio.get_running_loop()
    seen = b""
    while True:
        try:
            chunk = await loop.run_in_executor(None, os.read, leader, 4096)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
        if b"Password for" in chunk:
            os.write(leader, word.encode() + b"\n")
    async with asyncio.timeout(20):
        status = await process.wait()
    os.close(leader)
    return status, seen.decode()


_OWN_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from tui.cli.main import main
main(prog_name="fetchtui")
"""


async def test_password_prompt_does_not_echo(server, tmp_path):
    url = server.add("/a.bin", ResponseScript(Pattern(5000)))
    status, seen = await typed(
        "open sesame",
        *("--headless", "-q", "--auth", "basic", "-u", "me", url),
        cwd=tmp_path,
    )
    assert status == 0
    assert "Password for me: " in seen
    assert "sesame" not in seen
    (request,) = server.requests
    assert request.headers["authorization"] == "Basic bWU6b3BlbiBzZXNhbWU="


async def test_without_a_terminal_the_error_names_the_option(server, tmp_path):
    url = server.add("/a.bin", ResponseScript(Pattern(5000)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui", "--headless", "-u", "me", url),
        cwd=tmp_path,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    ended = await finish(process)
    assert ended.status == 2
    assert "cannot prompt for the password of me" in ended.err
    assert "--password-from" in ended.err
    assert server.requests == []


async def test_password_from_the_environment_needs_no_terminal(server, tmp_path):
    url = server.add("/a.bin", ResponseScript(Pattern(5000)))
    ended = await fetchtui(
        *("-q", "-u", "me", "--password-from", "env:PASS", "--auth", "basic", url),
        cwd=tmp_path,
        env={"PASS": "open sesame"},
    )
    assert (ended.status, ended.err) == (0, "")
    (request,) = server.requests
    assert request.headers["authorization"] == "Basic bWU6b3BlbiBzZXNhbWU="


def test_host_password_is_prompted_for_only_if_the_host_is_used(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr("os.open", lambda *_: os.dup(0))
    monkeypatch.setattr("getpass.getpass", lambda p: asked.append(p) or "word")
    rules = tuple(
        HostRule(pattern, login=Login("me", "ask"))
        for pattern in ("*.{example}.org", "other.test", "a.test:8080", "b.test:443")
    )
    urls = ["https://x@DL.{example}.org/a", "http://a.test:8080/b", "-", "list.txt"]
    urls.append("https://b.test/")
    settings = prompt_for_passwords(Settings(hosts=rules), urls)
    assert asked == [
        "Password for me at *.{example}.org: ",
        "Password for me at a.test:8080: ",
        "Password for me at b.test:443: ",
    ]
    secrets = [rule.login.secret for rule in settings.hosts if rule.login]
    assert secrets == ["text:word", "ask", "text:word", "text:word"]


@pytest.mark.parametrize("secret", ["env:X", "netrc", "file:/x"])
def test_known_passwords_are_not_prompted_for(secret):
    settings = Settings(login=Login("me", secret), proxy_login=Login("me", secret))
    assert prompt_for_passwords(settings, ()) == settings
