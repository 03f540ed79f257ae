"""Joiners: invisible characters that some scripts and emoji need.

ZWNJ separates letters of a Persian word, ZWJ after a virama chooses a form of a letter,
and ZWJ makes one emoji of several. Elsewhere they are invisible, and two names that
look the same could differ. RFC 5892 (appendix A) allows them in domain names by the
same rules; Unicode Technical Standard 51 has those of emoji.
"""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d"
"""ZWNJ and ZWJ."""
_JOINER = re.compile(f"[{JOINERS}]")
_ZWNJ = JOINERS[0]
_VIRAMA = 9
"""Canonical combining class of signs that join consonants."""


def has_joiner(text: str) -> bool:
    """Return True if ``text`` has a joiner anywhere."""
    return not text.isascii() and _JOINER.search(text) is not None


def without_joiners(text: str, *, all_of_them: bool = False) -> str:
    """Remove the joiners that have no meaning where they are, or all."""
    if all_of_them:
        return _JOINER.sub("", text)
    return _JOINER.sub(
        lambda found: found[0] if is_needed(text, found.start()) else "", text
    )


def without_needed_joiners(text: str) -> str:
    """Remove the joiners that have a meaning where they are."""
    return _JOINER.sub(
        lambda found: "" if is_needed(text, found.start()) else found[0], text
    )


def is_needed(text: str, at: int) -> bool:
    """Return True if the joiner at an index has a meaning there."""
    if at == 0:
        return False
    before, after = text[at - 1], text[at + 1 : at + 2]
    if unicodedata.combining(before) == _VIRAMA:
        return True
    if text[at] == _ZWNJ:
        return _is_joined(text, at, -1) and _is_joined(text, at, 1)
    return _is_emoji(before) and after != "" and _is_emoji(after)


def _is_joined(text: str, at: int, step: int) -> bool:
    """Return True if the next letter in a direction joins others, as in Arabic."""
    at += step
    while 0 <= at < len(text) and unicodedata.category(text[at]) == "Mn":
        at += step
    return 0 <= at < len(text) and unicodedata.bidirectional(text[at]) == "AL"


def _is_emoji(char: str) -> bool:
    """Return True for a pictograph, a skin tone or the selector of emoji style."""
    if "\U0001f3fb" <= char <= "\U0001f3ff" or char == "\ufe0f":
        return True
    return char >= "\u2190" and unicodedata.category(char) == "So"
