"""What the dashboard looks like, kept from one run to the next.

A small JSON file in the state directory (``FETCHTUI_STATE_DIR``, or else where the
platform keeps state). Losing it costs a few key presses, so a broken one is replaced.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_state_path

from tui.core.listing.query import SortKey
from tui.ui.panes.layout import PANES
from tui.ui.style.theme import DEFAULT_THEME

_NAME = "dashboard.json"
_LARGEST = 1 << 16


@dataclass(slots=True)
class UIState:
    """What a person chose."""

    theme: str = DEFAULT_THEME
    sort: SortKey = SortKey.ADDED
    is_reversed: bool = False
    panes: dict[str, bool] = field(default_factory=dict)
    """Pane -> open, for those that were opened or closed by hand."""


def looks_path() -> Path:
    """Return where they are kept."""
    chosen = os.environ.get("FETCHTUI_STATE_DIR")
    if chosen:
        return Path(chosen).absolute() / _NAME
    return user_state_path("fetchtui", appauthor=False) / _NAME


def load_looks(path: Path) -> tuple[UIState, str]:
    """Read what was kept; blocks for a moment.

    Returns:
        The looks, and what to tell a person: "" unless the file makes no sense. Parts
        that make none are as at the first start.
    """
    try:
        with path.open("rb") as file:
            kept = json.loads(file.read(_LARGEST))
        if not isinstance(kept, dict):
            raise TypeError
    except FileNotFoundError:
        return UIState(), ""
    except (OSError, ValueError, TypeError, RecursionError):
        return UIState(), f"{_NAME} could not be read; theme, sort and panes start anew"
    looks = UIState()
    if isinstance(kept.get("theme"), str):
        looks.theme = kept["theme"]
    with suppress(ValueError):
        looks.sort = SortKey(kept.get("sort"))
    looks.is_reversed = kept.get("is_reversed") is True
    panes = kept.get("panes")
    if isinstance(panes, dict):
        looks.panes = {
            pane: panes[pane] for pane in PANES if isinstance(panes.get(pane), bool)
        }
    return looks, ""


def save_looks(path: Path, looks: UIState) -> None:
    """Replace the file as a whole; blocks for a moment.

    A folder that cannot be written is passed over: nothing is lost that matters.
    """
    text = json.dumps(
        {
            "theme": looks.theme,
            "sort": looks.sort.value,
            "is_reversed": looks.is_reversed,
            "panes": looks.panes,
        }
    )
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        aside.write_text(text + "\n", "utf-8")
        aside.replace(path)
    except OSError:
        with suppress(OSError):
            aside.unlink()
