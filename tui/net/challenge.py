"""What a 401 asks for: reading ``WWW-Authenticate`` (RFC 9110, section 11.6.1).

Servers write several challenges into one line or into several, and a comma separates
challenges as well as their parameters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~/-]+"
_PART = re.compile(
    rf"(,)|({_WORD})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",]+))|({_WORD})"
)
VALUE_LIMIT = 8192
"""Characters of a header that are read; real challenges stay below 1,000."""
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
    for scheme, parameters in _challenges(values):
        if scheme.lower() == "digest" and {"realm", "nonce"} <= parameters.keys():
            challenge = Challenge(parameters)
            if challenge.rank >= 0:
                found.append(challenge)
    return min(found, key=lambda challenge: challenge.rank, default=None)


def schemes(values: Sequence[str]) -> list[str]:
    """Name the schemes that ``WWW-Authenticate`` offers, as they are spelt."""
    return [scheme for scheme, _ in _challenges(values)]


def _challenges(values: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Part ``WWW-Authenticate`` into schemes with their parameters, in lower case.

    A word that follows a comma, and no ``=``, is the next scheme.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for value in values:
        may_be_scheme = True
        for comma, name, quoted, plain, word in _PART.findall(value[:VALUE_LIMIT]):
            if comma:
                may_be_scheme = True
            elif word:
                if may_be_scheme:
                    found.append((word, {}))
                may_be_scheme = False
            else:
                if found:
                    found[-1][1].setdefault(name.lower(), quoted or plain)
                may_be_scheme = False
    return found
