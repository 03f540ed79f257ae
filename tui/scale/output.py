"""The forms of a shard's output: its files as they are, a tar file, or Parquet.

A tar file has two members for each download, as WebDataset expects: the file, and a
JSON object with its row of the manifest. Both forms are written under a temporary name
and renamed when they are complete.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, BinaryIO

from tui.core.text.sanitize import sanitize
from tui.disk.state.replace import replacing
from tui.scale.errors import ScaleError
from tui.scale.manifest import DONE, Row, as_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

FORMATS = ("files", "tar", "parquet")
_BATCH_BYTES = 32 << 20
"""Contents kept in memory while Parquet is written."""
_ROW_LIMIT = 1 << 30
"""Maximum bytes of a file in Parquet, whose values must fit into memory."""


def pack(
    format: str, staging: Path, destination: Path, name: str, rows: Iterable[Row]
) -> tuple[Path, list[Row]]:
    """Write the files of a shard as one file; blocks.

    Args:
        format: ``tar`` or ``parquet``.
        staging: the directory that contains the paths of the rows.
        destination: the directory of the result.
        name: the name of the result without its suffix.
        rows: the manifest of the shard.

    Returns:
        The result, and the rows with its name as their path.

    Raises:
        OSError: a file cannot be read, or the result cannot be written.
        ScaleError: a file is too large for the format.
    """
    writers: dict[str, Callable[[BinaryIO, Path, list[Row]], None]] = {
        "tar": _write_tar,
        "parquet": _write_parquet,
    }
    kept = list(rows)
    result = destination / f"{name}.{format}"
    # Without a manifest, an earlier result of this shard does not count.
    with replacing(result, 0o666) as file:
        writers[format](file, staging, kept)
    packed = [
        row._replace(path=f"{result.name}/{row.path.partition('/')[2]}")
        if format == "tar" and row.state == DONE
        else row._replace(path=result.name if row.state == DONE else "")
        for row in kept
    ]
    return result, packed


def _write_tar(target: BinaryIO, staging: Path, rows: list[Row]) -> None:
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for row in rows:
            if row.state != DONE:
                continue
            # Without the folder of the shard.
            name = row.path.partition("/")[2]
            # WebDataset takes all up to the first dot of the name as the key.
            folder, base = os.path.split(name)
            key = os.path.join(folder, base.partition(".")[0])
            with open(staging / row.path, "rb") as file:
                member = tarfile.TarInfo(name)
                member.size = os.fstat(file.fileno()).st_size
                member.mtime = int(row.ended)
                archive.addfile(member, file)
            fields = as_dict(row)
            del fields["path"]
            text = json.dumps(fields).encode()
            is_taken = name == f"{key}.json"
            member = tarfile.TarInfo(f"{key}.{'row.' if is_taken else ''}json")
            member.size = len(text)
            member.mtime = int(row.ended)
            archive.addfile(member, io.BytesIO(text))


def _write_parquet(target: BinaryIO, staging: Path, rows: list[Row]) -> None:
    import pyarrow
    from pyarrow import parquet

    names = [name for name in Row._fields if name != "path"]
    integers = {"row", "status", "bytes", "attempts"}
    floats = {"started", "ended"}
    fields = [
        (
            name,
            pyarrow.int64()
            if name in integers
            else pyarrow.float64()
            if name in floats
            else pyarrow.string(),
        )
        for name in names
    ]
    schema = pyarrow.schema([*fields, ("content", pyarrow.large_binary())])
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        batch: list[Row] = []
        contents: list[bytes | None] = []
        size = 0

        def flush() -> None:
            columns = [
                pyarrow.array([getattr(row, name) for row in batch], type)
                for name, type in fields
            ]
            columns.append(pyarrow.array(contents, pyarrow.large_binary()))
            writer.write_batch(pyarrow.record_batch(columns, schema=schema))
            batch.clear()
            contents.clear()

        for row in rows:
            content = None
            if row.state == DONE:
                if row.bytes > _ROW_LIMIT:
                    raise ScaleError(
                        f"{sanitize(row.path)}: {row.bytes:,} bytes are too much for"
                        " Parquet; use --format tar, with another destination"
                    )
                content = (staging / row.path).read_bytes()
                size += len(content)
            batch.append(row)
            contents.append(content)
            if size > _BATCH_BYTES:
                flush()
                size = 0
        if batch:
            flush()
