"""The downloads of a background process, as the service of a dashboard.

``Replica`` implements ``core.service.DashboardService`` over a connection. It keeps the
state of every download, the totals, and the rows that the dashboard shows. A verb is
applied here at once, sent, and corrected when its answer arrives: the process sends
everything that the verb changed before it answers. While there is no connection, what
is known stays visible and verbs do nothing.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tui.background.attach.codec import (
    decode,
    decode_event,
    decode_fields,
    schema,
    unpack_ids_iter,
    unpack_states,
)
from tui.background.attach.outbox import Outbox
from tui.background.attach.placeholders import EMPTY, unknown_detail, unknown_row
from tui.background.attach.rows import ROWS_KEPT, Rows, keep_newest
from tui.background.attach.searches import Searches, until_answered
from tui.background.attach.states import StateTable
from tui.background.client import ConnectionLost
from tui.background.protocol import ROWS_LIMIT, ProtocolError, RequestError
from tui.background.requests import encoded_calls
from tui.core.download import ACTIVE, ENDED, DownloadState
from tui.core.events import RunNotice
from tui.core.listing.slices import run_at_once
from tui.core.notices import Notice, NoticeCode
from tui.core.request import check_url
from tui.core.service import REMOVED, Deletion, ServiceLost, ServiceRefused
from tui.core.snapshot import (
    DetailSnapshot,
    DownloadSnapshot,
    EngineSnapshot,
    OriginSnapshot,
)

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Container,
        Generator,
        Iterable,
        Mapping,
        Sequence,
    )

    from tui.background.client import Connection
    from tui.background.protocol import Notification
    from tui.core.download import DownloadId
    from tui.core.events import Event, Kinds
    from tui.core.listing.query import ActivityGroups, DownloadQuery, FailureGroup
    from tui.core.request import DownloadRequest
    from tui.core.service import Move

_S = DownloadState
PART: Final = 100_000
"""Downloads in one request: 4 MB with a position each."""
_DETAIL_S: Final = 0.15
_ORIGINS_S: Final = 0.25
"""Shortest time between two questions for the same thing."""
_STOPPABLE: Final = frozenset(_S) - ENDED - {_S.PAUSED}
_CANCELLABLE: Final = frozenset(_S) - {_S.DONE, _S.CANCELLED}


class ReplicaSubscription:
    """The queue of one subscriber to the events that the process sends."""

    def __init__(self, exclude: Kinds, close: Callable[[Any], object]) -> None:
        self._exclude = exclude
        self._close = close
        self._events: list[Event] = []
        self._arrived = asyncio.Event()

    def put(self, events: Iterable[Event]) -> None:
        """Queue events and wake the subscriber."""
        wanted = [event for event in events if type(event) not in self._exclude]
        if wanted:
            self._events += wanted
            self._arrived.set()

    def drain(self) -> list[Event]:
        """Return all events since the last call, oldest first."""
        events, self._events = self._events, []
        self._arrived.clear()
        return events

    async def wait(self) -> None:
        """Wait until there is an event to drain."""
        await self._arrived.wait()

    def close(self) -> None:
        """Unsubscribe."""
        self._close(self)
        self._events.clear()


class Replica:
    """What a client knows of the downloads in another process, and its verbs."""

    def __init__(self, *, is_watching: bool = False) -> None:
        """Know nothing yet; ``attach`` fills it.

        Args:
            is_watching: do nothing when a verb is called.
        """
        self.is_watching = is_watching
        self.on_change: Callable[[], object] = _do_nothing
        """Called when rows have arrived that the dashboard waits for."""
        self._outbox = Outbox()
        self._last_verb = 0
        self._searches = Searches(self._outbox)
        self._subscriptions: list[ReplicaSubscription] = []
        self._early: list[Notification] | None = None
        """Frames that arrived before the answer to ``attach`` was taken over."""
        self._moved = asyncio.Event()
        self._revision = 0
        self._clear(b"", EMPTY)

    def _clear(self, states: bytes, totals: EngineSnapshot) -> None:
        self._states = StateTable(states)
        self._totals = totals
        self._snapshot: EngineSnapshot | None = None
        self._assumed: dict[str, tuple[int, Any]] = {}
        """Limits that verbs have set: the verb and the value, by field."""
        self._rows = Rows(self._show)
        self._details: dict[DownloadId, tuple[float, DetailSnapshot]] = {}
        self._asked_details: set[DownloadId] = set()
        self._connections: dict[DownloadId, int] = {}
        """Connections that were wished for, until the details have them."""
        self._searches.clear()
        self._origins: list[OriginSnapshot] = []
        self._origins_at_s = 0.0
        self._bump()

    # -- the connection --------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether verbs reach the process."""
        return self._outbox.connection is not None

    async def attach(self, connection: Connection) -> None:
        """Show the downloads of the process at the other end, from now on.

        Args:
            connection: greeted already; ``on_notification`` gets its notifications.

        Raises:
            ConnectionLost: it ended meanwhile.
            RequestError: the process refuses.
            ProtocolError: the answer is not understood.
        """
        self._early = []
        try:
            answer = await connection.request("attach", schema=schema())
        finally:
            early, self._early = self._early, None
        fields = answer if isinstance(answer, dict) else {}
        states = unpack_states(fields.get("states"))
        totals = decode(EngineSnapshot, fields.get("totals"))
        try:
            self._clear(states, totals)
        except ValueError as error:
            raise ProtocolError(str(error)) from None
        self._outbox.connect(connection)
        for notification in early:
            self.on_notification(notification)

    def detach(self) -> None:
        """Keep what is known; the connection has ended."""
        self._outbox.disconnect()
        totals = self._totals
        self._totals = totals._replace(
            speed=0.0, eta_s=None, disk=totals.disk._replace(speed=0.0)
        )
        self._rows.stop()
        self._bump()

    def on_notification(self, notification: Notification) -> None:
        """Take over a frame.

        Raises:
            ProtocolError: it is not understood; the connection is useless then.
        """
        if notification.method != "frame":
            return
        if self._early is not None:
            self._early.append(notification)
            return
        frame = notification.params
        if totals := frame.get("totals"):
            fields = decode_fields(EngineSnapshot, totals)
            self._totals = self._totals._replace(**fields)
        try:
            for state, parts in frame.get("states", ()):
                self._states.confirm(run_at_once(unpack_ids_iter(parts)), state)
        except (TypeError, ValueError, IndexError) as error:
            raise ProtocolError(f"not states: {error}") from None
        has_awaited = self._rows.take(frame)
        self._bump()
        events = [decode_event(event) for event in frame.get("events", ())]
        if lost := frame.get("lost"):
            events.append(_notice(NoticeCode.EVENTS_LOST, lost))
        self._publish(events)
        if has_awaited:
            self.on_change()

    def _publish(self, events: Sequence[Event]) -> None:
        for subscription in self._subscriptions:
            subscription.put(events)

    def _bump(self) -> None:
        """Note that something that is shown has changed."""
        self._revision += 1
        self._snapshot = None
        self._moved.set()

    # -- requests --------------------------------------------------------------------

    async def _request(self, method: str, **params: Any) -> Any:
        try:
            return await self._outbox.send(method, **params)
        except RequestError as error:
            raise ServiceRefused(str(error)) from None
        except ConnectionLost as error:
            raise ServiceLost(str(error)) from None

    async def sync(self) -> None:
        """Return when everything sent so far is answered, and all changes are here.

        Raises:
            ServiceLost: the connection ended.
        """
        await self._request("view.sync")

    # -- verbs on downloads ----------------------------------------------------------

    async def submit(self, requests: Sequence[DownloadRequest]) -> Sequence[DownloadId]:
        """Queue downloads; return their ids.

        Raises:
            ServiceLost: the connection ended.
            ServiceRefused: the process refuses them.
        """
        ids: list[DownloadId] = []
        for records in encoded_calls(() if self.is_watching else requests):
            answer = await self._request("call", name="add", args={"requests": records})
            ids += range(answer["first"], answer["first"] + answer["count"])
        return ids

    def cancel(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Cancel downloads; return those that it is expected to change."""
        return self._change("cancel", ids, _CANCELLABLE, _S.CANCELLED)

    def pause(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Pause downloads; return those that it is expected to change."""
        return self._change("pause", ids, _STOPPABLE, _S.PAUSED)

    def resume(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Queue paused and cancelled downloads again."""
        return self._change("resume", ids, {_S.PAUSED, _S.CANCELLED}, _S.QUEUED)

    def retry(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Queue failed, waiting and cancelled downloads again, from attempt 1."""
        ids = self._known(ids)
        for id in ids:
            if self._states.get(id) == _S.FAILED:
                self._rows.note_failure(id)
        states = {_S.FAILED, _S.WAITING, _S.CANCELLED}
        return self._change("retry", ids, states, _S.QUEUED)

    def undo_retry(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Let retried downloads fail again; return those that it knows will."""
        ids, changed = self._known(ids), []
        verb = self._call("undo_retry", ids=ids)
        for id in ids if verb else ():
            is_done = self._states.get(id) & ~REMOVED == _S.DONE
            if not is_done and self._rows.restore_failure(id):
                self._states.assume(id, _S.FAILED, verb)
                changed.append(id)
        self._bump()
        return changed

    def remove(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Remove ended downloads; return those that it is expected to remove."""
        ids, changed = self._known(ids), []
        verb = self._call("remove", ids=ids)
        for id in ids if verb else ():
            state = self._states.get(id)
            if state in ENDED:
                self._states.assume(id, state | REMOVED, verb)
                changed.append(id)
        self._bump()
        return changed

    def restore(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        """Restore removed downloads; return those that it is expected to restore."""
        ids, changed = self._known(ids), []
        verb = self._call("restore", ids=ids)
        for id in ids if verb else ():
            state = self._states.get(id)
            if state & REMOVED:
                self._states.assume(id, state & ~REMOVED, verb)
                changed.append(id)
        self._bump()
        return changed

    async def delete_data(self, ids: Iterable[DownloadId]) -> Deletion:
        """Delete what removed downloads left on the disk of the process.

        Raises:
            ServiceLost: the connection ended.
        """
        if self.is_watching:
            return Deletion(0, 0)
        answer = await self._request("delete_data", ids=self._known(ids))
        deletion: Deletion = _checked(Deletion, answer["deletion"])
        return deletion

    def set_url(self, id: DownloadId, url: str) -> None:
        """Give a download another URL.

        Raises:
            ValueError: ``core.request.check_url`` refuses it.
        """
        check_url(url)
        self._call("set_url", id=id, url=url)

    def reorder_iter(
        self, ids: Iterable[DownloadId], move: Move
    ) -> Generator[None, None, dict[DownloadId, float]]:
        """Move queued downloads; return their positions before the move."""
        ids = list(ids)
        if not ids or self.is_watching:
            return {}
        args = {"ids": ids, "move": move.value}
        try:
            answer = yield from until_answered(
                self._outbox.send("call", name="reorder", args=args)
            )
        except RequestError as error:
            self._publish([_notice(NoticeCode.VERB_REFUSED, str(error))])
            return {}
        pairs = answer.get("positions", ()) if answer else ()
        return {int(id): float(position) for id, position in pairs}

    def set_queue_positions(self, positions: Mapping[DownloadId, float]) -> None:
        """Move queued downloads to the positions that they had before a move."""
        pairs = [list(pair) for pair in positions.items()]
        self._call("set_queue_positions", positions=pairs)

    def pause_all(self) -> None:
        """Pause the queue and all running downloads."""
        verb = self._call("pause_all")
        if verb:
            self._assume(verb, is_queue_paused=True)
            for id in self._states.in_states(ACTIVE | {_S.WAITING}):
                self._states.assume(id, _S.PAUSED, verb)

    def resume_all(self) -> None:
        """Resume what was paused with ``pause_all``, here or in another client."""
        verb = self._call("resume_all")
        if verb:
            self._assume(verb, is_queue_paused=False, pause_reason=None)

    def _known(self, ids: Iterable[DownloadId]) -> list[DownloadId]:
        count = len(self._states)
        return [id for id in ids if 0 <= id < count]

    def _change(
        self,
        name: str,
        ids: Iterable[DownloadId],
        states: Container[int],
        state: DownloadState,
    ) -> list[DownloadId]:
        """Send a verb and show what it will do to downloads in some states."""
        ids = self._known(ids)
        verb = self._call(name, ids=ids)
        if not verb:
            return []
        changed = [id for id in ids if self._states.get(id) & ~REMOVED in states]
        for id in changed:
            self._states.assume(id, state, verb)
        self._bump()
        return changed

    def _call(self, name: str, **args: Any) -> int:
        """Send a verb; return its number, or 0 if it cannot be sent."""
        if self.is_watching or not self.is_connected:
            return 0
        self._last_verb += 1
        verb = self._last_verb
        *parts, last = _in_parts(args)
        for part in parts:
            answer = self._outbox.send("call", name=name, args=part)
            answer.add_done_callback(self._note_refusal)
        answer = self._outbox.send("call", name=name, args=last)
        answer.add_done_callback(lambda answer: self._resolve(verb, answer))
        return verb

    def _resolve(self, verb: int, answer: asyncio.Future[Any]) -> None:
        """Show what the process says, now that it has answered."""
        self._states.resolve(verb)
        kept = self._assumed.items()
        self._assumed = {name: pair for name, pair in kept if pair[0] != verb}
        self._bump()
        self._note_refusal(answer)

    def _note_refusal(self, answer: asyncio.Future[Any]) -> None:
        if not answer.cancelled() and isinstance(answer.exception(), RequestError):
            reason = str(answer.exception())
            self._publish([_notice(NoticeCode.VERB_REFUSED, reason)])

    # -- limits ----------------------------------------------------------------------

    def _assume(self, verb: int, **fields: Any) -> None:
        """Show totals that a verb will lead to, until it is answered."""
        if verb:
            self._assumed |= {name: (verb, value) for name, value in fields.items()}
            self._bump()

    def _assume_disk(self, verb: int, **fields: Any) -> None:
        self._assume(verb, disk=self.snapshot().disk._replace(**fields))

    def set_concurrency(self, count: int) -> None:
        """Set the concurrency and turn automatic concurrency off."""
        verb, auto = self._call("set_concurrency", count=count), self.snapshot().auto
        self._assume(verb, concurrency=count)
        if auto.is_on:
            self._assume(verb, auto=auto._replace(is_on=False, is_pinned=True))

    def note_suspension(self, seconds: float) -> None:
        """Do nothing: the process was not suspended, only this client."""

    def set_auto(self, is_on: bool) -> None:
        """Turn automatic concurrency on or off."""
        auto = self.snapshot().auto._replace(is_on=is_on, is_pinned=False)
        self._assume(self._call("set_auto", on=is_on), auto=auto)

    def set_per_host(self, count: int) -> None:
        """Limit the concurrent downloads per origin; 0 for no limit."""
        self._assume(self._call("set_per_host", count=count), per_host=count)

    def set_origin_cap(self, origin: str, cap: int) -> None:
        """Limit the concurrent downloads of one origin; 0 uses the common limit."""
        self._call("set_origin_cap", origin=origin, cap=cap)
        self._origins_at_s = 0.0

    def set_segments(self, count: int, id: DownloadId | None = None) -> None:
        """Set the connections of a running download, or of all; 0 decides by size."""
        verb = self._call("set_segments", count=count, id=id)
        if id is None:
            self._assume(verb, segments=count)
        elif verb:
            keep_newest(self._connections, id, count)

    def set_rate_limit(self, rate: int | None, id: DownloadId | None = None) -> None:
        """Limit the bytes per second of the run or a download."""
        verb = self._call("set_rate_limit", rate=rate, id=id)
        if id is None:
            self._assume(verb, rate_limit=rate)

    def set_writers(self, count: int) -> None:
        """Set the number of threads that write to disk, at least 1."""
        self._assume_disk(self._call("set_writers", count=count), writers=count)

    def set_inline_writes(self, is_inline: bool) -> None:
        """Write on the event loop of the process, or in threads."""
        verb = self._call("set_inline_writes", on=is_inline)
        self._assume_disk(verb, is_inline=is_inline)

    def set_disk_delay(self, seconds: float) -> None:
        """Make each write take longer; 0 ends it."""
        self._assume_disk(
            self._call("set_disk_delay", seconds=seconds), delay_s=seconds
        )

    # -- views -----------------------------------------------------------------------

    def snapshot(self) -> EngineSnapshot:
        """Return the totals as of the last frame, with what verbs have changed."""
        if self._snapshot is None:
            counts = self._states.counts
            assumed = {name: value for name, (_, value) in self._assumed.items()}
            self._snapshot = self._totals._replace(
                counts=counts, total=sum(counts), revision=self._revision, **assumed
            )
        return self._snapshot

    def rows(self, ids: Iterable[DownloadId]) -> list[DownloadSnapshot]:
        """Return rows; those that the process has not sent yet have only a state."""
        states, read, count = self._states, self._rows.read, len(self._states)
        return [
            read(id, _S(states.get(id) & ~REMOVED)) for id in ids if 0 <= id < count
        ]

    def _show(self, ids: list[DownloadId]) -> bool:
        """Let the process send the changes of some rows, if it is connected."""
        if self.is_connected:
            self._outbox.send("view.set", ids=ids)
        return self.is_connected

    async def fetch_rows(self, ids: Sequence[DownloadId]) -> list[DownloadSnapshot]:
        """Return complete rows.

        Raises:
            ServiceLost: the connection ended.
        """
        rows: list[DownloadSnapshot] = []
        for start in range(0, len(ids), ROWS_LIMIT):
            some = list(ids[start : start + ROWS_LIMIT])
            answer = await self._request("view.rows", ids=some)
            found = [_checked(DownloadSnapshot, value) for value in answer["rows"]]
            for row in found if len(ids) <= ROWS_LIMIT else ():
                self._rows.keep(row)
            rows += found
        return rows

    def detail(self, id: DownloadId) -> DetailSnapshot:
        """Return everything about one download, as of a moment ago."""
        now_s = time.monotonic()
        at_s, detail = self._details.get(id, (0.0, None))
        if now_s - at_s > _DETAIL_S and id not in self._asked_details:
            self._asked_details.add(id)
            self._outbox.send("details", ids=[id]).add_done_callback(
                lambda answer: self._take_detail(id, answer)
            )
        row = next(iter(self.rows([id])), unknown_row(id, _S.QUEUED))
        if detail is None:
            root = self._totals.output_dir
            detail = unknown_detail(row, f"{root}/{row.directory}/{row.name}")
        wished = self._connections.get(id, detail.connections_wanted)
        return detail._replace(row=row, connections_wanted=wished)

    def _take_detail(self, id: DownloadId, answer: asyncio.Future[Any]) -> None:
        self._asked_details.discard(id)
        if answer.cancelled() or answer.exception() is not None:
            return
        with suppress(ServiceLost, KeyError, TypeError, ValueError):
            (value,) = answer.result()["details"]
            self._keep_detail(_checked(DetailSnapshot, value))
            self._connections.pop(id, None)
            self.on_change()

    def _keep_detail(self, detail: DetailSnapshot) -> None:
        if len(self._details) > ROWS_KEPT // 10:
            self._details.clear()
        self._details[detail.row.id] = time.monotonic(), detail

    async def fetch_details(self, ids: Sequence[DownloadId]) -> list[DetailSnapshot]:
        """Return everything about some downloads, as it is now.

        Raises:
            ServiceLost: the connection ended.
            ServiceRefused: one of them does not exist.
        """
        details: list[DetailSnapshot] = []
        for start in range(0, len(ids), ROWS_LIMIT):
            some = list(ids[start : start + ROWS_LIMIT])
            answer = await self._request("details", ids=some)
            found = [_checked(DetailSnapshot, value) for value in answer["details"]]
            for detail in found[:1]:
                self._keep_detail(detail)
            details += found
        return details

    def in_states(self, states: Container[DownloadState]) -> list[DownloadId]:
        """Return all downloads in some states, in the order of adding."""
        return self._states.in_states(states)

    def select_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, list[DownloadId]]:
        """Return the ids that match a query, in its order; the process searches.

        Raises:
            FilterError: the filter is wrong, or takes too long.
        """
        return self._searches.order(query)

    def by_activity_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, ActivityGroups]:
        """Group the downloads that match a query by activity."""
        return self._searches.by_activity(query)

    def by_cause_iter(
        self, query: DownloadQuery
    ) -> Generator[None, None, list[FailureGroup]]:
        """Group the failed downloads that match a query by cause."""
        return self._searches.by_cause(query)

    def prepare(self, query: DownloadQuery) -> None:
        """Let the process group downloads by activity before that is asked for."""
        self._searches.prepare(query)

    def origins(self) -> list[OriginSnapshot]:
        """Return a row for each origin, as of a moment ago."""
        now_s = time.monotonic()
        if now_s - self._origins_at_s > _ORIGINS_S:
            self._origins_at_s = now_s
            self._outbox.send("origins").add_done_callback(self._take_origins)
        return self._origins

    def _take_origins(self, answer: asyncio.Future[Any]) -> None:
        if answer.cancelled() or answer.exception() is not None:
            return
        with suppress(ServiceLost, KeyError, TypeError):
            values = answer.result()["origins"]
            self._origins = [_checked(OriginSnapshot, value) for value in values]

    def subscribe(self, exclude: Kinds = frozenset()) -> ReplicaSubscription:
        """Subscribe to every event from now on, except those of some kinds."""
        subscription = ReplicaSubscription(exclude, self._unsubscribe)
        self._subscriptions.append(subscription)
        return subscription

    def _unsubscribe(self, subscription: ReplicaSubscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    # -- the end ---------------------------------------------------------------------

    async def wait_idle(self) -> None:
        """Return when nothing makes progress without the user."""
        while any(self._states.counts[state] for state in self._moving()):
            self._moved.clear()
            await self._moved.wait()

    def _moving(self) -> frozenset[DownloadState]:
        # Once an error has paused the queue, nothing starts without the user.
        return _STOPPABLE if self.snapshot().pause_reason is None else ACTIVE

    async def close(self) -> None:
        """Close the connection; the downloads continue."""
        connection = self._outbox.connection
        if connection is not None:
            self.detach()
            await connection.close()


def _in_parts(args: dict[str, Any]) -> list[dict[str, Any]]:
    """Divide the arguments of a verb, so that each request fits into a line."""
    name = "positions" if "positions" in args else "ids"
    values = args.get(name, ())
    starts = range(0, len(values), PART)
    if len(starts) < 2:
        return [args]
    return [{**args, name: values[start : start + PART]} for start in starts]


def _do_nothing() -> None:
    pass


def _notice(code: NoticeCode, *values: str | int) -> RunNotice:
    return RunNotice(time.time(), Notice(code, values))


def _checked(kind: type[Any], value: Any) -> Any:
    """Return a snapshot from an answer.

    Raises:
        ServiceLost: the answer is not understood.
    """
    try:
        return decode(kind, value)
    except ProtocolError as error:
        raise ServiceLost(str(error)) from None
