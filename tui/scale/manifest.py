"""Manifests: what became of each download of a shard, and the proof that it is done.

A manifest is written last and appears at once, complete, under its name. The first one
wins: a worker whose shard was leased again meanwhile cannot publish its own (see
``publish``). Manifests are Parquet, or JSON Lines where pyarrow is missing.

While a shard runs, its rows are appended to a file in ``partial/``. After a kill, the
next generation reads them and continues with the rest.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from tui.core.text.sanitize import sanitize
from tui.disk.state.json_lines import append_lines, encode_lines, read_lines
from tui.disk.state.replace import replace_file, replacing
from tui.scale.errors import OldGenerationError, ScaleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tui.scale.plan import JobPaths

DONE = "done"
_SUFFIXES = (".parquet", ".jsonl")
_COUNTS_KEY = b"fetchtui"


class Row(NamedTuple):
    """One download of a shard."""

    row: int
    """Position in the shard."""
    url: str
    final_url: str
    """The URL in use at the end: another mirror, if the first one failed."""
    state: str
    """``done`` or ``failed``."""
    status: int
    """HTTP status of the last response; 0 before any."""
    error_kind: str
    error: str
    bytes: int
    sha256: str
    path: str
    """Below the destination; "" if it failed."""
    etag: str
    started: float
    """Seconds since the epoch."""
    ended: float
    attempts: int


_INTEGERS = ("row", "status", "bytes", "attempts")
_FLOATS = ("started", "ended")
_FAILED_FIELDS = ("url", "error_kind", "status", "error")
"""Of a list of failed downloads."""
_BATCH_ROWS = 10_000
"""Rows of such a list that are written at once."""


class Counts(NamedTuple):
    """What a manifest adds up to."""

    done: int = 0
    failed: int = 0
    bytes: int = 0
    causes: tuple[tuple[str, int, int], ...] = ()
    """(error kind, HTTP status, number)."""


def count(rows: Iterable[Row]) -> Counts:
    """Add up rows."""
    done = failed = size = 0
    causes: dict[tuple[str, int], int] = {}
    for row in rows:
        if row.state == DONE:
            done += 1
            size += row.bytes
        else:
            failed += 1
            cause = row.error_kind, row.status
            causes[cause] = causes.get(cause, 0) + 1
    listed = tuple((kind, status, n) for (kind, status), n in causes.items())
    return Counts(done, failed, size, listed)


# -- generations ---------------------------------------------------------------------


def next_generation(paths: JobPaths, shard: int) -> int:
    """Raise the generation of a shard, so that earlier ones cannot publish any more.

    Only the process that has the job's lock calls this.
    """
    number = current_generation(paths, shard) + 1
    replace_file(paths.folder("fences") / f"{shard:06d}", f"{number}\n".encode())
    return number


def next_generations(paths: JobPaths, shards: Iterable[int]) -> dict[int, int]:
    """Raise the generations of shards; blocks. Return them by shard.

    Raises:
        OSError: the disk is full or not writable.
        ScaleError: a file of them is damaged.
    """
    return {shard: next_generation(paths, shard) for shard in shards}


def current_generation(paths: JobPaths, shard: int) -> int:
    """Return the generation that may publish a shard; 0 before the first lease.

    Raises:
        ScaleError: its file is damaged.
    """
    path = paths.folder("fences") / f"{shard:06d}"
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return 0
    except ValueError as error:
        raise ScaleError(
            f"{sanitize(str(path))} is damaged ({type(error).__name__}); write a number"
            " into it that is higher than all before, such as 1000"
        ) from None


# -- rows of a running shard ---------------------------------------------------------


class PartialRows:
    """The rows of a running shard, appended as downloads end."""

    def __init__(self, paths: JobPaths, shard: int, generation: int) -> None:
        self._folder = paths.folder("partial")
        self._shard = shard
        self._path = self._folder / f"{shard:06d}.g{generation}.jsonl"
        self._uploaded = self._folder / f"{shard:06d}.uploaded.jsonl"

    def read(self) -> dict[int, Row]:
        """Return the complete downloads of all earlier generations, by position."""
        found: dict[int, Row] = {}
        for path in sorted(self._folder.glob(f"{self._shard:06d}.g*.jsonl")):
            for row in _read_lines(path):
                if row.state == DONE:
                    found[row.row] = row
        return found

    def uploaded(self) -> dict[int, Row]:
        """Return the downloads that are in the object store, by position."""
        try:
            return {row.row: row for row in _read_lines(self._uploaded)}
        except FileNotFoundError:
            return {}

    def set_uploaded(self, rows: Iterable[Row]) -> None:
        """Note the downloads that are in the object store."""
        replace_file(self._uploaded, encode_lines(rows))

    def append(self, rows: Iterable[Row]) -> None:
        """Append rows; a torn last line is skipped when they are read."""
        append_lines(self._path, rows, is_synced=False)

    def remove(self) -> None:
        """Remove the rows of all generations, once the manifest is published."""
        for path in self._folder.glob(f"{self._shard:06d}.g*.jsonl"):
            path.unlink(missing_ok=True)
        self._uploaded.unlink(missing_ok=True)


def _read_lines(path: Path) -> Iterator[Row]:
    for values in read_lines(path):
        with suppress(TypeError):  # not a row
            yield Row(*values)


# -- manifests -----------------------------------------------------------------------


def find(paths: JobPaths, shard: int) -> Path | None:
    """Return the manifest of a shard, or ``None`` if it is not done."""
    for suffix in _SUFFIXES:
        path = paths.folder("manifests") / f"{shard:06d}{suffix}"
        if path.exists():
            return path
    return None


def listed(paths: JobPaths) -> dict[int, Path]:
    """Return all manifests by shard."""
    found = {}
    for entry in os.scandir(paths.folder("manifests")):
        stem, suffix = os.path.splitext(entry.name)
        if suffix in _SUFFIXES and stem.isdecimal():
            found[int(stem)] = paths.folder("manifests") / entry.name
    return found


def publish(
    paths: JobPaths, shard: int, generation: int, rows: list[Row]
) -> tuple[Path, Counts]:
    """Write the manifest of a shard, unless another generation is in charge.

    Raises:
        OldGenerationError: the shard was leased again, or is done already.
        OSError: the disk is full or not writable.
    """
    counts = count(rows)
    folder = paths.folder("manifests")
    temporary = folder / f".{shard:06d}.g{generation}.tmp"
    suffix = _write_rows(temporary, rows, counts)
    final = folder / f"{shard:06d}{suffix}"
    try:
        # A network file system may still show an older generation.
        if current_generation(paths, shard) > generation:
            raise OldGenerationError
        if find(paths, shard) is not None:
            raise OldGenerationError
        try:
            # Unlike a rename, a link never replaces a manifest.
            os.link(temporary, final)
        except FileExistsError:
            raise OldGenerationError from None
        except OSError:
            # A file system without hard links.
            os.rename(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(folder)
    return final, counts


def read_counts(path: Path) -> Counts:
    """Return what a manifest adds up to, without reading all of a Parquet file.

    Raises:
        ScaleError: it is damaged.
    """
    try:
        if path.suffix == ".parquet":
            from pyarrow import parquet

            metadata = parquet.read_schema(path).metadata or {}
            done, failed, size, causes = json.loads(metadata[_COUNTS_KEY])
            return Counts(done, failed, size, tuple(map(tuple, causes)))
        return count(_read_lines(path))
    except Exception as error:
        raise _damaged(path, error) from None


def read_rows(path: Path) -> list[Row]:
    """Return all rows of a manifest.

    Raises:
        ScaleError: it is damaged.
    """
    try:
        if path.suffix == ".parquet":
            from pyarrow import parquet

            table = parquet.read_table(path, columns=list(Row._fields))
            columns = [column.to_pylist() for column in table.columns]
            return [Row(*values) for values in zip(*columns, strict=True)]
        return list(_read_lines(path))
    except Exception as error:
        raise _damaged(path, error) from None


def published(paths: JobPaths, shard: int) -> Counts | None:
    """Return what the manifest of a shard adds up to; ``None`` if it is not done.

    Raises:
        ScaleError: it is damaged.
    """
    path = find(paths, shard)
    return None if path is None else read_counts(path)


def reopen(paths: JobPaths, shard: int, *, is_stored: bool = False) -> bool:
    """Take a manifest back, so that its failed downloads run again.

    Args:
        paths: the job.
        shard: the shard.
        is_stored: its output is in an object store, and not on this machine.

    Returns:
        False if the shard has no manifest.
    """
    path = find(paths, shard)
    if path is None:
        return False
    rows = [row for row in read_rows(path) if row.state == DONE]
    partial = PartialRows(paths, shard, 0)
    if rows and is_stored:
        partial.set_uploaded(rows)
    elif rows:
        partial.append(rows)
    path.unlink()
    return True


def write_failed(paths: JobPaths, target: Path) -> tuple[Path, int]:
    """Write all failed downloads as a list that fetchtui reads.

    Parts of a job array that end at the same time may all do so.

    Args:
        paths: the job.
        target: the file without its suffix.

    Returns:
        The file, and the number of rows.
    """
    failed = (
        row
        for _, path in sorted(listed(paths).items())
        if read_counts(path).failed
        for row in read_rows(path)
        if row.state != DONE
    )
    suffix = table_suffix()
    path = target.with_suffix(suffix)
    number = 0
    with replacing(path, 0o666, is_synced=False) as file:
        if suffix == ".parquet":
            number = _write_failed_table(file, failed)
        else:
            for row in failed:
                values = {name: getattr(row, name) for name in _FAILED_FIELDS}
                file.write(f"{json.dumps(values)}\n".encode())
                number += 1
    return path, number


def _write_failed_table(file: BinaryIO, failed: Iterator[Row]) -> int:
    import pyarrow
    from pyarrow import parquet

    types = (pyarrow.string(), pyarrow.string(), pyarrow.int64(), pyarrow.string())
    schema = pyarrow.schema(list(zip(_FAILED_FIELDS, types, strict=True)))
    number = 0
    with parquet.ParquetWriter(file, schema) as writer:
        while batch := list(islice(failed, _BATCH_ROWS)):
            columns = [
                pyarrow.array([getattr(row, name) for row in batch], type)
                for name, type in zip(_FAILED_FIELDS, types, strict=True)
            ]
            writer.write_batch(pyarrow.record_batch(columns, schema=schema))
            number += len(batch)
    return number


def _damaged(path: Path, error: Exception) -> ScaleError:
    return ScaleError(
        f"{sanitize(str(path))} is damaged ({type(error).__name__}); remove it to"
        " download its shard again"
    )


def table_suffix() -> str:
    """Return the suffix of tables that this process writes; imports nothing."""
    return ".parquet" if find_spec("pyarrow") is not None else ".jsonl"


def _write_rows(path: Path, rows: list[Row], counts: Counts) -> str:
    """Write and sync a manifest; return the suffix of its format."""
    suffix = table_suffix()
    if suffix == ".parquet":
        import pyarrow
        from pyarrow import parquet

        columns = {
            name: pyarrow.array(
                [getattr(row, name) for row in rows],
                pyarrow.int64()
                if name in _INTEGERS
                else pyarrow.float64()
                if name in _FLOATS
                else pyarrow.string(),
            )
            for name in Row._fields
        }
        table = pyarrow.table(columns).replace_schema_metadata(
            {_COUNTS_KEY: json.dumps(counts).encode()}
        )
        parquet.write_table(table, path, compression="zstd")
        _sync(path)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())
    return suffix


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    try:
        _sync(path)
    except OSError:
        # Some network file systems cannot sync directories.
        return


def as_dict(row: Row) -> dict[str, Any]:
    """Return a row by field, for the description of a sample."""
    return row._asdict()
