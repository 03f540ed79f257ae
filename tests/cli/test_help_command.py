"""``fetchtui help``: topics, a pager on terminals, plain text elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tui.cli.commands.help import help_command, render
from tui.docs import TOPICS

COMMAND = [sys.executable, "-m", "tui", "help"]


def invoke(*arguments: str):
    return CliRunner().invoke(help_command, arguments)


def on_terminal(*arguments: str, **environment: str) -> str:
    """Run the command on a pty and return what it printed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, **environment},
    )
    os.close(slave)
    out = b""
    try:
        while data := os.read(master, 4096):
            out += data
    except OSError:  # Linux reports the end of a pty as an error
        pass
    finally:
        os.close(master)
    assert process.wait(20) == 0
    return out.decode()


def test_without_a_topic_it_lists_all_of_them():
    result = invoke()
    assert result.exit_code == 0
    for topic, about in TOPICS.items():
        assert f"  {topic} " in result.output
        assert about in result.output


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_is_plain_text_in_a_pipe(topic):
    result = invoke(topic)
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert all(len(line) <= 100 for line in result.output.splitlines())


def test_a_terminal_gets_colors():
    assert "\x1b[" in render("hooks", is_terminal=True)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("exit", "unknown topic 'exit'; did you mean 'exit-status'?"),
        ("config", "'config' is a command; see fetchtui config --help"),
        ("quantum", "unknown topic 'quantum'; fetchtui help lists the topics"),
    ],
)
def test_an_unknown_topic_is_an_error_with_a_way_out(topic, expected):
    result = invoke(topic)
    assert result.exit_code == 2
    assert expected in result.output


def test_a_terminal_shows_the_topic_in_the_users_pager(tmp_path):
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {tmp_path}/paged\necho 'it was paged'\n")
    pager.chmod(0o755)
    assert "it was paged" in on_terminal("exit-status", PAGER=str(pager))
    assert "130" in (tmp_path / "paged").read_text()


def test_no_pager_prints_to_the_terminal():
    out = on_terminal("exit-status", "--no-pager", PAGER="false")
    assert "130" in out
