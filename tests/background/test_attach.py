"""A replica over a real socket: what several clients see, and what can go wrong."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.attached import a_replica, a_server, attached
from tests.support.fake_service import FakeService
from tests.support.until import until
from tui import __version__
from tui.background.attach import codec
from tui.background.attach import view as view_module
from tui.background.attach.codec import (
    decode,
    decode_event,
    encode,
    encode_event,
    pack_ids,
    pack_states,
    unpack_ids_iter,
    unpack_states,
)
from tui.background.attach.placeholders import unknown_row
from tui.background.attach.replica import Replica
from tui.background.attach.rows import ROWS_KEPT, Rows
from tui.background.attach.states import StateTable
from tui.background.attach.view import EVENTS_LIMIT, ClientView
from tui.background.client import Connection, ConnectionLost
from tui.background.protocol import (
    Code,
    Notification,
    ProtocolError,
    RequestError,
)
from tui.core import events
from tui.core.download import DownloadState
from tui.core.listing.query import DownloadQuery, SortKey
from tui.core.listing.slices import run_at_once, run_sliced
from tui.core.notices import LimitName, Notice, NoticeCode
from tui.core.request import DownloadRequest
from tui.core.service import REMOVED, Move, ServiceLost
from tui.core.snapshot import DetailSnapshot, DownloadSnapshot, EngineSnapshot
from tui.messages import notice_text
from tui.ui.actions.batch_runner import finish

_S = DownloadState


def some(*states: DownloadState) -> FakeService:
    """A service with one download in each of some states."""
    service = FakeService()
    for number, state in enumerate(states):
        service.put(f"{number}.bin", state, size=1000)
    return service


class Sink:
    """A client that is as slow as the test wants."""

    def __init__(self) -> None:
        self.is_slow = False
        self.frames: list[dict] = []

    def notify(self, method: str, params: dict, *, is_asked: bool = False) -> bool:
        self.frames.append(json.loads(json.dumps(params)))
        return True


# -- several clients -------------------------------------------------------------------


async def test_what_one_client_cancels_the_other_shows_and_can_restore():
    service = some(_S.QUEUED, _S.DOWNLOADING)
    async with (
        a_server(service) as (address, _),
        attached(address) as one,
        attached(address) as other,
    ):
        assert one.cancel([1]) == [1]
        assert one.rows([1])[0].state is _S.CANCELLED, "before any answer"
        await until(lambda: other.rows([1])[0].state is _S.CANCELLED)
        other.resume([1])
        await until(lambda: one.snapshot().counts[_S.QUEUED] == 2)
        added = await other.submit([DownloadRequest(("http://h/new",))])
        await until(lambda: one.snapshot().total == 3)
        (row,) = await one.fetch_rows(added)
        assert (row.name, row.url) == ("new", "http://h/new")


async def test_a_verb_that_came_too_late_is_corrected_by_its_answer():
    service = some(_S.DOWNLOADING)
    async with a_replica(service) as replica:
        await replica.sync()
        service.finish(0)  # the replica does not know yet
        assert replica.cancel([0]) == [0]
        assert replica.snapshot().counts[_S.CANCELLED] == 1
        await replica.sync()
        assert replica.rows([0])[0].state is _S.DONE
        assert replica.snapshot().counts[_S.CANCELLED] == 0


async def test_a_verb_for_more_downloads_than_fit_into_a_line(monkeypatch):
    """As for half a million: the connection was lost, and so was the change."""
    monkeypatch.setattr("tui.background.server.REQUEST_LIMIT", 4096)
    monkeypatch.setattr("tui.background.attach.replica.PART", 100)
    service = some(*[_S.QUEUED] * 1000)
    ids = list(range(1000))
    async with a_replica(service) as replica:
        replica.set_queue_positions({id: float(-id) for id in ids})
        assert replica.pause(ids) == ids
        assert replica.snapshot().counts[_S.PAUSED] == 1000
        await replica.sync()
        assert replica.snapshot().counts[_S.PAUSED] == 1000
    assert [row.queue_key for row in service.downloads] == [float(-id) for id in ids]
    assert {row.state for row in service.downloads} == {_S.PAUSED}


async def test_a_limit_that_is_refused_returns_to_what_it_was():
    service = some()
    async with a_replica(service) as replica:
        subscription = replica.subscribe()
        before = replica.snapshot().concurrency
        replica.set_concurrency(10**6)
        assert replica.snapshot().concurrency == 10**6
        await replica.sync()
        assert replica.snapshot().concurrency == before
        (event,) = subscription.drain()
        assert event.notice.code is NoticeCode.VERB_REFUSED


async def test_a_client_that_only_watches_changes_nothing():
    service = some(_S.DOWNLOADING, _S.FAILED)
    async with (
        a_server(service) as (address, _),
        attached(address, is_watching=True) as replica,
    ):
        assert replica.cancel([0]) == []
        assert replica.remove([1]) == []
        replica.set_concurrency(3)
        replica.pause_all()
        assert list(await replica.submit([DownloadRequest(("http://h/x",))])) == []
        await replica.sync()
        assert replica.rows([0])[0].state is _S.DOWNLOADING
        replica.is_watching = False  # a client that does not keep the promise
        assert replica.cancel([0]) == [0]
        await replica.sync()
        assert replica.rows([0])[0].state is _S.DOWNLOADING
    assert not service.calls["cancel"]


async def test_more_verbs_than_the_server_takes_at_once_all_arrive():
    service = some(*[_S.QUEUED] * 300)
    async with a_replica(service) as replica:
        for id in range(300):
            replica.pause([id])
        await replica.sync()
        assert service.calls["pause"] == 300
        assert replica.snapshot().counts[_S.PAUSED] == 300


async def test_rows_not_shown_before_arrive_a_moment_later_and_then_follow():
    service = some(_S.DOWNLOADING)
    async with a_replica(service) as replica:
        arrived = asyncio.Event()
        replica.on_change = arrived.set
        (unknown,) = replica.rows([0])
        assert (unknown.state, unknown.name) == (_S.DOWNLOADING, "#0")
        await asyncio.wait_for(arrived.wait(), 20)
        assert replica.rows([0])[0].name == "0.bin"
        service.change(0, name="renamed.bin")
        service.downloads[0].received = 500
        await until(lambda: replica.rows([0])[0].name == "renamed.bin")
        service.downloads[0].received = 700
        await until(lambda: replica.rows([0])[0].received == 700)
        assert replica.rows([5, -1]) == []


async def test_the_first_rows_of_a_new_search_come_with_its_answer():
    service = some(*[_S.QUEUED] * 200)
    async with a_replica(service) as replica:
        for query in (
            DownloadQuery(sort=SortKey.ADDED, is_reversed=True),
            DownloadQuery(text="15"),
        ):
            ids = await finish(replica.select_iter(query))
            names = [row.name for row in replica.rows(ids[:12])]
            assert names == [f"{id}.bin" for id in ids[:12]]
        groups = await finish(replica.by_activity_iter(DownloadQuery()))
        ids = [id for group in groups.ids for id in group][:60]
        assert not [row for row in replica.rows(ids) if row.name.startswith("#")]


async def test_a_search_finds_nothing_that_the_replica_does_not_know():
    service = some(_S.QUEUED)
    async with a_replica(service) as replica:
        await replica.sync()
        for number in range(50):  # no frame is due meanwhile
            service.put(f"new-{number}")
            ids = await finish(replica.select_iter(DownloadQuery(text="new")))
            assert len(replica.rows(ids)) == len(ids) == number + 1


async def test_the_end_of_the_connection_keeps_what_is_known():
    service = some(_S.DOWNLOADING)
    async with a_server(service) as (address, _), attached(address) as replica:
        await replica.fetch_rows([0])
        assert await finish(replica.select_iter(DownloadQuery())) == [0]
        replica.detach()
        assert not replica.is_connected
        assert replica.rows([0])[0].name == "0.bin"
        assert replica.cancel([0]) == []
        with pytest.raises(ServiceLost):
            await replica.fetch_rows([0])
        with pytest.raises(ServiceLost):
            await replica.submit([DownloadRequest(("http://host/x",))])
        assert await finish(replica.select_iter(DownloadQuery())) == [0]
        other = replica.select_iter(DownloadQuery(text="x"))
        for _ in range(3):
            next(other)  # until there is a connection again


async def test_a_client_that_stops_reading_slows_nobody_and_catches_up():
    service = some(*[_S.QUEUED] * 1_000)
    async with (
        a_server(service) as (address, _),
        attached(address) as stopped,
        attached(address) as other,
    ):
        reading = stopped._outbox.connection._channel._reader._transport
        reading.pause_reading()
        stopped._outbox.send("view.set", ids=list(range(1_000)))
        for round in range(20):
            for id in range(1_000):
                service.change(id, name=f"{round}-{'y' * 150}")
            stopped._outbox.send("view.sync")
            await other.sync()  # answered at once, whatever the first one reads
        reading.resume_reading()
        await stopped.sync()
        assert {row.name for row in stopped.rows(range(1_000))} == {f"19-{'y' * 150}"}


def test_failures_that_were_retried_are_kept_up_to_a_limit():
    rows, failed = Rows(lambda ids: False), unknown_row(0, _S.FAILED)
    for id in range(ROWS_KEPT + 10):
        rows.keep(failed._replace(id=id, error=f"error {id}"))
        rows.note_failure(id)
        rows.note_failure(id)
    assert not rows.restore_failure(9)
    assert rows.restore_failure(10)
    assert not rows.restore_failure(10), "it fails once"
    assert rows.restore_failure(ROWS_KEPT + 9)


async def test_logins_in_urls_stay_in_the_process_also_when_a_url_changes():
    service = FakeService()
    service.put("a.bin", _S.DOWNLOADING, url="http://ada:secret@host/a.bin")
    service.put("b.bin", _S.FAILED, url="http://ada:secret@host/b.bin")
    received: list[str] = []

    def note(notification: Notification) -> None:
        received.append(json.dumps(notification.params))
        replica.on_notification(notification)

    async with a_server(service) as (address, _):
        replica = Replica()
        reader, writer = await asyncio.open_unix_connection(address.socket)
        async with Connection(reader, writer, note) as connection:
            await connection.greet("test")
            await replica.attach(connection)
            rows = await replica.fetch_rows([0, 1])
            details = await replica.fetch_details([0, 1])
            replica.rows([0, 1])
            await asyncio.sleep(0)
            await replica.sync()
            shown = repr((rows, details, replica.rows([0, 1]), received))
            assert "host/a.bin" in shown
            assert "secret" not in shown
            replica.set_url(0, "http://host/other")
            replica.set_url(1, "http://elsewhere/b.bin")
            await replica.sync()
    assert service.downloads[0].url == "http://ada:secret@host/other"
    assert service.downloads[1].url == "http://elsewhere/b.bin"


@pytest.mark.parametrize("character", ["A", '"', "\x01", "é", "😀"])
async def test_downloads_with_long_fields_are_added(character):
    service = FakeService()
    async with a_server(service) as (address, _), attached(address) as replica:
        requests = [
            DownloadRequest(
                (f"http://host/{number}?{'A' * 30_000}",), source=character * 30_000
            )
            for number in range(300)
        ]
        assert list(await replica.submit(requests)) == list(range(300))
    assert len(service.downloads) == 300


async def test_a_move_that_the_process_refuses_is_reported():
    service = some(_S.QUEUED, _S.QUEUED)

    def refuse(_ids, _move):
        raise ValueError("not now")
        yield

    service.reorder_iter = refuse
    async with a_server(service) as (address, _), attached(address) as replica:
        heard = replica.subscribe()
        steps = replica.reorder_iter([0], Move.TOP)
        assert await run_sliced(steps, asyncio.sleep) == {}
        (event,) = [e for e in heard.drain() if isinstance(e, events.RunNotice)]
        assert "not now" in notice_text(event.notice)


async def test_changes_while_the_states_of_a_long_list_are_read_are_not_lost(
    monkeypatch,
):
    monkeypatch.setattr(view_module, "_STATES", 10)
    service, sink = some(*[_S.QUEUED] * 35), Sink()
    view = ClientView(service, sink)
    attaching = asyncio.ensure_future(view.methods["attach"]({}))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not attaching.done()
    service.pause([2, 33])
    service.put("new.bin", _S.DONE)
    with pytest.raises(RequestError, match="attached already"):
        await view.methods["attach"]({})
    answer = await attaching
    table = StateTable(unpack_states(answer["states"]))
    assert len(table) == 35
    view.flush()
    for state, parts in sink.frames[0]["states"]:
        table.confirm(run_at_once(unpack_ids_iter(parts)), state)
    assert bytes(table.get(id) for id in range(36)) == service.states()
    view.close()


async def test_a_client_with_other_fields_is_refused_as_another_version():
    async with a_server(some()) as (address, _):
        replica = Replica()
        reader, writer = await asyncio.open_unix_connection(address.socket)
        async with Connection(reader, writer) as connection:
            await connection.greet("test")
            with pytest.raises(RequestError) as refused:
                await connection.request("attach", schema="00000000")
            assert refused.value.code is Code.VERSION
            assert refused.value.data["version"] == __version__
            assert codec.schema() in refused.value.data["protocol"]
            await replica.attach(connection)  # with the right ones


def test_the_schema_depends_on_fields_their_types_and_codes(monkeypatch):
    def changed() -> str:
        codec.schema.cache_clear()
        return codec.schema()

    seen = {changed()}
    assert seen == {changed()}
    for kind in (DownloadSnapshot, DetailSnapshot, EngineSnapshot, Notice):
        with monkeypatch.context() as patch:
            other = {**kind.__annotations__, "extra": "int"}
            patch.setattr(kind, "__annotations__", other)
            assert changed() not in seen
    changed()


# -- frames ----------------------------------------------------------------------------


async def test_a_slow_client_gets_the_latest_state_and_the_number_of_lost_events():
    service, sink = some(_S.QUEUED), Sink()
    view = ClientView(service, sink)
    await view.methods["attach"]({})
    sink.is_slow = True
    for _ in range(3):
        for _ in range(EVENTS_LIMIT // 2):
            service.push(events.Verified(0, 1.0, "sha256"))
        service.pause([0])
        service.resume([0])
        view.flush(is_asked=False)
    assert sink.frames == []
    service.cancel([0])
    view.flush()  # before an answer, also to a slow client
    (frame,) = sink.frames
    assert frame["states"] == [[_S.CANCELLED, [[0, 1]]]]
    assert len(frame["events"]) == EVENTS_LIMIT
    # Without the Queued of each resume, for which there was no space.
    assert frame["lost"] == 3 * (EVENTS_LIMIT // 2 + 1) + 1 - EVENTS_LIMIT
    view.flush()
    assert len(sink.frames) == 1, "nothing changed"
    view.close()


async def test_queued_downloads_of_a_long_list_leave_space_for_other_events():
    service, sink = some(_S.QUEUED), Sink()
    view = ClientView(service, sink)
    await view.methods["attach"]({})
    service.push(events.Paused(0, 1.0))
    for _ in range(2 * EVENTS_LIMIT):
        service.push(events.Queued(0, 1.0))
    service.push(events.Cancelled(0, 1.0))
    view.flush()
    (frame,) = sink.frames
    kinds = [event[0] for event in frame["events"]]
    assert kinds[0] == "Paused"
    assert kinds[-1] == "Cancelled"
    assert frame["lost"] == 0, "a dashboard shows none of these"
    view.close()


async def test_the_same_search_again_waits_for_its_cost_unless_a_verb_came():
    service = some(*[_S.QUEUED] * 10)
    view = ClientView(service, Sink())
    search = {"by": "order", "sort": SortKey.NAME.value}
    assert await view.methods["search"]({**search, "search": 1}) == {"ids": [[0, 10]]}
    view._next_search_at_s = asyncio.get_running_loop().time() + 1000
    waiting = asyncio.ensure_future(view.methods["search"]({**search, "search": 2}))
    await asyncio.sleep(0)
    await view.methods["search"]({"by": "activity", "search": 3})
    assert not waiting.done()
    view.expect_change()
    await asyncio.wait_for(waiting, 20)
    view._next_search_at_s = asyncio.get_running_loop().time() + 1000
    waiting = asyncio.ensure_future(view.methods["search"]({**search, "search": 4}))
    await until(lambda: 4 in view._searches)
    await view.methods["search.cancel"]({"search": 4})
    with pytest.raises(RequestError):
        await asyncio.wait_for(waiting, 20)


async def test_a_search_sends_only_the_rows_that_are_asked_for():
    service, sink = some(*[_S.QUEUED] * 10), Sink()
    view = ClientView(service, sink)
    await view.methods["attach"]({})
    search = {"by": "order", "reversed": True}
    await view.methods["search"]({**search, "search": 1})
    assert not any("rows" in frame for frame in sink.frames)
    await view.methods["search"]({"by": "activity", "search": 2, "rows": 3})
    assert [row[0] for row in sink.frames[-1]["rows"]] == [0, 1, 2]
    await view.methods["view.set"]({"ids": [8]})
    await view.methods["search"]({**search, "search": 3, "rows": 3})
    assert [row[0] for row in sink.frames[-1]["rows"]] == [9, 7], "8 is shown already"
    for rows in (-1, 1001, "3", True):
        with pytest.raises(RequestError):
            await view.methods["search"]({**search, "search": 4, "rows": rows})
    view.close()


# -- codec -----------------------------------------------------------------------------


def test_snapshots_and_events_survive_the_codec():
    service = some(_S.DOWNLOADING, _S.FAILED, _S.DONE)
    service.downloads[1].note = Notice(NoticeCode.NAME_TAKEN, ("other",))
    now = service.snapshot()._replace(history=(0.5, 1.0))
    values = [now, *service.rows([0, 1, 2]), service.detail(0)]
    for value in values:
        arrived = json.loads(json.dumps(encode(value)))
        assert decode(type(value), arrived) == value
    happened = [
        events.Queued(1, 2.0),
        events.Started(1, 2.0, 3),
        events.Retrying(1, 2.0, 1, 0.5, "stalled", "no data"),
        events.DownloadNotice(1, 2.0, Notice(NoticeCode.NAME_TAKEN, ("x",))),
        events.Verified(1, 2.0, "sha256=00"),
        events.Failed(1, 2.0, "not_found", "404"),
        events.LimitChanged(1.0, LimitName.ORIGIN, None, 3, origin="http://h"),
        events.QueuePaused(1.0, None),
        events.RunNotice(1.0, Notice(NoticeCode.LOG_STARTED, ("1", "dir"))),
    ]
    arrived = json.loads(json.dumps([encode_event(event) for event in happened]))
    assert [decode_event(value) for value in arrived] == happened


def test_every_kind_of_event_can_travel():
    kinds = {
        kind
        for base in (events.DownloadEvent, events.EngineEvent)
        for kind in base.__subclasses__()
    }
    assert set(codec._EVENTS.values()) == kinds


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (DownloadSnapshot, None),
        (DownloadSnapshot, []),
        (DownloadSnapshot, ["1"] * 22),
        (EngineSnapshot, {"a": 1}),
        (DetailSnapshot, [[]] * 25),
    ],
)
def test_other_values_are_refused(kind, value):
    with pytest.raises(ProtocolError):
        decode(kind, value)


@pytest.mark.parametrize(
    "value", [None, 5, [], ["Nonsense", 1], ["Queued"], ["Queued", "x", 1.0], "Queued"]
)
def test_other_events_are_refused(value):
    with pytest.raises(ProtocolError):
        decode_event(value)


@pytest.mark.parametrize(
    "ids", [[], [5], list(range(100_000)), [3, 1, 2], [*range(70_000), 5, *range(9)]]
)
def test_ids_survive_being_packed(ids):
    arrived = json.loads(json.dumps(list(pack_ids(ids))))
    assert run_at_once(unpack_ids_iter(arrived)) == ids


def test_a_million_ids_in_the_order_of_adding_are_short():
    assert len(json.dumps(list(pack_ids(range(1_000_000))))) < 100


@pytest.mark.parametrize(
    "parts", [5, [5], ["?"], ["AAA="], [[0]], [[-1, 5]], [[0, 10**12]], [["a", 1]]]
)
def test_other_lists_of_ids_are_refused(parts):
    with pytest.raises(ProtocolError):
        run_at_once(unpack_ids_iter(parts))


@pytest.mark.parametrize("text", [None, "?", "AAAA", pack_states(b"12")[:-8]])
def test_other_states_are_refused(text):
    with pytest.raises(ProtocolError):
        unpack_states(text)


def test_an_assumed_state_lasts_until_its_verb_is_answered():
    table = StateTable(bytes([_S.QUEUED, _S.FAILED | REMOVED]))
    table.assume(0, _S.PAUSED, 1)
    table.assume(0, _S.CANCELLED, 2)
    table.confirm([0], _S.DOWNLOADING)
    table.resolve(1)
    assert table.in_states({_S.CANCELLED}) == [0]
    table.resolve(2)
    assert table.in_states({_S.DOWNLOADING}) == [0]
    assert sum(table.counts) == 1, "a removed one does not count"
    with pytest.raises(ValueError, match="download 7"):
        table.confirm([7], _S.QUEUED)
    with pytest.raises(ValueError, match="15"):
        table.confirm([0], 15)


# -- garbage ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\n",
        b'{"jsonrpc":"2.0","id":1,"result":5}\n',
        b'{"jsonrpc":"2.0","id":1,"result":{"states":"AAAA","totals":[]}}\n',
        b"",
    ],
)
async def test_garbage_from_a_server_ends_the_attempt_with_an_error(answer, tmp_path):
    async def serve(reader, writer):
        await reader.readline()
        writer.write(answer)
        writer.close()

    path = tmp_path / "s"
    async with await asyncio.start_unix_server(serve, path):
        reader, writer = await asyncio.open_unix_connection(path)
        replica = Replica()
        async with Connection(reader, writer, replica.on_notification) as connection:
            with pytest.raises((ConnectionLost, ProtocolError)):
                await replica.attach(connection)
        assert not replica.is_connected


@pytest.mark.parametrize(
    "frame",
    [
        {"totals": {"nonsense": 1}},
        {"totals": [1]},
        {"states": [[99, [[0, 1]]]]},
        {"states": 5},
        {"rows": [[1, 2]]},
        {"events": [["Unknown"]]},
    ],
)
async def test_a_frame_that_makes_no_sense_ends_the_connection(frame):
    async with a_replica(some(_S.QUEUED)) as replica:
        connection = replica._outbox.connection
        other = json.dumps({"jsonrpc": "2.0", "method": "frame", "params": frame})
        connection._channel._reader.feed_data(other.encode() + b"\n")
        await asyncio.wait_for(connection.closed, 20)
