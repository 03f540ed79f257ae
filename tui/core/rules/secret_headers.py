"""Which headers may be shown and stored: what their names tell of their values."""

from __future__ import annotations

import re

HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
"""Request headers that tell nothing about who asks: those alone are written into lists
and into the journal."""

_SECRET = re.compile(
    "cookie|auth|token|secret|session|csrf|xsrf|api-?key|passw|credential|location"
)


def may_be_secret(name: str) -> bool:
    """Whether values of a header can hold a login, a session or a signed link."""
    return _SECRET.search(name.lower()) is not None
