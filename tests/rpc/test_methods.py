"""aria2's methods, as a client uses them."""

from __future__ import annotations

import base64
import os

import pytest

from tests.rpc.client import CallFailed
from tests.rpc.conftest import BODY, SIZE
from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import OnExists
from tui.demo.script import ResponseScript
from tui.rpc.options import read_on_exists, shown_options


async def add(rpc, url, **options):
    options = {name.replace("_", "-"): value for name, value in options.items()}
    return await rpc.call("addUri", [url], options)


async def waiting(rpc, *keys):
    return await rpc.call("tellWaiting", 0, 100, list(keys or ["gid"]))


async def fill(rpc, files):
    """Occupy both slots; return the GIDs."""
    gids = [await add(rpc, files.stalls), await add(rpc, files.stalls_too)]
    for gid in gids:
        await rpc.reach(gid, "active")
    return gids


# -- adding ----------------------------------------------------------------------------


async def test_a_file_is_downloaded_and_described(rpc, files, tmp_path):
    gid = await rpc.call("addUri", [files.whole, f"{files.whole}?mirror"])
    status = await rpc.reach(gid, "complete")
    path = str(tmp_path / "out" / "whole.bin")
    assert (tmp_path / "out" / "whole.bin").read_bytes() == BODY.read()
    assert status == {
        "gid": gid,
        "status": "complete",
        "totalLength": str(SIZE),
        "completedLength": str(SIZE),
        "uploadLength": "0",
        "bitfield": "e0",
        "downloadSpeed": "0",
        "uploadSpeed": "0",
        "connections": "0",
        "numPieces": "3",
        "pieceLength": str(1 << 20),
        "dir": str(tmp_path / "out"),
        "errorCode": "0",
        "errorMessage": "",
        "files": [
            {
                "index": "1",
                "path": path,
                "length": str(SIZE),
                "completedLength": str(SIZE),
                "selected": "true",
                "uris": [
                    {"uri": files.whole, "status": "used"},
                    {"uri": f"{files.whole}?mirror", "status": "waiting"},
                ],
            }
        ],
    }


async def test_options_of_a_download_are_applied_and_returned(rpc, files, tmp_path):
    digest = f"sha-256={BODY.sha256()}"
    headers = ["X-One: 1", "X-Two: 2"]
    gid = await rpc.call(
        "addUri",
        [files.whole],
        {
            "dir": str(tmp_path / "out" / "sub"),
            "out": "name.bin",
            "header": headers,
            "user-agent": "test/1",
            "referer": "http://example.org/",
            "checksum": digest,
            "split": "2",
            "max-download-limit": "10M",
            "no-such-option": "x",
        },
    )
    options = await rpc.call("getOption", gid)
    assert options["dir"] == str(tmp_path / "out" / "sub")
    assert options["out"] == "name.bin"
    assert options["header"] == "X-One: 1\nX-Two: 2\n"
    assert options["user-agent"] == "test/1"
    assert options["referer"] == "http://example.org/"
    assert options["checksum"] == digest
    assert options["split"] == "2"
    assert options["max-download-limit"] == str(10 << 20)
    await rpc.reach(gid, "complete")
    assert (tmp_path / "out" / "sub" / "name.bin").read_bytes() == BODY.read()


async def test_headers_reach_the_server(rpc, files, server):
    gid = await add(
        rpc, files.whole, header=["X-One: 1"], user_agent="a/1", http_user="me"
    )
    await rpc.reach(gid, "complete")
    (first, *_) = server.requests
    assert first.headers["x-one"] == "1"
    assert first.headers["user-agent"] == "a/1"


@pytest.mark.parametrize(
    ("referer", "expected"),
    [("*", "{}"), ("http://me:SECRET@r.example/x?y#z", "http://r.example/x?y")],
)
async def test_a_referer_has_no_login_and_an_asterisk_is_the_url(
    rpc, files, server, referer, expected
):
    url = files.whole
    with_login = url.replace("://", "://me:SECRET@") + "#part"
    gid = await add(rpc, with_login, referer=referer)
    await rpc.reach(gid, "complete")
    assert server.requests[0].headers["referer"] == expected.format(url)
    assert (await rpc.call("getOption", gid))["referer"] == expected.format(url)


async def test_an_asterisk_as_referer_of_all_is_the_url_of_each(rpc, files, server):
    await rpc.call("changeGlobalOption", {"referer": "*"})
    assert (await rpc.call("getGlobalOption"))["referer"] == "*"
    gid = await add(rpc, files.whole, pause="true")
    await rpc.call("changeOption", gid, {"referer": "http://r.example/"})
    await rpc.call("changeOption", gid, {"referer": "*"})
    await rpc.call("unpause", gid)
    await rpc.reach(gid, "complete")
    assert server.requests[0].headers["referer"] == files.whole


async def test_a_paused_download_waits_until_it_is_unpaused(rpc, files):
    gid = await add(rpc, files.whole, pause="true")
    assert await waiting(rpc, "gid", "status") == [{"gid": gid, "status": "paused"}]
    assert await rpc.call("unpause", gid) == gid
    await rpc.reach(gid, "complete")


async def test_a_client_may_allow_to_overwrite_a_file(rpc, files, tmp_path):
    path = tmp_path / "out" / "whole.bin"
    path.write_text("old")
    gid = await add(rpc, files.whole, allow_overwrite="true")
    assert (await rpc.call("getOption", gid))["allow-overwrite"] == "true"
    await rpc.reach(gid, "complete")
    assert path.read_bytes() == BODY.read()
    other = await add(rpc, files.whole, allow_overwrite="true", pause="true")
    await rpc.call("changeOption", other, {"allow-overwrite": "false"})
    assert (await rpc.call("getOption", other))["allow-overwrite"] == "false"


async def test_without_renaming_a_file_of_that_name_is_error_13(rpc, files, tmp_path):
    existing = tmp_path / "out/whole.bin"
    existing.parent.mkdir(exist_ok=True)
    existing.write_bytes(b"mine")
    gid = await add(rpc, files.whole, auto_file_renaming="false")
    found = await rpc.reach(gid, "error")
    assert (found["errorCode"], found["errorMessage"]) == (
        "13",
        "whole.bin already exists",
    )
    assert existing.read_bytes() == b"mine"
    assert (await rpc.call("getOption", gid))["auto-file-renaming"] == "false"
    existing.write_bytes(BODY.read())
    options = {"auto_file_renaming": "false"}
    for wanted, result in (("true", "complete"), ("false", "error")):
        gid = await add(rpc, files.whole, **options, **{"continue": wanted})
        await rpc.reach(gid, result)
        assert (await rpc.call("getOption", gid))["continue"] == wanted
    assert [path.name for path in existing.parent.iterdir()] == ["whole.bin"]


async def test_a_file_that_is_not_older_is_kept_if_a_client_asks_for_that(
    rpc, files, server, tmp_path
):
    modified = "Sat, 01 Aug 2020 10:00:00 GMT"
    url = server.add("/dated.bin", ResponseScript(BODY, last_modified=modified))
    existing = tmp_path / "out/dated.bin"
    existing.parent.mkdir(exist_ok=True)
    existing.write_bytes(b"mine")
    options = {"allow_overwrite": "true", "conditional_get": "true"}
    found = await rpc.reach(await add(rpc, url, **options), "complete")
    assert (found["totalLength"], existing.read_bytes()) == ("4", b"mine")
    os.utime(existing, (1_000_000_000, 1_000_000_000))
    gid = await add(rpc, url, pause="true", allow_overwrite="true")
    await rpc.call("changeOption", gid, {"conditional-get": "true"})
    shown = await rpc.call("getOption", gid)
    assert (shown["allow-overwrite"], shown["conditional-get"]) == ("true", "true")
    await rpc.call("unpause", gid)
    await rpc.reach(gid, "complete")
    assert existing.stat().st_size == SIZE
    assert [path.name for path in existing.parent.iterdir()] == ["dated.bin"]
    sent = [request.headers.get("if-modified-since") for request in server.requests]
    assert sent[-1] == "Sun, 09 Sep 2001 01:46:40 GMT"


@pytest.mark.parametrize(
    ("options", "on_exists"),
    [
        ({}, None),
        ({"auto-file-renaming": "true"}, None),
        ({"continue": "true"}, OnExists.RESUME),
        ({"continue": "false"}, OnExists.RENAME),
        ({"conditional-get": "true"}, None),
        ({"allow-overwrite": "true"}, OnExists.OVERWRITE),
        (
            {"allow-overwrite": "true", "auto-file-renaming": "false"},
            OnExists.OVERWRITE,
        ),
        ({"allow-overwrite": "true", "conditional-get": "true"}, OnExists.NEWER),
        ({"auto-file-renaming": "false"}, OnExists.FAIL),
        ({"auto-file-renaming": "false", "continue": "true"}, OnExists.RESUME_ONLY),
    ],
)
def test_options_decide_together_what_happens_to_a_file(options, on_exists):
    assert read_on_exists(options) is on_exists
    if on_exists is not None:
        request = DownloadRequest(("http://h/x",), on_exists=on_exists)
        assert read_on_exists(shown_options(request, "/out")) is on_exists


async def test_a_client_may_choose_the_gid(rpc, files):
    gid = await add(rpc, files.whole, gid="00000000DEADBEEF", pause="true")
    assert gid == "00000000deadbeef"
    assert (await rpc.call("tellStatus", "00000000d"))["gid"] == gid
    with pytest.raises(CallFailed, match="already used"):
        await add(rpc, files.whole, gid=gid)


async def test_a_position_puts_a_download_before_others(rpc, files):
    await fill(rpc, files)
    first = await add(rpc, files.whole)
    second = await rpc.call("addUri", [files.whole], {}, 0)
    assert await waiting(rpc) == [{"gid": second}, {"gid": first}]


async def test_metalink_adds_each_of_its_files(rpc, files, tmp_path):
    document = f"""<?xml version="1.0"?>
    <metalink xmlns="urn:ietf:params:xml:ns:metalink">
      <file name="a.bin"><url>{files.whole}</url>
        <hash type="sha-256">{BODY.sha256()}</hash></file>
      <file name="b.bin"><url>{files.whole}</url></file>
    </metalink>"""
    encoded = base64.b64encode(document.encode()).decode()
    gids = await rpc.call("addMetalink", encoded, {"dir": "linux"})
    assert len(gids) == 2
    for gid in gids:
        await rpc.reach(gid, "complete")
    assert sorted(os.listdir(tmp_path / "out" / "linux")) == ["a.bin", "b.bin"]


async def test_torrents_are_refused_honestly(rpc):
    with pytest.raises(CallFailed, match="1 BitTorrent is not supported"):
        await rpc.call("addTorrent", "ZA==")


# -- stopping and resuming -------------------------------------------------------------


async def test_pause_keeps_what_has_arrived_and_unpause_resumes(rpc, files, tmp_path):
    gid = await add(rpc, files.stalls)
    await until_received(rpc)
    assert await rpc.call("pause", gid) == gid
    status = await rpc.reach(gid, "paused")
    assert status["completedLength"] == str(1 << 20)
    assert await rpc.call("unpause", gid) == gid
    await rpc.reach(gid, "complete")
    assert (tmp_path / "out" / "stalls.bin").read_bytes() == BODY.read()


async def until_received(rpc):
    await until(lambda: rpc.service.snapshot().received >= 1 << 20)


async def test_pause_all_and_unpause_all(rpc, files):
    gids = [*await fill(rpc, files), await add(rpc, files.whole)]
    assert await rpc.call("pauseAll") == "OK"
    told = await waiting(rpc, "gid", "status")
    assert {one["gid"]: one["status"] for one in told} == dict.fromkeys(gids, "paused")
    assert await rpc.call("unpauseAll") == "OK"
    for gid in gids:
        await rpc.reach(gid, "complete")


async def test_unpause_all_resumes_a_queue_that_the_dashboard_paused(rpc, files):
    rpc.service.pause_all()
    gid = await add(rpc, files.whole)
    assert (await rpc.call("tellStatus", gid))["status"] == "waiting"
    await rpc.call("unpauseAll")
    await rpc.reach(gid, "complete")


@pytest.mark.parametrize("method", ["remove", "forceRemove"])
async def test_a_removed_download_is_listed_as_stopped(rpc, files, method):
    gid = await add(rpc, files.stalls)
    await rpc.reach(gid, "active")
    assert await rpc.call(method, gid) == gid
    (told,) = await rpc.call("tellStopped", 0, 10, ["gid", "status", "errorCode"])
    assert told == {"gid": gid, "status": "removed", "errorCode": "31"}


async def test_change_position_moves_within_the_queue(rpc, files):
    await fill(rpc, files)
    a, b, c = [await add(rpc, files.whole) for _ in range(3)]
    call = rpc.call
    assert await call("changePosition", c, 0, "POS_SET") == 0
    assert await waiting(rpc) == [{"gid": c}, {"gid": a}, {"gid": b}]
    assert await call("changePosition", c, 1, "POS_CUR") == 1
    assert await call("changePosition", a, 0, "POS_END") == 2
    assert await call("changePosition", a, -1, "POS_END") == 1
    assert await call("changePosition", c, 100, "POS_CUR") == 2
    assert await waiting(rpc) == [{"gid": a}, {"gid": b}, {"gid": c}]


async def test_change_uri_replaces_mirrors(rpc, files, server):
    gid = await add(rpc, files.missing, pause="true")
    assert await rpc.call("changeUri", gid, 1, [files.missing], [files.whole, 5]) == [
        1,
        1,
    ]
    assert await rpc.call("getUris", gid) == [{"uri": files.whole, "status": "waiting"}]
    await rpc.call("unpause", gid)
    await rpc.reach(gid, "complete")
    assert not server.requests_for("/missing.bin")


# -- looking ---------------------------------------------------------------------------


async def test_negative_offsets_count_from_the_end(rpc, files):
    await fill(rpc, files)
    a, b, c = [await add(rpc, files.whole) for _ in range(3)]

    async def page(offset, number):
        told = await rpc.call("tellWaiting", offset, number, ["gid"])
        return [one["gid"] for one in told]

    assert await page(0, 2) == [a, b]
    assert await page(1, 5) == [b, c]
    assert await page(3, 5) == []
    assert await page(-1, 2) == [c, b]
    assert await page(-2, 9) == [b, a]
    assert await page(-9, 1) == []
    assert await page(0, 0) == []


async def test_active_downloads_and_their_servers(rpc, files):
    gids = await fill(rpc, files)
    told = await rpc.call("tellActive", ["gid", "nonsense"])
    assert told == [{"gid": gid} for gid in gids]
    await until(lambda: rpc.service.snapshot().received >= 2 << 20)
    ((file,),) = [await rpc.call("getServers", gids[0])]
    assert file["index"] == "1"
    assert [server["uri"] for server in file["servers"]] == [files.stalls]
    assert await rpc.call("getPeers", gids[0]) == []


async def test_stopped_downloads_in_the_order_of_their_end(rpc, files):
    first = await add(rpc, files.whole, out="1.bin")
    await rpc.reach(first, "complete")
    failed = await add(rpc, files.missing)
    status = await rpc.reach(failed, "error")
    assert status["errorCode"] == "3"
    assert "404" in status["errorMessage"]
    told = await rpc.call("tellStopped", 0, 10, ["gid"])
    assert told == [{"gid": first}, {"gid": failed}]
    assert await rpc.call("tellStopped", -1, 1, ["gid"]) == [{"gid": failed}]
    assert await rpc.call("getGlobalStat") == {
        "downloadSpeed": "0",
        "uploadSpeed": "0",
        "numActive": "0",
        "numWaiting": "0",
        "numStopped": "2",
        "numStoppedTotal": "2",
    }


async def test_what_ended_before_the_rpc_is_asked_is_listed(rpc, files):
    gid = await add(rpc, files.whole)
    await rpc.reach(gid, "complete")
    rpc.server._endings._stopped.clear()
    assert await rpc.call("tellStopped", 0, 10, ["gid"]) == [{"gid": gid}]


async def test_results_can_be_removed_one_by_one_and_together(rpc, files):
    gids = [await add(rpc, files.whole, out=f"{n}.bin") for n in range(3)]
    for gid in gids:
        await rpc.reach(gid, "complete")
    assert await rpc.call("removeDownloadResult", gids[0]) == "OK"
    with pytest.raises(CallFailed, match=f"1 GID {gids[0]} is not found"):
        await rpc.call("tellStatus", gids[0])
    assert len(await rpc.call("tellStopped", 0, 10, ["gid"])) == 2
    assert await rpc.call("purgeDownloadResult") == "OK"
    assert await rpc.call("tellStopped", 0, 10) == []


# -- options ---------------------------------------------------------------------------


async def test_limits_change_while_a_download_runs(rpc, files):
    gid = await add(rpc, files.stalls)
    await rpc.reach(gid, "active")
    await rpc.call("changeOption", gid, {"max-download-limit": "2M", "split": "3"})
    options = await rpc.call("getOption", gid)
    assert options["max-download-limit"] == str(2 << 20)
    assert options["split"] == "3"
    id = rpc.service.in_states({DownloadState.DOWNLOADING, DownloadState.PROBING})[0]
    assert rpc.service.detail(id).rate_limit == 2 << 20


async def test_name_folder_headers_and_checksum_change_before_the_start(
    rpc, files, server, tmp_path
):
    gid = await add(rpc, files.whole, pause="true", header=["X-Old: 1"])
    changes = {
        "out": "new.bin",
        "dir": "sub",
        "header": "X-New: 2",
        "checksum": f"sha-256={BODY.sha256()}",
    }
    assert await rpc.call("changeOption", gid, changes) == "OK"
    await rpc.call("unpause", gid)
    await rpc.reach(gid, "complete")
    assert (tmp_path / "out" / "sub" / "new.bin").exists()
    assert server.requests[-1].headers["x-new"] == "2"


async def test_global_options_are_limits_of_the_run_and_defaults(rpc, files, tmp_path):
    changes = {
        "max-concurrent-downloads": "7",
        "max-overall-download-limit": "5M",
        "user-agent": "default/1",
        "dir": str(tmp_path / "out" / "all"),
    }
    assert await rpc.call("changeGlobalOption", changes) == "OK"
    told = await rpc.call("getGlobalOption")
    assert told["max-concurrent-downloads"] == "7"
    assert told["max-overall-download-limit"] == str(5 << 20)
    assert told["dir"] == str(tmp_path / "out" / "all")
    snapshot = rpc.service.snapshot()
    assert (snapshot.concurrency, snapshot.rate_limit) == (7, 5 << 20)
    gid = await add(rpc, files.whole)
    assert (await rpc.call("getOption", gid))["user-agent"] == "default/1"
    await rpc.reach(gid, "complete")
    assert (tmp_path / "out" / "all" / "whole.bin").exists()


async def test_a_retry_with_the_options_of_a_download_uses_its_secrets(
    rpc, files, server
):
    """AriaNg retries by adding what ``getOption`` and ``tellStatus`` returned."""
    url = files.missing.replace("http://", "http://me:hunter2@")
    header = ["Authorization: Bearer hunter3", "X-Other: 1"]
    gid = await rpc.call("addUri", [url], {"header": header})
    status = await rpc.reach(gid, "error")
    options = await rpc.call("getOption", gid)
    assert "hunter" not in repr((status, options))
    seen = len(server.requests)
    uris = [one["uri"] for one in status["files"][0]["uris"]]
    again = await rpc.call("addUri", [*uris, f"{files.missing}?2"], options)
    assert again != gid
    await rpc.reach(again, "error")
    assert server.requests[seen].headers["authorization"] == "Bearer hunter3"
    assert server.requests[seen].headers["x-other"] == "1"


async def test_a_retry_of_a_failed_download_keeps_its_name(
    rpc, files, server, tmp_path
):
    gid = await rpc.call("addUri", [files.missing])
    await rpc.reach(gid, "error")
    server.add("/missing.bin", ResponseScript(BODY))
    options = await rpc.call("getOption", gid)
    assert await rpc.call("addUri", [files.missing], options) == gid
    await rpc.reach(gid, "complete")
    assert os.listdir(tmp_path / "out") == ["missing.bin"]
    # What is complete is downloaded again.
    other = await rpc.call("addUri", [files.missing], options)
    assert other != gid
    await rpc.reach(other, "complete")


async def test_secrets_of_a_download_go_to_no_other_origin(rpc, files, server):
    header = ["Authorization: Bearer hunter3"]
    gid = await rpc.call("addUri", [files.missing], {"header": header})
    await rpc.reach(gid, "error")
    options = await rpc.call("getOption", gid)
    assert "hunter" not in repr(options)
    seen = len(server.requests)
    other = await rpc.call("addUri", [server.url("/x", host="localhost")], options)
    await rpc.reach(other, "error")
    assert "authorization" not in server.requests[seen].headers


# -- errors ----------------------------------------------------------------------------


WRONG_CALLS = (
    ("addUri", [], "The parameter at 0 is required but missing."),
    ("addUri", ["x"], "The parameter at 0 has wrong type."),
    ("addUri", [[]], "URI is not provided."),
    ("addUri", [["magnet:?xt=x", "ftp://a/b"]], "No URI to download."),
    (
        "addUri",
        [["http://a/b"], {}, -1],
        "Position must be greater than or equal to 0.",
    ),
    ("addUri", [["http://a/b"], {}, True], "The parameter at 2 has wrong type."),
    (
        "addUri",
        [["http://a/b"], {"split": "0"}],
        "We encountered a problem while processing the option '--split'.",
    ),
    ("tellStatus", ["zz"], "Invalid GID zz"),
    ("tellStatus", [""], "Invalid GID "),
    ("tellStatus", ["0" * 17], "Invalid GID " + "0" * 17),
    ("tellStatus", ["f" * 16], "GID ffffffffffffffff is not found"),
    ("tellWaiting", [0], "The parameter at 1 is required but missing."),
    (
        "tellWaiting",
        [0, -1],
        "The integer parameter at 1 has invalid value: the"
        " value must be greater than or equal to 0.",
    ),
    ("noSuch", [], "No such method: aria2.noSuch"),
    ("addMetalink", ["xx"], "Could not parse Metalink XML document."),
    (
        "changeGlobalOption",
        [{"max-concurrent-downloads": "x"}],
        "We encountered a problem while processing the option"
        " '--max-concurrent-downloads'.",
    ),
)


async def test_errors_have_the_texts_of_aria2(rpc):
    for method, params, text in WRONG_CALLS:
        with pytest.raises(CallFailed) as caught:
            await rpc.call(method, *params)
        assert str(caught.value) == f"1 {text}"


REFUSED_WHEN_STOPPED = (
    ("pause", [], "GID#{} cannot be paused now"),
    ("unpause", [], "GID#{} cannot be unpaused now"),
    ("remove", [], "Active Download not found for GID#{}"),
    ("changeOption", [{}], "Cannot change option for GID#{}"),
    ("changePosition", [0, "POS_SET"], "GID#{} not found in the waiting queue."),
    ("changePosition", [0, "X"], "Illegal argument."),
    ("changeUri", [1, [], []], "Cannot remove URIs from GID#{}"),
    ("getUris", [], "No URI data is available for GID#{}"),
    ("getServers", [], "No active download for GID#{}"),
    ("getPeers", [], "No peer data is available for GID#{}"),
)


async def test_a_stopped_download_refuses(rpc, files):
    gid = await add(rpc, files.whole)
    await rpc.reach(gid, "complete")
    for method, more, text in REFUSED_WHEN_STOPPED:
        with pytest.raises(CallFailed) as caught:
            await rpc.call(method, gid, *more)
        assert str(caught.value) == f"1 {text.format(gid)}"


async def test_what_has_not_ended_has_no_result_to_remove(rpc, files):
    gid = await add(rpc, files.whole, pause="true")
    with pytest.raises(
        CallFailed, match=f"Could not remove download result of GID#{gid}"
    ):
        await rpc.call("removeDownloadResult", gid)


# -- the program -----------------------------------------------------------------------


async def test_version_and_session(rpc):
    version = await rpc.call("getVersion")
    assert version["version"] == "1.37.0"
    assert version["fetchtui"]
    assert (await rpc.call("getSessionInfo")) == (await rpc.call("getSessionInfo"))
    assert await rpc.call("saveSession") == "OK"


async def test_every_listed_method_exists(rpc):
    names = await rpc.call("system.listMethods", token="")
    methods = rpc.server.methods.by_name
    assert [name for name in names if not name.startswith("system.")] == [*methods]
    assert len(await rpc.call("system.listNotifications", token="")) == 5
