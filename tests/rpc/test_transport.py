"""How calls travel: POST, GET, WebSocket, batches and multicall."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from tests.rpc.client import SECRET, next_message
from tests.support.until import until

TOKEN = f"token:{SECRET}"
LISTING = {"id": 1, "method": "system.listNotifications"}


def message(method, *params, id="a"):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": list(params)}


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "application/json",
        "application/json-rpc",
        "application/x-www-form-urlencoded",
        "text/plain;charset=UTF-8",
    ],
)
async def test_a_body_of_any_type_is_json(rpc, kind):
    body = json.dumps(message("aria2.getVersion", TOKEN))
    answer = await rpc.post(body, content_type=kind)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json-rpc"
    assert answer.json["result"]["version"] == "1.37.0"


@pytest.mark.parametrize("id", [1, "x", None, 1.5, {"a": [1]}, [2], True])
async def test_an_id_of_any_type_comes_back(rpc, id):
    answer = await rpc.post(json.dumps({**LISTING, "id": id}))
    assert answer.json["id"] == id
    assert answer.status == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 500, -32700),
        (b"{", 500, -32700),
        (b"5", 500, -32700),
        (b"[" * 100_000, 500, -32700),
        (b'{"id":1,"method":"system.listMethods","params":[NaN]}', 500, -32700),
        (b'{"id":1e999,"method":"system.listMethods"}', 500, -32700),
        (b'{"id":[-1e999],"method":"system.listMethods"}', 500, -32700),
        (b"{}", 400, -32600),
        (b'{"id":1}', 400, -32600),
        (b'{"id":1,"method":5}', 400, -32600),
        (b'{"method":"system.listMethods"}', 400, -32600),
        (b'{"id":1,"method":"system.listMethods","params":{}}', 500, -32602),
        (b"\xff\xfe{}", 500, -32700),
    ],
)
async def test_what_is_no_call_gets_the_codes_of_json_rpc(rpc, body, status, code):
    answer = await rpc.post(body)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)


async def test_an_error_of_a_method_is_a_400(rpc):
    answer = await rpc.post(json.dumps(message("aria2.tellStatus", TOKEN, "zz")))
    assert answer.status == 400
    assert answer.json == {
        "id": "a",
        "jsonrpc": "2.0",
        "error": {"code": 1, "message": "Invalid GID zz"},
    }


async def test_a_batch_gets_a_list_without_what_is_no_object(rpc):
    answer = await rpc.post(json.dumps([5, LISTING, message("aria2.getVersion")]))
    assert answer.status == 200
    first, second = answer.json
    assert first["id"] == 1
    assert second["error"] == {"code": 1, "message": "Unauthorized"}
    assert (await rpc.post(b"[]")).json == []


async def test_multicall_wraps_results_and_not_errors(rpc):
    calls = [
        {"methodName": "aria2.getSessionInfo", "params": [TOKEN]},
        {"methodName": "aria2.getVersion"},
        {"methodName": "system.multicall", "params": []},
        5,
        {},
        {"methodName": "aria2.tellStatus", "params": [TOKEN, "ffff"]},
    ]
    answer = await rpc.post(json.dumps(message("system.multicall", calls)))
    results = answer.json["result"]
    assert list(results[0][0]) == ["sessionId"]
    assert [one["message"] for one in results[1:]] == [
        "Unauthorized",
        "Recursive system.multicall forbidden.",
        "system.multicall expected struct.",
        "Missing methodName.",
        "GID ffff is not found",
    ]


def encoded(params):
    return base64.b64encode(json.dumps(params).encode()).decode()


async def test_get_with_and_without_a_callback(rpc):
    query = f"method=aria2.getSessionInfo&id=foo&params={encoded([TOKEN])}"
    answer = await rpc.get(f"/jsonrpc?{query}")
    assert answer.json["id"] == "foo"
    assert len(answer.json["result"]["sessionId"]) == 40
    script = await rpc.get(f"/jsonrpc?{query}&jsoncallback=a.b")
    assert script.headers["content-type"] == "text/javascript"
    assert script.body == b"a.b(" + answer.body + b")"


async def test_get_with_a_batch_and_without_anything(rpc):
    answer = await rpc.get(f"/jsonrpc?params={encoded([LISTING])}")
    assert answer.json[0]["id"] == 1
    assert (await rpc.get("/jsonrpc")).json["error"]["code"] == -32600
    assert (await rpc.get("/jsonrpc?id=1")).json["error"]["code"] == -32600


async def test_a_callback_that_is_no_name_is_refused(rpc):
    answer = await rpc.get("/jsonrpc?jsoncallback=alert(1)//&id=1&method=x")
    assert answer.status == 400
    assert b"alert" not in answer.body


async def test_other_paths_do_not_exist(rpc):
    assert (await rpc.get("/foo")).status == 404


async def test_calls_and_notifications_share_a_websocket(rpc, files):
    async with rpc.socket() as one, rpc.socket() as other:
        call = message("aria2.addUri", TOKEN, [files.whole])
        await one.send(json.dumps(call))
        told = [await next_message(one) for _ in range(3)]
        (answer,) = [m for m in told if "id" in m]
        gid = answer["result"]
        events = [m["method"] for m in told if "method" in m]
        assert events == ["aria2.onDownloadStart", "aria2.onDownloadComplete"]
        assert [m["params"] for m in told if "params" in m] == [[{"gid": gid}]] * 2
        assert [(await next_message(other))["method"] for _ in range(2)] == events


async def test_each_change_is_notified_once(rpc, files):
    async with rpc.socket() as socket:
        gid = await rpc.call("addUri", [files.stalls])
        await until(lambda: rpc.service.snapshot().received >= 1 << 20)
        await rpc.call("pause", gid)
        await rpc.call("unpause", gid)
        await rpc.reach(gid, "complete")
        await rpc.call("addUri", [files.missing])
        paused = await rpc.call("addUri", [files.whole], {"pause": "true"})
        await rpc.call("remove", paused)
        seen = [(await next_message(socket))["method"] for _ in range(7)]
    assert [name.removeprefix("aria2.onDownload") for name in seen[:4]] == [
        "Start",
        "Pause",
        "Start",
        "Complete",
    ]
    assert sorted(name.removeprefix("aria2.onDownload") for name in seen[4:]) == [
        "Error",
        "Start",
        "Stop",
    ]


async def test_a_websocket_takes_batches_and_garbage(rpc):
    async with rpc.socket() as socket:
        await socket.send("{")
        assert (await next_message(socket))["error"]["code"] == -32700
        await socket.send(json.dumps([LISTING]))
        assert (await next_message(socket))[0]["id"] == 1
        await socket.send(json.dumps(LISTING).encode())
        assert (await next_message(socket))["id"] == 1


async def test_closing_ends_every_connection(rpc):
    async with rpc.socket() as socket:
        await rpc.server.close()
        with pytest.raises(Exception, match="1012"):
            await asyncio.wait_for(socket.recv(), 20)
