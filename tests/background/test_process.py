"""Real background processes: start, kill, continue, stop."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_password_prompt import typed
from tests.support.command import Ended, fetchtui, start
from tests.support.until import until
from tui.background.address import Lock, address_of, names, running
from tui.background.client import connect
from tui.background.protocol import PROTOCOL, Hello
from tui.cli.background.process import _BackgroundProcess
from tui.cli.background.start import StartOrder
from tui.core.errors import ErrorKind, LocalError
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.disk.state.journal import Journal
from tui.disk.state.sessions import Sessions
from tui.engine.session.session import continued_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tui.demo.server import ScriptedServer

TIMEOUT_S = 50.0


class Background:
    """Runs commands beside background processes, in one directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __call__(self, *arguments: str, stdin: bytes = b"") -> Ended:
        return await fetchtui(*arguments, cwd=self.folder, stdin=stdin)

    @property
    def pid(self) -> int:
        record = running(address_of("main"))
        assert record is not None
        return record.pid

    async def kill(self) -> None:
        """Kill the process as a power failure would."""
        os.kill(self.pid, signal.SIGKILL)
        await until(lambda: running(address_of("main")) is None, TIMEOUT_S)


@pytest.fixture
async def command(tmp_path) -> AsyncIterator[Background]:
    yield Background(tmp_path)
    for name in names():
        record = running(address_of(name))
        if record is not None and record.pid:
            with suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)


def _slow(server: ScriptedServer, count: int, size: int = 400_000) -> list[Pattern]:
    """Serve files that take some seconds for their first half, and never end."""
    bodies = [Pattern(size, number) for number in range(count)]
    for number, body in enumerate(bodies):
        script = ResponseScript(
            body, etag=f'"{number}"', rate=100_000, stall_after=size // 2
        )
        server.add(f"/{number}.bin", script)
    return bodies


def _list(server: ScriptedServer, folder: Path, count: int, extra: str = "") -> str:
    path = folder / "list.txt"
    lines = [f"{server.url(f'/{number}.bin')}\n{extra}" for number in range(count)]
    path.write_text("".join(lines))
    return str(path)


def _has_saved_bytes(folder: Path) -> bool:
    """Return True if a resume record has bytes that a kill cannot take."""
    return any('"ranges": [[0' in p.read_text() for p in folder.glob("*.part.json"))


async def test_downloads_outlive_the_terminal(server, command, tmp_path):
    server.add("/0.bin", ResponseScript(body := b"x" * 1000))
    result = await command("-b", server.url("/0.bin"))
    assert result.status == 0, result.err
    pid = command.pid
    assert f"'main' (pid {pid}): 1 download, saved to {tmp_path}." in result.out
    assert os.getsid(pid) == pid  # no terminal can reach it
    os.kill(pid, signal.SIGHUP)
    assert (await command("wait")).status == 0
    assert (command.folder / "0.bin").read_bytes() == body
    result = await command("ls", "--json")
    assert [row["state"] for row in result.objects] == ["done"]
    result = await command("-b", server.url("/0.bin"))
    assert result.status == 2
    assert f"'main' is already running (pid {pid}, since " in result.err
    assert "fetchtui attach shows it" in result.err
    result = await command("stop")
    assert result.status == 0, result.err
    assert not address_of("main").socket.exists()
    log = address_of("main").log.read_text()
    assert "done 0.bin (1,000 bytes)" in log


async def test_a_killed_process_continues_from_its_journal(server, command):
    bodies = _slow(server, 3)
    path = _list(server, command.folder, 3)
    assert (await command("-b", path)).status == 0
    await until(lambda: _has_saved_bytes(command.folder), TIMEOUT_S)
    await command.kill()
    assert address_of("main").socket.exists()  # stale: its process cannot remove it
    result = await command("ls")
    assert result.status == 3
    assert "no background process 'main' is running" in result.err
    for number, body in enumerate(bodies):
        server.add(f"/{number}.bin", ResponseScript(body, etag=f'"{number}"'))
    result = await command("-b", path)  # the same list adds nothing twice
    assert "Restored session" in result.out
    assert "): 3 downloads, saved to " in result.out
    assert (await command("wait")).status == 0
    for number, body in enumerate(bodies):
        content = (command.folder / f"{number}.bin").read_bytes()
        assert hashlib.sha256(content).hexdigest() == body.sha256()
    assert len((await command("ls", "--json")).objects) == 3
    assert any(r.range and r.range[0] for r in server.requests)  # parts were kept


def _command_line(pid: int) -> str:
    path = Path(f"/proc/{pid}/cmdline")
    return path.read_text() if path.exists() else ""  # only Linux has it


async def test_secrets_are_needed_again_but_stored_nowhere(server, command):
    secret = "hunter2hunter2"

    def answer(request):
        is_known = secret in request.headers.get("authorization", "")
        return None if is_known else ResponseScript(status=401)

    server.add("/0.bin", ResponseScript(b"x" * 9, latency_s=30.0, answer=answer))
    path = _list(server, command.folder, 1, f"  header=Authorization: {secret}\n")
    assert (await command("-b", path)).status == 0
    await until(lambda: server.requests, TIMEOUT_S)
    assert secret not in _command_line(command.pid)
    stored = [
        p.read_bytes() for p in address_of("main").folder.rglob("*") if p.is_file()
    ]
    assert stored
    assert not any(secret.encode() in content for content in stored)
    await command.kill()
    server.add("/0.bin", ResponseScript(b"x" * 9, answer=answer))
    assert (await command("-b")).status == 0
    result = await command("wait")
    assert result.status == 1  # it needs its header again
    assert (await command("stop")).status == 0
    assert "): 1 download, saved to " in (await command("-b", path)).out
    assert (await command("wait")).status == 0


async def test_another_directory_is_refused_while_downloads_are_left(server, command):
    _slow(server, 1)
    path = _list(server, command.folder, 1)
    await command("-b", path)
    await command("stop")
    result = await command("-b", path, "-o", str(command.folder / "other"))
    assert result.status == 2
    assert f"1 unfinished download in {command.folder}" in result.err
    assert running(address_of("main")) is None


async def test_a_session_that_cannot_be_saved_is_reported_and_downloads(
    server, command
):
    server.add("/0.bin", ResponseScript(b"x" * 1000))
    folder = address_of("main").folder
    folder.mkdir(parents=True)
    (folder / "sessions").write_text("a file where the journal's folder should be")
    result = await command("-b", server.url("/0.bin"))
    assert result.status == 0, result.err
    assert "this session is not being saved" in result.out
    assert (await command("wait")).status == 0
    assert "this session is not being saved" in (await command("ls")).out
    assert (command.folder / "0.bin").exists()
    added = await command("add", server.url("/1.bin"))
    assert "this session is not being saved" in added.err
    stopped = await command("stop")
    assert stopped.status == 1
    assert "the session could not be saved" in stopped.err


async def test_it_ends_by_itself_if_asked_to(server, command):
    server.add("/0.bin", ResponseScript(b"x" * 1000))
    result = await command("-b", "--exit-when-done", server.url("/0.bin"))
    assert result.status == 0
    await until(lambda: running(address_of("main")) is None, TIMEOUT_S)
    assert (command.folder / "0.bin").exists()


async def test_what_prevents_the_start_is_reported_at_once(server, command):
    (command.folder / "file").write_text("")
    result = await command("-b", "-o", "file", server.url("/0.bin"))
    assert result.status == 2
    assert "it or one of its parents is a file" in result.err
    assert running(address_of("main")) is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-b", "--demo"), "--detach cannot be combined with --demo"),
        (("-b", "--json"), "--detach cannot be combined with --json"),
        (("-b", "-n"), "--detach cannot be combined with a dry run"),
        (("--name", "x"), "--name needs --detach"),
        (("-b", "--name", "../x"), "cannot name a background process"),
    ],
)
def test_options_without_a_background_are_refused(arguments, text):
    from click.testing import CliRunner

    from tui.cli.main import main

    result = CliRunner().invoke(main, [*arguments, "https://example.org/"])
    assert result.exit_code == 2
    assert text in result.output


async def test_a_module_in_the_directory_is_not_imported(server, command):
    (command.folder / "json.py").write_text("raise SystemExit('imported')")
    server.add("/0.bin", ResponseScript(b"x" * 10))
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("fetchtui"),
        "-b",
        server.url("/0.bin"),
        cwd=command.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out
    (command.folder / "json.py").unlink()  # the test's own commands import from there
    assert (await command("stop")).status == 0


async def test_the_bridge_is_the_socket_over_two_pipes(server, command):
    await command("-b")
    async with await connect(address_of("main")) as direct:
        hello = await direct.greet("test")
    process = await start("bridge", cwd=command.folder)
    assert process.stdin is not None
    assert process.stdout is not None
    request = {"jsonrpc": "2.0", "id": 1, "method": "hello"}
    request["params"] = {"protocol": PROTOCOL}
    process.stdin.write(json.dumps(request).encode() + b"\n")
    answer = json.loads(await process.stdout.readline())
    assert answer["result"] == hello._asdict()
    process.stdin.close()
    assert await process.wait() == 0
    await command("stop")
    assert (await command("bridge")).status == 3


async def test_the_service_runs_in_the_foreground(server, command):
    server.add("/0.bin", ResponseScript(b"x" * 1000))
    process = await start("service", "run", cwd=command.folder)
    async with asyncio.timeout(TIMEOUT_S):
        while (result := await command("add", server.url("/0.bin"))).status == 3:
            pass
    assert result.out == "Added 1 download (id 0).\n"
    assert command.pid == process.pid
    assert (await command("wait", "0")).status == 0
    process.terminate()
    assert await process.wait() == 0
    again = await command("service", "status")
    assert again.status == 3
    assert "'main' is not running" in again.out


async def test_a_full_disk_under_the_journal_costs_no_download(
    server, tmp_path, monkeypatch
):
    """In this process, so that only its journal sees a full disk."""

    def refuse(*_):
        raise LocalError(ErrorKind.DISK_FULL, "no space left on the disk")

    real = Journal.write
    monkeypatch.setattr(Journal, "write", refuse)
    monkeypatch.setattr("tui.engine.session.journal_writer.INTERVAL_S", 0.05)
    server.add("/0.bin", ResponseScript(b"x" * 1000))
    url = server.url("/0.bin")
    settings = Settings(output_dir=tmp_path / "out", proxy="direct")
    order = StartOrder("main", settings, requests=(DownloadRequest((url,)),))
    address = address_of("main")
    lock = Lock(address)
    assert lock.acquire()
    hello = Hello(PROTOCOL, "0", os.getpid(), 0.0, "main")
    lock.write(hello)
    session = continued_session(settings, (), address.folder, "", order.requests)
    process = _BackgroundProcess(order, address, hello, session, settings)
    reports = []
    running_process = asyncio.create_task(process.run(reports.append))
    await until(lambda: reports, TIMEOUT_S)
    assert reports[0].unsaved == "no space left on the disk"
    async with await connect(address) as connection:
        await connection.greet("test")
        assert (await connection.request("wait"))["counts"]["done"] == 1
        status = await connection.request("status")
        assert status["unsaved"] == "no space left on the disk"
        monkeypatch.setattr(Journal, "write", real)
        while (await connection.request("status"))["unsaved"]:
            pass
        await connection.request("stop")
    assert await running_process == 0
    lock.release()
    last = Sessions(address.folder).last()
    assert last.journal is not None
    assert last.journal.count() == 1
    last.journal.close()


async def test_a_password_is_asked_for_before_the_terminal_is_left(server, command):
    digest = base64.b64encode(b"me:open sesame").decode()

    def answer(request):
        is_known = request.headers.get("authorization") == f"Basic {digest}"
        return None if is_known else ResponseScript(status=401)

    server.add("/0.bin", ResponseScript(b"x" * 1000, answer=answer))
    status, seen = await typed(
        "open sesame",
        *("-b", "--auth", "basic", "-u", "me", server.url("/0.bin")),
        cwd=command.folder,
    )
    assert status == 0, seen
    assert "Running in the background" in seen
    assert "open sesame" not in seen
    assert (await command("wait")).status == 0
