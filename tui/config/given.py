"""A value and its source: light, since every start of the program needs it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Given(NamedTuple):
    """A value, and who says so."""

    value: Any
    source: str
    """``default``, ``config.toml:12``, ``FETCHTUI_PROXY`` or ``--proxy``."""
    is_asked: bool = False
    """Asked for by this very command: by an option, or by a profile it names."""
