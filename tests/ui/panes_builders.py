"""Builds snapshots for tests of panes and screens, with plausible defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import App

from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.snapshot import (
    AttemptSnapshot,
    DetailSnapshot,
    DiskSnapshot,
    DownloadSnapshot,
    EngineSnapshot,
    LoopSnapshot,
    SegmentSnapshot,
    WorkerSnapshot,
)
from tui.ui.style.theme import DARK, LIGHT

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.screen import Screen
    from textual.widget import Widget

    from tui.ui.panes.pane import Pane

HOSTILE = "evil\x1b]0;title\x07[red]bold[/red]\u202egpj.exe\n漢字🎉"
MB = 1_000_000


def slot(operation: str = "write", **fields: Any) -> WorkerSnapshot:
    base = WorkerSnapshot(operation, "train-00017-of-00512.parquet", 1, MB, 0.009)
    return base._replace(**fields)


IDLE = WorkerSnapshot("idle", "", 0, 0, 0.0)


def disk(**fields: Any) -> DiskSnapshot:
    base = DiskSnapshot(
        workers=(
            slot(),
            slot(name="planet-260921.osm.pbf", elapsed_s=0.0114),
            slot("sync", name="SHA256SUMS", nbytes=0, operations=12, elapsed_s=0.002),
            IDLE,
        ),
        writers=4,
        is_inline=False,
        queued=3,
        in_flight=3 * MB,
        in_flight_limit=64 * MB,
        speed=338.9 * MB,
        batches=1000,
        operations=4200,
        p50_s=0.0081,
        p99_s=0.031,
        sync_p99_s=0.012,
    )
    return base._replace(**fields)


def loop(**fields: Any) -> LoopSnapshot:
    history = tuple(0.001 + (i % 7) * 0.002 for i in range(60))
    return LoopSnapshot(0.0004, 0.0091, history)._replace(**fields)


def engine(**fields: Any) -> EngineSnapshot:
    history = tuple((240 + 170 * abs((i % 40) - 20) / 20) * MB for i in range(90))
    base = EngineSnapshot(
        counts=(61_204, 3, 209, 0, 0, 0, 38_411, 173, 0),
        total=100_000,
        revision=1,
        received=1_210_000 * MB,
        fetched=900_000 * MB,
        known_size=3_150_000 * MB,
        known_received=1_210_000 * MB,
        unknown=0,
        speed=342.1 * MB,
        average=318.4 * MB,
        peak=412.0 * MB,
        history=history,
        eta_s=2460.0,
        elapsed_s=1634.0,
        concurrency=256,
        active=212,
        per_host=0,
        segments=0,
        rate_limit=None,
        is_queue_paused=False,
        pause_reason=None,
        waiting_for=None,
        disk=disk(),
        loop=loop(),
        output_dir="/home/ada/data",
        progress=0.384,
        counts_files=False,
    )
    return base._replace(**fields)


def row(**fields: Any) -> DownloadSnapshot:
    base = DownloadSnapshot(
        id=17,
        version=4,
        state=DownloadState.DOWNLOADING,
        name="train-00017-of-00512.parquet",
        directory="data/train",
        url="https://cdn-3.example.org/sets/train-00017-of-00512.parquet",
        origin="https://cdn-3.example.org",
        size=2000 * MB,
        received=826 * MB,
        speed=28.7 * MB,
        eta_s=41.0,
        stalled_s=0.0,
        connections=3,
        attempt=2,
        attempts_allowed=6,
        retry_in_s=None,
        status=206,
        error="",
        error_kind="",
        note=None,
        has_checksum=True,
    )
    return base._replace(**fields)


def detail(**fields: Any) -> DetailSnapshot:
    url = "https://cdn-3.example.org/sets/train-00017-of-00512.parquet"
    base = DetailSnapshot(
        row=row(),
        path="/home/ada/data/data/train/train-00017-of-00512.parquet",
        part_path="/home/ada/data/data/train/train-00017-of-00512.parquet.part",
        mirrors=(url, "https://mirror.example.net/train-00017-of-00512.parquet"),
        finished=((0, 500 * MB), (900 * MB, 1000 * MB)),
        segments=(
            SegmentSnapshot(500 * MB, 900 * MB, 620 * MB, 12.1 * MB, url),
            SegmentSnapshot(1000 * MB, 1400 * MB, 1086 * MB, 9.4 * MB, url),
            SegmentSnapshot(1600 * MB, 2000 * MB, 1620 * MB, 7.2 * MB, url),
        ),
        attempts=(
            AttemptSnapshot(1, 1_790_000_000.0, "no bytes for 30 s"),
            AttemptSnapshot(2, 1_790_000_034.0, ""),
        ),
        answer=(
            ("content-type", "application/octet-stream"),
            ("accept-ranges", "bytes"),
            ("last-modified", "Mon, 21 Sep 2026 09:00:00 GMT"),
        ),
        validator='"5f3a-62c1"',
        http_version="HTTP/1.1",
        checksum="sha256=" + "ab" * 32,
        checksum_state="pending",
        source="train.txt:17",
        started_at=1_790_000_000.0,
        finished_at=0.0,
        connections_wanted=3,
        rate_limit=None,
    )
    return base._replace(**fields)


class PaneApp(App[None]):
    """A bare app around some widgets, in our themes."""

    CSS = "Screen { layout: vertical; }"

    def __init__(self, *widgets: Widget, is_ascii: bool = False) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name
        self.is_ascii = is_ascii
        self._widgets = widgets

    def compose(self) -> ComposeResult:
        yield from self._widgets


def drawn(pane: Pane) -> list[str]:
    """Return the lines that a pane draws now."""
    return [pane.render_line(y).text for y in range(pane.size.height)]


class HandClock:
    """A monotonic clock that the test advances."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Caller(PaneApp):
    """Opens a screen and keeps its result."""

    def __init__(self, screen: Screen[Any], *, is_ascii: bool = False) -> None:
        super().__init__(is_ascii=is_ascii)
        self._opened = screen
        self.answers: list[Any] = []

    def on_mount(self) -> None:
        self.push_screen(self._opened, self.answers.append)


def on_screen(app: App[Any]) -> str:
    """Return the text on the screen."""
    width, _ = app.size
    return "\n".join(
        "".join(segment.text for segment in strip)[:width]
        for strip in app.screen._compositor.render_strips()
    )


async def until_shown(app: App[Any], text: str) -> None:
    """Wait until the screen shows a text.

    Raises:
        TimeoutError: it does not, for 30 s.
    """
    await until(lambda: text in on_screen(app), 30)


SIZES = [(120, 36), (80, 24), (60, 15)]
