"""Plain lists: what is accepted and refused, without exceptions."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.request import BadRequestLine, Checksum, DownloadRequest
from tui.sources.readers.lines import LINE_LIMIT, read_lines
from tui.sources.readers.text_list import parse_text

SHA256 = "0123456789abcdef" * 4


def parse(text: str | bytes, notes: list[str] | None = None):
    """Read a whole list; return its requests and its errors as text."""
    data = text.encode() if isinstance(text, str) else text
    items = list(parse_text(read_lines(io.BytesIO(data)), "list.txt", notes))
    requests = [item for item in items if isinstance(item, DownloadRequest)]
    errors = [str(item) for item in items if isinstance(item, BadRequestLine)]
    assert len(requests) + len(errors) == len(items)
    return requests, errors


def urls(text: str | bytes) -> list[str]:
    requests, errors = parse(text)
    assert errors == []
    return [request.url for request in requests]


def test_blank_lines_and_comments_are_skipped():
    text = "# top\n\nhttp://a/1\n   \n  # indented\n\t\nhttp://a/2"
    assert urls(text) == ["http://a/1", "http://a/2"]


def test_request_has_its_line():
    requests, _ = parse("# one\n\nhttp://a/1\n")
    assert requests[0].source == "list.txt:3"


@pytest.mark.parametrize(
    "data",
    [
        b"http://a/1\r\nhttp://a/2\r\n",
        b"\xef\xbb\xbfhttp://a/1\nhttp://a/2\n",
        "http://a/1\r\nhttp://a/2\r\n".encode("utf-16"),
        b"\xfe\xff" + "http://a/1\nhttp://a/2".encode("utf-16-be"),
        b"http://a/1  \nhttp://a/2\t\n",
        b"http://a/1\rhttp://a/2\r",
        b"http://a/1\r\nhttp://a/2\r",
    ],
    ids=[
        "crlf",
        "utf-8 mark",
        "utf-16 as PowerShell",
        "utf-16 big",
        "trailing space",
        "cr",
        "mixed",
    ],
)
def test_encodings_and_line_endings_do_not_matter(data):
    assert urls(data) == ["http://a/1", "http://a/2"]


def test_byte_order_mark_in_the_middle_is_ignored():
    assert urls(b"http://a/1\n\xef\xbb\xbfhttp://a/2\n") == ["http://a/1", "http://a/2"]


def test_tabs_separate_mirrors_and_duplicates_are_dropped():
    requests, errors = parse("http://a/1\thttp://b/1\t\thttp://a/1\n")
    assert errors == []
    assert requests[0].mirrors == ("http://a/1", "http://b/1")


def test_invalid_mirror_is_named_by_position():
    _, errors = parse("http://a/1\tftp://b/1\n")
    assert errors == [
        "list.txt:1: URL 2 on this line: unsupported scheme 'ftp'; only http and https"
    ]


def test_options_apply_to_the_url_above():
    requests, errors = parse(
        "http://a/1\n"
        "  out=one.iso\n"
        "\tdir = images/new\n"
        f"  checksum=sha-256={SHA256}\n"
        "  header=X-One: 1\n"
        "  header=X-Two: a:b\n"
        "http://a/2\n"
    )
    assert errors == []
    first, second = requests
    assert first == DownloadRequest(
        ("http://a/1",),
        "one.iso",
        "images/new",
        Checksum("sha256", SHA256),
        (("X-One", "1"), ("X-Two", "a:b")),
        None,
        "list.txt:1",
    )
    assert second == DownloadRequest(("http://a/2",), source="list.txt:7")


@pytest.mark.parametrize(
    ("options", "directory", "name"),
    [
        ("out=a/b", "a", "b"),
        ("out=./b", None, "b"),
        ("out=a//b/c", "a/b", "c"),
        ("dir=x\n out=a/b", "x/a", "b"),
        ("out=a/b\n dir=x", "x/a", "b"),
        ("dir=.\n out=b", None, "b"),
        ("dir=x/./y/", "x/y", None),
        ("out=first\n out=last", None, "last"),
        ("out=name with spaces = and signs", None, "name with spaces = and signs"),
        ("out=.profile", None, ".profile"),
        # Spaces of other scripts become plain ones, as in names from servers.
        ("out=a\u3000b/c\xa0d.txt", "a b", "c d.txt"),
        # A joiner that Persian or an emoji needs is part of the name.
        (
            "out=\u0645\u06cc\u200c\u062e\u0648.pdf",
            None,
            "\u0645\u06cc\u200c\u062e\u0648.pdf",
        ),
    ],
)
def test_output_path_is_split_into_folder_and_name(options, directory, name):
    requests, errors = parse(f"http://a/1\n {options}\n")
    assert errors == []
    assert (requests[0].directory, requests[0].name) == (directory, name)


@pytest.mark.parametrize(
    "option",
    [
        "dir=/etc",
        "dir=../up",
        "dir=a/../../b",
        "dir=~/x",
        "dir=~root",
        "dir=.ssh",
        "dir=a\\..\\b",
        "dir=",
        "dir=a\x1bb",
        "out=/etc/passwd",
        "out=../x",
        "out=a/..",
        "out=a/",
        "out=.",
        "out=.git/config",
        "out=C:\\x",
        "out=",
        "out=a\u202egpj.exe",
        "out=a\u200db",
        "out=a\xa0\u202eb",
        "http-passwd=a\x07b",
        "referer=a\x07b",
        "out=" + "x" * 256,
        "out=" + "é" * 128,
        "checksum=",
        "checksum=sha-256=12",
        "checksum=crc32=12345678",
        "checksum=" + SHA256,
        "header=no colon",
        "header=: empty",
        "header=Bad Name: x",
        "header=Range: bytes=0-1",
        "header=accept-encoding: gzip",
        "header=X: \x07",
        "not an option",
        "=value",
        "example.org/file",
    ],
)
def test_invalid_option_rejects_its_download(option):
    requests, errors = parse(f"http://a/1\n {option}\nhttp://a/2\n")
    assert [request.url for request in requests] == ["http://a/2"]
    assert len(errors) == 1
    assert errors[0].startswith("list.txt:2: ")


def test_all_errors_of_a_download_are_reported():
    _, errors = parse("nonsense\n dir=..\n checksum=x\n")
    assert [text.split(": ")[0] for text in errors] == [
        "list.txt:1",
        "list.txt:2",
        "list.txt:3",
    ]


def test_option_without_a_url_is_an_error():
    _, errors = parse("  out=x\nhttp://a/1\n")
    assert errors == ["list.txt:1: the option out= has no URL above it"]


def test_indented_url_is_a_url():
    assert urls("  http://a/1?x=y\n\thttps://b/2\n") == [
        "http://a/1?x=y",
        "https://b/2",
    ]


def test_aria2_options_for_headers_and_login_are_used():
    requests, errors = parse(
        "http://me:SECRET@a/1#part\n referer=*\n user-agent=mine\n"
        "http://a/2\n http-user=me\n http-passwd=word\n"
        "http://a/3\n header=Referer: http://b/\n referer=http://c/\n"
        " header=Authorization: x\n http-user=me\n"
        "http://a/4\n http-passwd=\n"
        "http://a/5\n referer=http://me:SECRET@b/x?y#z\n"
    )
    assert errors == []
    assert [dict(request.headers) for request in requests] == [
        {"Referer": "http://a/1", "User-Agent": "mine"},
        {"Authorization": "Any-Login bWU6d29yZA=="},
        {"Referer": "http://b/", "Authorization": "x"},
        {},
        {"Referer": "http://b/x?y"},
    ]


@pytest.mark.parametrize(
    "first",
    [
        "$session = New-Object Microsoft.PowerShell.Commands.WebRequestSession",
        "Invoke-WebRequest -UseBasicParsing -Uri 'https://a/x' `",
        'fetch("https://a/x", {',
        'await fetch("https://a/x", {',
    ],
)
def test_copied_scripts_are_one_error_with_what_to_copy_instead(first):
    text = f"http://a/1\n{first}\n  'authority'='a'\n}})\n"
    requests, errors = parse(text)
    assert [request.url for request in requests] == ["http://a/1"]
    (error,) = errors
    assert error.startswith("list.txt:2: a script, not a list")
    assert "Copy as cURL" in error


def test_unsupported_aria2_options_are_noted_once():
    notes: list[str] = []
    requests, errors = parse(
        "http://a/1\n split=5\n SPLIT=6\n gid=12\nhttp://a/2\n split=5\n", notes
    )
    assert (len(requests), errors) == (2, [])
    assert notes == [
        "list.txt:2: ignoring the option split=",
        "list.txt:4: ignoring the option gid=",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("example.org/file.iso", "write http:// or https:// in front"),
        ("localhost:8080", "write http:// or https:// in front"),
        ("www.example.org", "write http:// or https:// in front"),
        ("just some words", "not a URL"),
        ("magnet:?xt=urn:btih:1", "magnet links are not supported"),
        ("https:/example.org/x", "write two slashes after the scheme"),
        ("http:example.org/x", "write two slashes after the scheme"),
        ("ftp://example.org/x", "unsupported scheme 'ftp'"),
        ("file:///etc/passwd", "unsupported scheme 'file'"),
        ("https://", "no host"),
        ("http://a/1 http://a/2", "one per line"),
        ("http://a/one file", "space"),
        ("http://a/\x1b]0;title\x07", "control character"),
        ("http://a/" + "x" * LINE_LIMIT, "longer than"),
    ],
)
def test_invalid_url_has_a_reason(line, reason):
    requests, errors = parse(f"http://ok/\n{line}\n")
    assert [request.url for request in requests] == ["http://ok/"]
    assert len(errors) == 1
    assert errors[0].startswith("list.txt:2: ")
    assert reason in errors[0]


def test_errors_do_not_quote_secrets():
    _, errors = parse(
        "http://me:hunter2@/x\n"
        "http://me:hun/ter2@host/x\n"
        "me:hunter2@example.org\n"
        "http://a/\n"
        " header=Authorization: hunter2\x07\n"
        " header=hunter2\n"
    )
    assert len(errors) == 5
    assert not any("hun" in text for text in errors)


def test_non_utf8_bytes_are_allowed_only_in_comments():
    requests, errors = parse(b"# caf\xe9\nhttp://a/caf\xe9\nhttp://a/2\n out=caf\xe9\n")
    assert requests == []
    assert [text.split(": ")[0] for text in errors] == ["list.txt:2", "list.txt:4"]
    assert all("UTF-8" in text for text in errors)


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 500,
        b"\x7fELF\x02\x01\x01" + bytes(1000),
        "http://a/1\nhttp://a/2\n".encode("utf-16-le"),
        "http://a/1\nhttp://a/2\n".encode("utf-32"),
        b"http://a/1\n" + bytes(100_000),
    ],
    ids=["picture", "program", "utf-16 without mark", "utf-32", "sparse tail"],
)
def test_binary_data_yields_one_error(data):
    _, errors = parse(data)
    assert len(errors) == 1
    assert "binary" in errors[0]


class Endless(io.RawIOBase):
    """A stream without a line feed that is too large to keep in memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return b"x" * size


def test_very_long_line_is_cut_while_reading():
    assert [len(line) for line in read_lines(Endless(100 << 20))] == [LINE_LIMIT + 1]


def test_character_split_between_reads_is_decoded():
    text = "#" + "ä" * 40_000 + "\nhttp://a/ä\n"
    assert list(read_lines(io.BytesIO(text.encode()))) == text.splitlines()


@given(st.text(), st.text())
def test_parser_does_not_raise_for_any_text(head, tail):
    for item in parse_text(f"{head}\n {tail}\nhttp://a/\n {tail}".split("\n"), "x"):
        assert isinstance(item, DownloadRequest | BadRequestLine)
        str(item).encode()


@given(st.binary())
def test_reader_does_not_raise_for_any_bytes(data):
    for mark in (b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        list(parse_text(read_lines(io.BytesIO(mark + data)), "x"))


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=50)
    )
)
def test_lines_round_trip(lines):
    data = "\ufeff" + "\n".join(lines) + "\n"
    assert list(read_lines(io.BytesIO(data.encode()))) == (lines or [""])


names = st.from_regex(r"[a-z][a-z0-9._ -]{0,20}[a-z0-9]", fullmatch=True)
requests_strategy = st.builds(
    DownloadRequest,
    mirrors=st.lists(
        st.from_regex(
            r"https?://[a-z]{1,9}(:[1-9][0-9]{0,3})?/[!-~]{0,30}", fullmatch=True
        ),
        min_size=1,
        max_size=3,
        unique=True,
    ).map(tuple),
    name=st.none() | names,
    directory=st.none() | st.lists(names, min_size=1, max_size=3).map("/".join),
    checksum=st.none() | st.just(Checksum("sha256", SHA256)),
    headers=st.lists(
        st.tuples(
            st.from_regex(r"X-[A-Za-z]{1,8}", fullmatch=True),
            st.from_regex(r"[!-~]([ -~]*[!-~])?", fullmatch=True),
        ),
        max_size=3,
    ).map(tuple),
)


def write(request: DownloadRequest) -> str:
    lines = ["\t".join(request.mirrors)]
    lines += [f"  out={request.name}"] if request.name else []
    lines += [f"  dir={request.directory}"] if request.directory else []
    lines += [f"  checksum={request.checksum}"] if request.checksum else []
    lines += [f"  header={name}: {value}" for name, value in request.headers]
    return "\n".join(lines) + "\n"


@given(st.lists(requests_strategy, max_size=4))
def test_written_list_round_trips(wanted):
    found, errors = parse("".join(map(write, wanted)))
    assert errors == []
    for request, original in zip(found, wanted, strict=True):
        assert write(request) == write(original)
