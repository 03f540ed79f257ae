r"""Patterns: one URL that stands for many, written as in the shell.

::

    https://example.org/part-{01..50}.zip      numbers, padded as the first is
    https://example.org/{a..e}-{0..100..10}    letters; numbers in steps
    https://example.org/{windows,mac}.zip      words, before any ? only
    https://example.org/\{a,b}.txt             a backslash in front: no pattern

Real URLs hold braces as well: templates (``{id}``), JSON and field lists in queries. So
only what has exactly one of these forms is a pattern, and everything else stays as it
is. How many URLs there will be is counted before one is made.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from tui.core.request import BadRequestLine, DownloadRequest, check_url
from tui.sources.options import parse_folder, parse_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PATTERN_LIMIT = 100_000
"""URLs that one pattern may stand for; above it a slip of the finger is likelier."""
_TEXT_LIMIT = 64 << 20
"""Characters of all of them together, so that a long URL does not take the memory."""

_NUMBERS = r"(-?[0-9]{1,15})\.\.(-?[0-9]{1,15})(?:\.\.(-?[0-9]{1,9}))?"
_LETTERS = r"(?:[a-z]\.\.[a-z]|[A-Z]\.\.[A-Z])(?:\.\.[0-9]{1,2})?"
_WORDS = r"[A-Za-z0-9._~%+@=!-]*(?:,[A-Za-z0-9._~%+@=!-]*)+"
_GROUP = re.compile(rf"(\\*)(\{{(?:{_NUMBERS}|({_WORDS})|({_LETTERS}))\}})")
_CURL_GROUP = re.compile(
    r"\[(?:([0-9]{1,15})-([0-9]{1,15})|([a-z]-[a-z]|[A-Z]-[A-Z]))(?::([0-9]{1,9}))?\]"
)


def check_pattern(url: str) -> str:
    """Return ``url`` if it, or the first URL that it stands for, can be fetched.

    Raises:
        ValueError: as ``check_url``.
    """
    if "{" in url:
        check_url("".join(group[0] for group in _groups(url, is_sample=True)))
        return url
    return check_url(url)


def expand(text: str) -> list[str]:
    """Return what ``text`` stands for, in order; the last group changes fastest.

    Raises:
        ValueError: that would be more than ``PATTERN_LIMIT``.
    """
    if "{" not in text:
        return [text]
    number = _number(text)
    if number > PATTERN_LIMIT:
        raise ValueError(
            f"the pattern stands for {number:,} URLs; the limit is {PATTERN_LIMIT:,}"
        )
    if number * len(text) > _TEXT_LIMIT:
        raise ValueError(f"the pattern stands for {number:,} URLs, and they are long")
    return ["".join(parts) for parts in product(*_groups(text))]


def escape(text: str) -> str:
    """Return ``text`` so that ``expand`` gives it back as it is."""
    return _GROUP.sub(
        lambda match: match[0] if _is_literal(match) else "\\" + match[0], text
    )


def from_curl(url: str) -> str:
    """Return curl's spelling of ranges (``[01-50]``, ``[a-z:2]``) in braces."""

    def spell(match: re.Match[str]) -> str:
        first, last, letters, step = match.groups()
        span = letters.replace("-", "..") if letters else f"{first}..{last}"
        return f"{{{span}..{step}}}" if step else f"{{{span}}}"

    return _CURL_GROUP.sub(spell, url)


def expand_requests(
    items: Iterable[DownloadRequest | BadRequestLine],
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Put the requests that a pattern stands for in its place.

    Mirrors, ``out=`` and ``dir=`` with patterns go along with the URL, so they must
    stand for as many; with one name or one checksum for several files it is refused.
    """
    for item in items:
        if isinstance(item, BadRequestLine) or not any("{" in m for m in item.mirrors):
            yield item
            continue
        try:
            yield from _expand_request(item)
        except ValueError as error:
            yield BadRequestLine(item.source, str(error))


def _expand_request(request: DownloadRequest) -> Iterator[DownloadRequest]:
    columns = [expand(url) for url in request.mirrors]
    number = len(columns[0])
    if any(len(column) != number for column in columns):
        raise ValueError("the mirrors stand for different numbers of files")
    if number > 1 and request.checksum is not None:
        raise ValueError(f"one checksum cannot hold for {number:,} files")
    names = _go_along(request.name, number)
    if number > 1 and len(set(names)) == 1 and request.name is not None:
        raise ValueError(
            f"out= names one file and the URL stands for {number:,};"
            " write the pattern in out= as well"
        )
    folders = _go_along(request.directory, number)
    rows = zip(zip(*columns, strict=True), names, folders, strict=True)
    for mirrors, name, folder in rows:
        for url in mirrors:
            check_url(url)
        # A group may stand for "..", for a hidden folder or for nothing.
        if name is not None:
            name = parse_place(f"./{name}")[1]
        if folder is not None:
            folder = parse_folder(f"./{folder}")
        yield request._replace(
            mirrors=tuple(dict.fromkeys(mirrors)),
            name=name,
            directory=folder,
        )


def _go_along(text: str | None, number: int) -> list[str | None]:
    """Return ``number`` texts: what it stands for, or itself again and again."""
    if text is not None and number > 1:
        found = _number(text)
        if found == number:
            return [*expand(text)]
        if found > 1:
            raise ValueError(
                f"out= or dir= stands for {found:,} names, the URL for {number:,}"
            )
    return [text] * number


def _number(text: str) -> int:
    """Return how many texts there would be; above a trillion, some such number."""
    number = 1
    for match in _found(text):
        number *= _count(match)
        if number > 10**12:
            break
    return number


def _found(text: str) -> Iterator[re.Match[str]]:
    """Return the groups that are patterns."""
    return (m for m in _GROUP.finditer(text) if not m[1] and not _is_literal(m))


def _is_literal(match: re.Match[str]) -> bool:
    """Whether it is a field list in a query, or words of which none says anything."""
    words = match[6]
    if words is None:
        return False
    return not words.strip(",") or "?" in match.string[: match.start()]


def _count(match: re.Match[str]) -> int:
    """Return how many texts a group stands for, without making them."""
    first, last, step = match[3], match[4], match[5]
    if first is not None:
        return abs(int(last) - int(first)) // max(1, abs(int(step or 1))) + 1
    if match[6] is not None:
        return match[6].count(",") + 1
    start, end, *by = match[7].split("..")
    return abs(ord(end) - ord(start)) // max(1, int(by[0]) if by else 1) + 1


def _groups(text: str, *, is_sample: bool = False) -> Iterator[list[str]]:
    """Return what each part of ``text`` stands for: one text, or all of a group."""
    done = 0
    for match in _GROUP.finditer(text):
        if _is_literal(match):
            continue
        yield [text[done : match.start()]]
        done = match.end()
        if match[1]:
            yield [match[0][1:]]
        elif is_sample:
            yield [re.split(r"[,{}]|\.\.", match[2])[1]]
        elif match[6] is not None:
            yield match[6].split(",")
        else:
            from bracex import expand as expand_group  # 3 ms that few lists need

            yield expand_group(match[2], limit=PATTERN_LIMIT)
    yield [text[done:]]
