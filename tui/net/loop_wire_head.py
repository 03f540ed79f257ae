"""Reads the head of an HTTP/1 answer, and says how its body ends.

Strict where laxity would shift the borders of a message (RFC 9112 sections 2.2, 5 and
6.3): names must be tokens, values hold no controls, lengths are one decimal number.
Lax where other wires are: a bare line feed ends a line, a folded line is one with a
space.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_HEAD_BYTES = 128 << 10
"""Of everything before the body; header values alone may hold 100 KiB."""

_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(r"HTTP/(1\.[01]) ([1-9][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?\r?\n")
_FIELD = re.compile(
    r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)\r?\n", re.MULTILINE
)
_FOLD = re.compile(r"\r?\n[ \t]+")


class BadHead(Exception):
    """What came is no HTTP/1 head; ``str()`` says why, in our own words."""


class Head(NamedTuple):
    """A status line and its fields."""

    version: str
    """``1.0`` or ``1.1``."""
    status: int
    fields: list[tuple[str, str]]
    """Names in lower case; values decoded as Latin-1, which loses no byte."""


def head_end(data: bytes | bytearray) -> int:
    """Return the offset behind the empty line that ends a head, or -1."""
    at = data.find(b"\r\n\r\n")
    if at >= 0 and data.find(b"\n\n", 0, at) < 0 :
        return at + 4
    found = _END.search(data)
    return -1 if found is None else found.end()


def read_head(data: bytes | bytearray) -> Head:
    """Read a head, its empty line included.

    Raises:
        BadHead: it is none.
    """
    text = data.decode("latin-1")
    first = _STATUS.match(text)
    if first is None:
        raise BadHead("no HTTP/1 status line")
    at = first.end()
    lines = text[at:].rstrip("\r\n") + "\r\n" if len(text) - at > 2 else ""
    if "\n " in lines or "\n\t" in lines:
        lines = _FOLD.sub(" ", lines)
    fields = [(name.lower(), value.rstrip(" \t")) for name, value in _FIELD.findall(lines)]
    if len(fields) != lines.count("\n"):
        raise BadHead("a header line that is none")
    return Head(first[1], int(first[2]), fields)
