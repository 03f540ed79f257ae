"""Finds downloads by id, name or filter, for the verbs and for the shell.

A list may have a million downloads: ids are looked up one by one, and everything else
runs in slices beside the downloads.
"""

from __future__ import annotations

import asyncio
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from tui.background.protocol import Code, RequestError
from tui.core.listing.query import DownloadQuery, SortKey, View
from tui.core.listing.slices import run_sliced
from tui.core.service import REMOVED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from tui.core.download import DownloadId
    from tui.core.service import DownloadService
    from tui.core.snapshot import DownloadSnapshot

_COMPLETIONS: Final = 100
_CANDIDATES: Final = 20_000
"""Downloads that are looked at for a name, or for the completion of a word."""
_ROWS: Final = 1_000
"""Rows built per loop iteration: 5 ms."""
_STATES: Final = 20_000
"""States read per loop iteration: 3 ms."""
_ID: Final = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


class Finder:
    """Answers the requests of a client that look for downloads."""

    def __init__(self, service: DownloadService) -> None:
        """Look in the downloads of ``service``."""
        self._service = service

    async def select(self, params: dict[str, Any]) -> Any:
        """Return the ids that match a filter, at most ``limit`` if that is given.

        Raises:
            RequestError: a parameter is wrong, or the filter.
        """
        limit = params.get("limit")
        if limit is not None and (type(limit) is not int or limit < 0):
            text = "limit must be a whole number from 0"
            raise RequestError(Code.INVALID_PARAMS, text)
        return {"ids": (await self._ids(read_query(params)))[:limit]}

    async def find(self, params: dict[str, Any]) -> Any:
        """Return the ids of targets, in their order, and the targets without any.

        Raises:
            RequestError: a target is a wrong filter.
        """
        found: dict[DownloadId, None] = {}
        missing = []
        for target in _strings(params, "targets"):
            ids = await self._targets(target)
            found.update(dict.fromkeys(ids))
            if not ids:
                missing.append(target)
        return {"ids": list(found), "missing": missing}

    async def _targets(self, target: str) -> list[DownloadId]:
        """Return the downloads of an id or a range, or else of a name or a filter."""
        match = _ID.fullmatch(target)
        if match is not None:
            first, last = int(match[1]), int(match[2] or match[1])
            wanted = range(first, min(last + 1, self._service.count))
            ids = [id async for part in self._listed(wanted) for id in part]
            if ids:
                return ids
        return await self._named(target) or await self._ids(DownloadQuery(text=target))

    async def _listed(
        self, ids: Iterable[DownloadId]
    ) -> AsyncIterator[list[DownloadId]]:
        """Yield those ids that were not removed, in slices."""
        rest = iter(ids)
        while part := list(islice(rest, _STATES)):
            states = self._service.states(part)
            pairs = zip(part, states, strict=True)
            yield [id for id, state in pairs if not state & REMOVED]
            await asyncio.sleep(0)

    async def _named(self, name: str) -> list[DownloadId]:
        """Return the downloads with exactly this name, or folder and name."""
        ids: list[DownloadId] | None = None
        if '"' not in name:
            ids = await self._ids(DownloadQuery(text=f'name:"{name}"'))
        if ids is None or len(ids) > _CANDIDATES:
            # Four times slower, but few others match. It ignores case, and also looks
            # at URLs.
            pattern = "".join(map(_pattern, name))
            ids = await self._ids(DownloadQuery(text=f"/^{pattern}$/"))
        named = []
        for at in range(0, len(ids), _ROWS):
            rows = self._service.rows(ids[at : at + _ROWS])
            named += [row.id for row in rows if name in (row.name, _path(row))]
            await asyncio.sleep(0)
        return named

    async def _ids(self, query: DownloadQuery) -> list[DownloadId]:
        try:
            return await run_sliced(self._service.select_iter(query), asyncio.sleep)
        except ValueError as error:  # FilterError says what the filter needs
            raise RequestError(Code.REFUSED, str(error)) from None

    # -- completion ------------------------------------------------------------------

    async def complete(self, params: dict[str, Any]) -> Any:
        """Return names and ids that start with a text, for the shell."""
        start = str(params.get("start", ""))
        by_id = await self._starting_with(start)
        names = await self._names(start) if start else [row.name for row in by_id]
        return {
            "ids": [[row.id, row.state.word, row.name] for row in by_id],
            "names": list(dict.fromkeys(names))[:_COMPLETIONS],
        }

    async def _starting_with(self, start: str) -> Sequence[DownloadSnapshot]:
        """Return the first rows whose id begins with some digits."""
        ids: list[DownloadId] = []
        candidates = islice(_with_prefix(start, self._service.count), _CANDIDATES)
        async for part in self._listed(candidates):
            ids += part[: _COMPLETIONS - len(ids)]
        return self._service.rows(ids)

    async def _names(self, start: str) -> list[str]:
        """Return the first names that begin with a text."""
        if '"' in start:
            return []
        ids = await self._ids(DownloadQuery(text=f'name:"{start}"'))
        names: dict[str, None] = {}
        for at in range(0, min(len(ids), _CANDIDATES), _ROWS):
            rows = self._service.rows(ids[at : at + _ROWS])
            names.update((row.name, None) for row in rows if row.name.startswith(start))
            if len(names) >= _COMPLETIONS:
                break
            await asyncio.sleep(0)
        return list(names)


def _with_prefix(start: str, count: int) -> Iterator[DownloadId]:
    """Yield the ids below ``count`` that begin with some digits, in their order."""
    if not start:
        yield from range(count)
    elif start == "0":
        yield from range(min(count, 1))
    elif start.isascii() and start.isdecimal() and not start.startswith("0"):
        first, width = int(start[:10]), 1
        while first < count:
            yield from range(first, min(first + width, count))
            first, width = first * 10, width * 10


def read_query(params: dict[str, Any]) -> DownloadQuery:
    """Return the query among the parameters of a request.

    Raises:
        RequestError: a value of it is unknown.
    """
    try:
        return DownloadQuery(
            View(params.get("view", View.ALL.value)),
            str(params.get("filter", "")),
            SortKey(params.get("sort", SortKey.ADDED.value)),
            params.get("reversed") is True,
        )
    except ValueError as error:
        raise RequestError(Code.INVALID_PARAMS, str(error)) from None


def _pattern(character: str) -> str:
    """Return a cheap expression for a character of a name, which may match others."""
    has_case = character.lower() != character.upper()
    is_repeat = character in "*+?{|"  # which filters search with a timeout
    if is_repeat or (has_case and not character.isascii()):
        return "."
    return re.escape(character)


def _path(row: DownloadSnapshot) -> str:
    return f"{row.directory}/{row.name}" if row.directory else row.name


def _strings(args: dict[str, Any], name: str) -> list[str]:
    values = args.get(name)
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return values
    raise RequestError(Code.INVALID_PARAMS, f"{name} must be a list of texts")
