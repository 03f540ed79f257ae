"""A dashboard whose downloads continue in the background when it ends."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
import termios
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.support.command import fetchtui
from tests.support.fake_service import FakeService
from tests.support.until import until
from tui.background.address import Lock, address_of, running
from tui.cli.background.hand_over import continue_in_background, free_name
from tui.cli.main import _notify_background
from tui.cli.options import CommandLine
from tui.core.rules.exit_status import INTERRUPTED
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.disk.state.sessions import Sessions
from tui.messages import notice_text

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 50.0


class Terminal:
    """A dashboard on a terminal whose output is kept as bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.output = b""
        self._master = -1

    async def open(self, *arguments: str) -> asyncio.subprocess.Process:
        self._master, slave = os.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", *arguments),
            cwd=self._folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        return process

    def _read(self) -> None:
        try:
            self.output += os.read(self._master, 65536)
        except OSError:
            asyncio.get_running_loop().remove_reader(self._master)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)


@pytest.fixture
def kill_main():
    yield
    record = running(address_of("main"))
    if record is not None and record.pid:
        with suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGKILL)


@pytest.mark.usefixtures("kill_main")
async def test_a_dashboard_hands_its_downloads_over(server, tmp_path):
    secret = "Bearer hunter2hunter2"
    body = Pattern(3_000_000, 1)

    def answer(request):
        is_known = request.headers.get("authorization") == secret
        return None if is_known else ResponseScript(status=401)

    # So slow that they cannot end before the key is pressed.
    for number in range(2):
        script = ResponseScript(body, etag='"1"', rate=60_000, answer=answer)
        server.add(f"/{number}.bin", script)
    path = tmp_path / "list.txt"
    lines = [f"{server.url(f'/{number}.bin')}\n" for number in range(2)]
    path.write_text(
        "".join(f"{line}  header=Authorization: {secret}\n" for line in lines)
    )
    terminal = Terminal(tmp_path)
    process = await terminal.open("-s", "1", "-c", "2", str(path))
    await until(
        lambda: (
            b"0.bin" in terminal.output
            and sum(r.bytes_sent for r in server.requests) > 60_000
        ),
        TIMEOUT_S,
    )
    for number in range(2):
        script = ResponseScript(body, etag='"1"', answer=answer)
        server.add(f"/{number}.bin", script)
    # The first frame comes before the downloads are added; the key waits for them.
    terminal.press("Q")
    assert await asyncio.wait_for(process.wait(), TIMEOUT_S) == 0
    terminal.close()
    assert b"Running in the background as 'main'" in terminal.output
    ended = await fetchtui("wait", cwd=tmp_path)
    assert (ended.status, ended.out) == (0, "2 done\n")
    for number in range(2):
        content = (tmp_path / f"{number}.bin").read_bytes()
        assert hashlib.sha256(content).hexdigest() == body.sha256()
    # What was on its way when the dashboard ended is at most a socket buffer each.
    sent = sum(request.bytes_sent for request in server.requests)
    assert sent < 2 * body.size + 2 * 600_000
    assert (await fetchtui("stop", cwd=tmp_path)).status == 0
    # It was moved: a dashboard does not continue the same session a second time.
    assert Sessions().last().journal is None


def test_ctrl_c_while_the_process_starts_leaves_the_session_to_plain_fetchtui(
    monkeypatch, capsys
):
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def interrupt(_order):
        assert not path.exists(), "it was moved"
        raise KeyboardInterrupt

    monkeypatch.setattr("tui.cli.background.start.start_process", interrupt)
    journal = Sessions().begin()
    path = journal.path
    journal.close()
    session = SimpleNamespace(journal_path=path, settings=Settings(), carried=())
    assert continue_in_background(session) == INTERRUPTED
    assert "fetchtui continues them" in capsys.readouterr().err
    assert path.exists()


def test_unfinished_downloads_of_a_name_are_left_alone():
    assert free_name() == "main"
    folder = address_of("main").folder
    journal = Sessions(folder).begin()
    journal.close()
    assert free_name() == "main"
    (folder / "sessions" / "20260101-000000-1.session").write_bytes(b"garbage" * 100)
    assert free_name() == "main-2"


def test_plain_fetchtui_names_what_runs_in_the_background():
    service = FakeService()
    heard = service.subscribe()
    _notify_background(CommandLine(), service)
    assert heard.drain() == []
    lock = Lock(address_of("work"))
    lock.acquire()
    _notify_background(CommandLine(sources=("list.txt",)), service)
    assert heard.drain() == []
    _notify_background(CommandLine(), service)
    (event,) = heard.drain()
    text = notice_text(event.notice)
    assert (
        text == "The background process work is running; fetchtui attach work shows it"
    )
    lock.release()
