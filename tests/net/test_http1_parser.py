"""The HTTP/1 parser: heads, chunks, and how it compares with h11 and httptools."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import h11
import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tui.net.transports.http1.parser import (
    ChunkedDecoder,
    Framing,
    HeadTooLarge,
    InvalidChunk,
    InvalidHead,
    ResponseHead,
    find_head_end,
    parse_head,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

LINES = st.sampled_from(
    [
        "Content-Length: 3",
        "Content-Length: 4",
        "Content-Length: +3",
        "content-length:\t3 ",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip",
        "Connection: close",
        "Connection: Keep-Alive, x",
        "X: a",
        "X: \u00e4",
        "X:",
        "X : a",
        "no colon",
        "X: a\r",
        "X: \x00",
        " folded",
        "\tfolded",
        ": a",
    ]
)


def oracle(head: bytes) -> tuple[int, list[tuple[bytes, bytes]]] | None:
    """Parse a head with h11, httpx's parser."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(head)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    assert isinstance(event, h11.Response | h11.InformationalResponse)
    return event.status_code, list(event.headers)


def values_of(head: ResponseHead, name: str) -> list[str]:
    return [value for field, value in head.fields if field == name]


@given(
    status=st.sampled_from(["HTTP/1.1 200 OK", "HTTP/1.0 206", "HTTP/1.1 99 x", "x"]),
    lines=st.lists(LINES, max_size=5),
    ending=st.sampled_from(["\r\n", "\n"]),
)
def test_heads_are_parsed_as_by_h11(status: str, lines: list[str], ending: str) -> None:
    text = ending.join([status, *lines, "", ""]).encode("latin-1")
    expected = oracle(text)
    try:
        head = parse_head(text)
    except InvalidHead:
        head = None
    if expected is None:
        # h11 supports one transfer coding and lengths of up to 20 digits; other codings
        # are refused by ``read_resource_info``.
        codings = () if head is None else values_of(head, "transfer-encoding")
        is_lenient = any(line == "X : a" or "\r" in line for line in lines)
        assert head is None or is_lenient or set(codings) - {"chunked"}
        return
    assert head is not None
    status_code, fields = expected
    assert head.status == status_code
    names = [name for name, _ in head.fields]
    # h11 drops repetitions of an equal length.
    assert set(names) == {name.decode() for name, _ in fields}
    for name, value in head.fields:
        values = [v.decode("latin-1").split() for n, v in fields if n.decode() == name]
        assert value.split() in values


@given(
    sizes=st.lists(st.integers(1, 40), max_size=6),
    cuts=st.lists(st.integers(0, 300), max_size=8),
    extension=st.sampled_from([b"", b";x=y", b" ;a", b";a=\x1b\x07\x7f\xff"]),
    trailer=st.sampled_from([b"", b"X: y\r\n"]),
    surplus=st.sampled_from([b"", b"HTTP/1.1"]),
)
def test_chunks_are_decoded_however_they_are_split(
    sizes: list[int],
    cuts: list[int],
    extension: bytes,
    trailer: bytes,
    surplus: bytes,
) -> None:
    body = b"".join(bytes([65 + n]) * size for n, size in enumerate(sizes))
    data = b"".join(
        b"%x%s\r\n%s\r\n" % (size, extension, bytes([65 + n]) * size)
        for n, size in enumerate(sizes)
    )
    data += b"0\r\n" + trailer + b"\r\n"
    end = len(data)
    data += surplus
    found, left = read_in_pieces(data, [cut for cut in cuts if cut < end])
    assert found == body
    assert left == len(surplus)


def read_in_pieces(data: bytes, cuts: Iterable[int]) -> tuple[bytes, int]:
    decoder = ChunkedDecoder()
    found = b""
    borders = [0, *sorted(set(cuts)), len(data)]
    left = 0
    for start, end in pairwise(borders):
        assert not decoder.is_complete
        if start < end:
            views, left = decoder.feed(data[start:end])
            found += b"".join(views)
    assert decoder.is_complete
    return found, left


@pytest.mark.parametrize(
    "data",
    [
        b"g\r\n",
        b"\r\n",
        b" 3\r\n",
        b"3\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n",
        b"3\r\nabcx",
        b"0x3\r\n",
        b"1" * 16 + b"\r\n",
        b"3;" + b"x" * 20_000,
        b"3;a\rb\r\nabc\r\n",
        b"3;a\nabc\r\n",
        b"3;\x00\r\nabc\r\n",
        b"0\r\n" + b"X: y\r\n" * 20_000,
    ],
)
def test_ambiguous_chunks_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidChunk):
        ChunkedDecoder().feed(data)


def test_a_carriage_return_within_a_value_is_a_space() -> None:
    head = parse_head(b"HTTP/1.1 200 OK\r\nA: b\rc\r\nB: d\r\n\r\n")
    assert head.fields == [("a", "b c"), ("b", "d")]
    assert head.header_map == {"a": "b c", "b": "d"}


def test_the_end_of_a_head_is_found_with_either_line_ending() -> None:
    assert find_head_end(b"HTTP/1.1 200\r\nA: b\r\n\r\nbody\n\n") == 22
    assert find_head_end(b"HTTP/1.1 200\nA: b\n\nbody\r\n\r\n") == 19
    assert find_head_end(b"HTTP/1.1 200\r\nA: b\r\n\r") == -1


@pytest.mark.alone
def test_a_pathological_header_is_refused_quickly() -> None:
    blanks = b" " * 100_000
    began = time.process_time()
    with pytest.raises(InvalidHead):
        parse_head(b"HTTP/1.1 200 OK\r\nA:" + blanks + b"\x00\r\n\r\n")
    assert time.process_time() - began < 1, (
        "backtracking over the blanks takes a minute"
    )


def test_a_head_with_too_many_fields_is_refused() -> None:
    with pytest.raises(HeadTooLarge):
        parse_head(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 201 + b"\r\n")


# -- against httptools -----------------------------------------------------------------


class Difference(NamedTuple):
    """One way in which the parsers differ on purpose."""

    name: str
    accepted_by: str
    """``ours`` or ``httptools``; the other one refuses it."""
    pattern: re.Pattern[bytes]
    """Finds it in a message."""
    example: bytes


def _difference(
    name: str, accepted_by: str, pattern: bytes, example: bytes
) -> Difference:
    compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    return Difference(name, accepted_by, compiled, example)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
DIFFERENCES = (
    # Old servers send these; httpx and curl accept them, too.
    _difference("bare LF", "ours", rb"(?<!\r)\n", b"HTTP/1.1 200 OK\nA: b\n\n"),
    _difference(
        "blank before a colon", "ours", rb"\n[^:\r\n]*[ \t]:", OK + b"A : b\r\n\r\n"
    ),
    _difference("folded line", "ours", rb"\n[ \t]", OK + b"A: b\r\n c\r\n\r\n"),
    _difference(
        "repeated length",
        "ours",
        rb"content-length:[^\n]*,|(content-length:.*){2}",
        OK + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    ),
    # RFC 9112 section 6.1: read the chunks, then close the connection.
    _difference(
        "length and chunks",
        "ours",
        rb"(?=.*content-length:)(?=.*transfer-encoding:)",
        OK + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    # Extensions and trailers are skipped without parsing them.
    _difference(
        "blanks behind a chunk size",
        "ours",
        rb"\n[0-9a-f]+[ \t]",
        CHUNKED + b"0 \r\n\r\n",
    ),
    _difference("chunk extension", "ours", rb"\n[0-9a-f]+;", CHUNKED + b"0;;\r\n\r\n"),
    _difference(
        "invalid trailer", "ours", rb"\n0+\r\n[^\r]", CHUNKED + b"0\r\nno colon\r\n\r\n"
    ),
    # Refused only at the end of the line.
    _difference(
        "unfinished chunk line",
        "ours",
        rb"chunked.*\n\r\n(.*\n)?[^\n]*[^0-9a-f\n][^\n]*$",
        CHUNKED + b"3\rab",
    ),
    # Not HTTP/1.0 or HTTP/1.1.
    _difference(
        "other protocols",
        "httptools",
        rb"^(?!HTTP/1\.[01] )",
        b"RTSP/1.0 200 OK\r\n\r\n",
    ),
    _difference("leading empty line", "httptools", rb"^\s", b"\r\n" + OK + b"\r\n"),
    _difference(
        "NUL in the reason",
        "httptools",
        rb"^HTTP/1\.[01] ...[^\n]*\x00",
        b"HTTP/1.1 200 \x00\r\n\r\n",
    ),
    _difference(
        "chunks within chunks",
        "httptools",
        rb"chunked[^\n]*chunked|(transfer-encoding:.*){2}",
        OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ),
    _difference(
        "chunk size of 16 digits",
        "httptools",
        rb"\n[0-9a-f]{16}",
        CHUNKED + b"0" * 16 + b"\r\n\r\n",
    ),
)
"""Everything else is accepted by both with the same result, or refused by both."""

Parsed = tuple[int, list[tuple[str, str]], bytes]


def parse_with_ours(data: bytes) -> Parsed | None:
    """Return status, fields and body; ``None`` if refused or without a head."""
    try:
        while (end := find_head_end(data)) >= 0:
            head = parse_head(data[:end])
            data = data[end:]
            if head.status >= 200 or head.status == 101:
                break
        else:
            return None
        if head.framing is Framing.NO_BODY:
            body = b""
        elif head.framing is Framing.LENGTH:
            body = data[: head.content_length]
        elif head.framing is Framing.CLOSE:
            body = data
        else:
            body = b"".join(ChunkedDecoder().feed(data)[0])
    except (InvalidHead, HeadTooLarge, InvalidChunk):
        return None
    return head.status, head.fields, body


class Recorder:
    """Collects the callbacks of httptools for the first final response."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.fields: list[tuple[str, str]] = []
        self.body = b""
        self.status = 0
        self.is_complete = False

    def on_message_begin(self) -> None:
        if not self.is_complete:
            self.fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        # Those of a trailer come after the status.
        if not self.status:
            text = value.decode("latin-1").rstrip(" \t")
            self.fields.append((name.decode("latin-1").lower(), text))

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if not self.status and (status >= 200 or status == 101):
            self.status = status

    def on_body(self, data: bytes) -> None:
        if not self.is_complete:
            self.body += data

    def on_message_complete(self) -> None:
        self.is_complete = self.status > 0


def parse_with_httptools(data: bytes) -> Parsed | None:
    """Return what ``parse_with_ours`` returns, by the callbacks of httptools."""
    recorder = Recorder()
    try:
        recorder.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        if not recorder.is_complete:
            return None
    if not recorder.status:
        return None
    return recorder.status, recorder.fields, recorder.body


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: one.name)
def test_the_parsers_differ_on_purpose(difference: Difference) -> None:
    assert difference.pattern.search(difference.example)
    ours = parse_with_ours(difference.example)
    theirs = parse_with_httptools(difference.example)
    assert (ours is not None) is (difference.accepted_by == "ours")
    assert (theirs is not None) is (difference.accepted_by == "httptools")


STATUS_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 206",
        b"HTTP/1.1 404 ",
        b"HTTP/1.1 304 x",
        b"HTTP/1.1 99 x",
    ]
)
HEADER_LINES = st.sampled_from(
    [
        b"Content-Length: 3",
        b"Content-Length: 0",
        b"Content-Length: +3",
        b"content-length:\t3 ",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"transfer-encoding: gzip, Chunked",
        b"Connection: close",
        b"X: a",
        b"X: \xe4",
        b"X:",
        b"X : a",
        b"no colon",
        b"X: \x00",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"abc",
        b"abcdef",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n",
        b"3\r\nab",
        b"g\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
    ]
)


@given(
    STATUS_LINES,
    st.lists(HEADER_LINES, max_size=4),
    BODIES,
    st.none() | st.tuples(st.integers(0, 200), st.binary(max_size=2)),
)
# A bare CR ends no status line, and is no part of one.
@example(b"HTTP/1.1 200 OK", [b"Content-Length: 3"], b"abc", (16, b""))
def test_all_else_is_parsed_as_by_httptools(
    status: bytes,
    lines: list[bytes],
    body: bytes,
    mutation: tuple[int, bytes] | None,
) -> None:
    message = b"\r\n".join([status, *lines, b"", b""]) + body
    if mutation is not None:
        at, replacement = mutation
        at %= len(message)
        message = message[:at] + replacement + message[at + 1 :]
    if any(difference.pattern.search(message) for difference in DIFFERENCES):
        return
    assert parse_with_ours(message) == parse_with_httptools(message)
