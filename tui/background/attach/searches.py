"""Searches of a client, which run in the background process.

They are generators, as those of an engine in this process: the dashboard runs them in
slices and drops one when it needs another. So each yields until its answer is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from tui.background.attach.codec import unpack_ids_iter
from tui.background.protocol import ProtocolError, RequestError
from tui.core.listing.filter import FilterError
from tui.core.listing.query import Activity, ActivityGroups, FailureGroup

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator

    from tui.background.attach.outbox import Outbox
    from tui.core.download import DownloadId
    from tui.core.listing.query import DownloadQuery

T = TypeVar("T")
_FIRST_ROWS: Final = 60
"""Rows that come with the answer: as many as most terminals show."""


class Searches:
    """Asks the process to search, and keeps what was found last."""

    def __init__(self, outbox: Outbox) -> None:
        """Send requests with ``outbox``."""
        self._outbox = outbox
        self._last_number = 0
        self.clear()

    def clear(self) -> None:
        """Drop what was found: the process has other downloads now."""
        self._found: dict[str, tuple[DownloadQuery, Any]] = {}
        """The last search of each kind, and what it found."""
        self._prepared: dict[
            tuple[str, DownloadQuery], tuple[int, asyncio.Future[Any]]
        ] = {}
        """Searches that were started before the dashboard asks for them."""

    def order(self, query: DownloadQuery) -> Generator[None, None, list[DownloadId]]:
        """Return the ids that match a query, in its order."""
        return self._search("order", query, _read_ids)

    def by_activity(
        self, query: DownloadQuery
    ) -> Generator[None, None, ActivityGroups]:
        """Group the downloads that match a query by activity."""
        return self._search("activity", query, _read_activity)

    def by_cause(
        self, query: DownloadQuery
    ) -> Generator[None, None, list[FailureGroup]]:
        """Group the failed downloads that match a query by cause."""
        return self._search("cause", query, _read_causes)

    def prepare(self, query: DownloadQuery) -> None:
        """Group downloads by activity before that is asked for."""
        self._prepared["activity", query] = self._start("activity", query)

    def _search(
        self,
        by: str,
        query: DownloadQuery,
        read: Callable[[Any], Generator[None, None, T]],
    ) -> Generator[None, None, T]:
        """Search in the process; without a connection, return what was found last.

        If that was for another query, it waits for the next connection.

        Raises:
            FilterError: the filter is wrong, or takes too long.
        """
        while True:
            answer = yield from self._ask(by, query)
            if answer is not None:
                found = yield from read(answer)
                self._found[by] = query, found
                return found
            last_query, last_found = self._found.get(by, (None, None))
            if last_query == query and last_found is not None:
                last: T = last_found
                return last
            yield

    def _ask(self, by: str, query: DownloadQuery) -> Generator[None, None, Any]:
        number, answer = self._prepared.pop((by, query), (0, None))
        if answer is None:
            number, answer = self._start(by, query)
        try:
            return (yield from until_answered(answer))
        except RequestError as error:
            if error.data.get("is_filter"):
                raise FilterError(str(error)) from None
            return None
        finally:
            if not answer.done():
                # Another search has replaced this one.
                self._outbox.send("search.cancel", search=number)

    def _start(self, by: str, query: DownloadQuery) -> tuple[int, asyncio.Future[Any]]:
        self._last_number += 1
        # With another query, the dashboard shows other rows next. They come with the
        # answer, so that they need no second way to the process and back.
        last_query, _ = self._found.get(by, (None, None))
        rows = 0 if query == last_query else _FIRST_ROWS
        answer = self._outbox.send(
            "search",
            search=self._last_number,
            by=by,
            view=query.view.value,
            filter=query.text,
            sort=query.sort.value,
            reversed=query.is_reversed,
            rows=rows,
        )
        return self._last_number, answer


def until_answered(answer: asyncio.Future[Any]) -> Generator[None, None, Any]:
    """Yield until an answer has arrived; return ``None`` if none will.

    Raises:
        RequestError: the process refuses.
    """
    while not answer.done():
        yield
    error = answer.exception()
    if isinstance(error, RequestError):
        raise error
    return None if error is not None else answer.result()


def _read_ids(answer: Any) -> Generator[None, None, list[DownloadId]]:
    return unpack_ids_iter(answer["ids"])


def _read_activity(answer: Any) -> Generator[None, None, ActivityGroups]:
    groups: list[list[DownloadId]] = [[] for _ in answer["groups"]]
    if len(groups) != len(Activity):
        raise ProtocolError("not the groups of a search")
    for group, parts in zip(groups, answer["groups"], strict=True):
        group += yield from unpack_ids_iter(parts)
    return ActivityGroups(tuple(groups), int(answer["done_bytes"]))


def _read_causes(answer: Any) -> Generator[None, None, list[FailureGroup]]:
    groups: list[FailureGroup] = []
    for kind, status, parts in answer["causes"]:
        ids = yield from unpack_ids_iter(parts)
        groups.append(FailureGroup(str(kind), int(status), ids))
    return groups
