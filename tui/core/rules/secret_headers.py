"""Decide by the name of a header whether its value may be shown and stored."""

from __future__ import annotations

from tui.core.quick.pattern import late_pattern

HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
"""Request headers that reveal nothing about the user: only these are written to lists
and to the journal."""

_SECRET = late_pattern(
    # Parts of names, since every service has names of its own. "author" is harmless.
    "auth(?!ors?(?![a-z]))|bearer|cookie|credential|csrf|jwt|key|location|otp|passphrase"
    "|passw|pwd|private|secret|session|signature|token|xsrf"
    # Whole words of a name.
    "|(?<![a-z])(?:pass|pin|sid|sig)(?![a-z])"
)


def may_be_secret(name: str) -> bool:
    """Return True if the value may contain credentials, a session or a signed link."""
    return _SECRET.search(name.lower()) is not None
