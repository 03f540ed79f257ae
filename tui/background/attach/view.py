"""What one client shows of the downloads of this process, and what it is sent.

After ``attach``, the client has the state of every download, one byte each, and gets
frames: changed totals and states, the rows that it shows, and events. A frame is the
difference to what was sent before, so a client that is too slow for some frames misses
none of the changes. Only events can be too many for it; then it gets the number of
those that it missed. Searches run here, in slices beside the downloads.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from itertools import chain, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from tui import __version__
from tui.background.attach.codec import (
    CHUNK,
    encode,
    encode_event,
    groups,
    pack_ids,
    pack_states,
    schema,
)
from tui.background.finder import read_query
from tui.background.protocol import PROTOCOL, ROWS_LIMIT, Code, RequestError
from tui.core.download import ACTIVE, DownloadState
from tui.core.events import DownloadEvent, Queued
from tui.core.listing.slices import run_sliced
from tui.core.snapshot import DownloadSnapshot, EngineSnapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping

    from tui.core.download import DownloadId
    from tui.core.events import Event
    from tui.core.listing.query import DownloadQuery
    from tui.core.service import DownloadService

T = TypeVar("T")
FRAME_S: Final = 0.1
"""Shortest time between two frames that the client did not ask for."""
IDLE_FRAME_S: Final = 0.5
"""Time between two frames while nothing is active, without events."""
EVENTS_LIMIT: Final = 2_000
"""Events that wait for the next frame."""
_QUEUED_LIMIT: Final = EVENTS_LIMIT // 2
"""Waiting events from which ``Queued`` is left out: a long list must not drive out
events that a log shows."""
_STATES: Final = 50_000
"""States read per loop iteration: 3 ms."""
_PACKED: Final = 8 * CHUNK
"""Ids that are packed per loop iteration: 3 ms."""
_NAMED_LIMIT: Final = 200
"""Rows sent with a frame because its events are about them."""
_COST_FACTOR: Final = 10
"""The same search again waits until this takes at most a tenth of the loop's time."""
_MOVING: Final = ACTIVE | {DownloadState.WAITING}


class Sink(Protocol):
    """The client, as far as a view needs it (``background.server.Client``)."""

    @property
    def is_slow(self) -> bool:
        """Whether so much is unread that nothing more should be sent now."""
        ...

    def notify(
        self, method: str, params: dict[str, Any], *, is_asked: bool = False
    ) -> bool:
        """Send a notification without waiting; False if it was not sent."""
        ...


class ClientView:
    """Sends one client what it shows, after it has asked for it with ``attach``."""

    def __init__(self, service: DownloadService, client: Sink) -> None:
        """Show the downloads of ``service``; nothing is sent before ``attach``."""
        self._service = service
        self._client = client
        self.methods: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "attach": self._attach,
            "view.set": self._set_view,
            "view.sync": self._sync,
            "search": self._search,
            "search.cancel": self._cancel_search,
            "view.rows": self._rows,
            "details": self._details,
            "origins": self._origins,
        }
        """The requests that it answers; none of them changes a download."""
        self._is_attached = False
        self._frames: asyncio.Task[None] | None = None
        self._searches: dict[int, asyncio.Task[Any]] = {}
        self._last_search: tuple[str, DownloadQuery] | None = None
        self._next_search_at_s = 0.0
        self._is_changed = asyncio.Event()
        """The client has changed something since the last search."""
        self._shown: list[DownloadId] = []
        self._sent: dict[DownloadId, DownloadSnapshot] = {}
        """The rows that the client shows, as sent last."""
        self._totals: EngineSnapshot | None = None
        self._known = 0
        """Downloads with a lower id have been sent."""
        self._events: deque[Event] = deque(maxlen=EVENTS_LIMIT)
        self._lost = 0
        """Events that had no space, since the last frame."""

    def close(self) -> None:
        """Stop sending."""
        for task in (self._frames, *self._searches.values()):
            if task is not None:
                task.cancel()
        if self._is_attached:
            self._subscription.close()
            self._watch.close()
        self._frames = None

    def expect_change(self) -> None:
        """Let the next search run at once: the client has changed something."""
        self._is_changed.set()

    # -- requests --------------------------------------------------------------------

    async def _attach(self, params: dict[str, Any]) -> Any:
        """Start to send frames; return where they start from."""
        if params.get("schema", schema()) != schema():
            protocol = f"{PROTOCOL}, fields {schema()}"
            data = {"protocol": protocol, "version": __version__}
            raise RequestError(Code.VERSION, data=data)
        if self._is_attached:
            raise RequestError(Code.INVALID_REQUEST, "attached already")
        self._is_attached = True
        self._subscription = self._service.subscribe()
        # The first frame has what changes while the states are read.
        self._watch = self._service.watch()
        self._known = self._service.count
        states = bytearray()
        for start in range(0, self._known, _STATES):
            if start:
                await asyncio.sleep(0)
            part = range(start, min(start + _STATES, self._known))
            states += self._service.states(part)
        self._totals = self._service.snapshot()
        self._frames = asyncio.create_task(self._send_frames())
        return {"states": pack_states(bytes(states)), "totals": encode(self._totals)}

    async def _set_view(self, params: dict[str, Any]) -> Any:
        """Show these rows from now on; they are sent before the answer."""
        self._shown = read_ids(params, ROWS_LIMIT)
        wanted = set(self._shown)
        self._sent = {id: row for id, row in self._sent.items() if id in wanted}
        self.flush()
        return {}

    async def _sync(self, _params: dict[str, Any]) -> Any:
        """Send all changes so far before the answer."""
        self.flush()
        return {}

    async def _rows(self, params: dict[str, Any]) -> Any:
        rows = self._service.rows(read_ids(params, ROWS_LIMIT))
        return {"rows": [encode(row) for row in rows]}

    async def _details(self, params: dict[str, Any]) -> Any:
        ids, found = read_ids(params, ROWS_LIMIT), []
        try:
            for number, id in enumerate(ids, 1):
                found.append(encode(self._service.detail(id)))
                if number % 100 == 0:
                    await asyncio.sleep(0)
        except (IndexError, KeyError):
            raise RequestError(Code.UNKNOWN_DOWNLOAD) from None
        return {"details": found}

    async def _origins(self, _params: dict[str, Any]) -> Any:
        return {"origins": encode(self._service.origins())}

    # -- searches --------------------------------------------------------------------

    async def _search(self, params: dict[str, Any]) -> Any:
        """Run one search; ``search`` numbers it, for ``search.cancel``."""
        kind, query = _read_search(params)
        rows = params.get("rows", 0)
        if type(rows) is not int or not 0 <= rows <= ROWS_LIMIT:
            raise RequestError(
                Code.INVALID_PARAMS, f"rows must be a number up to {ROWS_LIMIT}"
            )
        number = params.get("search", 0)
        if type(number) is not int or number in self._searches:
            raise RequestError(Code.INVALID_PARAMS, "search must be a new number")
        task = asyncio.create_task(self._run_search(kind, query))
        self._searches[number] = task
        try:
            found, first = await task
            # It may contain downloads that are new to the client, and its first rows
            # are what the client shows next.
            self.flush(rows=first[:rows])
            return found
        except asyncio.CancelledError:
            if not task.cancelled():
                task.cancel()
                raise
            raise RequestError(Code.REFUSED, "cancelled") from None
        except ValueError as error:  # FilterError says what the filter needs
            raise RequestError(Code.REFUSED, str(error), {"is_filter": True}) from None
        finally:
            del self._searches[number]

    async def _cancel_search(self, params: dict[str, Any]) -> Any:
        number = params.get("search")
        task = self._searches.get(number) if type(number) is int else None
        if task is not None:
            task.cancel()
        return {}

    async def _run_search(
        self, kind: str, query: DownloadQuery
    ) -> tuple[dict[str, Any], list[DownloadId]]:
        """Return the answer, and the first downloads of the list."""
        loop = asyncio.get_running_loop()
        if (kind, query) == self._last_search:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._next_search_at_s):
                    await self._is_changed.wait()
        self._is_changed.clear()
        self._last_search = kind, query
        timer = _Timer(loop.time)
        first: list[DownloadId] = []
        if kind == "activity":
            found = await timer.run(self._service.by_activity_iter(query))
            answer = {
                "groups": [await timer.run(_packed(ids)) for ids in found.ids],
                "done_bytes": found.done_bytes,
            }
            first = list(islice(chain.from_iterable(found.ids), ROWS_LIMIT))
        elif kind == "cause":
            causes = await timer.run(self._service.by_cause_iter(query))
            answer = {
                "causes": [
                    [cause.kind, cause.status, await timer.run(_packed(cause.ids))]
                    for cause in causes
                ]
            }
        else:
            ids = await timer.run(self._service.select_iter(query))
            answer = {"ids": await timer.run(_packed(ids))}
            first = ids[:ROWS_LIMIT]
        self._next_search_at_s = loop.time() + timer.spent_s * _COST_FACTOR
        return answer, first

    # -- frames ----------------------------------------------------------------------

    async def _send_frames(self) -> None:
        while True:
            await asyncio.sleep(FRAME_S)
            if not self._is_moving():
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_FRAME_S - FRAME_S):
                        await self._subscription.wait()
            self.flush(is_asked=False)

    def _is_moving(self) -> bool:
        counts = self._service.snapshot().counts
        return any(counts[state] for state in _MOVING)

    def flush(self, *, is_asked: bool = True, rows: Iterable[DownloadId] = ()) -> None:
        """Send what has changed since the last frame.

        Args:
            is_asked: send it also to a slow client, before an answer that builds on it.
            rows: downloads whose rows the client needs besides those that it shows.
        """
        if self._frames is None:
            return
        self._take_events()
        if self._client.is_slow and not is_asked:
            return
        frame: dict[str, Any] = {}
        if totals := self._totals_changed():
            frame["totals"] = totals
        if states := self._states_changed():
            frame["states"] = states
        self._put_rows(frame, rows)
        if self._events or self._lost:
            frame["events"] = [encode_event(event) for event in self._events]
            frame["lost"] = self._lost
            self._events.clear()
            self._lost = 0
        if frame:
            self._client.notify("frame", frame, is_asked=is_asked)

    def _take_events(self) -> None:
        for event in self._subscription.drain():
            if isinstance(event, Queued) and len(self._events) >= _QUEUED_LIMIT:
                continue  # the states say it as well, and no dashboard shows it
            self._lost += len(self._events) == EVENTS_LIMIT
            self._events.append(event)

    def _totals_changed(self) -> dict[str, Any]:
        before, now = self._totals, self._service.snapshot()
        assert before is not None
        self._totals = now
        if before == now:
            return {}
        fields = zip(EngineSnapshot._fields, before, now, strict=True)
        return {name: encode(new) for name, old, new in fields if old != new}

    def _states_changed(self) -> list[Any]:
        """Return ids by their new state, also those of new downloads."""
        changed, count = self._watch.take(), self._watch.count
        ids = sorted(id for id in changed if id < self._known)
        ids += range(self._known, count)
        self._known = count
        if not ids:
            return []
        found = groups(self._service.states(ids), ids)
        return [[state, list(pack_ids(each))] for state, each in found.items()]

    def _put_rows(self, frame: dict[str, Any], others: Iterable[DownloadId]) -> None:
        """Add changed rows, and of others what changes while they run."""
        whole: list[Any] = []
        live: list[Any] = []
        for row in self._service.rows(self._shown):
            sent = self._sent.get(row.id)
            if sent == row:
                continue
            self._sent[row.id] = row
            if sent is None or _fixed(sent) != _fixed(row):
                whole.append(encode(row))
            else:
                live.append(encode(_live(row)))
        named = dict.fromkeys(id for id in others if id not in self._sent)
        named |= dict.fromkeys(self._named(self._events))
        whole += [encode(row) for row in self._service.rows(named)]
        if whole:
            frame["rows"] = whole
        if live:
            frame["live"] = live

    def _named(self, events: Iterable[Event]) -> list[DownloadId]:
        """Return the downloads that a log of these events would name."""
        ids = (
            event.id
            for event in events
            if isinstance(event, DownloadEvent) and not isinstance(event, Queued)
        )
        unsent = dict.fromkeys(id for id in ids if id not in self._sent)
        return list(islice(unsent, _NAMED_LIMIT))


def _live(row: DownloadSnapshot) -> tuple[Any, ...]:
    """Return the id and the fields that change while a download runs."""
    return (
        row.id,
        row.received,
        round(row.speed),
        row.eta_s,
        round(row.stalled_s, 1),
        row.connections,
        row.retry_in_s,
    )


LIVE_FIELDS: Final = (
    "received",
    "speed",
    "eta_s",
    "stalled_s",
    "connections",
    "retry_in_s",
)
"""The fields of a row in ``live``, after the id."""
_fixed: Final = attrgetter(
    *(name for name in DownloadSnapshot._fields if name not in LIVE_FIELDS)
)
"""Returns all other fields, which change rarely."""


class _Timer:
    """Runs work in slices beside the downloads, and adds up the time that it takes."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.spent_s = 0.0

    async def run(self, work: Generator[None, None, T]) -> T:
        started_s = self._monotonic()

        async def pause(seconds: float) -> None:
            nonlocal started_s
            self.spent_s += self._monotonic() - started_s
            await asyncio.sleep(seconds)
            started_s = self._monotonic()

        try:
            return await run_sliced(work, pause)
        finally:
            self.spent_s += self._monotonic() - started_s


def _packed(ids: list[int]) -> Generator[None, None, list[Any]]:
    parts: list[Any] = []
    for start in range(0, len(ids), _PACKED):
        if start:
            yield
        parts += pack_ids(ids[start : start + _PACKED])
    return parts


def _read_search(params: dict[str, Any]) -> tuple[str, DownloadQuery]:
    kind = params.get("by", "order")
    if kind not in ("order", "activity", "cause"):
        raise RequestError(Code.INVALID_PARAMS, "by must be order, activity or cause")
    return kind, read_query(params)


def read_ids(params: Mapping[str, Any], limit: int) -> list[DownloadId]:
    """Return the ids among the parameters of a request.

    Raises:
        RequestError: there are none, or more than ``limit``.
    """
    ids = params.get("ids")
    if not isinstance(ids, list) or not all(type(i) is int and i >= 0 for i in ids):
        raise RequestError(Code.INVALID_PARAMS, "ids must be a list of whole numbers")
    if len(ids) > limit:
        raise RequestError(Code.INVALID_PARAMS, f"at most {limit} ids")
    return ids
