"""The demo's list: every state and most surprises within a minute, no network.

Deterministic: the same names, bytes, speeds and faults every time, so that a picture
of it means something and a test can check the end. ``tell`` puts the scripts on a
server and returns the requests; nothing here knows the engine.
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
"""For ``Settings.timeout_s``: the one stalled file is noticed within a minute."""
CONCURRENCY = 8
"""Downloads at once with which the speeds below were chosen."""
SMALL_FILES = 24
DONE = SMALL_FILES + 15
"""Files that are whole at the end."""
FAILED = 2
"""The missing page and the wrong checksum."""
CANCELLED = 0
TOTAL = DONE + FAILED + CANCELLED

_KB = 1000
_MB = 1000 * _KB
# A name as an attacker would send it: upwards, in colour, with the ending reversed.
_HOSTILE = "UTF-8''..%2F..%2F%1B%5B31m%5Bred%5Dstars%E2%80%AEgpj.exe"


@asynccontextmanager
async def open_demo() -> AsyncIterator[list[DownloadRequest]]:
    """Serve the story on loopback for as long as the block lasts."""
    async with ScriptedServer() as calm, ScriptedServer() as moody:
        yield tell(calm, moody)


def tell(
    calm: ScriptedServer, moody: ScriptedServer, pace: float = 1.0
) -> list[DownloadRequest]:
    """Put the story's scripts on two servers and return its list.

    Args:
        calm: serves what goes well.
        moody: answers 404, 429 and 503 and stalls. An origin of its own, because an
            origin that says 429 or 503 is rightly spared for a while.
        pace: how much faster than told the bytes come.
    """
    large = _large(calm)
    troubles = _troubles(moody)
    surprises = _surprises(calm)
    small = _small(calm)
    for script in (*calm.scripts.values(), *moody.scripts.values()):
        _quicken(script, pace)
    # Two large ones at the head of the list, the troubles right behind them, and the
    # other large ones before the crowd: the first seconds already show most.
    return large[:2] + troubles + surprises[:2] + large[2:] + surprises[2:] + small


def _quicken(script: ResponseScript, pace: float) -> None:
    if script.rate is not None:
        script.rate *= pace
    for earlier in script.first:
        if isinstance(earlier, ResponseScript):
            _quicken(earlier, pace)


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


def _troubles(server: ScriptedServer) -> list[DownloadRequest]:
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


def _surprises(server: ScriptedServer) -> list[DownloadRequest]:
    body = Pattern
    slow = ResponseScript(body(300 * _KB, 4), rate=20 * _KB)
    unknown = ResponseScript(body(3 * _MB, 5), rate=500 * _KB, length="chunked")
    old = ResponseScript(body(800 * _KB, 10), length="none", rate=_MB)
    return [
        _request(server.add("/slow-archive.log", slow)),
        _request(server.add("/unknown-length.csv", unknown)),
        _summed(server, "/right-checksum.iso", 6, is_right=True),
        _summed(server, "/wrong-checksum.iso", 7, is_right=False),
        *_named(server),
        _request(server.add("/old-server.bin", old)),
        _request(server.add("/empty.txt", ResponseScript(b""))),
    ]


def _stalls_once(server: ScriptedServer) -> DownloadRequest:
    size, seed, etag = 2 * _MB, 3, '"stalls-once"'
    body = Pattern(size, seed)
    stall = ResponseScript(body, rate=800 * _KB, etag=etag, stall_after=_MB)
    script = ResponseScript(body, rate=800 * _KB, etag=etag, first=[stall])
    return _request(server.add("/stalls-once.bin", script))


def _summed(
    server: ScriptedServer, path: str, seed: int, *, is_right: bool
) -> DownloadRequest:
    body = Pattern(2 * _MB, seed)
    url = server.add(path, ResponseScript(body, rate=700 * _KB))
    digest = body.sha256() if is_right else Pattern(2 * _MB, seed + 1000).sha256()
    return _request(url, Checksum("sha256", digest))


def _named(server: ScriptedServer) -> list[DownloadRequest]:
    """Names that do not come from the list's URL: a redirect, and two headers."""
    server.add("/moved/here.bin", ResponseScript(Pattern(600 * _KB, 8), rate=400 * _KB))
    moved = ResponseScript(status=301, redirect="/moved/here.bin")
    polite = ResponseScript(
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
        _request(server.add("/download.php?id=42", polite)),
        _request(server.add("/hostile-name", hostile)),
    ]


def _small(server: ScriptedServer) -> list[DownloadRequest]:
    """A crowd in a folder of its own; sizes and latencies differ, but by rule."""
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
