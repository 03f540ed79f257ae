"""What a client may ask, answered from a service in memory over a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_service import FakeService
from tests.support.until import until
from tui.background import finder
from tui.background.handler import VERBS, ClientHandler, Process
from tui.background.protocol import Code, RequestError
from tui.background.requests import decode_requests, encode_request
from tui.core.download import DownloadState
from tui.core.errors import ErrorKind
from tui.core.events import QueuePaused
from tui.core.notices import PauseReason
from tui.core.request import Checksum, DownloadRequest, Pieces

_S = DownloadState


class Client:
    """The handler's view of a client that nothing is sent to."""

    def __init__(self) -> None:
        self.is_watching = False


class Asked:
    """A handler over a service with a few downloads."""

    def __init__(self) -> None:
        self.service = FakeService()
        self.client = Client()
        self.stopped = asyncio.Event()
        self.handler = ClientHandler(
            Process(self.service, self.stopped.set, self._read_log), self.client
        )

    async def _read_log(self, limit: int) -> str:
        return "one\ntwo\nthree\n"

    async def __call__(self, method: str, **params: Any) -> Any:
        return await self.handler.request(method, params)

    async def verb(self, name: str, **args: Any) -> Any:
        return await self("call", name=name, args=args)


@pytest.fixture
async def ask() -> Asked:
    return Asked()


async def _refused(asked: Asked, method: str, **params: Any) -> RequestError:
    with pytest.raises(RequestError) as refused:
        await asked(method, **params)
    return refused.value


# -- verbs -----------------------------------------------------------------------------


async def test_verbs_return_what_they_changed(ask):
    ids = [ask.service.put(name) for name in ("a", "b", "c")]
    assert await ask.verb("pause", ids=ids[:2]) == {"ids": ids[:2]}
    assert await ask.verb("pause", ids=ids) == {"ids": ids[2:]}
    assert await ask.verb("resume", ids=[0]) == {"ids": [0]}
    assert [row.state for row in ask.service.rows(ids)] == [
        _S.QUEUED,
        _S.PAUSED,
        _S.PAUSED,
    ]


async def test_a_verb_for_very_many_downloads_lets_others_in_and_keeps_the_order(ask):
    ids = [ask.service.put(str(number)) for number in range(3500)]
    verbs = [asyncio.ensure_future(ask.verb("pause", ids=ids))]
    verbs.append(asyncio.ensure_future(ask.verb("resume", ids=ids)))
    verbs.append(asyncio.ensure_future(ask.verb("cancel", ids=ids[:1])))
    turns = 0
    while not verbs[0].done():
        assert await ask("ping") == {}
        await asyncio.sleep(0)
        turns += 1
    assert turns > 3
    paused, resumed, cancelled = await asyncio.gather(*verbs)
    assert paused == resumed == {"ids": ids}
    assert cancelled == {"ids": [0]}
    counts = (await ask("status"))["counts"]
    assert (counts["queued"], counts["cancelled"]) == (3499, 1)
    error = await _refused(ask, "call", name="pause", args={"ids": [*ids, 3500]})
    assert error.code is Code.UNKNOWN_DOWNLOAD
    assert (await ask("status"))["counts"]["paused"] == 0, "nothing was changed"


async def test_limits_are_set(ask):
    await ask.verb("set_concurrency", count=3)
    await ask.verb("set_rate_limit", rate=5000)
    now = await ask("status")
    assert (now["concurrency"], now["rate_limit"]) == (3, 5000)
    await ask.verb("set_rate_limit", rate=None)
    assert (await ask("status"))["rate_limit"] is None


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("nothing", {}),
        ("__class__", {}),
        (["pause"], {}),
        ("pause", {}),
        ("pause", {"ids": "0"}),
        ("pause", {"ids": [-1]}),
        ("pause", {"ids": [0.0]}),
        ("pause", {"ids": [True]}),
        ("set_concurrency", {"count": 0}),
        ("set_concurrency", {"count": 10**6}),
        ("set_concurrency", {"count": "3"}),
        ("set_rate_limit", {"rate": -1}),
        ("set_rate_limit", {"rate": 1, "id": -5}),
        ("set_auto", {"on": 1}),
        ("reorder", {"ids": [0], "move": "sideways"}),
        ("set_queue_positions", {"positions": [[0]]}),
        ("set_queue_positions", {"positions": [["0", 1]]}),
        ("set_queue_positions", {"positions": [[0, 10**400]]}),
        ("set_queue_positions", {"positions": [[0, float("inf")]]}),
        ("set_url", {"id": 0, "url": "file:///etc/passwd"}),
        ("set_url", {"id": 99, "url": "https://example.org/"}),
        ("add", {"requests": [{"urls": ["ftp://example.org/x"]}]}),
    ],
)
async def test_wrong_arguments_are_refused(ask, name, args):
    ask.service.put("a")
    before = ask.service.calls.total()
    error = await _refused(ask, "call", name=name, args=args)
    assert error.code in (Code.INVALID_PARAMS, Code.REFUSED, Code.UNKNOWN_DOWNLOAD)
    assert ask.service.calls.total() == before


async def test_a_watching_client_cannot_change_anything(ask):
    ask.client.is_watching = True
    id = ask.service.put("a")
    for verb in VERBS:
        error = await _refused(ask, "call", name=verb, args={"ids": [id]})
        assert error.code is Code.WATCH_ONLY
    assert (await _refused(ask, "stop")).code is Code.WATCH_ONLY
    assert not ask.stopped.is_set()
    assert (await ask("select"))["ids"] == [id]


async def test_unknown_methods_are_refused(ask):
    assert (await _refused(ask, "x" * 1000)).code is Code.UNKNOWN_METHOD


async def test_stop_is_answered_first(ask):
    assert await ask("stop") == {"unsaved": ""}
    await ask.stopped.wait()


async def test_the_log_is_cut_to_the_last_lines(ask):
    assert await ask("log", count=2) == {"lines": ["two", "three"]}


# -- finding downloads -----------------------------------------------------------------


async def test_targets_are_ids_names_or_filters(ask):
    put = ask.service.put
    one = put("one.iso", _S.DONE)
    two = put("two.iso")
    ten = put("10")
    paused = put("p.iso", _S.PAUSED, directory="sub")
    find = [
        (["0"], [one]),
        (["0-1"], [one, two]),
        (["10"], [ten]),
        (["two.iso"], [two]),
        (["sub/p.iso"], [paused]),
        (["is:paused"], [paused]),
        (["iso", "0"], [one, two, paused]),
        (["0-4000000"], [one, two, ten, paused]),
    ]
    for targets, ids in find:
        assert await ask("find", targets=targets) == {"ids": ids, "missing": []}
    assert await ask("find", targets=["0", "nothing"]) == {
        "ids": [one],
        "missing": ["nothing"],
    }


@pytest.mark.parametrize("candidates", [0, 20_000])
async def test_an_exact_name_is_found_whatever_characters_it_has(
    ask, candidates, monkeypatch
):
    monkeypatch.setattr(finder, "_CANDIDATES", candidates)
    put = ask.service.put
    names = [
        "a+b*(1)?.iso",
        "x|y{2}.tar",
        "Ä ß.txt",
        "ΑΣ.bin",
        "e/^$.bin",
        'say "is:x"',
    ]
    ids = {name: put(name.rpartition("/")[2]) for name in names}
    put("a+b*(1)?.iso.sig")
    for name, id in ids.items():
        assert await ask("find", targets=[name.rpartition("/")[2]]) == {
            "ids": [id],
            "missing": [],
        }


async def test_an_id_is_found_without_a_look_at_all_downloads(ask, monkeypatch):
    for number in range(50):
        ask.service.put(f"{number}.bin", _S.DONE)
    ask.service.remove([7, 8])
    looked: list[int] = []
    states = ask.service.states

    def count(ids=None):
        looked.extend(range(50) if ids is None else ids)
        return states(ids)

    monkeypatch.setattr(ask.service, "states", count)
    monkeypatch.delattr(FakeService, "select_iter")
    found = await ask("find", targets=["3", "6-9", "49-60"])
    assert found == {"ids": [3, 6, 9, 49], "missing": []}
    assert looked == [3, 6, 7, 8, 9, 49]
    looked.clear()
    assert [id for id, *_ in (await ask("complete", start=""))["ids"]][5:8] == [5, 6, 9]


async def test_a_selection_is_cut_to_its_limit(ask):
    for name in ("c", "a", "b"):
        ask.service.put(name)
    assert (await ask("select", sort="name", limit=2))["ids"] == [1, 2]
    assert (await ask("select", limit=0))["ids"] == []
    for limit in (-1, True, "2"):
        error = await _refused(ask, "select", limit=limit)
        assert error.code is Code.INVALID_PARAMS


async def test_a_wrong_filter_is_refused_with_its_reason(ask):
    error = await _refused(ask, "find", targets=["is:wrong"])
    assert error.code is Code.REFUSED
    assert "wrong" in str(error)
    error = await _refused(ask, "select", filter="size:>")
    assert error.code is Code.REFUSED
    assert (await _refused(ask, "select", view="x")).code is Code.INVALID_PARAMS


async def test_rows_have_the_names_of_the_json_events(ask):
    id = ask.service.put("a.iso", _S.DOWNLOADING, size=100, received=40, speed=7.0)
    (row,) = (await ask("rows", ids=[id]))["rows"]
    assert row["state"] == "downloading"
    assert (row["bytes"], row["size"], row["speed"]) == (40, 100, 7.0)
    assert (row["error"], row["error_kind"]) == (None, None)
    failed = ask.service.put("b.iso", _S.FAILED, error="gone", error_kind="not_found")
    (row,) = (await ask("rows", ids=[failed]))["rows"]
    assert (row["error"], row["error_kind"]) == ("gone", "not_found")
    error = await _refused(ask, "rows", ids=[id] * 1001)
    assert error.code is Code.INVALID_PARAMS


async def test_names_and_ids_are_completed(ask):
    for name in ("a.iso", "ab.iso", "b.iso"):
        ask.service.put(name)
    assert (await ask("complete", start="a"))["names"] == ["a.iso", "ab.iso"]
    assert (await ask("complete", start="1"))["ids"] == [[1, "queued", "ab.iso"]]
    assert len((await ask("complete", start=""))["ids"]) == 3
    assert await ask("complete", start='"') == {"ids": [], "names": []}


async def test_ids_are_completed_in_their_order_and_not_beyond_the_last_one(ask):
    for number in range(230):
        ask.service.put(f"{number}.bin", _S.DONE)
    ask.service.remove([21])

    async def ids(start: str) -> list[int]:
        return [id for id, *_ in (await ask("complete", start=start))["ids"]]

    assert await ids("2") == [2, 20, *range(22, 30), *range(200, 230)]
    assert await ids("22") == [22, *range(220, 230)]
    assert await ids("0") == [0]
    assert await ids("") == [*range(21), *range(22, 101)]
    for start in ("00", "230", "9" * 30, "-1", "٢"):
        assert await ids(start) == []


# -- waiting ---------------------------------------------------------------------------


async def test_waiting_for_some_downloads(ask):
    ids = [ask.service.put(name, _S.DOWNLOADING) for name in ("a", "b", "c")]
    waiting = asyncio.ensure_future(ask("wait", ids=ids[:2]))
    await until(lambda: ask.service.subscriptions)
    ask.service.finish(0)
    ask.service.fail(1)
    answer = await waiting
    assert (answer["counts"]["done"], answer["counts"]["failed"]) == (1, 1)
    await until(lambda: not ask.service.subscriptions)


async def test_a_download_that_is_queued_again_is_waited_for(ask):
    ids = [ask.service.put(name, _S.DOWNLOADING) for name in ("a", "b")]
    waiting = asyncio.ensure_future(ask("wait", ids=ids))
    await until(lambda: ask.service.subscriptions)
    ask.service.fail(0)
    ask.service.retry([0])
    ask.service.finish(1)
    await until(lambda: not any(heard._events for heard in ask.service.subscriptions))
    assert not waiting.done()
    ask.service.finish(0)
    assert (await waiting)["counts"]["done"] == 2


async def test_an_error_that_pauses_the_queue_ends_the_wait(ask):
    ask.service.put("a")
    waiting = asyncio.ensure_future(ask("wait"))
    await until(lambda: ask.service.subscriptions)
    reason = PauseReason(ErrorKind.DISK_FULL, "the disk is full")
    ask.service.pause_reason = reason
    ask.service.push(QueuePaused(0.0, reason))
    assert (await waiting)["pause_reason"] == "the disk is full"


# -- requests as JSON ------------------------------------------------------------------


@given(
    st.builds(
        DownloadRequest,
        st.lists(
            st.sampled_from(
                ("https://example.org/a", "http://u:p@h/b?q=1", "https://x/é")
            ),
            min_size=1,
        ).map(tuple),
        st.sampled_from((None, "name.iso", "ü")),
        st.sampled_from((None, "sub", "a/b")),
        st.sampled_from((None, Checksum("md5", "0" * 32))),
        st.sampled_from(((), (("Authorization", "Basic eDp5"), ("X-A", "1")))),
        st.none() | st.integers(0, 1 << 50),
        st.sampled_from(("", "list.txt:3")),
        st.sampled_from((None, Pieces("sha1", 1024, ("a" * 40, "b" * 40)))),
    )
)
def test_requests_survive_the_way_to_the_process(request_):
    assert decode_requests([encode_request(request_)]) == [request_]


@pytest.mark.parametrize(
    "fields",
    [
        "https://example.org/",
        {},
        {"urls": []},
        {"urls": ["javascript:1"]},
        {"urls": "https://example.org/"},
        {"urls": [7]},
        {"name": "../x"},
        {"name": "/etc/passwd"},
        {"directory": "../.."},
        {"directory": "/etc"},
        {"directory": ".ssh"},
        {"checksum": "sha-256=00"},
        {"headers": [["Range", "bytes=1-"]]},
        {"headers": [["X", "a\r\nY: b"]]},
        {"headers": {"X": "1"}},
        {"size": -1},
        {"size": 1.5},
        {"pieces": ["sha1", 0, []]},
        {"pieces": ["sha1", 10, ["zz"]]},
        {"source": 7},
    ],
)
def test_wrong_requests_are_refused(fields):
    if isinstance(fields, dict) and fields and "urls" not in fields:
        fields = {"urls": ["https://example.org/a"], **fields}
    with pytest.raises(ValueError, match="request 1: "):
        decode_requests([fields])
