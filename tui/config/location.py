"""Find and read the settings file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tui.config.document import SIZE_LIMIT, Document, read_document
from tui.config.errors import Problem
from tui.core.text.sanitize import sanitize

VARIABLE = "FETCHTUI_CONFIG"
_IS_LINUX = "linux" in sys.platform


def config_path() -> Path:
    """Return the path of the settings file, even if it does not exist.

    This is ``FETCHTUI_CONFIG`` if set, else the platform's usual place (on Linux
    ``~/.config/fetchtui/config.toml``).
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    if _IS_LINUX:
        # The same path as from platformdirs, which takes 6 ms to import.
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
    return sanitize(text, 300)


def read_config(path: Path | None = None) -> Document:
    """Read the settings file; blocks briefly.

    Returns:
        The file's contents and all problems with it. A missing file counts as empty,
        unless ``path`` or ``FETCHTUI_CONFIG`` names it.
    """
    is_explicit = path is not None or bool(os.environ.get(VARIABLE))
    path = path or config_path()
    name = shown_path(path)
    try:
        with path.open("rb") as file:
            return read_document(file.read(SIZE_LIMIT + 1), name)
    except FileNotFoundError:
        if not is_explicit:
            return Document(name)
        reason = f"no such file; run fetchtui config init, or unset {VARIABLE}"
    except OSError as error:
        reason = f"cannot read this file: {error.strerror or type(error).__name__}"
    return Document(name, problems=[Problem(name, reason)])
