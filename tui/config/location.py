"""Where the settings file is, and what it says now."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tui.config.document import LARGEST, Document, read_document
from tui.config.errors import Complaint
from tui.core.text.plain_text import plain

VARIABLE = "FETCHTUI_CONFIG"
_IS_LINUX = "linux" in sys.platform


def config_path() -> Path:
    """Return the path of the settings file, whether it is there or not.

    ``FETCHTUI_CONFIG`` names another one; else it is where the platform keeps such
    files (on Linux ``~/.config/fetchtui/config.toml``).
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    if _IS_LINUX:
        # As platformdirs says it, which takes 6 ms to load.
        home = os.environ.get("XDG_CONFIG_HOME", "").strip() or "~/.config"
        return Path(home).expanduser() / "fetchtui" / "config.toml"
    from platformdirs import user_config_path

    return user_config_path("fetchtui", appauthor=False) / "config.toml"


def shown_path(path: Path) -> str:
    """Return a path for messages, with ``~`` for the home directory."""
    home = os.path.expanduser("~")
    text = str(path)
    if home != "/" and text.startswith(home + os.sep):
        text = "~" + text[len(home) :]
    return plain(text, 300)


def read_config(path: Path | None = None) -> Document:
    """Read the settings file; without one there is nothing in it. Blocks a moment.

    Returns:
        What it says; what is wrong with it, or with reading it, is a complaint.
    """
    is_asked_for = path is not None or bool(os.environ.get(VARIABLE))
    path = path or config_path()
    name = shown_path(path)
    try:
        with path.open("rb") as file:
            return read_document(file.read(LARGEST + 1), name)
    except FileNotFoundError:
        if not is_asked_for:
            return Document(name)
        reason = f"no such file; make it with fetchtui config init, or unset {VARIABLE}"
    except OSError as error:
        reason = f"cannot be read: {error.strerror or type(error).__name__}"
    return Document(name, complaints=[Complaint(name, reason)])
