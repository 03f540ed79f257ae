"""Parquet and Arrow tables: a column of URLs, and optionally names and checksums.

Rows are read in batches of a few thousand, and only the columns that are used. Other
columns are not mentioned, since such tables have many. pyarrow is an extra
(``fetchtui[scale]``), imported only here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.core.request import BadRequestLine
from tui.core.text.sanitize import sanitize
from tui.sources.readers.fields import FieldReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui.core.request import DownloadRequest
    from tui.sources.readers.fields import Columns

PARQUET_MAGIC = b"PAR1"
ARROW_MAGIC = b"ARROW1"
STREAM_MAGIC = b"\xff\xff\xff\xff"
"""The start of an Arrow stream, which has no magic number: the continuation marker of
its first message. The ``datasets`` package writes such files."""
_BATCH_ROWS = 8192
_CHUNK_LIMIT = 1 << 30
"""Maximum bytes of a used column in one row group or batch, after decompression."""
_USED = frozenset({"url", "mirrors", "out", "dir", "checksum", "size"})
_TEXT_FIELDS = frozenset({"out", "dir"})
"""Fields whose columns may contain numbers, such as the id of an image."""


def is_columnar(start: bytes) -> bool:
    """Return True if these are the first bytes of a Parquet or Arrow file."""
    return start.startswith((PARQUET_MAGIC, ARROW_MAGIC, STREAM_MAGIC))


def parse_columnar(
    path: str, start: bytes, where: str, columns: Columns | None = None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Read a table; yields a request or an error for each row.

    Args:
        path: the file, which must be seekable.
        start: its first bytes, which decide between the formats.
        where: the list's name in messages; the number of the row is added, from 1.
        columns: names of the columns to use.
    """
    try:
        import pyarrow
    except ImportError:
        yield BadRequestLine(
            where,
            "Parquet and Arrow lists need pyarrow; pip install 'fetchtui[scale]'",
        )
        return
    try:
        batches = _open(path, start)
        yield from _rows(batches, where, columns)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        # The first line only: Arrow appends details of its own code.
        text = str(error).partition("\n")[0]
        yield BadRequestLine(where, f"cannot read: {sanitize(text, 200)}")


class _Table:
    """The names of a table's columns, and its rows."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def batches(self, used: list[int]) -> Iterator[Any]:
        """Yield record batches with only the used columns, in that order.

        Raises:
            ArrowException: the file is invalid.
            ValueError: a column is too large.
        """
        raise NotImplementedError


class _Parquet(_Table):
    def __init__(self, path: str) -> None:
        from pyarrow import parquet

        # Without a buffer, a whole column chunk is read at once.
        self._file = parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        super().__init__(list(self._file.schema_arrow.names))

    def batches(self, used: list[int]) -> Iterator[Any]:
        names = [self.names[at] for at in used]
        metadata = self._file.metadata
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            for at in range(group.num_columns):
                column = group.column(at)
                is_used = column.path_in_schema.partition(".")[0] in names
                if is_used and column.total_uncompressed_size > _CHUNK_LIMIT:
                    raise ValueError(
                        f"a row group has more than {_CHUNK_LIMIT >> 20:,} MiB in the"
                        f" column {sanitize(column.path_in_schema, 60)}; write smaller"
                        " row groups"
                    )
        for batch in self._file.iter_batches(
            _BATCH_ROWS, columns=names, use_threads=False
        ):
            yield batch.select(names)


class _ArrowFile(_Table):
    def __init__(self, path: str) -> None:
        import pyarrow

        self._reader = pyarrow.ipc.open_file(pyarrow.OSFile(path))
        super().__init__(list(self._reader.schema.names))

    def batches(self, used: list[int]) -> Iterator[Any]:
        for number in range(self._reader.num_record_batches):
            yield from _slices(self._reader.get_batch(number), used)


class _ArrowStream(_Table):
    def __init__(self, path: str) -> None:
        import pyarrow

        self._reader = pyarrow.ipc.open_stream(pyarrow.OSFile(path))
        super().__init__(list(self._reader.schema.names))

    def batches(self, used: list[int]) -> Iterator[Any]:
        for batch in self._reader:
            yield from _slices(batch, used)


def _open(path: str, start: bytes) -> _Table:
    if start.startswith(PARQUET_MAGIC):
        return _Parquet(path)
    return _ArrowFile(path) if start.startswith(ARROW_MAGIC) else _ArrowStream(path)


def _slices(batch: Any, used: list[int]) -> Iterator[Any]:
    """Split a batch of any length, so that few rows at a time become Python objects."""
    if batch.nbytes > _CHUNK_LIMIT:
        raise ValueError(f"a batch has more than {_CHUNK_LIMIT >> 20:,} MiB")
    chosen = batch.select(used)
    for at in range(0, chosen.num_rows, _BATCH_ROWS):
        yield chosen.slice(at, _BATCH_ROWS)


def _rows(
    table: _Table, where: str, columns: Columns | None
) -> Iterator[DownloadRequest | BadRequestLine]:
    reader = FieldReader(None, columns)
    fields: list[str] = []
    used: list[int] = []
    for at, name in enumerate(table.names):
        field = reader.known(name, where)
        if (field in _USED or field.startswith("digest ")) and field not in fields:
            fields.append(field)
            used.append(at)
    if problem := reader.missing_columns(table.names):
        yield BadRequestLine(where, problem)
        return
    number = 0
    for batch in table.batches(used):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            number += 1
            here = f"{where}:{number}"
            values = {
                field: str(value)
                if field in _TEXT_FIELDS and isinstance(value, int)
                else value
                for field, value in zip(fields, row, strict=True)
                if value is not None
            }
            try:
                yield reader.request(values, here)
            except ValueError as error:
                yield BadRequestLine(here, str(error))
