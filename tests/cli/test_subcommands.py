"""The first argument may name a subcommand."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from tui.cli import main, program
from tui.cli.subcommands import Subcommand


@click.command()
@click.argument("words", nargs=-1)
@click.pass_obj
def echo(program: click.Command, words: tuple[str, ...]) -> None:
    """Print the arguments."""
    click.echo(f"{program.name}: {' '.join(words)}")


@pytest.fixture(autouse=True)
def one_word(monkeypatch):
    word = Subcommand(f"{__name__}:echo", "Say what was given.")
    monkeypatch.setattr(program, "SUBCOMMANDS", {"echo": word})
    monkeypatch.setattr(program, "find_subcommand", lambda _: echo)


def run(*arguments: str):
    return CliRunner().invoke(main.main, arguments)


def test_first_argument_selects_the_subcommand():
    result = run("echo", "a", "echo")
    assert (result.exit_code, result.stdout) == (0, "main: a echo\n")


def test_errors_name_the_subcommand():
    assert "Usage: main echo [OPTIONS]" in run("echo", "--nope").stderr


@pytest.mark.parametrize(
    "arguments", [("./echo",), ("--", "echo"), ("-c", "1", "echo")]
)
def test_list_may_have_the_name_of_a_subcommand(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert "echo: no such file" in result.stderr


def test_help_lists_the_subcommands():
    assert "Commands:\n  echo  Say what was given." in run("--help").stdout
