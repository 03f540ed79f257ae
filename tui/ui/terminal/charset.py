"""Which characters the terminal can show, from the environment."""

from __future__ import annotations

import locale
import os
import sys

_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""Values to which Python sets LC_CTYPE in the C locale (PEP 538)."""


def wants_ascii() -> bool:
    """Return True if the terminal or ``FETCHTUI_ASCII=1`` asks for ASCII only."""
    if os.environ.get("FETCHTUI_ASCII", "").lower() in ("1", "true", "yes", "on"):
        return True
    if os.environ.get("TERM") in ("linux", "dumb"):
        return True
    if not sys.flags.utf8_mode:
        return "utf" not in locale.getpreferredencoding(do_setlocale=False).lower()
    # In the C locale, Python uses UTF-8 (PEP 538 and 540) and sets LC_CTYPE. That is
    # right if no locale is set, as in containers, or if a UTF-8 locale is not installed
    # here; a user who names C, or another encoding, means it.
    name = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE", "")
    if name in ("", *_COERCED):
        name = os.environ.get("LANG", "")
    return bool(name) and "utf" not in name.lower()
