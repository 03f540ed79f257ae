"""A server and clients over a real socket."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from pathlib import Path

import pytest

from tests.support.until import until
from tui.background import server as server_module
from tui.background.address import AddressError, Lock, address_of, running
from tui.background.channel import BACKLOG_LIMIT
from tui.background.client import ConnectionLost, NotRunning, connect
from tui.background.protocol import Code, RequestError


async def _attached(made, *, watch=False, notes=None):
    connection = await connect(made.address, None if notes is None else notes.append)
    await connection.greet("test", watch=watch)
    return connection


async def _raw(made, *lines: bytes) -> list[dict]:
    """Send lines and return what comes back until the server closes."""
    reader, writer = await asyncio.open_unix_connection(made.address.socket)
    writer.write(b"".join(lines))
    answers = await reader.read()
    writer.close()
    await writer.wait_closed()
    return [json.loads(line) for line in answers.splitlines()]


async def test_a_client_learns_who_answers_and_gets_results(running):
    async with await connect(running.address) as connection:
        assert await connection.greet("test") == running.hello
        answer = await connection.request("anything", a=[1, "é"])
        assert answer == {"method": "anything", "params": {"a": [1, "é"]}}
    await until(lambda: running.handlers[0].is_closed)


async def test_socket_and_folder_are_private(running):
    assert stat.S_IMODE(os.stat(running.address.socket).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(running.address.folder).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(running.address.lock).st_mode) == 0o600


async def test_a_waiting_request_does_not_delay_others(running):
    async with await _attached(running) as connection:
        waiting = connection.send("wait")
        assert (await connection.request("ping"))["method"] == "ping"
        assert not waiting.done()
        running.handlers[0].release.set()
        assert (await waiting)["method"] == "wait"


async def test_refusals_and_mistakes_are_errors_of_the_request(running):
    async with await _attached(running) as connection:
        with pytest.raises(RequestError, match="no") as refused:
            await connection.request("refuse")
        assert (refused.value.code, refused.value.data) == (Code.REFUSED, {"value": 1})
        with pytest.raises(RequestError, match="ZeroDivisionError"):
            await connection.request("fail")
        assert (await connection.request("ping"))["method"] == "ping"


async def test_notifications_arrive_in_their_order(running):
    notes = []
    async with await _attached(running, notes=notes):
        client = running.handlers[0].client
        assert all(client.notify("n", {"number": i}) for i in range(100))
        await until(lambda: len(notes) == 100)
    assert [note.params["number"] for note in notes] == list(range(100))


async def test_hello_comes_first(running):
    answers = await _raw(
        running,
        b'{"jsonrpc":"2.0","id":1,"method":"call","params":{}}\n',
        b"x\n",
    )
    assert answers[0]["error"]["data"]["kind"] == "hello_first"
    assert running.handlers == []


async def test_another_protocol_is_refused_with_both_sides_named(running):
    hello = b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":99}}\n'
    (answer,) = await _raw(running, hello)
    assert answer["error"]["data"] == {
        "kind": "version",
        "protocol": running.hello.protocol,
        "version": running.hello.version,
        "pid": os.getpid(),
    }


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff\n", b"[]\n"])
async def test_garbage_ends_the_connection_and_nothing_else(running, garbage):
    async with await _attached(running) as connection:
        (answer,) = await _raw(running, garbage)
        assert answer["error"]["data"]["kind"] == "parse"
        assert (await connection.request("ping"))["method"] == "ping"
    assert "not JSON" in running.log[0] or "JSON-RPC" in running.log[0]


async def test_a_line_has_a_limit(running, monkeypatch):
    monkeypatch.setattr(server_module, "REQUEST_LIMIT", 4096)
    await running.server.close("restart")
    await running.server.open()
    (answer,) = await _raw(running, b"x" * 10_000)
    assert "too long" in answer["error"]["message"]


async def test_another_user_is_refused(running):
    running.uid += 1
    assert await _raw(running, b"") == []
    assert running.log == [
        f"refused a connection of another user (user id {running.uid})"
    ]


async def test_too_many_clients_are_refused(running, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_CLIENTS", 1)
    async with await _attached(running):
        (answer,) = await _raw(running, b"")
    assert answer["error"]["data"]["kind"] == "too_many"


async def test_too_many_open_requests_are_refused(running, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_OPEN_REQUESTS", 2)
    async with await _attached(running) as connection:
        waiting = [connection.send("wait") for _ in range(2)]
        with pytest.raises(RequestError) as refused:
            await connection.request("wait")
        assert refused.value.code is Code.TOO_MANY
        running.handlers[0].release.set()
        await asyncio.gather(*waiting)


async def test_a_client_without_hello_is_dropped(running, monkeypatch):
    monkeypatch.setattr(server_module, "HELLO_TIMEOUT_S", 0.01)
    assert await _raw(running, b"") == []
    assert running.log == ["dropped a client that did not introduce itself"]


async def test_a_client_that_stops_reading_is_skipped_then_dropped(
    running, monkeypatch
):
    monkeypatch.setattr(server_module, "_CHECK_INTERVAL_S", 0.01)
    monkeypatch.setattr(server_module, "STALL_TIMEOUT_S", 0.2)
    async with await _attached(running) as other:
        with socket.socket(socket.AF_UNIX) as stuck:
            stuck.connect(str(running.address.socket))
            stuck.sendall(
                b'{"jsonrpc":"2.0","id":1,"method":"hello","params":{"protocol":1}}\n'
            )
            await until(lambda: len(running.handlers) == 2)
            slow = running.handlers[1]
            sent = 0
            while slow.client.notify("rows", {"text": "x" * 60_000}):
                sent += 60_000
            assert sent < 3 * BACKLOG_LIMIT
            assert (await other.request("ping"))["method"] == "ping"
            await until(lambda: slow.is_closed)
        assert running.log == ["dropped a client that had stopped reading"]
        assert (await other.request("ping"))["method"] == "ping"


async def test_clients_learn_why_the_process_ends(running):
    notes = []
    async with await _attached(running, notes=notes) as connection:
        waiting = connection.send("wait")
        await running.server.close("stopped")
        await connection.closed
        assert connection.goodbye == "stopped"
        assert notes[0].method == "bye"
        with pytest.raises(ConnectionLost, match="stopped"):
            await waiting
        with pytest.raises(ConnectionLost, match="stopped"):
            await connection.request("ping")
    assert not running.address.socket.exists()


async def test_a_removed_socket_is_created_again(running, monkeypatch):
    running.server._watch.cancel()
    monkeypatch.setattr(server_module, "_CHECK_INTERVAL_S", 0.01)
    running.server._watch = asyncio.create_task(running.server._keep_address())
    async with await _attached(running) as connection:
        running.address.socket.unlink()
        await until(running.address.socket.exists)
        async with await _attached(running) as other:
            assert (await other.request("ping"))["method"] == "ping"
        assert (await connection.request("ping"))["method"] == "ping"


async def test_the_socket_of_a_killed_process_is_replaced():
    address = address_of("killed")
    lock = Lock(address)
    assert lock.acquire()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address.socket))
    lock.release()
    with pytest.raises(NotRunning):
        await connect(address)
    assert lock.acquire()
    lock.release()


async def test_a_name_without_a_process_is_not_running():
    with pytest.raises(NotRunning):
        await connect(address_of("nobody"))
    assert not address_of("nobody").folder.exists()


async def test_a_name_has_one_process(running):
    assert not Lock(running.address).acquire()


def test_who_has_the_lock_can_be_read_without_the_socket():
    from tui.background.protocol import Hello

    address = address_of("other")
    lock = Lock(address)
    assert running(address) is None
    lock.acquire()
    lock.write(Hello(1, "1.2.3", 77, 12.5, "other"))
    record = running(address)
    assert (record.pid, record.version, record.started_at) == (77, "1.2.3", 12.5)
    assert record.socket == address.socket
    lock.release()
    assert running(address) is None


def test_a_damaged_lock_file_is_read_with_defaults():
    address = address_of("damaged")
    lock = Lock(address)
    lock.acquire()
    address.lock.write_bytes(b'{"pid": "x", "socket": 7, \xff')
    record = running(address)
    assert (record.pid, record.socket) == (0, address.socket)
    lock.release()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "-x", "x" * 33, "a b", "a\x1b", "é"]
)
def test_bad_names_are_refused(name):
    with pytest.raises(ValueError, match="cannot name a background process"):
        address_of(name)


def test_a_long_path_moves_the_socket_to_a_private_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FETCHTUI_STATE_DIR", str(tmp_path / ("x" * 90)))
    assert len(str(address_of("main").socket)) <= 100
    assert str(os.getuid()) in str(address_of("main").socket.parent)


def test_the_runtime_directory_has_the_socket(monkeypatch):
    # Short paths, whatever the directories of tests are called; nothing is created.
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp")
    assert address_of("main").socket == Path("/tmp/fetchtui/main.sock")
    monkeypatch.setenv("FETCHTUI_STATE_DIR", "/srv/s")
    assert Path("/srv/s") in address_of("main").socket.parents


def test_a_folder_that_others_can_enter_becomes_private(tmp_path):
    from tui.background.address import make_private

    (tmp_path / "x").mkdir(0o777)
    make_private(tmp_path / "x")
    assert stat.S_IMODE(os.stat(tmp_path / "x").st_mode) == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "x")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(AddressError, match="not a folder of your user; remove it"):
            make_private(tmp_path / name)
