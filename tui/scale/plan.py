"""The plan: a list, streamed to disk once, as one file per bucket of hosts.

The job directory contains::

    plan.json             options, inputs and totals; written last
    shards.jsonl          one shard per line
    buckets/0000.txt ...  a line per row: a URL, or a JSON object with more fields
    bad-rows.jsonl        rows that are not downloads, with reasons
    fences/ manifests/ partial/ staging/

Memory does not depend on the length of the list: each bucket has a small buffer.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zlib
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.core.request import BadRequestLine, DownloadRequest, origin_of
from tui.core.text.request_fields import fields_of, request_from
from tui.core.text.sanitize import sanitize
from tui.disk.state.replace import replacing
from tui.scale.errors import ScaleError
from tui.scale.lanes import Lane, Layout, Piece, Shard, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

VERSION = 2
_BUFFER_BYTES = 16384
"""Text kept in memory per bucket."""
_BAD_ROWS_SHOWN = 5
_EDGE_BYTES = 65536
"""Bytes at both ends of an input that its fingerprint covers."""
_PROGRESS_ROWS = 20_000
MIN_BUCKETS = 64
BUCKETS_PER_PART = 32
"""With so many buckets per worker, the largest one rarely decides when a run ends."""


class JobPaths(NamedTuple):
    """The files of a job."""

    root: Path

    @property
    def plan(self) -> Path:
        """Written last: if it exists, the plan is complete."""
        return self.root / "plan.json"

    @property
    def shards(self) -> Path:
        """The shards, one per line."""
        return self.root / "shards.jsonl"

    @property
    def bad_rows(self) -> Path:
        """Rows that are not downloads."""
        return self.root / "bad-rows.jsonl"

    @property
    def lock(self) -> Path:
        """Locked by the process that plans."""
        return self.root / "lock"

    def folder(self, name: str) -> Path:
        """Return a folder of the job."""
        return self.root / name

    def bucket(self, number: int) -> Path:
        """Return the file of a bucket."""
        return self.root / "buckets" / f"{number:04d}.txt"


@dataclass(frozen=True, slots=True)
class Plan:
    """A complete plan, without its shards."""

    inputs: list[list[Any]]
    """Name, size in bytes and fingerprint of each input."""
    options: dict[str, Any]
    """What else decides what is downloaded, and where to."""
    rows: int
    bad_rows: int
    shard_size: int
    parts: int
    cap: int
    """The limit per host for which buckets were split; 0 for none."""
    lanes: list[list[int]] = field(default_factory=list)
    shards: int = 0
    created: float = 0.0
    version: int = VERSION


def job_paths(root: Path) -> JobPaths:
    """Create the folders of a job, and return its paths.

    Raises:
        ScaleError: they cannot be created.
    """
    try:
        for name in ("buckets", "fences", "manifests", "partial", "staging"):
            (root / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScaleError(
            f"cannot write to {sanitize(str(root))}: {error.strerror};"
            " choose another directory"
        ) from None
    return JobPaths(root)


def fingerprint(path: str) -> list[Any]:
    """Return a list's path, size and a digest of its ends and modification time.

    Reading all of a list again only to see that it is the same would take as long as
    planning it.

    Raises:
        ScaleError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
            digest.update(file.read(_EDGE_BYTES))
            file.seek(max(0, status.st_size - _EDGE_BYTES))
            digest.update(file.read(_EDGE_BYTES))
    except FileNotFoundError:
        raise ScaleError(f"{sanitize(path, 200)}: no such file") from None
    except OSError as error:
        raise ScaleError(
            f"{sanitize(path, 200)}: cannot read: {error.strerror}"
        ) from None
    return [os.path.abspath(path), status.st_size, digest.hexdigest()]


# -- rows ----------------------------------------------------------------------------


def row_of(request: DownloadRequest) -> str:
    """Return the line for a request, with its line ending."""
    fields = fields_of(request._replace(source=""))
    if len(fields) == len(request.mirrors) == 1:
        return f"{request.mirrors[0]}\n"
    return json.dumps(fields) + "\n"


def request_of(line: str) -> DownloadRequest:
    """Return the request of a line that ``row_of`` wrote."""
    if not line.startswith("{"):
        return DownloadRequest((line.rstrip("\n"),))
    return request_from(json.loads(line))


def read_shard(paths: JobPaths, shard: Shard) -> list[DownloadRequest]:
    """Return the requests of a shard, in their order.

    Raises:
        ScaleError: a file of the plan is missing or damaged.
    """
    requests = []
    for piece in shard.pieces:
        path = paths.bucket(piece.bucket)
        try:
            with open(path, "rb") as file:
                file.seek(piece.start)
                text = file.read(piece.end - piece.start).decode()
            lines = text.splitlines(keepends=True)
            if len(lines) != piece.rows:
                raise ValueError
            requests += [request_of(line) for line in lines]
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            reason = getattr(error, "strerror", None) or "it is damaged"
            raise ScaleError(
                f"{sanitize(str(path))}: cannot read this file of the plan: {reason};"
                " make a new plan with --replan"
            ) from None
    return requests


# -- planning ------------------------------------------------------------------------


@lru_cache(65536)
def _bucket_of(origin: str, buckets: int) -> int:
    host = origin.partition("://")[2].rpartition("@")[2]
    if not host.endswith("]"):
        name, colon, port = host.rpartition(":")
        host = name if colon and port.isdecimal() else host
    return zlib.crc32(host.encode("utf-8", "replace")) % buckets


class _Bucket:
    """The open end of a bucket's file."""

    __slots__ = ("at", "lines", "path", "pieces", "rows", "size", "start")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self.size = 0
        """Characters in ``lines``."""
        self.rows = 0
        """Rows since the last piece ended."""
        self.start = 0
        """Bytes at which the open piece starts."""
        self.at = 0
        """Bytes written."""
        self.pieces: list[Piece] = []

    def flush(self) -> None:
        if not self.lines:
            return
        data = "".join(self.lines).encode()
        with open(self.path, "ab") as file:
            file.write(data)
        self.at += len(data)
        self.lines.clear()
        self.size = 0

    def end_piece(self, number: int) -> None:
        self.flush()
        if self.rows:
            self.pieces.append(Piece(number, self.start, self.at, self.rows))
        self.start, self.rows = self.at, 0


class BadRows:
    """Writes rows that are not downloads to a file, and keeps the first few."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []
        self.count = 0
        self.first: list[str] = []
        path.unlink(missing_ok=True)

    def add(self, row: BadRequestLine) -> None:
        """Add one; its text is safe to show."""
        self.count += 1
        if len(self.first) < _BAD_ROWS_SHOWN:
            self.first.append(str(row))
        fields = {"where": row.where, "reason": row.reason}
        self._lines.append(json.dumps(fields) + "\n")
        if len(self._lines) >= 1000:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        if self._lines:
            with open(self._path, "a", encoding="utf-8") as file:
                file.writelines(self._lines)
            self._lines.clear()


def make_plan(
    paths: JobPaths,
    items: Iterable[DownloadRequest | BadRequestLine],
    *,
    inputs: Sequence[Sequence[Any]],
    options: dict[str, Any],
    shard_size: int,
    parts: int,
    cap: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Plan, BadRows]:
    """Write a plan; an unfinished one of an earlier run is replaced.

    Args:
        paths: the job.
        items: the rows; read once, as a stream.
        inputs: ``fingerprint`` of each list.
        options: stored in the plan, and compared when it is used again.
        shard_size: rows of a shard.
        parts: number of workers that are expected.
        cap: the lowest limit per host; 0 for none.
        on_progress: called with the numbers of rows and bad rows now and then.

    Raises:
        ScaleError: the disk is full or not writable, or the list has no URLs.
    """
    count = max(MIN_BUCKETS, BUCKETS_PER_PART * parts)
    try:
        for old in (*paths.folder("buckets").iterdir(), paths.plan, paths.shards):
            old.unlink(missing_ok=True)
        bad = BadRows(paths.bad_rows)
        buckets = _fill_buckets(paths, items, count, shard_size, bad, on_progress)
        layout = cut([bucket.pieces for bucket in buckets], shard_size, parts, cap)
        rows = sum(shard.rows for shard in layout.shards)
        if not rows:
            first = f"; {bad.first[0]}" if bad.first else ""
            raise ScaleError(f"the list has no URLs that can be downloaded{first}")
        plan = Plan(
            inputs=[list(one) for one in inputs],
            options=options,
            rows=rows,
            bad_rows=bad.count,
            shard_size=shard_size,
            parts=parts,
            cap=cap,
            lanes=[list(lane) for lane in layout.lanes],
            shards=len(layout.shards),
            created=time.time(),
        )
        _write(paths.shards, (json.dumps(shard) + "\n" for shard in layout.shards))
        _write(paths.plan, [json.dumps(asdict(plan), indent=1) + "\n"])
    except OSError as error:
        raise ScaleError(
            f"cannot write the plan to {sanitize(str(paths.root))}: {error.strerror}"
        ) from None
    return plan, bad


def _fill_buckets(
    paths: JobPaths,
    items: Iterable[DownloadRequest | BadRequestLine],
    count: int,
    shard_size: int,
    bad: BadRows,
    on_progress: Callable[[int, int], None] | None,
) -> list[_Bucket]:
    """Write each row into the file of its bucket."""
    buckets = [_Bucket(paths.bucket(number)) for number in range(count)]
    rows = 0
    for item in items:
        if isinstance(item, BadRequestLine):
            bad.add(item)
            continue
        number = _bucket_of(origin_of(item.mirrors[0]), count)
        bucket = buckets[number]
        line = row_of(item)
        bucket.lines.append(line)
        bucket.size += len(line)
        bucket.rows += 1
        rows += 1
        if bucket.rows == shard_size:
            bucket.end_piece(number)
        elif bucket.size > _BUFFER_BYTES:
            bucket.flush()
        if on_progress is not None and rows % _PROGRESS_ROWS == 0:
            on_progress(rows, bad.count)
    for number, bucket in enumerate(buckets):
        bucket.end_piece(number)
    bad.flush()
    return buckets


def load_plan(paths: JobPaths) -> tuple[Plan, Layout] | None:
    """Return the plan of a job, or ``None`` if it has no complete one.

    Raises:
        ScaleError: it is damaged, or of another version.
    """
    try:
        text = paths.plan.read_text()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ScaleError(
            f"cannot read {sanitize(str(paths.plan))}: {error.strerror}"
        ) from None
    try:
        plan = Plan(**json.loads(text))
        if plan.version != VERSION:
            raise ScaleError(
                f"{sanitize(str(paths.plan))} is of version {plan.version}, and this"
                f" fetchtui uses {VERSION}; make a new plan with --replan"
            )
        shards = list(_read_shards(paths.shards))
        if len(shards) != plan.shards:
            raise ValueError("incomplete")
    except (OSError, ValueError, TypeError, KeyError):
        raise ScaleError(
            f"the plan in {sanitize(str(paths.root))} is damaged; make a new one with"
            " --replan"
        ) from None
    return plan, Layout(shards, [Lane(*lane) for lane in plan.lanes])


def _read_shards(path: Path) -> Iterator[Shard]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            id, lane, pieces = json.loads(line)
            yield Shard(id, lane, tuple(Piece(*piece) for piece in pieces))


def _write(path: Path, lines: Iterable[str]) -> None:
    with replacing(path, 0o666) as file:
        file.writelines(line.encode() for line in lines)
