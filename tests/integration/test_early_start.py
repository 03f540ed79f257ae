"""Downloads run before the dashboard is loaded; a signal then ends them cleanly."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import termios

import pytest

from tests.support.fake_service import FakeService
from tui.cli.startup import SLICE, start_early
from tui.core.download import DownloadState
from tui.core.events import Started
from tui.core.request import DownloadRequest
from tui.headless.interrupts import Interrupts

# One step of the start lasts until a file is gone: the signal comes while it does.
_PROGRAM = """
import sys
from importlib import import_module
from pathlib import Path
module, name, gate = sys.argv[-3:]
module = import_module(module)
real = getattr(module, name)
def slow(*args, **options):
    print("loading", flush=True)
    while Path(gate).exists():
        pass
    return real(*args, **options)
setattr(module, name, slow)
from tui.cli.main import main
main(sys.argv[1:-3], prog_name="fetchtui")
"""


def wanted(number):
    return [DownloadRequest((f"https://example.org/{n}",)) for n in range(number)]


async def test_the_first_slice_is_added_before_anything_is_loaded():
    service = FakeService()
    begun = Started(0, 1.0, 1)
    early = await start_early(
        service, wanted(SLICE + 5), lambda: service.push(begun), Interrupts()
    )
    assert service.snapshot().counts[DownloadState.QUEUED] == SLICE
    assert len(early.remaining) == 5
    assert early.subscription.drain() == [begun]


async def test_what_loading_raises_comes_out():
    def load():
        raise ImportError("no textual here")

    with pytest.raises(ImportError, match="no textual"):
        await start_early(FakeService(), [], load, Interrupts())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("module", "step"),
    [("tui.cli.main", "_import_dashboard"), ("tui.ui.app", "load_ui_state")],
)
def test_a_signal_while_the_dashboard_starts_ends_it_cleanly(
    tmp_path, number, module, step
):
    gate = tmp_path / "gate"
    gate.touch()
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment["FETCHTUI_STATE_DIR"] = str(tmp_path / "state")
    url, out = "http://127.0.0.1:9/never", tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, url, "-o", str(out), module, step, str(gate)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
    )
    try:
        said = b""
        while b"loading" not in said:
            assert select.select([master], [], [], 50)[0], said
            said += os.read(master, 4096)
            process.send_signal(number)
            gate.unlink()
            assert process.wait(50) == 130
        os.set_blocking(master, False)
        said += os.read(master, 65536)
        assert b"interrupted" in said
        assert b"\x1b[?1049h" not in said, "the screen was taken"
        assert termios.tcgetattr(slave) == before
    finally:
        process.kill()
        process.wait()
        os.close(slave)
        os.close(master)
