"""Commands in a list, run by the real command: logins and headers on the wire."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import fetchtui
from tests.support.digest_guard import DigestGuard
from tui.demo.script import RecordedRequest, ResponseScript
from tui.demo.server import ScriptedServer

if TYPE_CHECKING:
    from pathlib import Path

BASIC = "Basic " + base64.b64encode(b"me:secret").decode()
REFUSED = 'Basic realm="x"'


def wants_basic(seen: RecordedRequest) -> ResponseScript:
    if seen.headers.get("authorization") == BASIC:
        return ResponseScript(b"file")
    return ResponseScript(status=401, headers={"WWW-Authenticate": REFUSED})


@pytest.mark.parametrize(
    "command",
    [
        "curl --digest -u me:secret {url}",
        "curl --digest {login}",
        "curl --anyauth -u me:secret {url}",
        "curl --ntlm -u me:secret {url}",
        "curl --negotiate -u me:secret {url}",
        "curl --basic --digest -u me:secret {url}",
        "wget --user me --password secret {url}",
        "wget --http-user=me --http-password=secret {url}",
        "wget {login}",
    ],
)
async def test_digest_in_a_command_never_sends_the_password(
    command: str, tmp_path: Path
) -> None:
    async with ScriptedServer() as server:
        guard = DigestGuard(b"file")
        url = server.add("/x", guard.script())
        login = url.replace("://", "://me:secret@")
        (tmp_path / "l.txt").write_text(command.format(url=url, login=login))
        ended = await fetchtui("l.txt", "--json", "-v", cwd=tmp_path)
    assert ended.status == 0, ended.err
    sent = [seen.headers.get("authorization", "") for seen in server.requests]
    assert sent[0] == ""
    assert all(value.startswith("Digest ") for value in sent[1:])
    assert "secret" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("command", "first"),
    [
        ("curl --anyauth -u me:secret {url}", ""),
        ("wget --user=me --password=secret {url}", ""),
        ("wget {login}", ""),
        ("wget --auth-no-challenge --user=me --password=secret {url}", BASIC),
        ("curl -u me:secret {url}", BASIC),
        ("curl --basic -u me:secret {url}", BASIC),
    ],
)
async def test_basic_is_sent_when_the_program_would_send_it(
    command: str, first: str, tmp_path: Path
) -> None:
    async with ScriptedServer() as server:
        url = server.add("/x", ResponseScript(answer=wants_basic))
        login = url.replace("://", "://me:secret@")
        (tmp_path / "l.txt").write_text(command.format(url=url, login=login))
        ended = await fetchtui("l.txt", "--json", cwd=tmp_path)
    assert ended.status == 0, ended.err
    sent = [seen.headers.get("authorization", "") for seen in server.requests]
    assert (sent[0], sent[-1]) == (first, BASIC)


async def test_digest_only_never_falls_back_to_basic(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        url = server.add("/x", ResponseScript(answer=wants_basic))
        (tmp_path / "l.txt").write_text(f"curl --digest -u me:secret {url}")
        ended = await fetchtui("l.txt", "--json", cwd=tmp_path)
    assert ended.status == 1
    assert not any("authorization" in seen.headers for seen in server.requests)


async def requested(command: str, tmp_path: Path, *options: str) -> list[bytes]:
    """Return the header lines of the request that a command makes."""
    heads = []

    async def answer(reader: Any, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfile")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    (tmp_path / "l.txt").write_text(command.replace("URL", url))
    ended = await fetchtui("l.txt", "--json", *options, cwd=tmp_path)
    server.close()
    assert ended.status == 0, ended.err
    return heads[0].split(b"\r\n")


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("curl -b a=b -b 'c=d; e=f' URL/x", [b"cookie: a=b; c=d; e=f"]),
        ("curl -H 'X-A: 1' -H 'x-a: 2' URL/x", [b"x-a: 1", b"x-a: 2"]),
        ("wget --header 'X-A: 1' --header 'x-a: 2' URL/x", [b"x-a: 2"]),
        ("curl -H 'X-A;' URL/x", [b"x-a:"]),
        ("curl -H $'x-n: \\u00fc' URL/x", ["x-n: ü".encode()]),
        ('curl -H "X-Q: \\$5 \\`a\\`" URL/x', [b"x-q: $5 `a`"]),
        ("curl -A old -H 'User-Agent: new' URL/x", [b"user-agent: new"]),
        (
            'curl "URL/odata?\\$top=5&\\$filter=a"',
            [b"get /odata?$top=5&$filter=a http/1.1"],
        ),
        (
            "curl -G -d a=1 --data-urlencode 'b=ä c' URL/x",
            [b"get /x?a=1&b=%c3%a4%20c http/1.1"],
        ),
    ],
)
async def test_headers_arrive_as_curl_sends_them(
    command: str, lines: list[bytes], tmp_path: Path
) -> None:
    head = await requested(command, tmp_path)
    lower = [line.strip().lower() for line in head]
    names = {line.partition(b":")[0] for line in lines}
    assert [line for line in lower if line.partition(b":")[0] in names] == lines


@pytest.mark.parametrize("backend", ["http1", "httpx"])
async def test_an_empty_accept_or_user_agent_is_left_out(
    backend: str, tmp_path: Path
) -> None:
    command = "curl -H Accept: -H 'User-Agent:' -H 'X-None:' URL/x"
    head = await requested(command, tmp_path, "--http-backend", backend)
    names = {line.partition(b":")[0].lower() for line in head}
    assert not {b"accept", b"user-agent", b"x-none"} & names


@pytest.mark.parametrize(
    "behind",
    [
        "2>/dev/null",
        "2>&1 | tee log",
        "# the new one",
        "2> err.log < /dev/null",
    ],
)
async def test_what_stands_behind_a_command_does_not_matter(
    behind: str, tmp_path: Path
) -> None:
    async with ScriptedServer() as server:
        url = server.add("/x.bin", ResponseScript(b"file"))
        (tmp_path / "l.txt").write_text(f"curl -sO {url} {behind}\n")
        ended = await fetchtui("l.txt", "--json", cwd=tmp_path)
    assert ended.status == 0, ended.err
    assert (tmp_path / "x.bin").read_bytes() == b"file"
    assert [seen.path for seen in server.requests] == ["/x.bin"]
