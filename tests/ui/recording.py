"""A recording of the dashboard on its demo, in asciinema's format (asciicast v2).

``python -m tests.ui.recording --play`` replays ``pictures/demo.cast`` in this terminal
(100x30 at least; ``--speed 2`` for twice as fast, ctrl+c ends it). Without ``--play``
it records again: the real program behind a pty, driven by the keys below, in real time.
Any player of asciicast files can show the result. Unix only.
"""

from __future__ import annotations

import argparse
import codecs
import json
import os
import select
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.on_terminal import start_on_terminal
from tests.ui.grid import Grid

if TYPE_CHECKING:
    import subprocess

RECORDING = Path(__file__).parent / "pictures" / "demo.cast"
WIDTH, HEIGHT = 100, 30
SCRIPT = (
    (2.5, "jj"),
    (1.0, "\r"),  # details of a download
    (2.0, "\x1b"),
    (0.8, "+"),
    (0.4, "+"),
    (1.0, "/"),
    *((0.12, letter) for letter in "tile"),
    (0.6, "\r"),
    (0.8, "\x01"),  # mark all that the filter shows
    (0.8, "p"),
    (1.5, "u"),
    (1.0, "\x1b"),
    (0.5, "\x1b"),
    (1.2, "5"),  # which ones failed, and why
    (2.5, "j"),
    (0.8, "r"),
    (1.0, "u"),
    (1.2, "1"),
    (1.0, "i"),  # write on the event loop, and watch its lag
    (2.5, "i"),
    (1.5, "?"),
    (0.8, "t"),
    (0.15, "h"),
    (0.15, "e"),
    (1.2, "\x1b"),
    (0.8, "T"),
    (0.8, "\x1b[B"),
    (1.5, "\x1b"),
    (0.8, "q"),
    (1.5, "q"),
)
"""Seconds to wait, and then what to press."""

_EVERY_S = 0.05
"""Output within this time is one event: smaller, and no eye can tell."""
_ASKED_SYNC, _HAS_SYNC = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
_OPEN = "\x1b[?1049h\x1b[?25l\x1b[2J"
_TIDY = "\x1b[0m\x1b[?25h\x1b[?1049l"


def record(seconds_at_most: float = 90.0) -> list[tuple[float, str]]:
    """Run the demo and press the keys; return the output with times."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "config.toml"
        settings.touch()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "FETCHTUI_STATE_DIR": folder,
            "FETCHTUI_CONFIG": str(settings),
        }
        command = [sys.executable, "-m", "tui", "--demo"]
        process, master = start_on_terminal(command, environment, WIDTH, HEIGHT)
        try:
            return _follow(process, master, seconds_at_most)
        finally:
            process.kill()
            process.wait()
            os.close(master)


def _follow(
    process: subprocess.Popen[bytes], master: int, seconds_at_most: float
) -> list[tuple[float, str]]:
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    written: list[tuple[float, str]] = []
    start = 0.0
    end = time.monotonic() + seconds_at_most
    keys = list(SCRIPT)
    due = 0.0
    while time.monotonic() < end:
        wait = min(0.2, max(0.0, due - time.monotonic())) if keys and start else 0.2
        if select.select([master], [], [], wait)[0]:
            try:
                data = os.read(master, 1 << 16)
            except OSError:  # it has ended
                break
            if not data:
                break
            now = time.monotonic()
            if not start:
                start, due = now, now + keys[0][0]
            if _ASKED_SYNC in data:
                os.write(master, _HAS_SYNC)
            written.append((now - start, decode(data)))
        if keys and start and time.monotonic() >= due:
            os.write(master, keys.pop(0)[1].encode())
            due = time.monotonic() + (keys[0][0] if keys else 0.0)
    process.wait(10)
    return written


def tidied(written: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Join output of the same moment, and keep only what changes the picture."""
    moments: list[tuple[float, str]] = []
    for at, text in written:
        if moments and at - moments[-1][0] < _EVERY_S:
            moments[-1] = (moments[-1][0], moments[-1][1] + text)
        else:
            moments.append((at, text))
    grid = Grid(WIDTH, HEIGHT)
    events = [(0.0, _OPEN)]
    for at, text in moments:
        grid.feed(text)
        if changes := grid.changes():
            events.append((at, changes))
    return events


def save(events: list[tuple[float, str]], path: Path) -> None:
    """Write a recording."""
    head = {
        "version": 2,
        "width": WIDTH,
        "height": HEIGHT,
        "title": "fetchtui --demo",
        "env": {"TERM": "xterm-256color"},
    }
    lines = [json.dumps(head)]
    lines += [
        json.dumps([round(at, 3), "o", text], ensure_ascii=False) for at, text in events
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def load(path: Path) -> list[tuple[float, str]]:
    """Read a recording."""
    _, *lines = path.read_text("utf-8").splitlines()
    return [(at, text) for at, kind, text in map(json.loads, lines) if kind == "o"]


def play(events: list[tuple[float, str]], speed: float) -> None:
    """Replay a recording in this terminal."""
    start = time.monotonic()
    try:
        for at, text in events:
            time.sleep(max(0.0, at / speed - (time.monotonic() - start)))
            sys.stdout.write(text)
            sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.write(_TIDY)
        sys.stdout.flush()


def main() -> None:
    """Play or record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--play", action="store_true")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("file", type=Path, nargs="?", default=RECORDING)
    chosen = parser.parse_args()
    if chosen.play:
        play(load(chosen.file), max(0.1, chosen.speed))
        return
    events = tidied(record())
    save(events, chosen.file)
    size = chosen.file.stat().st_size / 1000
    print(f"{len(events)} events, {events[-1][0]:.0f} s, {size:.0f} KB: {chosen.file}")


if __name__ == "__main__":
    main()
