"""Decide by the name of a header whether its value may be shown and stored."""

from __future__ import annotations

import re

HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
"""Request headers that reveal nothing about the user: only these are written to lists
and to the journal."""

_SECRET = re.compile(
    "cookie|auth|token|secret|session|csrf|xsrf|api-?key|passw|credential|location"
)


def may_be_secret(name: str) -> bool:
    """Return True if the value may contain credentials, a session or a signed link."""
    return _SECRET.search(name.lower()) is not None
