"""CSV: a header line with a ``url`` column, then one download per row.

The header line shows whether columns are separated by commas, tabs or semicolons (which
spreadsheets write in locales with a decimal comma).
"""

from __future__ import annotations

import csv
import re
from itertools import chain
from typing import TYPE_CHECKING

from tui.core.quick.pattern import late_pattern
from tui.core.request import BadRequestLine
from tui.core.text.sanitize import sanitize
from tui.sources.readers.fields import FieldReader
from tui.sources.readers.lines import LINE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tui.core.request import DownloadRequest
    from tui.sources.readers.fields import Columns


_REPEATABLE = frozenset({"header", "mirrors"})
"""Fields that may have several columns; within a cell, tabs separate their values."""
_URL = late_pattern(r"https?://", re.IGNORECASE)
_SEPARATOR = late_pattern(r"\ufeff?\"?sep=([,;\t|])\"?\s*")
"""A line in front of the header line that Excel writes and reads."""


def parse_csv(
    lines: Iterable[str],
    where: str,
    notes: list[str] | None = None,
    chosen: Columns | None = None,
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Parse a table; yields requests and errors as ``text_list.parse_text`` does.

    Args:
        lines: text without line endings, starting with the header line.
        where: the list's name in messages; the row's last line number is added.
        notes: receives a line for each unknown column.
        chosen: names of the columns to use instead of the usual ones.
    """
    iterator = iter(lines)
    first = next(iterator, "")
    before = 0
    delimiter = ""
    if match := _SEPARATOR.fullmatch(first):
        before, delimiter, first = 1, match[1], next(iterator, "")
    header = f"{where}:{before + 1}"
    rows = csv.reader(
        _checked_lines(chain((first,), iterator)),
        delimiter=delimiter or max(",;\t", key=first.count),
        strict=True,
    )
    reader = FieldReader(notes, chosen)
    try:
        names = [name.strip().lstrip("\ufeff") for name in next(rows, [])]
        if problem := _problem(reader, names, chosen):
            yield BadRequestLine(header, problem)
            return
        columns = [reader.known(name, header) for name in names]
        for row in rows:
            here = f"{where}:{before + rows.line_num}"
            fields: dict[str, str] = {}
            for column, cell in zip(columns, row, strict=False):
                if not cell or not column:
                    continue
                if column in _REPEATABLE and column in fields:
                    cell = f"{fields[column]}\t{cell}"
                fields[column] = cell
            if not fields and not "".join(row).strip():
                continue
            try:
                if len(row) > len(columns):
                    raise ValueError("the row has more cells than the header")
                yield reader.request(fields, here)
            except ValueError as error:
                yield BadRequestLine(here, str(error))
    except csv.Error as error:
        # Usually an unclosed quote, so the start of the next row is unknown.
        reason = f"invalid CSV, skipping the rest: {sanitize(str(error), 200)}"
        yield BadRequestLine(f"{where}:{before + max(rows.line_num, 1)}", reason)


def _problem(reader: FieldReader, names: list[str], chosen: Columns | None) -> str:
    """Return what is wrong with the header line, or "" if nothing is."""
    problem = reader.missing_columns(names)
    if problem and any(map(_URL.match, names)):
        # Its cells may contain passwords, so the message quotes none.
        return "there is no header line; write one, or name the list .txt"
    if problem and chosen is None:
        return "the first line must name the columns, including url"
    return problem


def _checked_lines(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if len(line) > LINE_LIMIT:
            raise csv.Error(f"a line is longer than {LINE_LIMIT} characters")
        if "\0" in line:
            raise csv.Error("binary data")
        yield f"{line}\n"
