"""The real command with all that follows: statuses, words, and nothing left behind."""

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
    """Processes of this test that are still there."""
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
    await until(lambda: not left_over(tmp_path), 3)


async def test_a_failing_command_makes_the_status_one(server, tmp_path, mark):
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
    assert "afterwards: 1 command failed\n  b: hook 'sh' exited" in ended.err
    assert sorted(os.listdir(tmp_path / "out")) == ["a", "b"]


async def test_what_goes_well_keeps_the_status_and_the_json_as_they_were(
    server, tmp_path, mark
):
    server.add("/a.zip", ResponseScript(zip_of([("x", b"1")])))
    server.add("/evil.tar", ResponseScript(tar_of([("../x", b"1")])))
    options = ("--json", "--unpack", "--on-all-done", f"touch {tmp_path}/told")
    url = server.url("/a.zip")
    ended = await fetchtui(*options, url, cwd=tmp_path, env=mark)
    assert (ended.status, ended.err) == (0, "")
    assert (tmp_path / "a/x").read_text() == "1"
    assert (tmp_path / "told").exists()
    ended = await fetchtui(
        *options, url, server.url("/evil.tar"), cwd=tmp_path, env=mark
    )
    assert ended.status == 1
    assert "1 archive not unpacked" in ended.err
    assert {line["event"] for line in ended.objects} == {
        *("queued", "started", "done", "summary")
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interruption_while_unpacking_leaves_nothing_half(
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
    assert "1 archive left undone" in ended.err
    assert "Traceback" not in ended.err
    assert os.listdir(out) == ["large.tar.gz"]


async def test_a_second_interruption_does_not_wait_for_a_stubborn_command(
    server, tmp_path, mark
):
    server.add("/a", ResponseScript(b"a"))
    script = f"trap '' TERM; echo x > {tmp_path}/runs; while :; do sleep 0.1; done"
    process = await start(
        "--on-done", f'sh -c "{script}"', server.url("/a"), cwd=tmp_path, env=mark
    )
    await until((tmp_path / "runs").exists, 20)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while b"interrupted" not in await process.stderr.readline():
        """It has taken the first one when it says so."""
    process.send_signal(signal.SIGINT)
    loop = asyncio.get_running_loop()
    began = loop.time()
    ended = await finish(process)
    assert ended.status == 130
    assert loop.time() - began < 1.5, "the grace of two seconds is not waited for"


@pytest.fixture
def only_the_terminal(monkeypatch):
    """No desktop, and a terminal that knows notices."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "TMUX", "STY", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VTE_VERSION", "7000")


NOTICE = b"\x1b]777;notify;fetchtui;1 done: "


async def test_an_open_dashboard_passes_the_notice_on(
    server, tmp_path, mark, only_the_terminal
):
    server.add("/a", ResponseScript(b"a"))
    terminal = Terminal()
    os.environ.update(mark)
    try:
        process = await terminal.start(
            *("-o", str(tmp_path / "out"), "--notify", server.url("/a"))
        )
        await until(lambda: NOTICE in terminal.shown, 30)
        terminal.type(b"q")
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        del os.environ[MARK]
        terminal.close()
    assert terminal.shown.count(NOTICE) == 1


async def test_the_dashboard_waits_for_what_follows(
    server, tmp_path, mark, only_the_terminal
):
    server.add("/a", ResponseScript(b"a"))
    script = f"sh -c 'sleep 1; echo x > {tmp_path}/told; exit 3'"
    terminal = Terminal()
    os.environ.update(mark)
    try:
        process = await terminal.start(
            *("-o", str(tmp_path / "out"), "--exit-when-done"),
            *("--on-done", script, "--notify", server.url("/a")),
        )
        async with asyncio.timeout(30):
            status = await process.wait()
    finally:
        del os.environ[MARK]
        terminal.close()
    assert status == 1
    assert (tmp_path / "told").exists()
    assert b"waiting for 1 command to end" in terminal.shown
    assert terminal.shown.count(NOTICE) == 1
    assert b"a: hook 'sh' exited with status 3" in terminal.shown


async def test_ctrl_c_ends_the_waiting_after_the_dashboard(server, tmp_path, mark):
    server.add("/a", ResponseScript(b"a"))
    terminal = Terminal()
    os.environ.update(mark)
    try:
        process = await terminal.start(
            *("-o", str(tmp_path / "out"), "--exit-when-done"),
            *("--on-done", "sleep 60", server.url("/a")),
        )
        await until(lambda: b"waiting for 1 command" in terminal.shown, 30)
        terminal.type(b"\x03")
        async with asyncio.timeout(10):
            status = await process.wait()
    finally:
        del os.environ[MARK]
        terminal.close()
    assert status == 130
    assert b"Traceback" not in terminal.shown
