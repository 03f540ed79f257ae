"""Names of background processes; each start of the program imports this module."""

from __future__ import annotations

from typing import Final

from tui.core.quick.pattern import late_pattern
from tui.core.text.sanitize import sanitize

DEFAULT_NAME: Final = "main"
_NAME: Final = late_pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


def is_name(text: str) -> bool:
    """Return True if a background process can have this name."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str) -> str:
    """Return ``name`` if a background process can have it.

    Raises:
        ValueError: it cannot; the message says what is allowed.
    """
    if not is_name(name):
        raise ValueError(
            f"{sanitize(name, 60)!r} cannot name a background process; use up to 32"
            " letters, digits, dots, dashes and underscores, first a letter or a digit"
        )
    return name
