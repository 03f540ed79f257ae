r"""The language in which a list is filtered; every face shares it.

::

    iso ubuntu          both words, in name, folder or URL; case does not matter
    "two words"         as they stand
    is:failed           a state; is:active, is:ended; is:paused,queued for either
    host:example.org    part of the host
    name:part           part of folder and name
    size:>1G            also >=, <, <=; a bare letter means powers of 1024
    size:1M..1G         between; size:? for those of unknown size
    /train-\d+/          a regular expression, in name, folder or URL
    -word               not; in front of any of the above

What is still being typed (``is:``, ``size:>``) is wrong and says what it needs; the
beginning of a state's word stands for all that begin with it.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from tui.core.download import ACTIVE, ENDED, DownloadState
from tui.core.listing.regex_timeout import Overdue, within
from tui.core.text.plain_text import plain
from tui.core.text.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tui.core.download import Download

Sieve: TypeAlias = "Callable[[Sequence[Download]], list[Download]]"
"""Keeps the downloads that match, in their order."""

SLICE_S = 0.006
"""How long a list is sifted at a stretch."""
PATIENCE_S = 3.0
"""Processor time that a filter may take over the whole list: ten times what 100,000
names take with the dearest patterns that make sense."""
SEARCHED = 300
"""Characters of a URL that a regular expression looks at: what it takes can grow with
the third power of the length. Names are no longer than that."""
_STUCK_S = 0.03
"""A few downloads that take longer than this are tried one by one; one that does is
given up."""
_FIRST_STEP = 256
_LARGEST_STEP = 4096
_STUCK_STEP = 8

_TERM = re.compile(
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
    "retrying": frozenset({DownloadState.WAITING}),
    "ended": ENDED,
    "unfinished": frozenset(DownloadState) - ENDED,
}
_COMPARISON = re.compile(r"(>=|<=|>|<)(.*)")
_NESTED = re.compile(r"\([^()]*[*+}][^()]*\)[*+{]")


class FilterError(ValueError):
    """A filter that makes no sense; ``str()`` says in words what it needs."""

    before = ""
    """What stands before the wrong term, and makes sense."""


def sieve_of(text: str) -> Sieve:
    """Read a filter.

    Returns:
        What keeps the matching downloads.

    Raises:
        FilterError: the text is wrong or not complete yet.
    """
    sieves = _sieves(text)

    def keep(downloads: Sequence[Download]) -> list[Download]:
        for sieve in sieves:
            downloads = sieve(downloads)
        return list(downloads)

    return keep


def sifting(
    downloads: Sequence[Download], text: str
) -> Generator[None, None, list[Download]]:
    """Sift a list by a filter, a few milliseconds between two yields.

    How many downloads that is follows from how long the last ones took. A pattern that
    does not come to an end on one name is stopped (``core.listing.regex_timeout``).

    Args:
        downloads: in any order, which is kept.
        text: the filter.

    Returns:
        Those that match.

    Raises:
        FilterError: the text is wrong, or takes too long.
    """
    sieve = sieve_of(text)
    found: list[Download] = []
    kept: list[Download] | None
    at, step = 0, _FIRST_STEP
    spent_s, paused_at = 0.0, time.perf_counter()
    while at < len(downloads):
        started, worked = time.perf_counter(), time.thread_time()
        try:
            kept = within(_STUCK_S, partial(sieve, downloads[at : at + step]))
        except Overdue:
            # By processor time: a loaded machine is no fault of the pattern.
            if step == 1 and time.thread_time() - worked > _STUCK_S / 2:
                raise _too_slow() from None
            step = _STUCK_STEP if step > _STUCK_STEP else 1
            kept = None
        now = time.perf_counter()
        spent_s += time.thread_time() - worked
        if spent_s > PATIENCE_S:
            raise _too_slow()
        if kept is not None:
            found += kept
            at += step
            if now - started < SLICE_S / 4:
                step = min(_LARGEST_STEP, step * 2)
            elif now - started > SLICE_S:
                step = max(1, step // 2)
        if now - paused_at > SLICE_S - (now - started) and at < len(downloads):
            yield
            paused_at = time.perf_counter()
    return found


def _too_slow() -> FilterError:
    return FilterError("this pattern takes too long; make it simpler")


@lru_cache(64)
def _sieves(text: str) -> tuple[Sieve, ...]:
    sieves = []
    text = text.strip()
    at = 0
    while at < len(text):
        start = at
        match = _TERM.match(text, at)
        assert match is not None  # a word is anything but white space
        at = match.end()
        while at < len(text) and text[at].isspace():
            at += 1
        try:
            sieve = _sieve(match)
        except FilterError as error:
            error.before = text[:start].strip()
            raise
        if sieve is not None:
            sieves.append(_without(sieve) if match["not"] else sieve)
    return tuple(sieves)


def _sieve(match: re.Match[str]) -> Sieve | None:
    """Return what one term keeps; ``None`` where it says nothing yet."""
    if match["regex"] is not None:
        return _by_regex(match["regex"]) if match["regex"] else None
    if match["quoted"] is not None:
        return _by_word(match["quoted"])
    if match["word"] is not None:
        is_begun = match["word"] == "-"  # what shall not be is still to be typed
        return None if is_begun else _by_word(match["word"])
    value = match["value"].strip('"')
    make = {"is": _by_state, "host": _by_host, "name": _by_name, "size": _by_size}
    return make[match["key"].lower()](value.lower())


def _without(sieve: Sieve) -> Sieve:
    def keep(downloads: Sequence[Download]) -> list[Download]:
        unwanted = {d.id for d in sieve(downloads)}
        return [d for d in downloads if d.id not in unwanted]

    return keep


# Each sieve is one comprehension: a call per download would take longer than looking.


def _by_word(word: str) -> Sieve:
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


def _by_name(word: str) -> Sieve:
    return lambda downloads: [
        d for d in downloads if word in f"{d.directory}/{d.name}".lower()
    ]


def _by_host(word: str) -> Sieve:
    def keep(downloads: Sequence[Download]) -> list[Download]:
        # A list repeats few hosts many times: each is looked at once.
        origins = {d.origin for d in downloads}
        wanted = {o for o in origins if word in o.partition("://")[2]}
        return [d for d in downloads if d.origin in wanted]

    return keep


def _by_state(text: str) -> Sieve:
    states: set[DownloadState] = set()
    for word in text.split(","):
        exact = _WORDS.get(word)
        begun = [_WORDS[known] for known in _WORDS if known.startswith(word)]
        if not word or not begun:
            shown = f"is:{plain(word, 20)} is no state" if word else "is: needs a state"
            raise FilterError(f"{shown}: {', '.join(_WORDS)}")
        states.update(*([exact] if exact else begun))
    return lambda downloads: [d for d in downloads if d.state in states]


def _by_size(text: str) -> Sieve:
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


def _between(low: int, high: int) -> Sieve:
    """Keep sizes from ``low`` to below ``high``, in bytes."""
    return lambda downloads: [
        d for d in downloads if d.size is not None and low <= d.size < high
    ]


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError:
        shown = f"{plain(text, 20)!r} is no size" if text else "size: needs a size"
        raise FilterError(f"{shown}; write it as 500k, 10M or 1.5G") from None


def _by_regex(text: str) -> Sieve:
    if _NESTED.search(text):
        # (a+)+ can take longer than the universe; without alarms nothing stops it.
        raise FilterError("a repeat within a repeat may never end; take one away")
    try:
        search = _compiled(text).search
    except (re.error, RecursionError, OverflowError) as error:
        reason = getattr(error, "msg", "too large")
        raise FilterError(f"/{plain(text, 20)}/: {plain(reason, 60)}") from None

    # What has no slash cannot reach from folder to name, so the folder is enough.
    place = _path if "/" in text else attrgetter("directory")

    return lambda downloads: [
        d
        for d in downloads
        if search(d.name.lower())
        or search(d.url.lower(), 0, SEARCHED)
        or (d.directory and search(place(d).lower()))
    ]


def _path(download: Download) -> str:
    return f"{download.directory}/{download.name}"


def _compiled(text: str) -> re.Pattern[str]:
    """Compile a pattern for text in lower case.

    Asking ``re`` to ignore case takes five times as long: it then cannot look for the
    first letters at once.
    """
    text = _bare(text)
    if "(?" in text or "\\N" in text:
        return re.compile(text, re.IGNORECASE)
    lowered = re.sub(r"\\.|[^\\]+", lambda part: _lower(part[0]), text)
    return re.compile(lowered)


def _bare(text: str) -> str:
    """Take away ``.*`` at both ends: it changes nothing that is found.

    People write it as in a shell. In front it has each letter of 100,000 names looked
    at anew for every letter before it: 340 ms where 60 do.
    """
    if text.startswith(".*") and text[2:3] not in ("+", "?"):
        text = text[2:]
    end = text[:-2]
    if text.endswith(".*") and (len(end) - len(end.rstrip("\\"))) % 2 == 0:
        text = end
    return text


def _lower(part: str) -> str:
    return part if part.startswith("\\") else part.lower()
