"""The look of the dashboard, kept from one run to the next.

A small JSON file in the state directory (``FETCHTUI_STATE_DIR``, or else the platform's
default). Losing it costs a few key presses, so a broken file is replaced.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tui.core.settings import COLUMNS
from tui.ui.panes.layout import PANES
from tui.ui.style.theme import DEFAULT_THEME

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "dashboard.json"
_MAX_BYTES = 1 << 16


@dataclass(slots=True)
class UIState:
    """What the user chose."""

    theme: str = DEFAULT_THEME
    panes: dict[str, bool] = field(default_factory=dict)
    """Pane -> open, for panes that were opened or closed by hand."""
    columns: tuple[str, ...] = ()
    """Columns of the list; empty for the usual ones."""


def ui_state_path() -> Path:
    """Return the path of the file."""
    from tui.disk.state.location import state_dir

    return state_dir() / _NAME


def load_ui_state(path: Path) -> tuple[UIState, str]:
    """Read the file; blocks briefly.

    Returns:
        The state, with defaults for invalid parts, and a message for the user: ""
        unless the file as a whole could not be read.
    """
    try:
        with path.open("rb") as file:
            stored = json.loads(file.read(_MAX_BYTES))
        if not isinstance(stored, dict):
            raise TypeError
    except FileNotFoundError:
        return UIState(), ""
    except (OSError, ValueError, TypeError, RecursionError):
        return (
            UIState(),
            f"{_NAME} could not be read; using the default theme and panes",
        )
    state = UIState()
    if isinstance(stored.get("theme"), str):
        state.theme = stored["theme"]
    panes = stored.get("panes")
    if isinstance(panes, dict):
        state.panes = {
            pane: panes[pane] for pane in PANES if isinstance(panes.get(pane), bool)
        }
    columns = stored.get("columns")
    if isinstance(columns, list):
        state.columns = tuple(column for column in COLUMNS if column in columns)
    return state, ""


def save_ui_state(path: Path, state: UIState) -> None:
    """Replace the file atomically; blocks briefly.

    Ignores a folder that cannot be written: nothing important is lost.
    """
    text = json.dumps(
        {
            "theme": state.theme,
            "panes": state.panes,
            "columns": state.columns,
        }
    )
    from tui.disk.state.replace import replace_file

    with suppress(OSError):
        replace_file(path, f"{text}\n".encode(), is_synced=False)
