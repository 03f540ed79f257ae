"""Runs the dashboard on a fake engine as a program behind a pty."""

from __future__ import annotations

import itertools
import os
import sys
from typing import TYPE_CHECKING

import pytest
from textual.css.stylesheet import Stylesheet

from tests.ui.latency import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from textual.css.model import RuleSet


_NUMBERS = itertools.count()


@pytest.fixture(autouse=True, scope="session")
def parsed_styles() -> Iterator[None]:
    """Parse each style sheet once instead of for each of a thousand dashboards.

    Textual keeps what it parsed for each app, and clears it when variables of the theme
    change: here they are part of the key.
    """
    parse = Stylesheet._parse_rules
    parsed: dict[tuple[object, ...], list[RuleSet]] = {}

    def parse_once(
        sheet: Stylesheet, *args: object, **options: object
    ) -> list[RuleSet]:
        variables = frozenset(sheet._variables.items())
        key = (variables, args, *options.items())
        if key not in parsed:
            parsed[key] = parse(sheet, *args, **options)
        return parsed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        yield


@pytest.fixture(autouse=True)
def pictures(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The user's directory of pictures, where screenshots go."""
    pictures = tmp_path_factory.getbasetemp() / "pictures"
    folder = pictures / str(next(_NUMBERS))
    folder.mkdir(parents=True)
    monkeypatch.setattr("tui.ui.actions.application.user_pictures_path", lambda: folder)
    return folder


@pytest.fixture
def program(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """The dashboard behind a pty, once it has drawn; a parameter says how to run it."""
    environment = {**os.environ, "TERM": "xterm-256color", "WT_SESSION": "1"}
    environment.pop("TMUX", None)
    report = tmp_path / "gap"
    how = getattr(request, "param", ["-m", "tests.ui.fake_run"])
    command = [sys.executable, *how, str(report)]
    run = Terminal(command, environment)
    run.report = report
    assert run.wait_for(run.pattern("disk queue"), 40) is not None
    yield run
    if run.process.poll() is None:
        run.process.kill()
        run.process.wait()
    run.close()
