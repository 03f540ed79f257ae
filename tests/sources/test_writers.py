"""Written lists round-trip and contain no secrets."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_service import FakeService
from tui.core.download import DownloadState
from tui.core.request import BadRequestLine, Checksum, DownloadRequest, check_url
from tui.sources.list_file import load_stream
from tui.sources.values import parse_folder, parse_output_path
from tui.sources.writers import (
    ListFormat,
    entry_of_detail,
    entry_of_request,
    write_list,
)

FORMATS = [f for f in ListFormat if f is not ListFormat.TEXT]


def write(requests, format: ListFormat) -> str:
    entries = [entry_of_request(request, "why,\n=it failed") for request in requests]
    return "".join(write_list(entries, format, "title\nof it"))


def read(text: str, suffix: str) -> list[DownloadRequest]:
    items = list(load_stream(io.BytesIO(text.encode()), "l", suffix=suffix))
    assert [str(i) for i in items if isinstance(i, BadRequestLine)] == []
    return items


def _is(check, text: str, expected) -> bool:
    try:
        return text == text.rstrip() and check(text) == expected
    except ValueError:
        return False


_LETTERS = st.characters(
    codec="utf-8",
    categories=("L", "N", "P", "S"),
    include_characters=" ",
    exclude_characters="\ufffd",
)
_PLACES = st.text(_LETTERS, min_size=1, max_size=20)
URLS = (
    st.text(st.sampled_from("abz09/?=&%{}\\,.-_~;'\"@ä漢"), max_size=40)
    .map(lambda rest: f"https://host.example/{rest}")
    .filter(lambda url: _is(check_url, url, url))
)
CHECKSUMS = st.sampled_from(
    [
        None,
        Checksum("sha256", "a" * 64),
        Checksum("md5", "b" * 32),
        Checksum("blake2b", "c" * 128),
    ]
)
REQUESTS = st.builds(
    DownloadRequest,
    mirrors=st.lists(URLS, min_size=1, max_size=3, unique=True).map(tuple),
    name=st.none()
    | _PLACES.filter(lambda t: _is(parse_output_path, f"./{t}", (None, t))),
    directory=st.none() | _PLACES.filter(lambda t: _is(parse_folder, f"./{t}", t)),
    checksum=CHECKSUMS,
    headers=st.sampled_from([(), (("Accept-Language", "en, de"),)]),
    size=st.none(),
    source=st.just(""),
    pieces=st.none(),
)


def _same(request: DownloadRequest, **changes) -> tuple:
    expected = {
        "mirrors": request.mirrors,
        "name": request.name,
        "directory": request.directory,
        "checksum": request.checksum,
        "headers": request.headers,
    } | changes
    return tuple(expected.values())


@pytest.mark.parametrize("format", FORMATS)
@given(requests=st.lists(REQUESTS, min_size=1, max_size=4))
def test_written_list_round_trips(format, requests):
    again = read(write(requests, format), format.suffix)
    assert [_same(r) for r in again] == [_same(r) for r in requests]


@pytest.mark.parametrize("format", FORMATS)
@given(requests=st.lists(REQUESTS, min_size=1, max_size=3))
def test_writing_is_idempotent(format, requests):
    text = write(requests, format)
    assert write(read(text, format.suffix), format) == text


@given(st.lists(URLS, min_size=1, max_size=4))
def test_plain_urls_round_trip_with_encoded_braces(urls):
    requests = [DownloadRequest((url,)) for url in urls]
    again = read(write(requests, ListFormat.TEXT), ".txt")
    encoded = [url.replace("{", "%7B").replace("}", "%7D") for url in urls]
    for found, url, alike in zip(again, urls, encoded, strict=True):
        assert found.url in (url, alike)


@pytest.mark.parametrize("format", FORMATS)
def test_size_is_kept_if_the_format_has_a_field_for_it(format):
    (again,) = read(
        write([DownloadRequest(("http://a/",), size=0)], format), format.suffix
    )
    assert again.size == (None if format is ListFormat.ARIA2 else 0)


@pytest.mark.parametrize("format", list(ListFormat))
def test_secrets_are_left_out_with_a_comment(format):
    request = DownloadRequest(
        ("https://ada:geheim@a.example/x?sig=1", "https://b:geheim@b.example/x"),
        headers=(
            ("Authorization", "Bearer geheim"),
            ("Cookie", "geheim=1"),
            ("X-Key", "geheim"),
            ("User-Agent", "Mozilla"),
        ),
    )
    text = write([request], format)
    assert "geheim" not in text
    assert "ada" not in text
    assert "https://a.example/x?sig=1" in text
    if format is ListFormat.TEXT:
        assert text == "https://a.example/x?sig=1\n", "nothing that wget would fetch"
        return
    assert "login removed from the URL" in text
    assert "headers left out: Authorization, Cookie, X-Key" in text


def test_csv_cells_are_not_formulas():
    request = DownloadRequest(("http://a/",), "=1+2.csv", "@sum")
    text = write([request], ListFormat.CSV)
    assert text.count("\r\n") == 2
    header, row = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header[0] == "url"
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
    (again,) = read(text, ".csv")
    assert (again.name, again.directory) == ("=1+2.csv", "@sum")


def test_empty_json_is_valid():
    assert json.loads("".join(write_list([], ListFormat.JSON))) == []
    assert "".join(write_list([], ListFormat.JSON_LINES)) == ""
    text = write([DownloadRequest(("http://a/",))], ListFormat.JSON)
    assert json.loads(text)[0]["url"] == "http://a/"


def test_dashboard_downloads_have_their_state_as_comment():
    service = FakeService()
    long = "https://a.example/" + "x" * 5000
    id = service.put("n", DownloadState.FAILED, url=long, error="no\x1b way")
    detail = service.detail(id)._replace(
        checksum=f"sha256={'0' * 64}", mirrors=("https://b.example/x",)
    )
    text = "".join(write_list([entry_of_detail(detail)], ListFormat.ARIA2))
    assert text.startswith("# no\ufffd way\n")
    (again,) = read(text, ".txt")
    assert again.mirrors == (long, "https://b.example/x")
    assert "checksum=sha-256=" in text, "aria2's spelling"


def test_unwritable_url_becomes_a_comment():
    service = FakeService()
    id = service.put("n", DownloadState.FAILED, url="http://a b/")
    entry = entry_of_detail(service.detail(id))
    assert "not representable" in "".join(write_list([entry], ListFormat.ARIA2))
    assert "".join(write_list([entry], ListFormat.CSV)).count("\n") == 1
