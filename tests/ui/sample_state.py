"""A run in the middle of its work, always the same, for pictures and layout tests."""

from __future__ import annotations

import math

from tests.support.fake_service import START, FakeService
from tui.core.download import DownloadState
from tui.core.events import Done, Failed, Retrying, Started
from tui.core.segment import plan_segments
from tui.core.snapshot import (
    AttemptSnapshot,
    LoopSnapshot,
    SegmentSnapshot,
    WorkerSnapshot,
)

_S = DownloadState
_MB = 1_000_000
_GB = 1_000 * _MB

_BUSY_SHARES = (0.62, 0.47, 0.08, 0.0)
"""Of each writer thread."""

_RUNNING = (
    # name, host, GB, part, MB/s, connections
    (
        "ubuntu-26.04-desktop-amd64.iso",
        "https://releases.ubuntu.com",
        6.1,
        0.724,
        41.2,
        8,
    ),
    ("train-00016-of-00512.parquet", "https://cdn-3.hf.co", 2.0, 0.413, 28.7, 8),
    ("train-00017-of-00512.parquet", "https://cdn-3.hf.co", 2.0, 0.387, 27.9, 4),
    ("planet-260921.osm.pbf", "https://planet.openstreetmap.org", 82.4, 0.081, 22.4, 8),
    (
        "Fedora-Server-dvd-x86_64-45.iso",
        "https://dl.fedoraproject.org",
        2.9,
        0.935,
        19.6,
        4,
    ),
    ("linux-7.1.tar.xz", "https://cdn.kernel.org", 0.153, 0.62, 12.1, 2),
    (
        "enwiki-20261001-pages-articles.xml.bz2",
        "https://dumps.wikimedia.org",
        24.8,
        0.312,
        9.8,
        2,
    ),
    (
        "noto-sans-cjk 日本語フォント.zip",
        "https://fonts.example.org",
        0.118,
        0.87,
        6.4,
        1,
    ),
)


def sample_service() -> FakeService:
    """Return an engine with downloads in every state."""
    service = FakeService(concurrency=12)
    service.elapsed_s = 1634
    for index, (name, host, size, part, speed, ranges) in enumerate(_RUNNING):
        total = int(size * _GB)
        id = service.put(
            name,
            _S.DOWNLOADING,
            size=total,
            received=int(total * part),
            speed=speed * _MB,
            host=host,
            connections=ranges,
            directory="dataset" if name.startswith("train") else "",
            attempt=2 if index == 3 else 1,
        )
        _detail(service, id, total, part, speed * _MB, ranges)
    _others(service)
    _meters(service)
    return service


def sample_work(service: FakeService, seconds: float) -> None:
    """Let the writer threads work for some seconds, each as busy as it usually is."""
    assert service.slots is not None
    service.slots = tuple(
        worker._replace(busy_s=worker.busy_s + seconds * share)
        for worker, share in zip(service.slots, _BUSY_SHARES, strict=True)
    )


def sample_events(service: FakeService) -> None:
    """Publish the events that led to this state, for the log."""
    by_state = {row.state: row.id for row in service.downloads}
    service.push(Started(0, START + 20, 1))
    service.push(Done(by_state[_S.DONE], START + 1601))
    failed = service.downloads[by_state[_S.FAILED]]
    waiting = service.downloads[by_state[_S.WAITING]]
    service.push(
        Failed(failed.id, START + 1622, failed.error_kind, failed.error),
    )
    service.push(Retrying(waiting.id, START + 1630, 1, 4.0, "http_5xx", waiting.error))


def _others(service: FakeService) -> None:
    service.put(
        "N41W073_bathymetry.tif",
        _S.WAITING,
        size=410 * _MB,
        received=90 * _MB,
        host="https://data.gov",
        directory="gdal-data",
        retry_in_s=4.0,
        attempt=2,
        status=503,
        error="503 Service Unavailable",
        error_kind="http_5xx",
    )
    service.put(
        "backup-2026-09-21.tar.zst",
        _S.DOWNLOADING,
        size=int(18.9 * _GB),
        received=int(10.4 * _GB),
        host="http://10.0.0.7:8080",
        stalled_s=12.0,
    )
    service.put(
        "torch-2.14.0-cp314-manylinux_x86_64.whl",
        _S.PROBING,
        host="https://download.pytorch.org",
    )
    service.put(
        "SHA256SUMS",
        _S.VERIFYING,
        size=1203,
        received=1203,
        host="https://releases.ubuntu.com",
    )
    service.put(
        "manual-v3.pdf",
        _S.FAILED,
        size=12_100_000,
        received=3_751_000,
        host="https://old.example.com",
        directory="legacy",
        status=404,
        error="404 Not Found: the server has no such file; check the URL",
        error_kind="not_found",
    )
    service.put(
        "sensor-log-live.ndjson",
        _S.DOWNLOADING,
        received=38_200_000,
        speed=2.1 * _MB,
        host="https://stream.example.net",
    )
    service.put(
        "debian-13.6.0-amd64-netinst.iso",
        _S.PAUSED,
        size=790 * _MB,
        received=434 * _MB,
        host="https://cdimage.debian.org",
    )
    service.put(
        "old-release.zip",
        _S.CANCELLED,
        size=55 * _MB,
        received=12 * _MB,
        host="https://example.org",
    )
    for number in (1, 2, 3):
        service.put(
            f"paper-{number:02d}.pdf",
            _S.DONE,
            size=2_340_000 * number,
            received=2_340_000 * number,
            host="https://arxiv.org",
            directory="papers",
        )
    for number in range(18, 90):
        service.put(
            f"train-{number:05d}-of-00512.parquet",
            _S.QUEUED,
            size=2 * _GB,
            host="https://cdn-3.hf.co",
            directory="dataset",
        )
    for number in range(90, 128):
        service.put(
            f"train-{number:05d}-of-00512.parquet",
            _S.DONE,
            size=2 * _GB,
            received=2 * _GB,
            host="https://cdn-3.hf.co",
            directory="dataset",
        )


def _detail(
    service: FakeService, id: int, size: int, part: float, speed: float, ranges: int
) -> None:
    planned = plan_segments([(0, size)], ranges, 1 << 20)
    finished = []
    segments = []
    for number, (start, end) in enumerate(planned):
        # Ranges move at their own pace; together they make the part that is there.
        share = min(1.0, part * (0.7 + 0.6 * ((number * 5 + 2) % 8) / 7))
        at = start + int((end - start) * share)
        finished.append((start, at))
        url = service.downloads[id].url
        segments.append(SegmentSnapshot(start, end, at, speed / ranges, url))
    service.details[id] = {
        "finished": tuple(finished),
        "segments": tuple(segments),
        "attempts": (AttemptSnapshot(1, START + 20, ""),),
        "answer": (
            ("content-type", "application/octet-stream"),
            ("accept-ranges", "bytes"),
        ),
        "checksum": "sha256=" + "9f86d081884c7d65" * 4,
        "checksum_state": "pending",
        "connections_wanted": ranges,
    }


def _meters(service: FakeService) -> None:
    service.history = tuple(
        _MB * max(0.0, 150 + 34 * math.sin(second / 7) + 17 * math.sin(second / 2.3))
        for second in range(90)
    )
    service.peak = 203 * _MB
    service.fetched = 291 * _GB
    service.slots = (
        WorkerSnapshot("write", "train-00016-of-00512.parquet", 4, 4 << 20, 0.009),
        WorkerSnapshot("write", "planet-260921.osm.pbf", 2, 2 << 20, 0.011),
        WorkerSnapshot("sync", "SHA256SUMS", 1, 0, 0.002),
        WorkerSnapshot("idle", "", 0, 0, 0.0),
    )
    service.disk_changes = {
        "queued": 3,
        "in_flight": 9 << 20,
        "speed": 168.4 * _MB,
        "batches": 48_211,
        "operations": 301_774,
        "p50_s": 0.008,
        "p99_s": 0.031,
        "sync_p99_s": 0.044,
    }
    lags = tuple(0.0015 + 0.001 * abs(math.sin(n / 3)) for n in range(60))
    service.loop = LoopSnapshot(0.0006, 0.0039, lags)
