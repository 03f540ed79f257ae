"""What a 401 asks for: reading ``WWW-Authenticate`` (RFC 9110, section 11.6.1).

Servers write several challenges into one line or into several, and a comma separates
challenges as well as their parameters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?=\s+[^=\s,]|\s*$|\s*,)")
_PARAMETER = re.compile(r'([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.){0,4096})"|([^\s",]+))')
# Best first.
_ALGORITHMS = ("SHA-512", "SHA-256", "SHA", "MD5")


class Challenge:
    """One Digest challenge, written in the one form that httpx reads."""

    __slots__ = ("is_stale", "line", "rank")

    def __init__(self, parameters: dict[str, str]) -> None:
        algorithm = parameters.get("algorithm", "MD5").upper()
        base = algorithm.removesuffix("-SESS")
        self.rank = _ALGORITHMS.index(base) if base in _ALGORITHMS else -1
        self.is_stale = parameters.get("stale", "").lower() == "true"
        quoted = (
            f'{name}="{value}"'
            for name, value in parameters.items()
            if name in ("realm", "nonce", "opaque", "qop", "algorithm")
        )
        self.line = "Digest " + ", ".join(quoted)


def best_challenge(values: Sequence[str]) -> Challenge | None:
    """Return the strongest Digest challenge that can be answered, if there is one.

    Args:
        values: of ``WWW-Authenticate``; one may hold several (RFC 9110 section 11.6.1).
    """
    found = []
    for value in values:
        for part in re.split(r"(?i)(?:^|,)\s*(?=digest\s)", value):
            if part[:7].lower().strip() != "digest":
                continue
            # A parameter that comes twice is the next scheme's already.
            parameters: dict[str, str] = {}
            for name, quoted, word in _PARAMETER.findall(part[7:]):
                parameters.setdefault(name.lower(), quoted or word)
            challenge = Challenge(parameters)
            if challenge.rank >= 0 and {"realm", "nonce"} <= parameters.keys():
                found.append(challenge)
    return min(found, key=lambda challenge: challenge.rank, default=None)


def schemes(values: Sequence[str]) -> list[str]:
    """Name the schemes that ``WWW-Authenticate`` offers, as they are spelt."""
    return [name for value in values for name in _SCHEME.findall(value)]
