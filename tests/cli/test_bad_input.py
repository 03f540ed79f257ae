"""Invalid input of every kind gives a message with a fix, and an exit status."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
import ssl
import sys
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.support.command import Ended, fetchtui, finish
from tui.demo.server import Pattern, ResponseScript, ScriptedServer

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Pattern(50_000, seed=9)


async def without_streams(closed: tuple[int, ...], *arguments: str, cwd: Path) -> Ended:
    """Run the command as a shell does with ``0<&- 1>&- 2>&-``."""
    command = shlex.join([sys.executable, "-m", "tui", *arguments])
    signs = " ".join(f"{fd}{'<' if fd == 0 else '>'}&-" for fd in closed)
    process = await asyncio.create_subprocess_shell(
        f"{command} {signs}",
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return await finish(process)


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


async def fetch_with_a_good_one(
    server: ScriptedServer, bad_url: str, cwd: Path, *options: str
) -> Ended:
    """Download a bad URL together with a good one, which must always succeed."""
    good_url = server.add("/good.bin", ResponseScript(GOOD))
    ended = await fetchtui(
        "--json",
        "--retries",
        "1",
        "--timeout",
        "1",
        *options,
        bad_url,
        good_url,
        cwd=cwd,
    )
    assert files(cwd)["good.bin"] == GOOD.read()
    assert ended.status == 1
    (summary,) = ended.of("summary")
    assert (summary["done"], summary["failed"]) == (1, 1)
    return ended


# -- before any download ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "list.txt: contains no URLs"),
        ("\n# nothing\n", "list.txt: contains no URLs"),
        ("{good}\nnonsense\n", "list.txt:2: not a URL"),
        ("{good}\r\nftp://x/y\r\n", "list.txt:2: unsupported scheme 'ftp'"),
        ("{good}\n  checksum=md5=1\n", "list.txt:2: "),
    ],
)
async def test_invalid_list_exits_with_status_2_before_any_download(
    server: ScriptedServer, tmp_path: Path, text: str, expected: str
) -> None:
    good = server.add("/good.bin", ResponseScript(GOOD))
    (tmp_path / "list.txt").write_bytes(text.format(good=good).encode())
    ended = await fetchtui("--json", "list.txt", cwd=tmp_path)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith(expected)
    assert server.requests == []


@pytest.mark.parametrize("place", ["taken", "taken/below", "/proc", "/proc/no"])
async def test_unusable_output_directory_exits_with_status_2(
    server: ScriptedServer, tmp_path: Path, place: str
) -> None:
    (tmp_path / "taken").write_text("a file")
    url = server.add("/good.bin", ResponseScript(GOOD))
    ended = await fetchtui("--json", "-o", place, url, cwd=tmp_path)
    assert (ended.status, ended.out) == (2, "")
    assert place.partition("/below")[0] in ended.err
    assert "choose another directory" in ended.err
    assert "Traceback" not in ended.err
    assert server.requests == []


async def test_missing_output_directory_is_created(
    server: ScriptedServer, tmp_path: Path
) -> None:
    url = server.add("/good.bin", ResponseScript(GOOD))
    ended = await fetchtui("--json", "-o", "new/deep", url, cwd=tmp_path)
    assert ended.status == 0
    assert files(tmp_path) == {"new/deep/good.bin": GOOD.read()}


# -- connecting ------------------------------------------------------------------------


async def test_refused_connection(server: ScriptedServer, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/f"
        ended = await fetch_with_a_good_one(server, url, tmp_path)
    (failed,) = ended.of("failed")
    assert failed["error_kind"] == "refused"
    assert len(ended.of("retry")) == 1


async def test_untrusted_certificate_fails_and_ca_file_fixes_it(
    server: ScriptedServer, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(f"{tmp_path}/ca.pem")
    async with ScriptedServer(tls=context) as secure:
        url = secure.add("/secret.bin", ResponseScript(b"whole"))
        ended = await fetch_with_a_good_one(server, url, tmp_path)
        (failed,) = ended.of("failed")
        assert failed["error_kind"] == "tls"
        assert "secret.bin" not in files(tmp_path)
        trusting = await fetchtui("--json", "--ca-file", "ca.pem", url, cwd=tmp_path)
    assert trusting.status == 0
    assert files(tmp_path)["secret.bin"] == b"whole"


# -- responses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "kind", "attempts"),
    [
        (ResponseScript(b"no", 404), "not_found", 1),
        (ResponseScript(b"no", 401), "auth", 1),
        (ResponseScript(b"no", 410), None, 1),
        (ResponseScript(b"no", 500), "http_5xx", 2),
        (ResponseScript(b"no", 429, retry_after=0), "rate_limited", 2),
        (ResponseScript(redirect="/bad"), "too_many_redirects", 1),
        (ResponseScript(redirect="file:///etc/passwd"), "bad_redirect", 1),
        (ResponseScript(b"short", length=500), "truncated", 2),
        (ResponseScript(Pattern(9000), length="chunked", cut_after=10), "truncated", 2),
        (ResponseScript(raw=b"\x1b[31mnot http\r\n\r\n"), "bad_reply", None),
        (ResponseScript(raw=b""), None, 2),
        (ResponseScript(status=204), "http_status", 1),
        (ResponseScript(Pattern(9000), stall_after=100), "stalled", 2),
    ],
    ids=lambda value: None if isinstance(value, ResponseScript) else str(value),
)
async def test_bad_response_fails_only_its_download_and_leaves_no_file(
    server: ScriptedServer,
    tmp_path: Path,
    script: ResponseScript,
    kind: str | None,
    attempts: int | None,
) -> None:
    url = server.add("/bad", script)
    ended = await fetch_with_a_good_one(server, url, tmp_path)
    (failed,) = ended.of("failed")
    assert failed["url"] == url
    assert failed["error"]
    assert failed["error"].isprintable()
    if kind is not None:
        assert failed["error_kind"] == kind
    if attempts is not None:
        assert len(ended.of("retry")) == attempts - 1
    assert "bad" not in files(tmp_path), "the final name means a whole file"


async def test_checksum_mismatch_fails_and_match_is_verified(
    server: ScriptedServer, tmp_path: Path
) -> None:
    url = server.add("/sum.bin", ResponseScript(GOOD))
    wrong = await fetchtui(
        "--json", "--checksum", "sha-256=" + "0" * 64, url, cwd=tmp_path
    )
    assert wrong.status == 1
    assert wrong.of("failed")[0]["error_kind"] == "checksum"
    assert "sum.bin" not in files(tmp_path)
    right = await fetchtui(
        "--json", "--checksum", f"sha-256={GOOD.sha256()}", url, cwd=tmp_path
    )
    assert right.status == 0
    assert len(right.of("verified")) == 1
    assert files(tmp_path)["sum.bin"] == GOOD.read()


# -- text and names from servers -------------------------------------------------------


async def test_hostile_name_stays_inside_the_output_directory(
    server: ScriptedServer, tmp_path: Path
) -> None:
    name = "UTF-8''..%2F..%2F%1B%5B31m%5Bred%5D%E2%80%AEgpj.exe"
    header = {"Content-Disposition": f"attachment; filename*={name}"}
    url = server.add("/x", ResponseScript(b"harmless", headers=header))
    (tmp_path / "out").mkdir()
    ended = await fetchtui("--headless", "-o", "out", url, cwd=tmp_path)
    assert ended.status == 0
    (saved,) = files(tmp_path)
    assert saved.startswith("out/")
    assert saved.isprintable()
    assert not set(ended.err) & set("\x1b\u202e")


async def test_control_codes_and_credentials_are_not_printed(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.add("/f", ResponseScript(status=403, raw=None, reason="\x9b31mno"))
    url = server.url("/f").replace("http://", "http://ada:hunter2@")
    for option in ("--headless", "--json"):
        ended = await fetchtui(option, url, cwd=tmp_path)
        assert ended.status == 1
        assert "hunter2" not in ended.out + ended.err
        assert not set(ended.out + ended.err) & set("\x1b\x9b")


# -- closed streams --------------------------------------------------------------------


@pytest.mark.parametrize("closed", [(0,), (0, 1, 2), (2,), (1, 2)])
async def test_closed_standard_streams_do_not_break_a_run(
    server: ScriptedServer, tmp_path: Path, closed: tuple[int, ...]
) -> None:
    """Libuv aborts a process whose socket has the descriptor of stdout."""
    url = server.add("/good.bin", ResponseScript(GOOD))
    ended = await without_streams(closed, "--headless", url, cwd=tmp_path)
    assert (ended.status, files(tmp_path)) == (0, {"good.bin": GOOD.read()})


async def test_unwritable_json_output_is_an_error(
    server: ScriptedServer, tmp_path: Path
) -> None:
    url = server.add("/good.bin", ResponseScript(GOOD))
    ended = await without_streams((1,), "--json", url, cwd=tmp_path)
    assert ended.status == 1
    assert "cannot write to stdout: " in ended.err
    assert set(files(tmp_path)) <= {"good.bin", "good.bin.part", "good.bin.part.json"}


async def test_a_log_pipe_without_a_reader_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    url = "http://127.0.0.1:9/x"
    ended = await fetchtui(url, "--log-file", "log", cwd=tmp_path)
    assert ended.status == 2
    assert "no program reads this pipe" in ended.err


async def test_a_log_pipe_with_a_reader_receives_the_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    async with ScriptedServer() as server:
        url = server.add("/x", ResponseScript(b"file"))
        ended = await fetchtui(url, "--log-file", "log", cwd=tmp_path)
    assert ended.status == 0, ended.err
    assert b" done " in os.read(reader, 65536)
    os.close(reader)
