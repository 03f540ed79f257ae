"""Run one command: no shell, limits, and a process group that is killed as a whole."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

import pytest

from tests.support.until import until
from tui.postprocess.hooks import CommandError, Commands, NoProgram


async def run(script: str, timeout_s: float = 20.0, **variables: str) -> str:
    return await Commands().run(("sh", "-c", script), variables, timeout_s)


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_command_gets_arguments_and_variables(tmp_path):
    evil = "$(touch evil) `id`; a 'b' \"c\" *"
    script = (
        "import os, sys, json; json.dump([sys.argv[1:], os.environ['FETCHTUI_X']],"
        " open('told.json', 'w'))"
    )
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        await Commands().run(
            (sys.executable, "-c", script, evil), {"FETCHTUI_X": evil}, 20
        )
    finally:
        os.chdir(before)
    import json

    assert json.loads((tmp_path / "told.json").read_text()) == [[evil], evil]
    assert os.listdir(tmp_path) == ["told.json"]


async def test_the_last_line_of_output_is_returned_sanitized():
    assert await run("echo one; echo '\x1b[31mtwo'; echo") == "\ufffd[31mtwo"
    assert await run("true") == ""


async def test_failure_includes_the_last_output_line_sanitized():
    with pytest.raises(CommandError) as reason:
        await run("echo first; printf '\\033]0;title\\a oh no\\n\\n' >&2; exit 3")
    assert str(reason.value) == "exited with status 3: �]0;title� oh no"


async def test_silent_failure_and_signal_are_reported():
    with pytest.raises(CommandError, match=r"^exited with status 9$"):
        await run("exit 9")
    with pytest.raises(CommandError, match=r"^was killed by SIGKILL$"):
        await run("kill -9 $$")


async def test_large_output_is_read_and_dropped():
    with pytest.raises(CommandError, match=r"^exited with status 1: last words$"):
        await run("yes | head -c 3000000; echo; echo last words; exit 1")


async def test_missing_program_is_an_error(tmp_path):
    with pytest.raises(NoProgram, match="program 'no-such-program' not found"):
        await Commands().run(("no-such-program",), {}, 5)
    (tmp_path / "words").write_text("hello")
    with pytest.raises(NoProgram, match="is not executable"):
        await Commands().run((f"{tmp_path}/words",), {}, 5)


async def test_script_without_a_shebang_is_an_error(tmp_path):
    script = tmp_path / "script"
    script.write_text("echo x")
    script.chmod(0o755)
    with pytest.raises(CommandError, match="cannot run"):
        await Commands().run((str(script),), {}, 5)


async def test_hanging_command_is_killed_with_its_children(tmp_path):
    with pytest.raises(CommandError, match="took longer than 2"):
        await run(f"sleep 60 & echo $! > {tmp_path}/pid; sleep 60", timeout_s=2.0)
    child = int((tmp_path / "pid").read_text())
    await until(lambda: not is_alive(child))


async def test_command_that_ignores_sigterm_is_killed(monkeypatch):
    monkeypatch.setattr("tui.postprocess.hooks.GRACE_S", 0.2)
    async with asyncio.timeout(20):
        with pytest.raises(CommandError, match="took longer"):
            await run("trap '' TERM; while :; do sleep 0.1; done", timeout_s=0.3)


async def test_background_processes_are_not_waited_for(tmp_path):
    async with asyncio.timeout(20):
        await run(f"sleep 60 & echo $! > {tmp_path}/pid")
    child = int((tmp_path / "pid").read_text())
    assert is_alive(child), "a player may go on playing"
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


async def test_cancelled_command_is_killed(tmp_path):
    task = asyncio.ensure_future(run(f"echo $$ > {tmp_path}/pid; exec sleep 60"))
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(int((tmp_path / "pid").read_text()))


async def test_kill_all_kills_every_command(tmp_path):
    commands = Commands()
    script = f"echo $$ > {tmp_path}/pid; exec sleep 60"
    task = asyncio.ensure_future(commands.run(("sh", "-c", script), {}, 60))
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    commands.kill_all()
    with pytest.raises(CommandError, match="SIGKILL"):
        await task


async def test_no_descriptor_is_leaked():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await run("true")
        with pytest.raises(NoProgram):
            await Commands().run(("no-such-program",), {}, 5)
    assert len(os.listdir("/proc/self/fd")) <= before + 1
