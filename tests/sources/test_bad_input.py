"""Invalid lists of every format: errors with file, line and fix."""

from __future__ import annotations

import io
import tracemalloc

import pytest

from tui.core.request import BadRequestLine, DownloadRequest
from tui.sources.list_file import detect_format, load_stream
from tui.sources.load import load_sources
from tui.sources.options import ReadOptions

A = "a" * 64
ML4 = "urn:ietf:params:xml:ns:metalink"


def errors(data: bytes | str, suffix: str = "", **how) -> list[str]:
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    items = load_stream(stream, "l", ReadOptions(**how), suffix)
    return [str(item) for item in items if isinstance(item, BadRequestLine)]


def meta(inside: str, head: str = "") -> str:
    file = f'<file name="x">{inside}<url>http://a/x</url></file>'
    return f'<?xml version="1.0"?>{head}\n<metalink xmlns="{ML4}">\n{file}</metalink>'


BOMB = '<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
REMOTE = '<!DOCTYPE m SYSTEM "http://evil.example/x.dtd">'


@pytest.mark.parametrize(
    ("suffix", "data", "expected"),
    [
        # plain
        (".txt", "http://a/1\nwww.example.org/x\n", "l:2: not a URL; write http"),
        (".txt", "http://a/1\n http://b/2 http://c/3", "l:2: several URLs on one line"),
        (".txt", "http://a/1\n checksum=crc32=12345678", "l:2: checksum must be TYPE="),
        (".txt", "http://a/1\n checksum=md5=12", "l:2: md5 needs 32 hexadecimal digit"),
        (".txt", " out=x\nhttp://a/1", "l:1: the option out= has no URL above"),
        (".txt", b"http://a/1\nhttp://a/\xe4\n", "l:2: not UTF-8; save"),
        (".txt", "http://a/1\n".encode("utf-16-le"), "l: binary data (or UTF-"),
        (".txt", b"http://a/1\n\0\n", "l: binary data"),
        (".txt", b"\x89PNG\r\n\x1a\n\0\0", "l: binary data"),
        (".txt", "http://a/1\r\nhttp://a/2\rnope\n\n", "l:3: not a URL"),
        # tables
        (".csv", "link,out\nhttp://a/1,x\n", "l:1: the first line must name the col"),
        (".csv", "url,out\n,x\n", "l:2: url is missing"),
        (".csv", "url\nhttp://a/1,x\n", "l:2: the row has more cells than the header"),
        (".csv", 'url\n"http://a/1\n', "l:2: invalid CSV, skipping the rest"),
        (".csv", 'url\n"http://a/1"x\n', "l:2: invalid CSV"),
        (".csv", "url,size\nhttp://a/1,-5\n", "l:2: size must be a whole number with"),
        (".csv", "url,size\nhttp://a/1,1e9\n", "l:2: size must be a whole number"),
        (".csv", "url,checksum\nhttp://a/1,crc=1\n", "l:2: checksum must be TYPE=HEX"),
        (".csv", "url,sha256\nhttp://a/1,12\n", "l:2: sha256 needs 64 hexadecimal dig"),
        (".csv", "url,out\nhttp://a/1,../x\n", "l:2: out= must not leave"),
        (".csv", b"url\nhttp://a/\xe4\n", "l:2: the URL contains a space or a control"),
        (".csv", "url\nhttp://a/1\n".encode("utf-16-le"), "l:1: invalid CSV, skip"),
        # JSON
        (".json", '["http://a/1", {"url": "htt', "l:1: invalid JSON: Unterminated"),
        (".json", '["http://a/1",\n "http://a/2"', "l:2: expected a comma or ]"),
        (".json", '["http://a/1",\n 5]', "l:2: must be a URL in quotes or an object"),
        (".json", '{"url": "http://a/1"}', 'l: must be a list: ["https://..."'),
        (".json", '[{"url": "http://a/1", "size": -1}]', "l:1: size must be a whole n"),
        (".json", '[{"url": "http://a/1", "size": true}]', "l:1: size must be a whole"),
        (".json", '[{"url": "http://a/1", "size": 1.5}]', "l:1: size must be a whole"),
        (".json", '[{"url": ["http://a/1", 2]}]', "l:1: url must be text"),
        (".json", "[" * 100_000, "l:1: nested too deeply; skipping the rest"),
        (".json", b'["http://a/\xe4"]', "l: not JSON in UTF-8"),
        (".jsonl", '"http://a/1"\n{"url": ', "l:2: invalid JSON: Expecting value"),
        (".jsonl", '"http://a/1"\n["http://a/2"]', "l:2: must be a URL in quotes or"),
        # Metalink
        (".meta4", meta("", BOMB), "l:1: document types and entities"),
        (".meta4", meta("", OUTSIDE), "l:1: document types and entities"),
        (".meta4", meta("", REMOTE), "l:1: document types and entities"),
        (".meta4", meta("<size>-1</size>"), "l:3: size must be a whole number with"),
        (".meta4", meta('<hash type="md5">12</hash>'), "l:3: md5 needs 32 hexadecimal"),
        (".meta4", meta("")[:-20], "l:3: invalid XML"),
        (".meta4", meta("").replace('"x"', '"../x"'), "l:3: the name must not leave"),
        (".meta4", "<rss></rss>", "l:1: not a Metalink document"),
        # digests, pages, commands
        ("", f"{A}  x\nhttp://a/1\n", "l: is a list of digests; set the URL of its f"),
        ("", "<!doctype html><a href=x>", "l: is an HTML page; choose links with"),
        ("", "http://a/1\ncurl -d x http://a/2\n", "l:2: --data sends data; on"),
        ("", "http://a/1\ncurl 'http://a/2 \\\n -H b\n", "l:2: unclosed quote"),
    ],
)  # fmt: skip
def test_invalid_list_reports_the_line(suffix, data, expected):
    first, *_ = errors(data, suffix)
    assert first.startswith(expected)


def test_latin_1_and_utf_16_are_distinguished():
    text = "url\nhttp://a/ä\n"
    assert errors(text.encode("utf-16"), ".csv") == []
    assert "not UTF-8" in errors("http://a/ä\n".encode("latin-1"))[0]


class LongLine:
    """A stream of one endless line, generated while it is read."""

    def __init__(self, start: bytes, size: int) -> None:
        self.start = start
        self.left = size

    def read(self, size: int, /) -> bytes:
        if self.start:
            start, self.start = self.start, b""
            return start
        size = min(size, self.left)
        self.left -= size
        return b"x" * size


@pytest.mark.parametrize(
    ("suffix", "start", "expected"),
    [
        (".txt", b"http://a/", "l:1: longer than 65536 characters"),
        (".csv", b"url\nhttp://a/", "l:1: invalid CSV, skipping the rest: a line"),
        (".jsonl", b'"http://a/', "l:1: longer than 65536 characters"),
        ("", b"a" * 64 + b"  y\n", "l:2: longer than 65536 characters"),
        (".txt", b"curl http://a/", "l:1: longer than 65536 characters"),
        (".txt", b"curl http://a/ \\\n" * 20_000, "l:1: the command is longer than"),
        (".meta4", f'<metalink xmlns="{ML4}"><file name="x"><url>'.encode(),
         "l:1: an element contains more than 65536 characters"),
    ],
)  # fmt: skip
def test_endless_line_uses_bounded_memory(suffix, start, expected):
    stream = LongLine(start, 32 << 20)
    tracemalloc.start()
    options = ReadOptions(base_url="http://b/")
    (first, *_) = [
        str(item)
        for item in load_stream(stream, "l", options, suffix)
        if isinstance(item, BadRequestLine)
    ]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert first.startswith(expected)
    assert peak < 8 << 20


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("http://a/1", "text"),
        ("# c\n\ncurl http://a", "text"),
        ("\n# c\nurl,out\nhttp://a,b", "csv"),
        ("out;URL", "csv"),
        ('[\n"http://a/1"]', "json"),
        ('{"url": "http://a/1"}', "jsonl"),
        (f"{A}  x", "sums"),
        ("SHA256 (x) = " + A, "sums"),
        ("-----BEGIN PGP SIGNED MESSAGE-----", "sums"),
        (" <html>", "page"),
        ('<?xml version="1.0"?><!-- c --><metalink>', "metalink"),
        ("", "text"),
    ],
)
def test_format_is_detected_from_the_start(data, kind):
    assert detect_format(data.encode()) == kind
    assert detect_format(data.encode("utf-16")) == kind
    assert detect_format(b"\xef\xbb\xbf" + data.encode()) == kind


def load(data: str) -> tuple[list[DownloadRequest], list[str], list[str]]:
    notes: list[str] = []
    requests, wrong = load_sources(["-"], io.BytesIO(data.encode()), notes)
    return requests, [str(complaint) for complaint in wrong], notes


def test_duplicates_are_skipped_with_a_note():
    requests, wrong, notes = load(
        "http://a/1\nhttp://a/2\nhttp://a/1\nhttp://a/1\n out=x\nhttp://a/{1..2}\n"
    )
    assert [(r.url, r.name) for r in requests] == [
        ("http://a/1", None),
        ("http://a/2", None),
        ("http://a/1", "x"),
    ]
    assert wrong == []
    assert notes == [
        "stdin:3: duplicate of stdin:1; skipped",
        "stdin:6: duplicate of stdin:1; skipped",
        "stdin:6: duplicate of stdin:2; skipped",
    ]


def test_many_duplicates_are_counted():
    _, _, notes = load("http://a/1\n" * 1001)
    assert len(notes) == 6
    assert notes[-1] == "995 more duplicates skipped"


def test_contradicting_checksums_are_an_error():
    entry = "http://a/1\n checksum=md5={}\n"
    requests, wrong, notes = load(entry.format("1" * 32) + entry.format("2" * 32))
    assert (len(requests), notes) == (1, [])
    assert wrong == ["stdin:3: same download as stdin:1, but with another checksum"]


def test_lines_without_a_scheme_use_the_base_url():
    data = io.BytesIO(b"a.iso\nsub/b.iso\n  out=c\nhttp://x/d\n")
    requests, _ = load_sources(["-"], data, base_url="https://e.example/rel")
    assert [r.url for r in requests] == [
        "https://e.example/rel/a.iso",
        "https://e.example/rel/sub/b.iso",
        "http://x/d",
    ]
