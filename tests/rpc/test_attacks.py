"""What strangers, web pages and broken clients try, and what they get."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.rpc.client import SECRET, CallFailed, next_message
from tests.rpc.conftest import rpc_config
from tests.support.until import until
from tui.core import events
from tui.core.notices import NoticeCode
from tui.core.request import DownloadRequest
from tui.messages import notice_text
from tui.rpc import dispatch, refusals
from tui.rpc.options import REFUSED
from tui.rpc.web import server as server_module
from tui.rpc.web import sockets as sockets_module

TOKEN = f"token:{SECRET}"
ADD = {"id": 1, "method": "aria2.addUri", "params": [TOKEN, ["http://127.0.0.1:9/x"]]}


@pytest.fixture
def refused(rpc):
    """Return a function that returns the reasons logged so far."""
    subscription = rpc.service.subscribe()
    seen: list[tuple[int, str]] = []

    def reasons() -> list[tuple[int, str]]:
        for event in subscription.drain():
            if isinstance(event, events.RunNotice):
                assert event.notice.code is NoticeCode.RPC_REFUSED
                count, client, reason = event.notice.values
                assert client == "127.0.0.1"
                seen.append((int(count), str(reason)))
        return seen

    return reasons


def nothing_added(rpc):
    return not rpc.service.states()


# -- web pages -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1"]
)
async def test_a_page_of_another_origin_cannot_post(rpc, refused, origin):
    """Browsers send this without asking: text/plain needs no preflight."""
    answer = await rpc.post(json.dumps(ADD), origin=origin, content_type="text/plain")
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    assert nothing_added(rpc)
    assert refused() == [(1, f"it comes from a page of {origin}")]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_script_element_of_another_site_gets_nothing(rpc, refused, site):
    answer = await rpc.get(
        "/jsonrpc?id=1&method=system.listMethods&jsoncallback=f", sec_fetch_site=site
    )
    assert answer.status == 403
    assert b"f(" not in answer.body
    assert refused() == [(1, "it comes from a page of another site")]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:6800", "127.0.0.1.evil.example", "", "a:b"]
)
async def test_dns_rebinding_is_refused(rpc, refused, host):
    answer = await rpc.post(json.dumps(ADD), host=host, origin=f"http://{host}")
    assert answer.status == 403
    assert nothing_added(rpc)
    assert refused() == [(1, f"the Host header names another machine ({host})")]


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:6800", "127.0.0.1", "[::1]:6800", "192.168.0.2:1"]
)
async def test_names_of_this_machine_and_addresses_are_allowed(rpc, host):
    answer = await rpc.post(json.dumps(ADD), host=host, origin=f"http://{host}")
    assert answer.status == 200


async def test_a_page_of_another_origin_gets_no_websocket(rpc, refused):
    url = rpc.server.config.url.replace("http", "ws", 1)
    with pytest.raises(InvalidStatus, match="403"):
        async with connect(f"{url}jsonrpc", origin="https://evil.example", proxy=None):
            pass
    assert refused() == [(1, "it comes from a page of https://evil.example")]


async def test_a_preflight_of_another_origin_is_refused(rpc):
    reply = await rpc.http.options(
        "/jsonrpc",
        headers={
            "origin": "https://evil.example",
            "access-control-request-method": "POST",
        },
    )
    assert reply.status_code == 403
    assert (await rpc.http.options("/jsonrpc")).status_code == 200


@pytest.mark.parametrize(
    "config", [rpc_config(origins=("chrome-extension://abc",))], ids=["origins"]
)
async def test_an_origin_that_the_user_allows_can_call(rpc):
    origin = "chrome-extension://abc"
    answer = await rpc.post(json.dumps(ADD), origin=origin)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin
    reply = await rpc.http.options(
        "/jsonrpc",
        headers={
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    )
    assert reply.headers["access-control-allow-headers"] == "content-type"
    assert (await rpc.post(json.dumps(ADD), origin=f"{origin}d")).status == 403


# -- paths -----------------------------------------------------------------------------


OUTSIDE = (
    {"dir": "/etc"},
    {"dir": "../x"},
    {"dir": "a/../../x"},
    {"dir": "~/x"},
    {"dir": ".ssh"},
    {"dir": "a/.config"},
    {"dir": "link"},
    {"dir": "link/x"},
    {"dir": "a\nb"},
    {"dir": "a\\b"},
    {"out": "/etc/passwd"},
    {"out": "../x"},
    {"out": "a/../../x"},
    {"out": "link/x"},
    {"out": ".ssh/authorized_keys"},
    {"out": "a\x1b[2J"},
    {"out": "x/"},
)


async def test_files_stay_below_the_output_directory(rpc, tmp_path):
    (tmp_path / "out" / "link").symlink_to("/")
    for options in OUTSIDE:
        with pytest.raises(CallFailed, match=r"refused|option '--"):
            await rpc.call("addUri", ["http://127.0.0.1:9/x"], options)
        if "dir" in options:
            with pytest.raises(CallFailed, match=r"refused|option '--"):
                await rpc.call("changeGlobalOption", options)
    assert nothing_added(rpc)


async def test_the_output_directory_may_be_named_in_full(rpc, files, tmp_path):
    out = str(tmp_path / "out")
    for directory in (out, f"{out}/", f"{out}/a/b", "a/b", "."):
        gid = await rpc.call("addUri", [files.whole], {"dir": directory})
        await rpc.reach(gid, "complete")
    assert sorted(os.listdir(f"{out}/a/b")) == ["whole (1).bin", "whole.bin"]


async def test_a_link_that_stays_inside_may_be_used(rpc, files, tmp_path):
    out = tmp_path / "out"
    (out / "real").mkdir()
    (tmp_path / "elsewhere").symlink_to(out / "real")
    gid = await rpc.call("addUri", [files.whole], {"dir": str(tmp_path / "elsewhere")})
    await rpc.reach(gid, "complete")
    assert (out / "real" / "whole.bin").exists()


# -- options ---------------------------------------------------------------------------


DANGEROUS = (
    *((name, "/x/y") for name in REFUSED),
    ("on-download-start", "/bin/sh"),
    ("on-download-complete", "/bin/sh"),
    ("on-bt-download-complete", "/bin/sh"),
    ("check-certificate", "false"),
)


async def test_dangerous_options_are_refused_by_name(rpc, refused):
    for name, value in DANGEROUS:
        for method, params in (
            ("addUri", [["http://127.0.0.1:9/x"], {name: value}]),
            ("changeGlobalOption", [{name: value}]),
        ):
            with pytest.raises(CallFailed, match=f"option '{name}' is refused"):
                await rpc.call(method, *params)
    assert nothing_added(rpc)
    logged = " ".join(reason for _, reason in refused())
    assert [name for name, _ in DANGEROUS if f"'{name}'" not in logged] == []


@pytest.mark.parametrize(
    "header", ["Range: bytes=0-1", "If-Range: x", "no header", "A: b\x00", "A b: x"]
)
async def test_headers_that_change_which_bytes_come_are_refused(rpc, header):
    with pytest.raises(CallFailed, match="option 'header' is refused"):
        await rpc.call("addUri", ["http://127.0.0.1:9/x"], {"header": [header]})


# -- tokens ----------------------------------------------------------------------------


async def test_wrong_tokens_wait_and_are_logged(rpc, refused, monkeypatch):
    monkeypatch.setattr(refusals, "INTERVAL_S", 0.05)
    wrong = ["", "x", SECRET[:-1], f"{SECRET}x", "\ud800", SECRET.upper()]
    for number in range(100):
        with pytest.raises(CallFailed, match="1 Unauthorized"):
            await rpc.call("getVersion", token=wrong[number % len(wrong)])
    assert rpc.slept == [1.0] * 100
    await rpc.call("getVersion")
    await until(lambda: sum(count for count, _ in refused()) == 100)
    assert {reason for _, reason in refused()} == {"Unauthorized"}


async def test_a_batch_is_one_guess(rpc):
    calls = [
        {"id": n, "method": "aria2.getVersion", "params": [f"token:{guess}"]}
        for n, guess in enumerate(["a", "b", SECRET])
    ]
    answer = await rpc.post(json.dumps(calls))
    assert [one["error"]["message"] for one in answer.json] == ["Unauthorized"] * 3
    assert rpc.slept == [1.0]


async def test_a_multicall_is_one_guess(rpc):
    calls = [
        {"methodName": "aria2.getVersion", "params": [f"token:{guess}"]}
        for guess in ["a", "b", SECRET]
    ]
    message = {"id": 1, "method": "system.multicall", "params": [calls]}
    answer = await rpc.post(json.dumps(message))
    assert all(one["message"] == "Unauthorized" for one in answer.json["result"])


async def test_the_calls_of_one_message_are_limited(rpc, monkeypatch):
    monkeypatch.setattr(dispatch, "MAX_CALLS", 5)
    listing = {"methodName": "system.listNotifications", "params": []}
    inner = {"id": 1, "method": "system.multicall", "params": [[listing, 5] * 2]}
    answer = await rpc.post(json.dumps([inner, inner]))
    first, second = answer.json
    assert "error" not in first
    assert "Too many calls" in second["error"]["message"]


async def test_the_downloads_that_one_message_lists_are_limited(rpc, monkeypatch):
    """Ten thousand calls that list as many each would take all memory."""
    monkeypatch.setattr(dispatch, "MAX_LISTED", 5)
    rpc.service.pause_all()
    rpc.service.add([DownloadRequest((f"http://h/{n}",)) for n in range(3)])
    listing = {"methodName": "aria2.tellWaiting", "params": [TOKEN, 0, 1000, ["gid"]]}
    call = {"id": 1, "method": "system.multicall", "params": [[listing] * 3]}
    answer = await rpc.post(json.dumps(call))
    first, *others = answer.json["result"]
    assert len(first[0]) == 3
    for other in others:
        assert "Too many downloads in one message" in other["message"]
    assert len(await rpc.call("tellWaiting", 0, 1000)) == 3


async def test_a_bug_in_a_method_is_an_error_and_no_secret(rpc, monkeypatch, caplog):
    async def broken(params):
        raise LookupError("hunter2")

    monkeypatch.setitem(rpc.server.methods.by_name, "aria2.getVersion", broken)
    with pytest.raises(CallFailed, match=r"1 Internal error in aria2\.getVersion"):
        await rpc.call("getVersion")
    assert "hunter2" in caplog.text
    async with rpc.socket() as socket:
        call = {"id": 1, "method": "aria2.getVersion", "params": [TOKEN]}
        await socket.send(json.dumps(call))
        assert "Internal error" in (await next_message(socket))["error"]["message"]


# -- floods ----------------------------------------------------------------------------


@pytest.fixture
async def open_socket(rpc):
    """Return a function that opens a connection and sends something."""
    writers = []

    async def connected(data=b""):
        port = rpc.server.config.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        writer.write(data)
        return reader, writer

    yield connected
    for writer in writers:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def ended(reader):
    """Wait until the server closes the connection, and return what came before."""
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""


async def test_idle_connections_make_room_for_new_ones(
    rpc, refused, open_socket, monkeypatch
):
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 10)
    idle = [await open_socket() for _ in range(30)]
    await rpc.call("getVersion")
    await until(lambda: len(rpc.server._state.connections) <= 10)
    assert await ended(idle[0][0]) == b""
    assert refused()[0] == (1, "more than 10 connections are open")


async def test_requests_whose_bodies_never_arrive_make_room_for_complete_ones(
    rpc, refused, open_socket, monkeypatch
):
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 10)
    head = b"POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"
    slow = [await open_socket(head) for _ in range(10)]
    await until(lambda: sum(c.is_busy for c in rpc.server._state.connections) == 10)
    assert (await rpc.call("getVersion"))["version"]
    assert await ended(slow[0][0]) == b""
    assert refused() == [(1, "more than 10 connections are open")]


@pytest.mark.parametrize(
    "data",
    [b"", b"POST /jsonrpc HT", b"POST / HTTP/1.1\r\nHost: localhost\r\nA: "],
)
async def test_slow_headers_end_the_connection(
    rpc, refused, open_socket, monkeypatch, data
):
    monkeypatch.setattr(server_module, "HEADER_TIMEOUT_S", 0.1)
    reader, _ = await open_socket(data)
    assert await ended(reader) == b""
    assert refused() == [(1, "no complete request arrived in time")]


async def test_a_second_request_on_a_connection_must_be_complete_as_well(
    rpc, open_socket, monkeypatch
):
    monkeypatch.setattr(server_module, "HEADER_TIMEOUT_S", 0.3)
    request = b"GET /jsonrpc HTTP/1.1\r\nHost: localhost\r\n\r\n"
    reader, writer = await open_socket(request)
    assert await reader.readuntil(b"}}")
    writer.write(request[:20])
    assert await ended(reader) == b""


async def test_a_body_of_3_mb_is_refused(rpc, refused):
    answer = await rpc.post(b"x" * 3_000_000)
    assert answer.status == 413
    reason = "the request is larger than 2 MiB"
    assert refused() == [(1, reason)]

    async def chunks():
        for _ in range(30):
            yield b"x" * 100_000

    reply = await rpc.http.post("/jsonrpc", content=chunks())
    assert reply.status_code == 413


async def test_a_websocket_message_of_3_mb_ends_the_connection(rpc):
    async with rpc.socket() as socket:
        with suppress(ConnectionClosed):
            await socket.send("x" * 3_000_000)
        with pytest.raises(ConnectionClosed, match="1009"):
            await next_message(socket)
    await rpc.call("getVersion")


async def open_unread(rpc, open_socket):
    """Open a WebSocket that the client never reads."""
    url = f"127.0.0.1:{rpc.server.config.port}"
    _, writer = await open_socket(
        (
            f"GET /jsonrpc HTTP/1.1\r\nHost: {url}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ).encode(),
    )
    writer.transport.pause_reading()


async def test_a_client_that_does_not_read_is_cut_off(
    rpc, refused, open_socket, monkeypatch
):
    monkeypatch.setattr(sockets_module, "MAX_WAITING", 50)
    monkeypatch.setattr(sockets_module, "STALL_S", 0.2)
    async with rpc.socket() as reading:
        await open_unread(rpc, open_socket)
        await until(lambda: len(rpc.server.sockets) == 2)

        def flood():
            for _ in range(10):
                rpc.server.sockets.notify("aria2.onDownloadStart", "0" * 16 * 1000)
            return len(rpc.server.sockets) == 1

        draining = asyncio.ensure_future(drain(reading))
        await until(flood, 20)
        assert refused() == [(1, "it does not read its WebSocket")]
        # Nothing of it is left, and the other one is served as before.
        await until(lambda: len(rpc.server._state.connections) == 1)
        draining.cancel()
        with suppress(asyncio.CancelledError):
            await draining
        await reading.send(json.dumps({"id": 1, "method": "system.listMethods"}))
        while (await next_message(reading)).get("id") != 1:
            pass


async def test_a_client_that_answers_no_ping_is_cut_off(rpc, open_socket, monkeypatch):
    """Otherwise 64 of them would keep all others out for good."""
    monkeypatch.setattr(server_module, "PING_S", 0.05)
    await rpc.server.close()
    await rpc.server.open()
    await open_unread(rpc, open_socket)
    await until(lambda: len(rpc.server.sockets) == 1)
    # More than the buffers of the system take, so that the end cannot be sent.
    for _ in range(500):
        rpc.server.sockets.notify("aria2.onDownloadStart", "0" * 16 * 1000)
    await until(lambda: len(rpc.server.sockets) == 0)
    await until(lambda: not rpc.server._state.connections)


async def test_a_client_that_reads_gets_every_notification_of_a_burst(rpc, files):
    rpc.service.pause_all()
    urls = [f"{files.whole}?{number}" for number in range(5_000)]
    ids = list(rpc.service.add([DownloadRequest((url,)) for url in urls]))
    async with rpc.socket() as socket:
        await until(lambda: len(rpc.server.sockets) == 1)
        rpc.service.cancel(ids)
        gids = [(await next_message(socket))["params"][0]["gid"] for _ in ids]
        assert len({*gids}) == len(ids)


async def test_a_client_gets_no_further_reply_before_it_has_read_the_last(
    rpc, monkeypatch
):
    """Calls without reading would fill the memory with replies."""
    answered = []
    answer = rpc.server.sockets._dispatcher.answer

    async def counted(body, client):
        answered.append(body)
        reply = await answer(body, client)
        return reply._replace(text=reply.text + " " * (8 << 20))

    monkeypatch.setattr(rpc.server.sockets._dispatcher, "answer", counted)
    message = json.dumps({"id": 1, "method": "system.listMethods"})
    async with connect(rpc.socket().uri, proxy=None, max_queue=1, max_size=None) as one:
        for _ in range(20):
            await one.send(message)
        await until(lambda: answered)
        for _ in range(50):  # turns of the loop in which it could answer more
            await asyncio.sleep(0)
        assert len(answered) < 10
        for _ in range(20):
            await one.recv()
        assert len(answered) == 20


async def drain(socket):
    async for _ in socket:
        pass


async def test_a_message_that_is_too_large_ends_the_websocket_and_is_logged(
    rpc, refused
):
    async with rpc.socket() as socket:
        await until(lambda: len(rpc.server.sockets) == 1)
        await socket.send(" " * ((2 << 20) + 1))
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd.code == 1009
    await until(lambda: len(rpc.server.sockets) == 0)
    assert refused() == [(1, "the message is larger than 2 MiB")]


async def test_too_many_websockets_are_turned_away(rpc, refused, monkeypatch):
    monkeypatch.setattr(sockets_module, "MAX_SOCKETS", 1)
    call = {"id": 1, "method": "aria2.getVersion", "params": [TOKEN]}
    async with rpc.socket() as one:
        await one.send(json.dumps(call))
        await next_message(one)
        with pytest.raises(InvalidStatus, match="403"):
            async with rpc.socket():
                pass
        await one.send(json.dumps(call))
        assert "result" in await next_message(one)
    assert refused() == [(1, "more than 1 WebSockets are open")]


async def test_websockets_that_never_sent_the_secret_make_room(
    rpc, refused, monkeypatch
):
    """Otherwise anybody on this machine could keep all clients out."""
    monkeypatch.setattr(sockets_module, "MAX_SOCKETS", 2)
    wrong = {"id": 1, "method": "aria2.getVersion", "params": ["token:x"]}
    right = wrong | {"params": [TOKEN]}
    async with rpc.socket() as one, rpc.socket() as other:
        await one.send(json.dumps(wrong))
        await next_message(one)
        await other.send(json.dumps(right))
        await next_message(other)
        async with rpc.socket() as third:
            with pytest.raises(ConnectionClosed):
                await one.recv()
            for socket in (other, third):
                await socket.send(json.dumps(right))
                assert "result" in await next_message(socket)
    assert (1, "more than 2 WebSockets are open") in refused()


async def test_refusals_for_ever_new_reasons_are_counted_together(rpc):
    subscription = rpc.service.subscribe()
    for number in range(500):
        rpc.server.log.note("127.0.0.1", f"the Host header names h{number}.example")
    rpc.server.log.flush()
    notices = [event.notice for event in subscription.drain()]
    assert len(notices) == refusals.MAX_KINDS + 2
    assert sum(notice.values[0] for notice in notices) == 500
    text = "the RPC refused 399 requests from all clients: other reasons"
    assert notice_text(notices[-1]) == text


# -- the program and its pages ---------------------------------------------------------


async def test_shutdown_is_refused_unless_the_user_allows_it(rpc, refused):
    for method in ("shutdown", "forceShutdown"):
        with pytest.raises(CallFailed, match="--rpc-allow-shutdown"):
            await rpc.call(method)
    assert "aria2.shutdown is refused" in refused()[0][1]


@pytest.mark.parametrize("config", [rpc_config(allow_shutdown=True)], ids=["allowed"])
async def test_shutdown_ends_the_program_after_the_reply(rpc, monkeypatch):
    monkeypatch.setattr(server_module, "_SHUTDOWN_DELAY_S", 0.05)
    assert await rpc.call("shutdown") == "OK"
    await until(lambda: rpc.slept == [-1.0])


@pytest.fixture
def ui_dir(tmp_path):
    folder = tmp_path / "ui"
    (folder / "js").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>client</h1>")
    (folder / "js" / "a.js").write_text("1")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (tmp_path / "secret").write_text("secret")
    (folder / "out.txt").symlink_to(tmp_path / "secret")
    return folder


class TestFolder:
    @pytest.fixture
    def config(self, ui_dir):
        return rpc_config(ui_dir=ui_dir)

    async def test_its_files_are_served(self, rpc):
        page = await rpc.get("/")
        assert page.body == b"<h1>client</h1>"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert (await rpc.get("/js/a.js")).body == b"1"
        assert (await rpc.call("getVersion"))["version"]

    @pytest.mark.parametrize(
        "path",
        [
            "/.git/config",
            "/out.txt",
            "/../secret",
            "/%2e%2e/secret",
            "/js/..%2f../secret",
        ],
    )
    async def test_nothing_else_is(self, open_socket, path):
        raw = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        reader, _ = await open_socket(raw.encode())
        reply = await reader.read()
        assert b" 404 " in reply.split(b"\r\n", 1)[0]
        assert b"secret" not in reply

    async def test_pages_of_other_origins_do_not_see_it(self, rpc):
        answer = await rpc.get("/", origin="https://evil.example")
        assert answer.status == 403
