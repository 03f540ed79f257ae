r"""The filter language of the list, shared by every front end.

::

    iso ubuntu          both words, in name, folder or URL; case-insensitive
    "two words"         this exact text
    is:failed           a state; is:active, is:ended; is:paused,queued for either
    host:example.org    part of the host
    name:part           part of folder and name
    size:>1G            also >=, <, <=; a bare letter means powers of 1024
    size:1M..1G         between; size:? for downloads of unknown size
    /train-\d+/          a regular expression, in name, folder or URL
    -word               not; in front of any of the above

A term that is still being typed (``is:``, ``size:>``) is an error that says what is
missing. The beginning of a state's word selects all states that begin with it.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from tui.core.download import ACTIVE, ENDED, UNFINISHED, DownloadState
from tui.core.quick.pattern import late_pattern
from tui.core.text.sanitize import sanitize
from tui.core.text.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    import regex

    from tui.core.download import Download

Predicate: TypeAlias = "Callable[[Sequence[Download]], list[Download]]"
"""Returns the downloads that match, in their order."""

SLICE_S = 0.006
"""Filter for this long between two yields."""
BUDGET_S = 3.0
"""Processor time that a filter may take for the whole list: ten times what 100,000
names take with the slowest patterns that make sense."""
SEARCHED = 300
"""Characters of a URL that a regular expression searches: its time can grow with the
third power of the length. Names are no longer than that."""
_TIMEOUT_S = 0.03
"""A batch that takes longer is repeated with fewer downloads; if a single download
takes longer, the pattern is refused."""
_FIRST_BATCH = 256
_LARGEST_BATCH = 512
_SLOW_BATCH = 8

_TERM = late_pattern(
    r"""\s*(?P<not>-)?(?:
        (?P<key>is|host|name|size):(?P<value>"[^"]*"?|\S*)
        | /(?P<regex>(?:[^/\\]|\\.|/(?!\s|$))*)(?:/(?=\s|$)|$)
        | "(?P<quoted>[^"]*)"?
        | (?P<word>\S+)
    )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_WORDS: dict[str, frozenset[DownloadState]] = {
    **{state.word: frozenset({state}) for state in DownloadState},
    "active": ACTIVE | {DownloadState.WAITING},
    "connecting": frozenset({DownloadState.PROBING}),
    "saving": frozenset({DownloadState.VERIFYING}),
    "retrying": frozenset({DownloadState.WAITING}),
    "ended": ENDED,
    "unfinished": UNFINISHED,
}
_COMPARISON = late_pattern(r"(>=|<=|>|<)(.*)")
_BRANCH = late_pattern(r"[*+?{|]")


class FilterError(ValueError):
    """A filter is wrong or incomplete; ``str()`` says what it needs."""

    before = ""
    """The terms before the wrong one, which are correct."""


def compile_filter(text: str) -> Predicate:
    """Return the predicate for a filter.

    Raises:
        FilterError: the text is wrong or incomplete.
    """
    predicates = _predicates(text)

    def keep(downloads: Sequence[Download]) -> list[Download]:
        for predicate in predicates:
            downloads = predicate(downloads)
        return list(downloads)

    return keep


def filter_iter(
    downloads: Sequence[Download], text: str
) -> Generator[None, None, list[Download]]:
    """Filter a list, a few milliseconds between two yields.

    The size of a batch follows from how long the last one took.

    Args:
        downloads: in any order, which is kept.
        text: the filter.

    Returns:
        The downloads that match.

    Raises:
        FilterError: the text is wrong, or the filter takes too long.
    """
    predicate = compile_filter(text)
    found: list[Download] = []
    kept: list[Download] | None
    at, size = 0, _FIRST_BATCH
    spent_s, paused_at = 0.0, time.perf_counter()
    while at < len(downloads):
        started, worked = time.perf_counter(), time.thread_time()
        try:
            kept = predicate(downloads[at : at + size])
        except TimeoutError:
            # By processor time: on a busy machine a good pattern may be slow.
            if size == 1 and time.thread_time() - worked > _TIMEOUT_S / 2:
                raise _too_slow() from None
            size = _SLOW_BATCH if size > _SLOW_BATCH else 1
            kept = None
        now = time.perf_counter()
        spent_s += time.thread_time() - worked
        if spent_s > BUDGET_S:
            raise _too_slow()
        if kept is not None:
            found += kept
            at += size
            if now - started < SLICE_S / 4:
                size = min(_LARGEST_BATCH, size * 2)
            elif now - started > SLICE_S:
                size = max(1, size // 2)
        if now - paused_at > SLICE_S - (now - started) and at < len(downloads):
            yield
            paused_at = time.perf_counter()
    return found


def _too_slow() -> FilterError:
    return FilterError("this pattern takes too long; simplify it")


@lru_cache(64)
def _predicates(text: str) -> tuple[Predicate, ...]:
    predicates = []
    text = text.strip()
    at = 0
    while at < len(text):
        start = at
        match = _TERM.match(text, at)
        assert match is not None  # a word is any text without white space
        at = match.end()
        while at < len(text) and text[at].isspace():
            at += 1
        try:
            predicate = _predicate(match)
        except FilterError as error:
            error.before = text[:start].strip()
            raise
        if predicate is not None:
            predicates.append(_without(predicate) if match["not"] else predicate)
    return tuple(predicates)


def _predicate(match: re.Match[str]) -> Predicate | None:
    """Return the predicate of one term; ``None`` for a term that is still empty."""
    if match["regex"] is not None:
        return _by_regex(match["regex"]) if match["regex"] else None
    if match["quoted"] is not None:
        return _by_word(match["quoted"])
    if match["word"] is not None:
        is_begun = match["word"] == "-"  # the rest is still to be typed
        return None if is_begun else _by_word(match["word"])
    value = match["value"].strip('"')
    make = {"is": _by_state, "host": _by_host, "name": _by_name, "size": _by_size}
    return make[match["key"].lower()](value.lower())


def _without(predicate: Predicate) -> Predicate:
    def keep(downloads: Sequence[Download]) -> list[Download]:
        unwanted = {d.id for d in predicate(downloads)}
        return [d for d in downloads if d.id not in unwanted]

    return keep


# Each predicate is one comprehension: a call per download would take longer than the
# comparison itself.


def _by_word(word: str) -> Predicate:
    word = word.lower()
    if "/" in word:
        return lambda downloads: [
            d
            for d in downloads
            if word in d.url.lower() or word in f"{d.directory}/{d.name}".lower()
        ]
    return lambda downloads: [
        d
        for d in downloads
        if word in d.name.lower()
        or word in d.url.lower()
        or (d.directory and word in d.directory.lower())
    ]


def _by_name(word: str) -> Predicate:
    return lambda downloads: [
        d for d in downloads if word in f"{d.directory}/{d.name}".lower()
    ]


def _by_host(word: str) -> Predicate:
    def keep(downloads: Sequence[Download]) -> list[Download]:
        # A list repeats few hosts many times: compare each once.
        origins = {d.origin for d in downloads}
        wanted = {o for o in origins if word in o.partition("://")[2]}
        return [d for d in downloads if d.origin in wanted]

    return keep


def _by_state(text: str) -> Predicate:
    states: set[DownloadState] = set()
    for word in text.split(","):
        exact = _WORDS.get(word)
        begun = [_WORDS[known] for known in _WORDS if known.startswith(word)]
        if not word or not begun:
            known = ", ".join(_WORDS)
            if word:
                raise FilterError(f"unknown state {sanitize(word, 20)!r}; use {known}")
            raise FilterError(f"is: needs a state: {known}")
        states.update(*([exact] if exact else begun))
    return lambda downloads: [d for d in downloads if d.state in states]


def _by_size(text: str) -> Predicate:
    if text == "?":
        return lambda downloads: [d for d in downloads if d.size is None]
    low, dots, high = text.partition("..")
    if dots:
        return _between(_size(low), _size(high) + 1)
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise FilterError("size: needs >1G, <10k, 1M..1G, or ? for unknown")
    sign, rest = match.groups()
    size = _size(rest)
    if sign[0] == ">":
        return _between(size + (sign == ">"), 1 << 63)
    return _between(0, size + (sign == "<="))


def _between(low: int, high: int) -> Predicate:
    """Keep sizes from ``low`` to below ``high``, in bytes."""
    return lambda downloads: [
        d for d in downloads if d.size is not None and low <= d.size < high
    ]


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError:
        wrong = f"{sanitize(text, 20)!r} is not a valid size; use"
        if not text:
            wrong = "size: needs a size such as"
        raise FilterError(f"{wrong} 500k, 10M or 1.5G") from None


def _by_regex(text: str) -> Predicate:
    import regex  # 20 ms, for those who use it

    try:
        search = _compile(text).search
    except (regex.error, RecursionError, OverflowError) as error:
        reason = getattr(error, "msg", "too large")
        raise FilterError(f"/{sanitize(text, 20)}/: {sanitize(reason, 60)}") from None

    # A pattern without a slash cannot match across folder and name, so search only the
    # folder.
    path = _path if "/" in text else attrgetter("directory")
    if len(_BRANCH.findall(text)) <= 1:
        return lambda downloads: [
            d
            for d in downloads
            if search(d.name.lower())
            or search(d.url.lower(), 0, SEARCHED)
            or (d.directory and search(path(d).lower()))
        ]

    # Several repeats or alternatives can take years for one name, as in (a+)+$ or
    # (a|a)*c; one cannot. A timeout costs more than the search of most names: 4 us.
    def keep(downloads: Sequence[Download]) -> list[Download]:
        ends = time.perf_counter() + _TIMEOUT_S
        kept = []
        for d in downloads:
            if (
                search(d.name.lower(), timeout=_TIMEOUT_S)
                or search(d.url.lower(), 0, SEARCHED, timeout=_TIMEOUT_S)
                or (d.directory and search(path(d).lower(), timeout=_TIMEOUT_S))
            ):
                kept.append(d)
            if time.perf_counter() > ends:
                raise TimeoutError
        return kept

    return keep


def _path(download: Download) -> str:
    return f"{download.directory}/{download.name}"


def _compile(text: str) -> regex.Pattern[str]:
    """Compile a pattern for text in lower case.

    Ignoring case takes several times as long: the search then cannot look for the first
    letters directly.
    """
    import regex

    text = _strip_any(text)
    if "(?" in text or "\\N" in text:
        return regex.compile(text, regex.IGNORECASE)
    lowered = re.sub(r"\\.|[^\\]+", lambda part: _lower(part[0]), text)
    return regex.compile(lowered)


def _strip_any(text: str) -> str:
    """Remove ``.*`` at both ends, which does not change the result.

    Users write it as in a shell. At the front it makes the search try every letter of
    100,000 names again for every letter before it: 340 ms instead of 60 ms.
    """
    if text.startswith(".*") and text[2:3] not in ("+", "?"):
        text = text[2:]
    end = text[:-2]
    if text.endswith(".*") and (len(end) - len(end.rstrip("\\"))) % 2 == 0:
        text = end
    return text


def _lower(part: str) -> str:
    return part if part.startswith("\\") else part.lower()
