"""What each package really loads, in fresh interpreters.

import-linter checks the static graph, which does not show what functions import at
import time.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from tests.architecture import imports
from tests.architecture.files import ROOT, modules, python_files

# httpx imports its own command line, and that rich and click if they are installed.
_PROGRAM = """
import importlib, sys
sys.modules["httpx._main"] = None
for name in sys.argv[1].split():
    importlib.import_module(name)
print(*sorted(set(sys.argv[2].split()) & set(sys.modules)))
"""
_HTTP = "httpx"
_DRAWING = "textual rich"
_DISK = "tui.disk.writer tui.disk.part_file tui.disk.folders tui.disk.state.journal"
"""What writes downloads and sessions; any package may write files of its own."""


def loaded(names: list[str], watched: str) -> str:
    """Import ``names`` in a fresh interpreter; return what it loaded of ``watched``."""
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
        ("tui/core", f"asyncio {_HTTP} {_DRAWING} click uvloop platformdirs socket"),
        ("tui/sources", f"asyncio {_HTTP} {_DRAWING} click uvloop platformdirs"),
        ("tui/disk", f"{_HTTP} {_DRAWING} click tui.net tui.sources tui.engine"),
        ("tui/net", f"{_DRAWING} click tui.disk tui.sources tui.engine"),
        ("tui/engine", f"{_DRAWING} click tui.ui tui.headless tui.demo"),
        ("tui/demo", f"{_HTTP} {_DRAWING} click tui.engine tui.net tui.disk"),
        (
            "tui/postprocess",
            f"{_HTTP} {_DRAWING} click tui.engine tui.net tui.disk tui.ui",
        ),
        ("tui/headless", f"{_HTTP} textual click tui.engine tui.net tui.disk tui.ui"),
        ("tui/config", f"asyncio {_HTTP} {_DRAWING} click tomlkit tui.engine tui.ui"),
        ("tui/background", f"{_HTTP} {_DRAWING} click tui.engine tui.net tui.ui"),
        ("tui/ui", f"{_HTTP} tui.engine tui.net {_DISK} tui.headless"),
    ],
)
def test_a_package_loads_nothing_foreign(room, watched):
    assert loaded(modules(room), watched) == ""


def test_scale_loads_no_extra():
    """Plans, leases and local workers need neither pyarrow nor Dask."""
    assert loaded(modules("tui/scale"), f"{_DRAWING} click pyarrow distributed") == ""


def test_the_engine_loads_no_drawing_library():
    assert loaded(["tui.engine"], _DRAWING) == ""


def test_the_command_line_loads_nothing_heavy():
    assert (
        loaded(["tui.cli.main"], f"asyncio {_HTTP} {_DRAWING} tui.engine tui.ui") == ""
    )


def test_the_web_server_is_loaded_only_by_the_remote_control():
    watched = "uvicorn starlette websockets"
    plain = ["tui.cli.main", "tui.headless.run", "tui.engine", "tui.ui.app"]
    assert loaded(plain, f"{watched} tui.rpc") == ""
    assert loaded(["tui.cli.background.process", "tui.rpc.methods"], watched) == ""


def test_the_check_notices_an_import():
    assert loaded(["tui.net.transports.httpx"], "httpx") == "httpx"


def test_plain_downloads_need_no_http_library():
    assert loaded(["tui.engine"], _HTTP) == ""


def test_there_is_no_import_circle():
    """Type-only imports and imports inside functions count, too."""
    assert imports.circles(imports.graph(imports.modules(ROOT))) == []


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert imports.circles(graph) == [["a", "b", "c"]]


def test_no_package_has_more_than_13_modules():
    counts = Counter(
        path.parent.relative_to(ROOT).as_posix()
        for path in python_files("tui")
        if path.name != "__init__.py"
    )
    assert {name: count for name, count in counts.items() if count > 13} == {}
