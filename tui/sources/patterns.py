r"""Expand URL patterns with shell braces into many URLs.

::

    https://example.org/part-{01..50}.zip      numbers, padded like the first
    https://example.org/{a..e}-{0..100..10}    letters; numbers in steps
    https://example.org/{windows,mac}.zip      words, only before a ?
    https://example.org/\{a,b}.txt             a backslash disables the pattern

Real URLs also contain braces: templates (``{id}``), JSON and field lists in queries.
Therefore only text with exactly one of these forms is a pattern, and everything else is
left unchanged. The number of URLs is computed before any of them is built.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from tui.core.quick.pattern import late_pattern
from tui.core.request import BadRequestLine, DownloadRequest, check_url
from tui.sources.values import parse_folder, parse_output_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PATTERN_LIMIT = 100_000
"""Maximum URLs of one pattern; more is probably a typo."""
_TEXT_LIMIT = 64 << 20
"""Maximum characters of all URLs of a pattern, to bound the memory."""

_NUMBERS = r"(-?[0-9]{1,15})\.\.(-?[0-9]{1,15})(?:\.\.(-?[0-9]{1,9}))?"
_LETTERS = r"(?:[a-z]\.\.[a-z]|[A-Z]\.\.[A-Z])(?:\.\.[0-9]{1,2})?"
_WORDS = r"[A-Za-z0-9._~%+@=!-]*(?:,[A-Za-z0-9._~%+@=!-]*)+"
# The look-behind keeps the search linear in a run of backslashes.
_GROUP = late_pattern(rf"(?<!\\)(\\*)(\{{(?:{_NUMBERS}|({_WORDS})|({_LETTERS}))\}})")
_CURL_GROUP = late_pattern(
    r"\[(?:([0-9]{1,15})-([0-9]{1,15})|([a-z]-[a-z]|[A-Z]-[A-Z]))(?::([0-9]{1,9}))?\]"
)


def check_pattern(url: str) -> str:
    """Return ``url`` if it, or the first URL of the pattern, is valid.

    Raises:
        ValueError: as ``check_url``.
    """
    if "{" in url:
        check_url("".join(group[0] for group in _groups(url, is_sample=True)))
        return url
    return check_url(url)


def expand(text: str) -> list[str]:
    """Return all expansions of ``text``; the last group changes fastest.

    Raises:
        ValueError: there are more than ``PATTERN_LIMIT``.
    """
    if "{" not in text:
        return [text]
    number = _count_all(text)
    if number > PATTERN_LIMIT:
        raise ValueError(
            f"the pattern expands to {number:,} URLs; the limit is {PATTERN_LIMIT:,}"
        )
    if number * len(text) > _TEXT_LIMIT:
        raise ValueError(
            f"the pattern expands to {number:,} URLs that are too long in total"
        )
    return ["".join(parts) for parts in product(*_groups(text))]


def escape(text: str) -> str:
    """Escape ``text`` so that ``expand`` returns it unchanged."""
    return _GROUP.sub(
        lambda match: match[0] if _is_literal(match) else "\\" + match[0], text
    )


def from_curl(url: str) -> str:
    """Convert curl's ranges (``[01-50]``, ``[a-z:2]``) to braces."""

    def spell(match: re.Match[str]) -> str:
        first, last, letters, step = match.groups()
        span = letters.replace("-", "..") if letters else f"{first}..{last}"
        return f"{{{span}..{step}}}" if step else f"{{{span}}}"

    return _CURL_GROUP.sub(spell, url)


def expand_requests(
    items: Iterable[DownloadRequest | BadRequestLine],
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Replace each request that contains a pattern by its expansions.

    Patterns in mirrors, ``out=`` and ``dir=`` expand in parallel with the URL, so they
    must have the same number of expansions. A single name or checksum for several
    files is an error.
    """
    for item in items:
        if isinstance(item, BadRequestLine):
            yield item
            continue
        mirrors = item.mirrors
        # A generator for each of a million requests would take a tenth of the time.
        if "{" not in (mirrors[0] if len(mirrors) == 1 else "".join(mirrors)):
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
        raise ValueError("the mirrors expand to different numbers of files")
    if number > 1 and request.checksum is not None:
        raise ValueError(f"one checksum cannot match {number:,} files")
    names = _expand_alongside(request.name, number)
    if number > 1 and len(set(names)) == 1 and request.name is not None:
        raise ValueError(
            f"out= names one file, but the URL expands to {number:,};"
            " use the pattern in out= too"
        )
    folders = _expand_alongside(request.directory, number)
    rows = zip(zip(*columns, strict=True), names, folders, strict=True)
    for mirrors, name, folder in rows:
        for url in mirrors:
            check_url(url)
        # A group may expand to "..", to a hidden folder or to nothing.
        if name is not None:
            name = parse_output_path(f"./{name}")[1]
        if folder is not None:
            folder = parse_folder(f"./{folder}")
        yield request._replace(
            mirrors=tuple(dict.fromkeys(mirrors)),
            name=name,
            directory=folder,
        )


def _expand_alongside(text: str | None, number: int) -> list[str | None]:
    """Return ``number`` texts: the expansions of ``text``, or ``text`` repeated."""
    if text is not None and number > 1:
        found = _count_all(text)
        if found == number:
            return [*expand(text)]
        if found > 1:
            raise ValueError(
                f"out= or dir= expands to {found:,} names, the URL to {number:,}"
            )
    return [text] * number


def _count_all(text: str) -> int:
    """Return the number of expansions; inexact above a trillion."""
    number = 1
    for match in _pattern_groups(text):
        number *= _count_group(match)
        if number > 10**12:
            break
    return number


def _pattern_groups(text: str) -> Iterator[re.Match[str]]:
    """Return the groups that are patterns and not escaped."""
    return (m for m in _GROUP.finditer(text) if not m[1] and not _is_literal(m))


def _is_literal(match: re.Match[str]) -> bool:
    """Return True for a field list in a query, or a list of empty words."""
    words = match[6]
    if words is None:
        return False
    return not words.strip(",") or match.string.find("?", 0, match.start()) >= 0


def _count_group(match: re.Match[str]) -> int:
    """Return the number of expansions of one group, without building them."""
    first, last, step = match[3], match[4], match[5]
    if first is not None:
        return abs(int(last) - int(first)) // max(1, abs(int(step or 1))) + 1
    if match[6] is not None:
        return match[6].count(",") + 1
    start, end, *by = match[7].split("..")
    return abs(ord(end) - ord(start)) // max(1, int(by[0]) if by else 1) + 1


def _groups(text: str, *, is_sample: bool = False) -> Iterator[list[str]]:
    """Return the expansions of each part of ``text``: one for text, all for a group."""
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
            from bracex import expand as expand_group  # takes 3 ms; few lists need it

            yield expand_group(match[2], limit=PATTERN_LIMIT)
    yield [text[done:]]
