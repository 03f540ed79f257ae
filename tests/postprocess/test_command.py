"""One command: no shell, a limit for everything, and a group that ends as a whole."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress

import pytest

from tests.support.until import until
from tui.postprocess.command import CommandError, Commands, NoProgram


async def run(script: str, timeout_s: float = 20.0, **variables: str) -> None:
    await Commands().run(("sh", "-c", script), variables, timeout_s)


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_command_gets_its_arguments_as_they_are_and_its_variables(tmp_path):
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


async def test_a_failing_command_is_told_with_the_last_it_said_disarmed():
    with pytest.raises(CommandError) as told:
        await run("echo first; printf '\\033]0;title\\a oh no\\n\\n' >&2; exit 3")
    assert str(told.value) == "exited with status 3: �]0;title� oh no"


async def test_a_silent_failure_and_a_signal_are_told():
    with pytest.raises(CommandError, match=r"^exited with status 9$"):
        await run("exit 9")
    with pytest.raises(CommandError, match=r"^was ended by SIGKILL$"):
        await run("kill -9 $$")


async def test_a_flood_of_output_is_read_and_forgotten():
    with pytest.raises(CommandError, match=r"^exited with status 1: last words$"):
        await run("yes | head -c 3000000; echo; echo last words; exit 1")


async def test_what_cannot_be_started_says_so(tmp_path):
    with pytest.raises(NoProgram, match="there is no program 'no-such-program'"):
        await Commands().run(("no-such-program",), {}, 5)
    (tmp_path / "words").write_text("hello")
    with pytest.raises(NoProgram, match="is not executable"):
        await Commands().run((f"{tmp_path}/words",), {}, 5)


async def test_a_script_without_its_first_line_says_so(tmp_path):
    script = tmp_path / "script"
    script.write_text("echo x")
    script.chmod(0o755)
    with pytest.raises(CommandError, match="cannot be run"):
        await Commands().run((str(script),), {}, 5)


async def test_a_hanging_command_is_ended_with_all_that_it_started(tmp_path):
    with pytest.raises(CommandError, match=r"took longer than 0\.50s"):
        await run(f"sleep 60 & echo $! > {tmp_path}/pid; sleep 60", timeout_s=0.5)
    child = int((tmp_path / "pid").read_text())
    await until(lambda: not is_alive(child))


async def test_a_command_that_ignores_the_question_is_killed(monkeypatch):
    monkeypatch.setattr("tui.postprocess.command.GRACE_S", 0.2)
    async with asyncio.timeout(10):
        with pytest.raises(CommandError, match="took longer"):
            await run("trap '' TERM; while :; do sleep 0.1; done", timeout_s=0.3)


async def test_what_a_command_leaves_in_the_background_is_not_waited_for(tmp_path):
    async with asyncio.timeout(10):
        await run(f"sleep 60 & echo $! > {tmp_path}/pid")
    child = int((tmp_path / "pid").read_text())
    assert is_alive(child), "a player may go on playing"
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


async def test_a_cancelled_command_is_gone(tmp_path):
    task = asyncio.ensure_future(run(f"echo $$ > {tmp_path}/pid; exec sleep 60"))
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(int((tmp_path / "pid").read_text()))


async def test_all_commands_can_be_ended_on_the_spot(tmp_path):
    commands = Commands()
    script = f"echo $$ > {tmp_path}/pid; exec sleep 60"
    task = asyncio.ensure_future(commands.run(("sh", "-c", script), {}, 60))
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    commands.end_at_once()
    with pytest.raises(CommandError, match="SIGKILL"):
        await task


async def test_no_descriptor_is_left_behind():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await run("true")
        with pytest.raises(NoProgram):
            await Commands().run(("no-such-program",), {}, 5)
    assert len(os.listdir("/proc/self/fd")) <= before + 1
