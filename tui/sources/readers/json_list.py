"""JSON: a list of URLs or objects; or JSON Lines, with one of them per line.

::

    ["https://example.org/a.iso", {"url": "https://example.org/b", "out": "b.iso"}]
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tui.core.request import BadRequestLine
from tui.core.text.sanitize import sanitize
from tui.sources.readers.fields import FieldReader
from tui.sources.readers.lines import LINE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tui.core.request import DownloadRequest
    from tui.sources.readers.fields import Columns

_SPACE = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"[ \t\r\n]*([],])[ \t\r\n]*")


def parse_json_lines(
    lines: Iterable[str],
    where: str,
    notes: list[str] | None = None,
    columns: Columns | None = None,
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Parse one URL or object per line; skip blank lines."""
    reader = FieldReader(notes, columns)
    for number, line in enumerate(lines, 1):
        here = f"{where}:{number}"
        if len(line) > LINE_LIMIT:
            yield BadRequestLine(here, f"longer than {LINE_LIMIT} characters")
            continue
        text = line.strip().removeprefix("\ufeff")
        if not text:
            continue
        try:
            yield _request(reader, json.loads(text), here)
        except (ValueError, RecursionError) as error:
            yield BadRequestLine(here, _reason(error))


def parse_json(
    text: str,
    where: str,
    notes: list[str] | None = None,
    columns: Columns | None = None,
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Parse a list of URLs and objects.

    Elements are decoded one by one, so that each error has a line number and invalid
    JSON in the middle does not hide earlier errors.
    """
    reader = FieldReader(notes, columns)
    decoder = json.JSONDecoder()
    text = text.removeprefix("\ufeff")
    at = _skip_space(text, 0)
    if text[at : at + 1] != "[":
        yield BadRequestLine(where, 'must be a list: ["https://...", {...}]')
        return
    at = _skip_space(text, at + 1)
    line, counted = 1, 0
    if text[at : at + 1] == "]":
        return
    while True:
        line += text.count("\n", counted, at)
        counted = at
        here = f"{where}:{line}"
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield BadRequestLine(here, f"{_reason(error)}; skipping the rest")
            return
        try:
            yield _request(reader, value, here)
        except ValueError as error:
            yield BadRequestLine(here, str(error))
        between = _BETWEEN.match(text, at)
        if between is None:
            yield BadRequestLine(here, "expected a comma or ]; skipping the rest")
            return
        at = between.end()
        if between[1] == "]":
            if at < len(text):
                yield BadRequestLine(where, "unexpected text after the list")
            return


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _request(reader: FieldReader, value: Any, where: str) -> DownloadRequest:
    if isinstance(value, str):
        value = {"url": value}
    if not isinstance(value, dict):
        raise ValueError("must be a URL in quotes or an object")
    fields = {}
    for name, content in value.items():
        field = reader.known(name, where)
        if field:
            fields[field] = content
    return reader.request(fields, where)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON: {sanitize(error.msg, 200)}"
    text = str(error)
    # Python's own words for a long number are about Python.
    return "a number has too many digits" if "int_max_str_digits" in text else text
