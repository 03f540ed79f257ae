"""One script of calls against aria2c and against fetchtui; the differences, by reason.

``python -m tests.rpc.oracle`` needs aria2c. It prints a table of all differences and
fails if one of them has no reason in ``REASONS``. ``-v`` prints each call as well.
"""

from __future__ import annotations

import asyncio
import base64
import fnmatch
import json
import os
import re
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.engine import open_engine
from tui.rpc.config import RpcConfig
from tui.rpc.web.server import RpcServer

SECRET = "oracle"
TOKEN = f"token:{SECRET}"
SIZE = 3 << 20
BODY = Pattern(SIZE, 3)
REASONS = (
    # call, path in the answer, why
    ("*", "*.uris", "aria2 lists a URL again for a further connection"),
    ("*", "*.path", "aria2 names a file only when its server has answered"),
    ("*", "*.errorMessage", "each program words its errors itself"),
    ("getVersion*", "*.version", "Debian's aria2 is older than 1.37.0"),
    ("getVersion*", "*.enabledFeatures", "no BitTorrent, SFTP and XML-RPC"),
    ("getVersion*", "*.fetchtui", "fetchtui says that it is not aria2"),
    ("get*Option*", "*.result.*", "fetchtui returns the options that it has, with its"
     " own defaults"),
    ("listNotifications*", "*", "no BitTorrent, so no onBtDownloadComplete"),
    ("*removed waiting", "*", "a removed waiting download is listed as stopped, so that"
     " the dashboard can restore it"),
    ("getGlobalStat paused", "*.numStopped*", "it is counted as stopped as well, and"
     " results that are purged no more"),
    ("addTorrent*", "*", "no BitTorrent"),
    ("saveSession", "*", "the session is saved all the time"),
    ("addUri ftp", "*", "only http and https"),
    ("addUri dir outside", "*", "files stay below the output directory"),
    ("addUri on-download-complete", "*", "clients must not run programs"),
    ("addUri all-proxy", "*", "clients must not choose a proxy"),
    ("addUri bad gid", "*", "the texts for an invalid GID differ"),
    ("addUri taken gid", "*", "the texts for a GID in use differ"),
    ("addMetalink no metalink", "*", "XML that is not Metalink is an error"),
    ("addUri bad header", "*", "headers that decide which bytes come back are refused"),
    ("body too large", "*", "aria2 closes the connection without an answer"),
    ("PUT", "*", "other HTTP methods are answered with 405, not 404"),
    ("GET id only", "*.id", "aria2 makes invalid JSON of it"),
    ("files beginning, continue", "*", "nobody can prove that a file without a record"
     " is the beginning of this one"),
    ("files newer, conditional", "*", "conditional-get counts only with"
     " allow-overwrite, as aria2's manual says"),
    ("tellStatus exists newer, conditional*", "*Length", "aria2 does not say how long"
     " a file is that it keeps"),
    ("changePosition float", "*", "aria2 cuts fractions off"),
)  # fmt: skip


class Outcome(NamedTuple):
    """The answer to one call, without what differs from run to run."""

    label: str
    answer: Any


class Side:
    """One of the two programs."""

    def __init__(self, url: str, directory: Path, server: ScriptedServer) -> None:
        self.url = url
        self.directory = directory
        self.server = server
        self.outcomes: list[Outcome] = []
        self.gids: dict[str, str] = {}
        self.http = httpx.AsyncClient(timeout=30)

    async def raw(
        self, label: str, body: Any = None, method: str = "POST", query: str = ""
    ) -> Any:
        """Send something, record status and answer, return the answer."""
        content = json.dumps(body) if isinstance(body, (dict, list)) else body
        try:
            reply = await self.http.request(method, self.url + query, content=content)
        except httpx.HTTPError:
            self.outcomes.append(Outcome(label, "connection closed"))
            return None
        try:
            answer = reply.json()
        except ValueError:
            answer = reply.text
        kind = reply.headers.get("content-type", "").partition(";")[0]
        told = {"status": reply.status_code, "type": kind, "answer": answer}
        if method in ("OPTIONS", "PUT"):
            told.pop("type")
        self.outcomes.append(Outcome(label, self.cleaned(told)))
        return answer

    async def call(self, label: str, *params: Any, token: str = TOKEN) -> Any:
        """Call the method that the label begins with."""
        answer = await self.raw(label, self.message(label, *params, token=token))
        return answer.get("result") if isinstance(answer, dict) else None

    def message(self, label: str, *params: Any, token: str = TOKEN) -> dict[str, Any]:
        name = label.split()[0]
        full = name if "." in name else f"aria2.{name}"
        given = [token, *params] if token else list(params)
        return {"jsonrpc": "2.0", "id": "i", "method": full, "params": given}

    async def add(self, label: str, path: str, *more: Any) -> str:
        gid = str(await self.call(label, [self.server.url(path)], *more))
        self.gids[gid] = f"<{label.removeprefix('addUri ')}>"
        return gid

    async def reach(self, gid: str, *statuses: str) -> None:
        """Wait until a download has a status; not recorded."""
        async with asyncio.timeout(30):
            while True:
                message = self.message("tellStatus", gid, ["status"])
                reply = await self.http.post(self.url, json=message)
                if reply.json().get("result", {}).get("status") in statuses:
                    return
                await asyncio.sleep(0.05)

    def cleaned(self, value: Any) -> Any:
        """Replace what differs from run to run."""
        if isinstance(value, list):
            return [self.cleaned(one) for one in value]
        if isinstance(value, dict):
            return {
                key: "N" if key.endswith("Speed") else self.cleaned(one)
                for key, one in value.items()
            }
        if not isinstance(value, str):
            return value
        value = value.replace(str(self.directory), "DIR")
        value = re.sub(r"http://127\.0\.0\.1:\d+", "URL", value)
        for gid, name in self.gids.items():
            value = value.replace(gid, name)
        value = re.sub(r"\b[0-9a-f]{40}\b", "SESSION", value)
        return re.sub(r"\b(?!f{16}|0{16})[0-9a-f]{16}\b", "GID", value)


async def script(side: Side) -> None:
    """Make all calls."""
    await _transport(side)
    await _refusals(side)
    await _life_of_downloads(side)
    await _queue(side)
    await _options(side)
    await _existing_files(side)
    await side.call("saveSession")
    await side.call("shutdown", token="token:wrong")


async def _transport(side: Side) -> None:
    raw, listing = side.raw, {"id": 1, "method": "system.listNotifications"}
    for label, body in {
        "body empty": "",
        "body half": "{",
        "body number": "5",
        "body empty object": "{}",
        "body without method": {"id": 1},
        "body without id": {"method": "aria2.getVersion"},
        "body method number": {"id": 1, "method": 5},
        "body params object": {"id": 1, "method": "aria2.getVersion", "params": {}},
        "body params text": {"id": 1, "method": "aria2.getVersion", "params": "x"},
        "body no params": {"id": 1, "method": "aria2.getVersion"},
        "batch empty": "[]",
        "batch with numbers": [5, {"id": 2}],
    }.items():
        await raw(label, body)
    await raw("listNotifications version", {**listing, "jsonrpc": "9"})
    for id in (None, 7, "x", True, [1], {"a": None}):
        await raw(f"listNotifications id {id!r}", {**listing, "id": id})
    await raw("listNotifications batch", [listing, listing])
    params = base64.b64encode(json.dumps([TOKEN]).encode()).decode()
    get = f"?method=aria2.getSessionInfo&id=foo&params={params}"
    batch = base64.b64encode(json.dumps([{"id": 1}]).encode()).decode()
    await raw("GET", method="GET", query=get)
    await raw("GET callback", method="GET", query=f"{get}&jsoncallback=cb")
    await raw("GET nothing", method="GET")
    await raw("GET id only", method="GET", query="?id=foo")
    await raw("GET method only", method="GET", query="?method=system.listMethods")
    await raw("GET batch", method="GET", query=f"?params={batch}")
    await raw("OPTIONS", method="OPTIONS")
    await raw("PUT", "{}", method="PUT")
    await raw("body too large", "x" * 3_000_000)
    calls = [
        {"methodName": "aria2.getSessionInfo", "params": [TOKEN]},
        {"methodName": "aria2.getSessionInfo"},
        {"methodName": "system.multicall", "params": []},
        5,
        {},
        {"methodName": 5},
        {"methodName": "aria2.tellStatus", "params": [TOKEN, "ffff"]},
        {"methodName": "aria2.tellStatus", "params": "x"},
    ]
    for label, given in (("all kinds", [calls]), ("nothing", []), ("number", [5])):
        await side.call(f"system.multicall {label}", *given, token="")
    await side.call("system.listMethods", token="")
    wrong = side.message("getSessionInfo", token="token:x")
    await raw("unauthorized batch", [wrong, side.message("getSessionInfo")])


async def _refusals(side: Side) -> None:
    call = side.call
    for token in ("", "token:", "token:wrong", f"token:{SECRET}x"):
        await call(f"getVersion {token or 'no token'}", token=token)
    await call("getVersion unauthorized unknown", token="token:x")
    await call("noSuchMethod")
    await call("getVersion")
    await call("getVersion superfluous", 1, 2, {"a": 3})
    await call("getSessionInfo")
    for name in ("tellStatus", "pause", "unpause", "remove", "getFiles", "getUris",
                 "getServers", "getPeers", "getOption", "changeOption",
                 "removeDownloadResult", "changePosition", "changeUri"):  # fmt: skip
        await call(f"{name} nothing")
        await call(f"{name} number", 5)
        for label, gid in (("unknown", "f" * 16), ("not hex", "xyz"), ("empty", ""),
                           ("long", "0" * 17)):  # fmt: skip
            await call(f"{name} {label}", gid, *_MORE.get(name, ()))
    for label, params in {
        "nothing": [],
        "text": ["x"],
        "empty": [[]],
        "numbers": [[5]],
        "not a URL": [["foo"]],
        "magnet": [["magnet:?xt=x"]],
        "options text": [["http://127.0.0.1:9/x"], "x"],
        "position negative": [["http://127.0.0.1:9/x"], {}, -1],
        "position text": [["http://127.0.0.1:9/x"], {}, "0"],
        "split 0": [["http://127.0.0.1:9/x"], {"split": "0"}],
        "split text": [["http://127.0.0.1:9/x"], {"split": "x"}],
        "bad switch": [["http://127.0.0.1:9/x"], {"pause": "yes"}],
        "bad rate": [["http://127.0.0.1:9/x"], {"max-download-limit": "fast"}],
        "bad checksum": [["http://127.0.0.1:9/x"], {"checksum": "sha-1=zz"}],
        "bad gid": [["http://127.0.0.1:9/x"], {"gid": "zz"}],
    }.items():
        await call(f"addUri {label}", *params)
    for label, params in {
        "no number": [0], "negative number": [0, -1], "text": ["0", 1],
        "keys text": [0, 1, "gid"],
    }.items():  # fmt: skip
        await call(f"tellWaiting {label}", *params)
    await call("tellStopped no number", 0)
    await call("tellActive keys text", "gid")
    await call("addMetalink text", "xx")
    await call("addMetalink nothing")
    no_metalink = base64.b64encode(b"<x/>").decode()
    await call("addMetalink no metalink", no_metalink)
    await call("addTorrent text", "xx")
    await call("changeGlobalOption nothing")
    await call("changeGlobalOption text", "x")
    await call("changeGlobalOption bad", {"max-concurrent-downloads": "0"})


_MORE: dict[str, tuple[Any, ...]] = {
    "changeOption": ({},),
    "changePosition": (0, "POS_SET"),
    "changeUri": (1, [], []),
}


async def _life_of_downloads(side: Side) -> None:
    call = side.call
    await call("tellActive idle")
    await call("tellWaiting idle", 0, 10)
    await call("tellStopped idle", 0, 10)
    await call("getGlobalStat idle")
    whole = await side.add("addUri whole", "/whole.bin")
    await side.reach(whole, "complete")
    await call("tellStatus whole", whole)
    await call("tellStatus whole keys", whole, ["gid", "status", "nonsense", 5])
    await call("tellStatus prefix", whole[:10], ["gid"])
    await call("tellStatus upper case", whole.upper(), ["gid"])
    await call("getFiles whole", whole)
    for name in ("getUris", "getServers", "getPeers", "pause", "unpause", "remove",
                 "forcePause", "forceRemove"):  # fmt: skip
        await call(f"{name} whole", whole)
    for name in ("changeOption", "changePosition", "changeUri"):
        await call(f"{name} whole", whole, *_MORE[name])
    missing = await side.add("addUri missing", "/missing.bin")
    await side.reach(missing, "error")
    await call("tellStatus missing", missing)
    stalls = await side.add("addUri stalls", "/stalls.bin", {"out": "s.bin"})
    await side.reach(stalls, "active")
    await asyncio.sleep(1.0)
    await call("tellStatus stalls", stalls)
    await call("tellActive stalls", ["gid", "status", "totalLength", "dir"])
    await call("getServers stalls", stalls)
    await call("getUris stalls", stalls)
    await call("getPeers stalls", stalls)
    await call("unpause stalls", stalls)
    await call("changePosition stalls", stalls, 0, "POS_SET")
    await call("removeDownloadResult stalls", stalls)
    await call("getGlobalStat stalls")
    await call("pause stalls", stalls)
    await side.reach(stalls, "paused")
    await call("tellStatus paused", stalls, ["status", "dir", "gid", "totalLength"])
    await call("pause paused", stalls)
    await call("getServers paused", stalls)
    await call("unpause paused", stalls)
    await side.reach(stalls, "active", "complete")
    await call("forceRemove stalls", stalls)
    await side.reach(stalls, "removed", "complete")
    await call("tellStatus removed", stalls, ["gid", "status"])
    await call("removeDownloadResult whole", whole)
    await call("tellStatus whole is gone", whole)
    await call("removeDownloadResult whole again", whole)
    await call("purgeDownloadResult")
    await call("tellStopped purged", 0, 10)


async def _queue(side: Side) -> None:
    call = side.call
    active = [await side.add(f"addUri slot {n}", f"/stall-{n}.bin") for n in range(2)]
    for gid in active:
        await side.reach(gid, "active")
    names = [await side.add(f"addUri q{n}", f"/q{n}.bin") for n in range(3)]
    first = await side.add("addUri at 0", "/q3.bin", {"pause": "true"}, 0)
    far = await side.add("addUri at 99", "/q4.bin", {"gid": "00000000000000aa"}, 99)
    await call("addUri taken gid", [side.server.url("/x")], {"gid": far})
    keys = ["gid", "status"]
    for offset, number in ((0, 99), (0, 0), (1, 2), (4, 9), (5, 1), (99, 1), (-1, 1),
                           (-1, 99), (-2, 2), (-5, 1), (-6, 1)):  # fmt: skip
        await call(f"tellWaiting {offset} {number}", offset, number, keys)
    moves = ((0, "POS_SET"), (2, "POS_SET"), (99, "POS_SET"), (-9, "POS_SET"),
             (1, "POS_CUR"), (-1, "POS_CUR"), (99, "POS_CUR"), (-99, "POS_CUR"),
             (0, "POS_END"), (-1, "POS_END"), (-99, "POS_END"), (9, "POS_END"),
             (0, "POS_X"))  # fmt: skip
    for offset, how in moves:
        await call(f"changePosition {offset} {how}", names[1], offset, how)
        await call(f"tellWaiting after {offset} {how}", 0, 99, keys)
    await call("changePosition float", names[1], 0.5, "POS_SET")
    await call("unpause waiting", names[0])
    await call("pause waiting", names[0])
    await call("tellStatus pause waiting", names[0], keys)
    await call("unpause waiting paused", names[0])
    await call("remove waiting", names[2])
    await call("tellStatus removed waiting", names[2], keys)
    await call("pause removed waiting", names[2])
    await call("remove removed waiting", names[2])
    await call("pauseAll")
    for gid in active:
        await side.reach(gid, "paused")
    await call("tellWaiting all paused", 0, 0, keys)
    await call("tellStatus all paused", first, keys)
    await call("forcePauseAll")
    uris = [side.server.url(f"/m{n}") for n in range(3)]
    await call("changeUri add", first, 1, [], uris)
    await call("getUris add", first)
    await call("changeUri replace", first, 1, [uris[0], "x"], ["bad", 5, uris[0]], 0)
    await call("getUris replace", first)
    await call("changeUri index 0", first, 0, [], [])
    await call("changeUri index 2", first, 2, [], [])
    await call("changeUri position", first, 1, [], [], -1)
    await call("getGlobalStat paused")
    for gid in (*active, *names[:2], first, far):
        await call("remove the rest", gid)
    await asyncio.sleep(0.5)
    await call("purgeDownloadResult end")


async def _options(side: Side) -> None:
    call = side.call
    options = {"pause": "true", "out": "o.bin", "split": "2", "unknown": "x"}
    gid = await side.add("addUri options", "/o.bin", options)
    await call("getOption options", gid)
    for label, changed in {
        "nothing": {}, "split": {"split": "3"}, "split 0": {"split": "0"},
        "rate": {"max-download-limit": "1M"}, "bad rate": {"max-download-limit": "x"},
        "name": {"out": "p.bin"}, "unknown": {"nonsense": "1"},
        "header": {"header": ["A: b"]}, "number": {"split": 3},
        "switch": {"continue": "maybe"},
    }.items():  # fmt: skip
        await call(f"changeOption {label}", gid, changed)
    await call("getFiles options", gid)
    await call("changeOption text", gid, "x")
    for label, changed in {
        "nothing": {}, "concurrency": {"max-concurrent-downloads": "3"},
        "rate": {"max-overall-download-limit": "9M"}, "unknown": {"nonsense": "1"},
        "results": {"max-download-result": "5"},
    }.items():  # fmt: skip
        await call(f"changeGlobalOption {label}", changed)
    await call("getGlobalOption")
    document = f"""<metalink xmlns="urn:ietf:params:xml:ns:metalink">
      <file name="m.bin"><url>{side.server.url("/whole.bin")}</url></file></metalink>"""
    encoded = base64.b64encode(document.encode()).decode()
    (told,) = await call("addMetalink", encoded) or ["?"]
    await side.reach(told, "complete")
    await call("tellStatus metalink", told, ["status", "totalLength", "errorCode"])
    await call("addUri dir outside", [side.server.url("/x")], {"dir": "/nowhere/x"})
    hook = {"on-download-complete": "/bin/true"}
    await call("addUri on-download-complete", [side.server.url("/x")], hook)
    await call("addUri all-proxy", [side.server.url("/x")], {"all-proxy": "http://a:1"})
    await call("addUri bad header", [side.server.url("/x")], {"header": "Range: x"})
    await call("addUri ftp", ["ftp://127.0.0.1:9/x"], {"pause": "true"})
    await call("remove options", gid)


class Existing(NamedTuple):
    """A file that is there before a download, and the options of the download."""

    content: bytes
    options: dict[str, str]
    is_older: bool = False
    """Than the file of the server."""


_OLD, _WHOLE = b"old", BODY.read()
_YES, _NO = "true", "false"
EXISTING = {
    "other": Existing(_OLD, {}),
    "other, no renaming": Existing(_OLD, {"auto-file-renaming": _NO}),
    "complete, no renaming": Existing(_WHOLE, {"auto-file-renaming": _NO}),
    "complete, no renaming, continue": Existing(
        _WHOLE, {"auto-file-renaming": _NO, "continue": _YES}
    ),
    "other, no renaming, overwrite": Existing(
        _OLD, {"auto-file-renaming": _NO, "allow-overwrite": _YES}
    ),
    "other, overwrite": Existing(_OLD, {"allow-overwrite": _YES}),
    "complete, continue": Existing(_WHOLE, {"continue": _YES}),
    "complete, no continue": Existing(_WHOLE, {"continue": _NO}),
    "beginning, continue": Existing(_WHOLE[: 1 << 20], {"continue": _YES}),
    "newer, conditional": Existing(_OLD, {"conditional-get": _YES}),
    "newer, conditional, overwrite": Existing(
        _OLD, {"conditional-get": _YES, "allow-overwrite": _YES}
    ),
    "older, conditional, overwrite": Existing(
        _OLD, {"conditional-get": _YES, "allow-overwrite": _YES}, is_older=True
    ),
}
_CONTENTS = {_OLD: "old", _WHOLE: "whole"}


async def _existing_files(side: Side) -> None:
    """Download to names that are taken, with the options that decide what happens."""
    keys = ["status", "errorCode", "totalLength", "completedLength"]
    for number, (label, case) in enumerate(EXISTING.items()):
        path = side.directory / f"e{number}.bin"
        path.write_bytes(case.content)
        if case.is_older:
            os.utime(path, (1_000_000_000, 1_000_000_000))
        gid = await side.add(f"addUri exists {label}", f"/{path.name}", case.options)
        await side.reach(gid, "complete", "error")
        await side.call(f"tellStatus exists {label}", gid, keys)
        files = {
            # Numbered names are e0.1.bin there, and e0 (1).bin here.
            re.sub(r" \((\d)\)", r".\1", one.name): _CONTENTS.get(
                one.read_bytes(), "something else"
            )
            for one in side.directory.glob(f"e{number}[. ]*")
        }
        side.outcomes.append(Outcome(f"files {label}", files))


def differences(theirs: Any, ours: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Return where two answers differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = []
        for key in sorted(theirs.keys() | ours.keys()):
            pair = theirs.get(key, "(none)"), ours.get(key, "(none)")
            found += differences(*pair, f"{path}.{key}")
        return found
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = enumerate(zip(theirs, ours, strict=True))
        return [d for n, (a, b) in pairs for d in differences(a, b, f"{path}.{n}")]
    return [] if theirs == ours else [(path, theirs, ours)]


def reason_for(label: str, path: str) -> str:
    """Return why a difference is there; "" if nobody has said."""
    for call, where, reason in REASONS:
        if fnmatch.fnmatchcase(label, call) and fnmatch.fnmatchcase(path, where):
            return reason
    return ""


async def scripted() -> ScriptedServer:
    """Return a server with the files of the script."""
    server = ScriptedServer()
    await server.start()
    stall = ResponseScript(BODY, etag='"1"', stall_after=1 << 20)
    whole = ResponseScript(BODY, etag='"1"')
    server.add("/whole.bin", whole)
    server.add("/missing.bin", ResponseScript(status=404))
    for name in ("stalls", "stall-0", "stall-1"):
        server.add(f"/{name}.bin", stall)
    for number in range(5):
        server.add(f"/q{number}.bin", whole)
    dated = ResponseScript(BODY, last_modified="Sat, 01 Aug 2020 10:00:00 GMT")
    for number in range(len(EXISTING)):
        server.add(f"/e{number}.bin", dated)
    return server


async def of_aria2(directory: Path) -> list[Outcome]:
    """Run the script against aria2c."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *("aria2c", "--no-conf", "--enable-rpc", f"--rpc-listen-port={port}", "-q"),
        *(f"--rpc-secret={SECRET}", "-d", str(directory), "-j2", "--max-tries=1"),
    )
    server = await scripted()
    side = Side(f"http://127.0.0.1:{port}/jsonrpc", directory, server)
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    await side.http.get(side.url)
                    break
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
        await script(side)
    finally:
        process.kill()
        await process.wait()
        await side.http.aclose()
        await server.stop()
    return side.outcomes


async def of_fetchtui(directory: Path) -> list[Outcome]:
    """Run the script against fetchtui."""
    settings = Settings(output_dir=directory, concurrency=2, segments=1, retries=0)
    engine = await open_engine(settings)
    rpc = RpcServer(engine, RpcConfig("127.0.0.1", 0, SECRET))
    await rpc.open()
    server = await scripted()
    side = Side(f"{rpc.config.url}jsonrpc", directory, server)
    try:
        await script(side)
    finally:
        await side.http.aclose()
        await rpc.close()
        await engine.close()
        await server.stop()
    return side.outcomes


def main() -> int:
    """Compare both programs; return the exit status."""
    if shutil.which("aria2c") is None:
        print("aria2c is not installed")
        return 2
    is_verbose = "-v" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        folders = [Path(folder).resolve() / name for name in ("aria2", "fetchtui")]
        for one in folders:
            one.mkdir()
        theirs = asyncio.run(of_aria2(folders[0]))
        ours = asyncio.run(of_fetchtui(folders[1]))
    assert [one.label for one in theirs] == [one.label for one in ours]
    unnamed = different = 0
    for (label, a), (_, b) in zip(theirs, ours, strict=True):
        found = differences(a, b)
        different += bool(found)
        if is_verbose:
            print(f"== {label}\n   aria2    {a}\n   fetchtui {b}")
        reasons: dict[str, list[str]] = {}
        for path, theirs_there, ours_there in found:
            reason = reason_for(label, path) or "NO REASON"
            unnamed += reason == "NO REASON"
            text = f"{label}{path}: {_short(theirs_there)} | {_short(ours_there)}"
            reasons.setdefault(reason, []).append(text)
        for reason, texts in reasons.items():
            print("\n".join(texts[:3]))
            if len(texts) > 3:
                print(f"... and {len(texts) - 3} more")
            print(f"    {reason}")
    print(f"{len(ours)} calls, {different} answers differ, {unnamed} without a reason")
    return 1 if unnamed else 0


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 160 else f"{text[:157]}..."


if __name__ == "__main__":
    sys.exit(main())
