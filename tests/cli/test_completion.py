"""Completions for each shell; ``completion_trial`` tries them in real shells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tui.cli import main
from tui.cli.commands.completion import SHELLS
from tui.cli.options import ALL
from tui.config.values import Kind


def offered(
    monkeypatch, capsys, shell: str, words: list[str], incomplete: str
) -> list[str]:
    """Ask as the completion scripts do; return the lines of the answer."""
    line = " ".join(["fetchtui", *words])
    variables = {
        "bash": {
            "COMP_WORDS": f"{line} {incomplete}",
            "COMP_CWORD": str(len(words) + 1),
        },
        "zsh": {
            "COMP_WORDS": f"{line} {incomplete}",
            "COMP_CWORD": str(len(words) + 1),
        },
        "fish": {"COMP_WORDS": f"{line} {incomplete}", "COMP_CWORD": incomplete},
    }
    monkeypatch.setenv("_FETCHTUI_COMPLETE", f"{shell}_complete")
    for name, value in variables[shell].items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main.main([])
    assert ended.value.code == 0
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def offer(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def ask(shell: str, *words: str) -> str:
        *before, incomplete = words
        return "\n".join(offered(monkeypatch, capsys, shell, before, incomplete))

    return ask


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_completes_options_subcommands_and_keys(offer, shell):
    assert "--limit-rate" in offer(shell, "--limit")
    assert "overwrite" in offer(shell, "--on-exists", "ov")
    assert "explain" in offer(shell, "config", "ex")
    assert "limit-rate" in offer(shell, "config", "explain", "lim")
    assert "fish" in offer(shell, "completion", "fi")
    assert "file" in offer(shell, "")


def test_values_complete_by_kind(offer, tmp_path, monkeypatch):
    assert offer("bash", "--output-dir", "x") == "dir,x"
    assert offer("bash", "--cookies", "x") == "file,x"
    assert offer("bash", "--fsync", "o") == "plain,on\nplain,off"
    place = tmp_path / "c.toml"
    place.write_text("[profiles.metered]\n[profiles.work]\n")
    monkeypatch.setenv("FETCHTUI_CONFIG", str(place))
    assert offer("bash", "--profile", "") == "plain,metered\nplain,work"


def test_values_behind_an_equals_sign_complete(offer):
    assert offer("bash", "--on-exists", "=", "over") == "plain,overwrite"
    assert offer("bash", "--on-exists", "=").startswith("plain,resume\n")
    assert offer("fish", "--on-exists=over") == "plain,--on-exists=overwrite"
    found = offer("zsh", "--on-exists=re").splitlines()
    assert found[1::3] == [
        "--on-exists=resume",
        "--on-exists=rename",
        "--on-exists=resume-only",
    ]


def test_matching_file_name_hides_subcommands(offer, tmp_path):
    assert "plain,config" in offer("bash", "con")
    (tmp_path / "contents.txt").touch()
    assert offer("bash", "con") == "file,con"
    assert "plain,config" not in offer("bash", "https://a.test/x", "conf")


def test_unknown_shell_gets_no_completions(monkeypatch, capsys):
    monkeypatch.setenv("_FETCHTUI_COMPLETE", "csh_complete")
    with pytest.raises(SystemExit) as ended:
        main.main([])
    assert (ended.value.code, capsys.readouterr().out) == (1, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_script_contains_the_command_and_the_variable(shell):
    result = CliRunner().invoke(main.main, ["completion", shell])
    assert result.exit_code == 0
    assert "_FETCHTUI_COMPLETE" in result.stdout
    assert "fetchtui" in result.stdout
    assert "%(" not in result.stdout


def test_bash_completes_a_choice(tmp_path):
    script = CliRunner().invoke(main.main, ["completion", "bash"]).stdout
    program = tmp_path / "fetchtui"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tui "$@"\n')
    program.chmod(0o755)
    root = Path(main.__file__).parents[1]
    ask = f"{script}\nCOMP_WORDS=({program} --on-exists ov); COMP_CWORD=2\n"
    ask += f'_fetchtui_completion {program}; echo "${{COMPREPLY[@]}}"\n'
    result = subprocess.run(
        ["bash", "--norc", "-c", ask],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    assert (result.stdout, result.stderr) == ("overwrite\n", "")


def test_man_page_covers_every_option():
    page = CliRunner().invoke(main.main, ["man"]).stdout
    text = page.replace("\\-", "-").replace("\\(aq", "'")
    for option in ALL:
        if option.spellings:
            long = option.long_flag.removeprefix("--")
            assert f"--{long}" in text or f"--[no-]{long}" in text
        elif option.kind is Kind.TABLE:
            assert f"\n\\fB{option.key} = " in text
    for part in ("NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "EXAMPLES"):
        assert f".SH {part}" in page
    assert not [line for line in page.splitlines() if line.startswith("'")]
