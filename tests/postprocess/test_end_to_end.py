"""Post-processing in the real command: exit statuses, messages, no leftovers."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.crash.test_interrupts import Terminal
from tests.postprocess.archives import large_tar, tar_of, zip_of
from tests.support.command import fetchtui, finish, start
from tests.support.until import until
from tui.demo.script import ResponseScript

MARK = "FETCHTUI_TEST_OF"


def left_over(mark: Path) -> list[str]:
    """Return the processes of this test that still run."""
    found = []
    wanted = f"{MARK}={mark}".encode()
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            if wanted in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                found.append(Path(f"/proc/{name}/cmdline").read_text())
    return found


@pytest.fixture
async def mark(tmp_path):
    yield {MARK: str(tmp_path)}
    # What was killed takes a moment to be gone.
    await until(lambda: not left_over(tmp_path))


async def test_failing_hook_exits_with_1(server, tmp_path, mark):
    server.add("/a", ResponseScript(b"aaa"))
    server.add("/b", ResponseScript(b"bbb"))
    ended = await fetchtui(
        *("-o", "out", "--on-done", "sh -c 'test $FETCHTUI_NAME = a || exit 5'"),
        *(server.url("/a"), server.url("/b")),
        cwd=tmp_path,
        env=mark,
    )
    assert ended.status == 1
    assert "2 done" in ended.err
    assert "note    b: hook 'sh' exited with status 5\n" in ended.err
    assert "post-processing: 1 hook failed\n  b: hook 'sh' exited" in ended.err
    assert sorted(os.listdir(tmp_path / "out")) == ["a", "b"]


async def test_successful_hooks_change_neither_status_nor_json(server, tmp_path, mark):
    server.add("/a.zip", ResponseScript(zip_of([("x", b"1")])))
    server.add("/evil.tar", ResponseScript(tar_of([("../x", b"1")])))
    options = ("--json", "--unpack", "--on-all-done", f"touch {tmp_path}/ran")
    url = server.url("/a.zip")
    ended = await fetchtui(*options, url, cwd=tmp_path, env=mark)
    assert (ended.status, ended.err) == (0, "")
    assert (tmp_path / "a/x").read_text() == "1"
    assert (tmp_path / "ran").exists()
    ended = await fetchtui(
        *options, url, server.url("/evil.tar"), cwd=tmp_path, env=mark
    )
    assert ended.status == 1
    assert "1 archive not unpacked" in ended.err
    assert {line["event"] for line in ended.objects} == {
        *("queued", "started", "done", "summary")
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_unpacking_leaves_nothing_behind(
    server, tmp_path, mark, number
):
    server.add("/large.tar.gz", ResponseScript(large_tar()))
    out = tmp_path / "out"
    process = await start(
        *("-o", str(out), "--unpack", server.url("/large.tar.gz")),
        cwd=tmp_path,
        env=mark,
    )
    await until(
        lambda: out.exists() and any("unpacking" in name for name in os.listdir(out)),
        20,
    )
    assert any("spawn_main" in line for line in left_over(tmp_path))
    process.send_signal(number)
    ended = await finish(process)
    assert ended.status == 130
    assert "1 archive unfinished" in ended.err
    assert "Traceback" not in ended.err
    assert os.listdir(out) == ["large.tar.gz"]


@pytest.mark.alone
async def test_second_interrupt_does_not_wait_for_a_stuck_hook(server, tmp_path, mark):
    server.add("/a", ResponseScript(b"a"))
    script = f"trap '' TERM; echo x > {tmp_path}/runs; while :; do sleep 0.1; done"
    process = await start(
        "--on-done", f'sh -c "{script}"', server.url("/a"), cwd=tmp_path, env=mark
    )
    await until((tmp_path / "runs").exists, 20)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while b"interrupted" not in await process.stderr.readline():
        """The first signal was handled once this is printed."""
    process.send_signal(signal.SIGINT)
    loop = asyncio.get_running_loop()
    began = loop.time()
    ended = await finish(process)
    assert ended.status == 130
    assert loop.time() - began < 1.5, "the grace of two seconds is not waited for"


@pytest.fixture
def only_the_terminal(monkeypatch):
    """No desktop, and a terminal that supports notifications."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "TMUX", "STY", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VTE_VERSION", "7000")


@pytest.fixture
async def terminal(mark):
    """A terminal, on which all programs carry the mark of the test."""
    terminal = Terminal()
    os.environ.update(mark)
    yield terminal
    del os.environ[MARK]
    terminal.close()


NOTICE = b"\x1b]777;notify;fetchtui;1 done: "


async def test_dashboard_forwards_the_notification(
    server, tmp_path, terminal, only_the_terminal
):
    server.add("/a", ResponseScript(b"a"))
    process = await terminal.start(
        *("-o", str(tmp_path / "out"), "--notify", server.url("/a"))
    )
    await until(lambda: NOTICE in terminal.shown, 30)
    terminal.type(b"q")
    async with asyncio.timeout(30):
        assert await process.wait() == 0
    assert terminal.shown.count(NOTICE) == 1


async def test_dashboard_waits_for_post_processing(
    server, tmp_path, terminal, only_the_terminal
):
    server.add("/a", ResponseScript(b"a"))
    wait = f"while ! test -e {tmp_path}/go; do sleep 0.05; done"
    script = f"sh -c '{wait}; echo x > {tmp_path}/ran; exit 3'"
    process = await terminal.start(
        *("-o", str(tmp_path / "out"), "--exit-when-done"),
        *("--on-done", script, "--notify", server.url("/a")),
    )
    await until(lambda: b"waiting for 1 hook to finish" in terminal.shown, 30)
    (tmp_path / "go").touch()
    async with asyncio.timeout(30):
        status = await process.wait()
    assert status == 1
    assert (tmp_path / "ran").exists()
    assert terminal.shown.count(NOTICE) == 1
    assert b"a: hook 'sh' exited with status 3" in terminal.shown


async def test_ctrl_c_stops_waiting_after_the_dashboard(server, tmp_path, terminal):
    server.add("/a", ResponseScript(b"a"))
    process = await terminal.start(
        *("-o", str(tmp_path / "out"), "--exit-when-done"),
        *("--on-done", "sleep 60", server.url("/a")),
    )
    await until(lambda: b"waiting for 1 hook" in terminal.shown, 30)
    terminal.type(b"\x03")
    async with asyncio.timeout(30):
        status = await process.wait()
    assert status == 130
    assert b"Traceback" not in terminal.shown
