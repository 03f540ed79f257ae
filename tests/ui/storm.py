"""Random keys, clicks and pastes: nothing that a user does may end the dashboard.

``python -m tests.ui.storm --events 100000`` runs the long form of ``test_storm.py``
and prints the seed of every crash.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
from typing import TYPE_CHECKING

from textual.events import (
    Key,
    MouseDown,
    MouseMove,
    MouseScrollDown,
    MouseScrollUp,
    MouseUp,
    Paste,
    Resize,
)
from textual.geometry import Size
from textual.keys import key_to_character

from tests.ui.dashboards import Dashboard, dashboard
from tests.ui.sample_state import sample_service
from tui.ui.keys.registry import ACTIONS

if TYPE_CHECKING:
    from textual.events import Event

WIDTH, HEIGHT = 120, 36
_KEYS = [key for action in ACTIONS for key in action.keys]
_COMMON = ["enter", "escape", "tab", "up", "down", "y", "n", "space", "backspace", "x"]
_OPENING = ["question_mark", "comma", "colon", "T", "a", "q", "c", "b", "ctrl+e", "f1"]
_PASTES = ["https://a.example/x\n", "x" * 9000, "", "\n", "\x1b,", "is:failed", "/tmp"]


def key(name: str) -> Key:
    return Key(name, key_to_character(name) if len(name) > 1 else name)


def click(x: int, y: int) -> list[Event]:
    return [
        kind(None, x, y, 0, 0, 1, False, False, False, x, y)
        for kind in (MouseDown, MouseUp)
    ]


def random_events(chance: random.Random) -> list[Event]:
    """Return one to four things that a user does, to arrive together."""
    events: list[Event] = []
    for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
        x, y = chance.randrange(WIDTH), chance.randrange(HEIGHT)
        what = chance.random()
        if what < 0.25:
            events += [key(chance.choice(_COMMON))] * chance.choice((1, 2))
        elif what < 0.45:
            events += [key(chance.choice(_OPENING))] * chance.choice((1, 1, 2))
        elif what < 0.65:
            events.append(key(chance.choice(_KEYS)))
        elif what < 0.85:
            events += click(x, y) * chance.choice((1, 2, 3))
        elif what < 0.9:
            kind = chance.choice((MouseScrollUp, MouseScrollDown, MouseMove))
            events.append(kind(None, x, y, 0, 0, 0, False, False, False, x, y))
        elif what < 0.97:
            events.append(Paste(chance.choice(_PASTES)))
        else:
            width, height = chance.choice(((120, 36), (80, 24), (39, 9), (1, 1)))
            size = Size(width, height)
            events.append(Resize(size, size))
    return events


def send(board: Dashboard, events: list[Event]) -> None:
    """Let events arrive together, as from one read of the terminal."""
    for event in events:
        event.set_sender(board.app)
        board.app._driver.send_message(event)


async def storm(seed: int, number: int) -> int:
    """Send ``number`` random events, opening the dashboard anew when it ends.

    Returns:
        How often it was opened.

    Raises:
        Exception: whatever ended it.
    """
    chance = random.Random(seed)
    sent = opened = 0
    while sent < number:
        opened += 1
        async with dashboard(sample_service(), (WIDTH, HEIGHT)) as board:
            app = board.app
            while sent < number and not app._exit:
                events = random_events(chance)
                sent += len(events)
                send(board, events)
                if chance.random() < 0.3:
                    board.main.service.advance(0.05)
                if chance.random() < 0.5:
                    await board.pilot._wait_for_screen(120.0)
                else:
                    await asyncio.sleep(0)
            # As a user leaves it: what still comes while it closes is to be ignored.
            app.exit(0)
        if app._exception is not None:
            raise app._exception
    return opened


def main() -> int:
    """Parse the options and run storms until the number is reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    crashes = 0
    for seed in range(options.seed, options.seed + -(-options.events // 2000)):
        with tempfile.TemporaryDirectory() as home:
            os.environ["HOME"] = os.environ["XDG_CONFIG_HOME"] = home
            try:
                asyncio.run(storm(seed, 2000))
            except Exception as error:
                crashes += 1
                print(f"seed {seed}: {type(error).__name__}: {error}")
    print(f"{options.events} events, {crashes} crashes")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
