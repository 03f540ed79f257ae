"""Tables: a header line that names a ``url`` column, and one download a row.

Commas, semicolons (as spreadsheets write where the comma is for decimals) and tabs
separate columns, whichever the header line shows.
"""

from __future__ import annotations

import csv
from itertools import chain
from typing import TYPE_CHECKING

from tui.core.request import BadRequestLine
from tui.core.text.plain_text import plain
from tui.sources.readers.fields import FieldReader
from tui.sources.readers.lines import LINE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tui.core.request import DownloadRequest


def parse_csv(
    lines: Iterable[str], where: str, notes: list[str] | None = None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Turn a table into requests and complaints, as ``text_list.parse_text`` does.

    Args:
        lines: text without line ends, the header line first.
        where: what the list is called in messages; the row's last line is added.
        notes: gets one line for each column that has no meaning here.
    """
    iterator = iter(lines)
    first = next(iterator, "")
    rows = csv.reader(
        _whole(chain((first,), iterator)),
        delimiter=max(",;\t", key=first.count),
        strict=True,
    )
    reader = FieldReader(notes)
    try:
        names = [name.strip().lstrip("\ufeff") for name in next(rows, [])]
        columns = [reader.known(name, f"{where}:1") for name in names]
        if "url" not in columns:
            yield BadRequestLine(
                f"{where}:1", "the first line must name the columns, one of them url"
            )
            return
        for row in rows:
            here = f"{where}:{rows.line_num}"
            fields = {
                column: cell
                for column, cell in zip(columns, row, strict=False)
                if cell and column
            }
            if not fields and not "".join(row).strip():
                continue
            try:
                if len(row) > len(columns):
                    raise ValueError("the row has more cells than there are columns")
                yield reader.request(fields, here)
            except ValueError as error:
                yield BadRequestLine(here, str(error))
    except csv.Error as error:
        # Usually a quote that is never closed; where the next row begins is unknown.
        reason = f"broken table, the rest is not read: {plain(str(error), 200)}"
        yield BadRequestLine(f"{where}:{max(rows.line_num, 1)}", reason)


def _whole(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if len(line) > LINE_LIMIT:
            raise csv.Error(f"a line is longer than {LINE_LIMIT} characters")
        if "\0" in line:
            raise csv.Error("this is binary data")
        yield f"{line}\n"
