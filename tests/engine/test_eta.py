"""The ETA of a whole run: not before its slowest download."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from tests.support.until import until
from tui.core.download import Download
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine
from tui.engine.registry import DownloadRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from tui.demo.server import ScriptedServer

SIZE = 20_000_000


async def test_a_run_ends_with_its_slowest_download(
    server: ScriptedServer, tmp_path: Path
) -> None:
    body = Pattern(SIZE, 1)
    urls = [
        server.add(
            f"/{rate}", ResponseScript(body, etag='"1"', rate=rate, ranges="ignore")
        )
        for rate in (8e6, 2e5)
    ]
    engine = await open_engine(Settings(output_dir=tmp_path, segments=1))
    try:
        _, slow = engine.add(DownloadRequest((url,)) for url in urls)

        def times() -> tuple[float, float] | None:
            (row,) = engine.rows([slow])
            total = engine.snapshot().eta_s
            return (row.eta_s, total) if row.eta_s and total else None

        await until(times)
        for _ in range(3):
            one, whole = times() or (1.0, 0.0)
            assert one > 20, "the slow one alone takes a minute and a half"
            assert whole >= one
            beat = engine.snapshot().elapsed_s
            await until(lambda beat=beat: engine.snapshot().elapsed_s > beat)
    finally:
        await engine.close()


class Running:
    def __init__(self, download: Download, speed: float, last_byte_at: float) -> None:
        self.download = download
        self.steady_speed = lambda: speed
        self.last_byte_at = last_byte_at


def test_a_stalled_download_does_not_affect_the_eta() -> None:
    registry = DownloadRegistry(
        SimpleNamespace(monotonic=lambda: 100.0, wall=lambda: 0.0)
    )
    for id, size in enumerate((1000, 1000, None, 1000)):
        request = DownloadRequest((f"https://example.org/{id}",), size=size)
        registry.downloads.append(Download(id, request, "https://example.org", str(id)))
    assert registry.longest_eta_s(100.0) == 0.0
    times = [(10.0, 99.9), (1.5, 95.0), (10.0, 99.9), (0.5, 99.9)]
    for download, (speed, last_byte_at) in zip(registry.downloads, times, strict=True):
        registry.running[Running(download, speed, last_byte_at)] = None
    assert registry.longest_eta_s(100.0) == 100.0
