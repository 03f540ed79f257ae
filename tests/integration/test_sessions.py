"""The real dashboard on a pty: killed in the middle, and restored."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import sys
from contextlib import asynccontextmanager, suppress

import pytest

from tests.support.until import until
from tests.ui.latency import Terminal
from tui.demo.server import Pattern, ResponseScript

COUNT = 6
QUICK = 2
SIZE = 2_000_000
_ESCAPE = re.compile(r"\x1b\[[0-9;:?<>=]*[a-zA-Z]")


@pytest.fixture
def bodies(server):
    """Two quick files, and others that take long, so that a kill hits their middle."""
    made = {f"f{number}.bin": Pattern(SIZE, seed=number) for number in range(COUNT)}
    for number, (name, body) in enumerate(made.items()):
        rate = None if number < QUICK else SIZE / 60
        server.add(f"/{name}", ResponseScript(body, rate=rate, etag=f'"{name}"'))
    return made


def seen_on(terminal):
    """All that was written to the terminal so far, without its escape sequences."""
    return _ESCAPE.sub("", terminal.text)


@asynccontextmanager
async def dashboard(tmp_path, *arguments, state="state"):
    environment = {
        **os.environ,
        "FETCHTUI_STATE_DIR": str(tmp_path / state),
        "COLORTERM": "truecolor",
    }
    command = [sys.executable, "-m", "tui", *map(str, arguments)]
    terminal = Terminal(command, environment)
    # What it writes must be read, or it waits: all the time, in a thread.
    reading = asyncio.create_task(asyncio.to_thread(terminal.drain, 40))
    try:
        yield terminal
    finally:
        if terminal.process.poll() is None:
            terminal.process.kill()
        terminal.process.wait(30)
        await reading
        os.close(terminal.master)


async def ended(terminal, timeout_s=50.0):
    await until(lambda: terminal.process.poll() is not None, timeout_s)
    return terminal.process.returncode


def digest(data):
    return hashlib.sha256(data).hexdigest()


def whole(folder, bodies):
    return {
        name
        for name, body in bodies.items()
        if (folder / name).exists()
        and digest((folder / name).read_bytes()) == digest(body.read())
    }


def recorded(folder):
    """Part files of which something is known to be on disk."""
    found = []
    for path in folder.glob("*.part.json"):
        with suppress(FileNotFoundError):  # its file may be whole by now
            found.append(json.loads(path.read_bytes()))
    return [record for record in found if record["fetchtui"]["ranges"]]


async def killed_in_the_middle(tmp_path, server, bodies, *arguments):
    """Run a list until something is done and something half done, then SIGKILL."""
    wanted = tmp_path / "list.txt"
    wanted.write_text("".join(f"{server.url(f'/{name}')}\n" for name in bodies))
    out = tmp_path / "out"
    command = (wanted, "-o", out, "-c", "2", "-s", "1", *arguments)
    quick = [out / name for name in list(bodies)[:QUICK]]
    async with dashboard(tmp_path, *command) as terminal:
        await until(lambda: all(path.exists() for path in quick))
        await until(lambda: len(recorded(out)) == 2)
        terminal.process.kill()
        assert await ended(terminal) == -9
    return out


async def test_after_a_kill_fetchtui_alone_finishes_everything(
    tmp_path, server, bodies
):
    out = await killed_in_the_middle(tmp_path, server, bodies)
    done = whole(out, bodies)
    parts = {path.name.removesuffix(".part") for path in out.glob("*.part")}
    assert done
    assert parts
    seen = len(server.requests)
    async with dashboard(tmp_path, "--exit-when-done") as terminal:
        # Until then, no download can end, and the run with it.
        await until(lambda: "Restored session" in seen_on(terminal))
        for script in server.scripts.values():
            script.rate = None
        assert await ended(terminal) == 0
    assert whole(out, bodies) == set(bodies)
    assert {path.name for path in out.iterdir()} == set(bodies)
    again = server.requests[seen:]
    assert {request.path[1:] for request in again} == set(bodies) - done
    continued = [r for r in again if r.range is not None and r.path[1:] in parts]
    assert continued, "nothing went on from its part file"
    # What was running comes first.
    assert {request.path[1:] for request in again[: len(parts)]} == parts


async def test_a_finished_session_is_shown_without_requests(tmp_path, server, bodies):
    for script in server.scripts.values():
        script.rate = None
    urls = [server.url(f"/{name}") for name in bodies]
    out = tmp_path / "out"
    async with dashboard(tmp_path, *urls, "-o", out, "--exit-when-done") as terminal:
        assert await ended(terminal) == 0
    (out / "f0.bin").unlink()
    seen = len(server.requests)
    async with dashboard(tmp_path) as terminal:
        await until(lambda: f": {COUNT} done" in seen_on(terminal))
        terminal.press("q")
        assert await ended(terminal) == 0
    assert len(server.requests) == seen
    assert not (out / "f0.bin").exists()


async def test_the_demo_and_runs_without_a_dashboard_leave_no_session(tmp_path):
    async with dashboard(tmp_path, "--demo") as terminal:
        await until(lambda: "missing.html" in seen_on(terminal))
        terminal.press("\x03")
        terminal.press("\x03")
        await ended(terminal)
    assert not (tmp_path / "state").exists()


async def test_two_dashboards_keep_a_session_each(tmp_path, server, bodies):
    first_url, second_url = (server.url(f"/{name}") for name in list(bodies)[:2])

    def sessions():
        return list(tmp_path.glob("state/sessions/*.session"))

    one = dashboard(tmp_path, first_url, "-o", tmp_path / "one")
    two = dashboard(tmp_path, second_url, "-o", tmp_path / "two")
    async with one as first, two as second:
        await until(lambda: len(sessions()) == 2)
        # A third one without anything to do finds both taken and breaks neither.
        async with dashboard(tmp_path) as third:
            await until(lambda: "open in another window" in seen_on(third))
            third.press("q")
            assert await ended(third) == 0
        for terminal, folder in ((first, "one"), (second, "two")):
            await until(lambda f=folder: whole(tmp_path / f, bodies))
            terminal.press("\x03")
            terminal.press("\x03")
            await ended(terminal)
    assert len(sessions()) == 2
    assert len(whole(tmp_path / "one", bodies) | whole(tmp_path / "two", bodies)) == 2


def journaled(sessions, words):
    """Whether a running dashboard has written something down."""
    return any(words in path.read_bytes() for path in sessions.glob("*.session-wal"))


async def test_no_password_is_stored_and_a_missing_one_is_reported(
    tmp_path, server, bodies
):
    url = server.url("/f5.bin").replace("://", "://me:hunter2@")
    out = tmp_path / "out"
    async with dashboard(tmp_path, url, "-o", out) as terminal:
        sessions = tmp_path / "state" / "sessions"
        await until(lambda: journaled(sessions, b"/f5.bin"))
        terminal.process.kill()
        await ended(terminal)
    for path in tmp_path.glob("state/sessions/*"):
        assert b"hunter2" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    async with dashboard(tmp_path) as terminal:
        await until(lambda: "needs its login again" in seen_on(terminal))
        terminal.press("q")
        assert await ended(terminal) == 1
