"""Regular expressions that are compiled when they are used for the first time."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

_METHODS = ("match", "fullmatch", "search", "sub", "subn", "split", "findall")
_ALL = (*_METHODS, "finditer", "pattern", "flags", "groups", "groupindex")


class _LatePattern:
    """Behaves like the compiled pattern, whose attributes it takes over."""

    def __init__(self, source: str | bytes, flags: int) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        # Python calls this only for what is missing: once per pattern.
        compiled = re.compile(self._source, self._flags)
        for each in _ALL:
            setattr(self, each, getattr(compiled, each))
        return getattr(compiled, name)


def late_pattern(source: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a pattern that is compiled when it is used for the first time.

    A run uses a few of our patterns, and compiling them all took 7 ms of its start. For
    those of every request, use ``re.compile``.
    """
    return cast("re.Pattern[AnyStr]", _LatePattern(source, flags))
