"""Edge cases of the command line: full disks, Ctrl+C, odd values and paths."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tests.support.command import fetchtui, finish, start
from tui.cli import main
from tui.demo.server import Pattern, ResponseScript

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = Pattern(10_000, seed=3)


def expected(*arguments: str) -> tuple[int, str]:
    """Run in this process; return the exit status and all output."""
    result = CliRunner().invoke(main.main, arguments)
    return result.exit_code, result.output


@pytest.fixture
def config(tmp_path, monkeypatch):
    config_file = tmp_path / "config.toml"
    config_file.write_text("# mine\nconcurrency = 4\n")
    monkeypatch.setenv("FETCHTUI_CONFIG", str(config_file))
    return config_file


@pytest.mark.parametrize("option", ["--dry-run", "--detach"])
def test_a_working_directory_that_is_gone_is_named(tmp_path, monkeypatch, option):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    status, output = expected(option, "http://127.0.0.1:9/x")
    monkeypatch.chdir(tmp_path)
    assert status == 2
    assert output.splitlines()[-1] == (
        "fetchtui: the working directory was removed; change to another one"
    )


@pytest.mark.parametrize(
    "command",
    ["man", "--help", "completion bash", "config explain", "-n http://x.test/a"],
)
async def test_full_disk_behind_stdout_prints_one_line(command: str, tmp_path):
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", *command.split()),
            cwd=tmp_path,
            stdout=full,
            stderr=asyncio.subprocess.PIPE,
        )
    finally:
        os.close(full)
    async with asyncio.timeout(30):
        _, err = await process.communicate()
    assert process.returncode == 1
    assert err == b"fetchtui: cannot write to stdout: No space left on device\n"


async def test_ctrl_c_during_convert_exits_with_130_silently(tmp_path):
    process = await start("convert", "-", cwd=tmp_path)
    assert process.stdin is not None
    # More than all buffers hold: once it is written, the command is reading.
    process.stdin.write(b"https://example.org/a\n" * 100_000)
    await process.stdin.drain()
    process.send_signal(signal.SIGINT)
    ended = await finish(process)
    assert (ended.status, ended.out, ended.err.strip()) == (130, "", "")


@pytest.mark.parametrize("command", ["config", "convert", "man", "completion", "lab"])
def test_every_command_accepts_short_help_option(command: str):
    status, output_of = expected(command, "-h")
    assert status == 0
    assert output_of.startswith(f"Usage: main {command}")
    assert "-h, --help" in output_of


async def test_base_url_dot_resolves_names_in_a_downloaded_digest_list(
    server, tmp_path
):
    server.add("/iso/a.bin", ResponseScript(WHOLE))
    digest = hashlib.sha256(WHOLE.read()).hexdigest()
    sums = server.add("/iso/SHA256SUMS", ResponseScript(f"{digest}  a.bin\n".encode()))
    ended = await fetchtui("-q", "--base-url", ".", sums, cwd=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert (tmp_path / "a.bin").read_bytes() == WHOLE.read()


def test_relative_base_url_is_refused_for_a_local_file(tmp_path):
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  a.bin\n")
    status, output_of = expected("-n", "--base-url", ".", str(tmp_path / "SHA256SUMS"))
    assert status == 2
    assert "--base-url: . is the folder of a list at a URL" in output_of


def test_set_accepts_a_value_that_starts_with_a_dash(config: Path):
    status, output_of = expected("config", "set", "concurrency", "-3")
    assert status == 2
    assert "concurrency: -3 is not in the range 1 to 1,000" in output_of


@pytest.mark.parametrize("key", ['hosts."*.x".cap', "profiles.p.retries", "profile"])
def test_set_refers_hosts_and_profiles_to_the_editor(config: Path, key: str):
    status, output_of = expected("config", "set", key, "3")
    assert status == 2
    assert "edit profile, [profiles] and [hosts] with fetchtui config" in output_of
    assert config.read_text() == "# mine\nconcurrency = 4\n"


def test_check_notes_unknown_variables(config, monkeypatch):
    monkeypatch.setenv("FETCHTUI_CONCURENCY", "3")
    status, output_of = expected("config", "check")
    assert status == 0
    assert "did you mean 'FETCHTUI_CONCURRENCY'?" in output_of


def test_empty_path_is_refused():
    status, output_of = expected("-n", "-o", "", "http://x.test/a")
    assert status == 2
    assert "must not be empty; write a path" in output_of


def test_contradicting_options_are_named(tmp_path):
    status, output_of = expected(
        "-n", "http://x.test/a", "http://x.test/b", "http://x.test/a"
    )
    assert status == 0
    told_twice = "note: command line: http://x.test/a is listed twice; skipped\n"
    assert told_twice in output_of


def run_script(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``start.py`` of a folder there, and return how it ended."""
    return subprocess.run(
        [sys.executable, folder / "start.py"],
        capture_output=True,
        cwd=folder,
        text=True,
        check=False,
        timeout=20,
    )


def test_the_end_of_the_process_keeps_status_output_and_exit_functions(tmp_path):
    (tmp_path / "start.py").write_text(
        "import atexit, sys\n"
        "atexit.register(print, 'at exit', flush=False)\n"
        "sys.argv = ['fetchtui', 'no-such-list.txt', '--headless']\n"
        "print('before')\n"
        "from tui.__main__ import main\n"
        "main()\n"
    )
    ended = run_script(tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "before\nat exit\n")
    assert "no-such-list.txt" in ended.stderr


def test_ctrl_c_is_not_lost_in_the_import_system(tmp_path):
    """It prints and forgets what is raised in its callbacks."""
    (tmp_path / "start.py").write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'tui.cli.main':\n"
        "            try:\n"
        "                signal.raise_signal(signal.SIGINT)\n"
        "            except KeyboardInterrupt:\n"
        "                print('forgotten')\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.argv[1:] = ['--help']\n"
        "from tui.__main__ import main\n"
        "main()\n"
    )
    ended = run_script(tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_ctrl_c_during_import_exits_with_130_silently(tmp_path):
    (tmp_path / "start.py").write_text(
        "import sys, types\n"
        "class Loading(types.ModuleType):\n"
        "    def __getattr__(self, name):\n"
        "        raise KeyboardInterrupt\n"
        "sys.modules['tui.cli.main'] = Loading('tui.cli.main')\n"
        "from tui.__main__ import main\n"
        "main()\n"
    )
    ended = run_script(tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
