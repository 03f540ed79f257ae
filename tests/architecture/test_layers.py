"""Who imports whom, asked of fresh interpreters.

import-linter reads the static graph (the gate runs it) and does not see imports inside
functions that run at import time; a fresh interpreter sees what is really loaded.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.files import ROOT, modules

# httpx imports its own command line, and that rich and click, where they are installed.
# Without it there is only what fetchtui asks for.
_PROGRAM = """
import importlib, sys
sys.modules["httpx._main"] = None
for name in sys.argv[1].split():
    importlib.import_module(name)
print(*sorted(set(sys.argv[2].split()) & set(sys.modules)))
"""
_WIRE = "httpx pyreqwest"
_DRAWING = "textual rich"


def loaded(names: list[str], watched: str) -> str:
    """Import ``names`` in a fresh interpreter; say which of ``watched`` came along."""
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM, " ".join(names), watched],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("room", "watched"),
    [
        ("tui/core", f"asyncio {_WIRE} {_DRAWING} click uvloop platformdirs socket"),
        ("tui/sources", f"asyncio {_WIRE} {_DRAWING} click uvloop platformdirs"),
        ("tui/disk", f"{_WIRE} {_DRAWING} click tui.net tui.sources tui.engine"),
        ("tui/net", f"{_DRAWING} click tui.disk tui.sources tui.engine"),
        ("tui/engine", f"{_DRAWING} click tui.ui tui.headless tui.demo"),
        ("tui/demo", f"{_WIRE} {_DRAWING} click tui.engine tui.net tui.disk"),
        (
            "tui/postprocess",
            f"{_WIRE} {_DRAWING} click tui.engine tui.net tui.disk tui.ui",
        ),
        ("tui/headless", f"{_WIRE} textual click tui.engine tui.net tui.disk tui.ui"),
        ("tui/config", f"asyncio {_WIRE} {_DRAWING} click tomlkit tui.engine tui.ui"),
        ("tui/ui", f"{_WIRE} tui.engine tui.net tui.disk tui.headless"),
    ],
)
def test_a_room_loads_nothing_that_is_not_its_own(room, watched):
    assert loaded(modules(room), watched) == ""


def test_the_engine_alone_leaves_the_drawing_libraries_out():
    assert loaded(["tui.engine"], _DRAWING) == ""


def test_the_command_line_answers_before_anything_heavy_is_loaded():
    assert (
        loaded(["tui.cli.main"], f"asyncio {_WIRE} {_DRAWING} tui.engine tui.ui") == ""
    )


def test_the_watch_notices_what_it_should():
    assert loaded(["tui.net.redirects"], "httpx") == "httpx"


def test_plain_downloads_are_ready_before_the_big_libraries_are_loaded():
    assert loaded(["tui.engine"], _WIRE) == ""
