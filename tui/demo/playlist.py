"""The list of the demo: every state and most special cases within a minute, offline.

It is deterministic: the same names, bytes, speeds and faults every time, so that
screenshots are comparable and a test can check the outcome. ``add_scripts`` adds the
scripts to two servers and returns the requests; nothing here knows the engine.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tui.core.request import Checksum, DownloadRequest
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TIMEOUT_S = 3.0
"""For ``Settings.timeout_s``, so that the stalled file is noticed within a minute."""
CONCURRENCY = 8
"""The concurrency for which the speeds below were chosen."""
SMALL_FILES = 24
DONE = SMALL_FILES + 15
"""Files that are complete at the end."""
FAILED = 2
"""The missing page and the wrong checksum."""
CANCELLED = 0
TOTAL = DONE + FAILED + CANCELLED

_KB = 1000
_MB = 1000 * _KB
# A name as an attacker would send it: path traversal, colour codes and a reversed
# extension.
_HOSTILE = "UTF-8''..%2F..%2F%1B%5B31m%5Bred%5Dstars%E2%80%AEgpj.exe"


@asynccontextmanager
async def open_demo() -> AsyncIterator[list[DownloadRequest]]:
    """Serve the demo's files on loopback while the ``with`` block lasts."""
    async with ScriptedServer() as reliable, ScriptedServer() as faulty:
        yield add_scripts(reliable, faulty)


def add_scripts(
    reliable: ScriptedServer, faulty: ScriptedServer, speedup: float = 1.0
) -> list[DownloadRequest]:
    """Add the demo's scripts to two servers and return the list of requests.

    Args:
        reliable: serves everything that succeeds.
        faulty: returns 404, 429 and 503 and stalls. It is an origin of its own,
            because an origin that returns 429 or 503 is throttled for a while.
        speedup: factor by which data is sent faster than scripted.
    """
    large = _large(reliable)
    faults = _faults(faulty)
    special = _special_cases(reliable)
    small = _small(reliable)
    for script in (*reliable.scripts.values(), *faulty.scripts.values()):
        _speed_up(script, speedup)
    # Two large files first, the faults right behind them, and the other large files
    # before the many small ones: the first seconds already show most of the states.
    return large[:2] + faults + special[:2] + large[2:] + special[2:] + small


def _speed_up(script: ResponseScript, factor: float) -> None:
    if script.rate is not None:
        script.rate *= factor
    for earlier in script.first:
        if isinstance(earlier, ResponseScript):
            _speed_up(earlier, factor)


def _request(
    url: str, checksum: Checksum | None = None, directory: str | None = None
) -> DownloadRequest:
    return DownloadRequest(
        (url,), directory=directory, checksum=checksum, source="demo"
    )


def _large(server: ScriptedServer) -> list[DownloadRequest]:
    files = (
        ("field-notes-4k.mp4", 40 * _MB, 2.0 * _MB),
        ("deep-sky-survey.fits", 32 * _MB, 1.6 * _MB),
        ("city-atlas.tar.zst", 24 * _MB, 1.2 * _MB),
        ("symphony-no-4.flac", 18 * _MB, 1.5 * _MB),
    )
    return [
        _request(
            server.add(
                f"/large/{name}",
                ResponseScript(Pattern(size, seed), rate=rate, etag=f'"large-{seed}"'),
            )
        )
        for seed, (name, size, rate) in enumerate(files, start=100)
    ]


def _faults(server: ScriptedServer) -> list[DownloadRequest]:
    body = Pattern
    busy = ResponseScript(status=429, retry_after=2)
    scripts = {
        "/missing.html": ResponseScript(b"no such page\n", 404, latency_s=0.3),
        "/fails-twice.bin": ResponseScript(
            body(900 * _KB, 1), rate=450 * _KB, first=[503, 503]
        ),
        "/too-many-requests.bin": ResponseScript(
            body(700 * _KB, 2), rate=350 * _KB, first=[busy]
        ),
    }
    requests = [_request(server.add(path, it)) for path, it in scripts.items()]
    return [*requests, _stalls_once(server)]


def _special_cases(server: ScriptedServer) -> list[DownloadRequest]:
    body = Pattern
    slow = ResponseScript(body(300 * _KB, 4), rate=20 * _KB)
    unknown = ResponseScript(body(3 * _MB, 5), rate=500 * _KB, length="chunked")
    old = ResponseScript(body(800 * _KB, 10), length="none", rate=_MB)
    return [
        _request(server.add("/slow-archive.log", slow)),
        _request(server.add("/unknown-length.csv", unknown)),
        _with_checksum(server, "/right-checksum.iso", 6, is_correct=True),
        _with_checksum(server, "/wrong-checksum.iso", 7, is_correct=False),
        *_renamed(server),
        _request(server.add("/old-server.bin", old)),
        _request(server.add("/empty.txt", ResponseScript(b""))),
    ]


def _stalls_once(server: ScriptedServer) -> DownloadRequest:
    size, seed, etag = 2 * _MB, 3, '"stalls-once"'
    body = Pattern(size, seed)
    stall = ResponseScript(body, rate=800 * _KB, etag=etag, stall_after=_MB)
    script = ResponseScript(body, rate=800 * _KB, etag=etag, first=[stall])
    return _request(server.add("/stalls-once.bin", script))


def _with_checksum(
    server: ScriptedServer, path: str, seed: int, *, is_correct: bool
) -> DownloadRequest:
    body = Pattern(2 * _MB, seed)
    url = server.add(path, ResponseScript(body, rate=700 * _KB))
    digest = body.sha256() if is_correct else Pattern(2 * _MB, seed + 1000).sha256()
    return _request(url, Checksum("sha256", digest))


def _renamed(server: ScriptedServer) -> list[DownloadRequest]:
    """Add files whose names come from a redirect or from a header."""
    server.add("/moved/here.bin", ResponseScript(Pattern(600 * _KB, 8), rate=400 * _KB))
    moved = ResponseScript(status=301, redirect="/moved/here.bin")
    named = ResponseScript(
        Pattern(500 * _KB, 9),
        rate=400 * _KB,
        headers={"Content-Disposition": 'attachment; filename="annual report.pdf"'},
    )
    hostile = ResponseScript(
        Pattern(400 * _KB, 11),
        rate=400 * _KB,
        headers={"Content-Disposition": f"attachment; filename*={_HOSTILE}"},
    )
    return [
        _request(server.add("/moved.bin", moved)),
        _request(server.add("/download.php?id=42", named)),
        _request(server.add("/hostile-name", hostile)),
    ]


def _small(server: ScriptedServer) -> list[DownloadRequest]:
    """Add small files in a folder; sizes and latencies differ deterministically."""
    requests = []
    for number in range(SMALL_FILES):
        size = 40 * _KB + number * 7919 % 23 * 20 * _KB
        script = ResponseScript(
            Pattern(size, 200 + number),
            rate=400 * _KB,
            latency_s=0.05 + number * 31 % 7 * 0.05,
        )
        url = server.add(f"/tiles/tile-{number:02d}.png", script)
        requests.append(_request(url, directory="tiles"))
    return requests
