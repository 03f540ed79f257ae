"""CSV, JSON and JSON Lines: the same requests, and each error with its line."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.request import BadRequestLine, DownloadRequest
from tui.sources import list_file
from tui.sources.list_file import load_stream
from tui.sources.load import load_sources
from tui.sources.options import ReadOptions
from tui.sources.readers.csv_list import parse_csv
from tui.sources.readers.fields import Columns
from tui.sources.readers.json_list import parse_json, parse_json_lines

MD5 = "md5=" + "a" * 32


def parse(data: str | bytes, suffix: str, notes: list[str] | None = None):
    """Read a list; return its requests, and its errors as text."""
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    items = list(load_stream(stream, "list", ReadOptions(notes), suffix))
    requests = [item for item in items if isinstance(item, DownloadRequest)]
    return requests, [str(item) for item in items if isinstance(item, BadRequestLine)]


OBJECT = {
    "url": "http://a/1",
    "out": "e/n",
    "dir": "d",
    "header": {"K": "v"},
    "checksum": MD5,
}
OTHER_SPELLING = {
    "mirrors": ["http://a/1"],
    "name": "n",
    "directory": "d/e",
    "headers": ["K: v"],
    "checksum": MD5,
}


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".csv", f"url,out,dir,checksum,header\nhttp://a/1,n,d/e,{MD5},K: v\n"),
        (".csv", f'\ufeffURL;Dir;Out;Checksum;Header\r\nhttp://a/1;"d/e";n;{MD5};K: v'),
        (".csv", f"out\tdir\turl\theaders\tchecksum\nd/e/n\t\thttp://a/1\tK: v\t{MD5}"),
        (".json", json.dumps([OBJECT])),
        (".json", "\n" + json.dumps([OTHER_SPELLING], indent=2) + "\n"),
        (".jsonl", json.dumps(OBJECT) + "\n\n"),
    ],
)
def test_all_formats_give_the_same_requests(suffix, data):
    requests, errors = parse(data, suffix)
    assert errors == []
    (request,) = requests
    assert request.mirrors == ("http://a/1",)
    assert (request.directory, request.name) == ("d/e", "n")
    assert str(request.checksum) == MD5
    assert request.headers == (("K", "v"),)


def test_rows_and_elements_have_their_lines():
    requests, _ = parse("url\nhttp://a/1\n\nhttp://a/2\n", ".csv")
    assert [r.source for r in requests] == ["list:2", "list:4"]
    requests, _ = parse(
        '[\n "http://a/1", "http://a/2",\n\n "http://a/3"\n]\n', ".json"
    )
    assert [r.source for r in requests] == ["list:2", "list:2", "list:4"]
    requests, _ = parse('"http://a/1"\n\n{"url": "http://a/2"}', ".jsonl")
    assert [r.source for r in requests] == ["list:1", "list:3"]


def test_several_urls_of_one_download_are_mirrors():
    requests, _ = parse(
        '[{"urls": ["http://a/1", "http://b/1", "http://a/1"]}]', ".json"
    )
    assert requests[0].mirrors == ("http://a/1", "http://b/1")
    requests, _ = parse('url,out\n"http://a/1\thttp://b/1",x\n', ".csv")
    assert requests[0].mirrors == ("http://a/1", "http://b/1")


def test_repeated_columns_add_headers_and_mirrors():
    requests, errors = parse(
        "url,header,mirrors,headers,mirrors\n"
        "http://a/1,A: 1,http://b/1,B: 2,http://c/1\nhttp://a/2,,,B: 2,\n",
        ".csv",
    )
    assert errors == []
    assert requests[0].headers == (("A", "1"), ("B", "2"))
    assert requests[0].mirrors == ("http://a/1", "http://b/1", "http://c/1")
    assert requests[1].headers == (("B", "2"),)


def test_the_separator_line_of_excel_is_read():
    requests, errors = parse("sep=|\r\nurl|out\r\nhttp://a/1|a;b,c.txt\r\n", ".csv")
    assert errors == []
    assert [(r.url, r.name, r.source) for r in requests] == [
        ("http://a/1", "a;b,c.txt", "list:3")
    ]


def test_passwords_where_names_of_fields_belong_are_not_quoted():
    notes: list[str] = []
    _, errors = parse("http://me:SECRET@a/1,x\nhttp://a/2,y\n", ".csv", notes)
    parse('[{"http://me:SECRET@a/1": 1, "url": "http://a/1"}]', ".json", notes)
    columns = Columns(url="link")
    options = ReadOptions(notes, columns=columns)
    table = io.BytesIO(b"//me:SECRET@a,b\nhttp://a/2,y\n")
    errors += map(str, load_stream(table, "list", options, ".csv"))
    assert len(errors) == 2
    assert "SECRET" not in "".join(errors + notes)


def test_names_of_columns_may_be_urls():
    """As of vocabularies for data on the web."""
    name = "https://schema.org/contentUrl"
    table = io.BytesIO(f"{name},https://schema.org/name\nhttp://a/1,x\n".encode())
    options = ReadOptions([], columns=Columns(url=name))
    (request,) = load_stream(table, "list", options, ".csv")
    assert request.url == "http://a/1"
    requests, errors = parse(f"url,{name}\nhttp://a/1,x\n", ".csv")
    assert ([r.url for r in requests], errors) == (["http://a/1"], [])


def test_unknown_fields_are_noted_once():
    notes: list[str] = []
    parse(
        '[{"url": "http://a/1", "weight": 1}, {"url": "http://a/2", "weight": 2}]',
        ".json",
        notes,
    )
    parse("url,weight\nhttp://a/1,1\n", ".csv", notes)
    assert notes == [
        "list:1: ignoring the unknown field 'weight'",
        "list:1: ignoring the unknown field 'weight'",
    ]


@pytest.mark.parametrize(
    ("suffix", "data", "complaint"),
    [
        (".csv", "", "list:1: the first line must name the columns"),
        (".csv", "http://a/1\n", "list:1: there is no header line; write one, or"),
        (".csv", "a,HTTPS://u:SECRET@a/1\n", "list:1: there is no header line"),
        (".csv", "sep=;\nname;out\n", "list:2: the first line must name the columns"),
        (".csv", "sep=;\nurl;out\nno;x\n", "list:3: not a URL"),
        (
            ".json",
            f'[{{"url": "http://a/1", "size": {"1" * 5000}}}]',
            "list:1: a number",
        ),
        (
            ".jsonl",
            f'{{"url": "http://a/1", "size": {"1" * 5000}}}',
            "list:1: a number",
        ),
        (".csv", "url\nnonsense\n", "list:2: not a URL"),
        (".csv", "url,dir\nhttp://a/1,../x\n", "list:2: dir= must not leave"),
        (".csv", "url,dir\n,x\n", "list:2: url is missing"),
        (".csv", "url\nhttp://a/1,extra\n", "list:2: the row has more cells"),
        (".csv", 'url\n"http://a/1\n', "list:2: invalid CSV"),
        (".csv", 'url\n"http://a/"1\n', "list:2: invalid CSV"),
        (".csv", "url\n" + "x" * 70_000, "list:1: invalid CSV"),
        (".csv", "url\n\0", "list:1: invalid CSV"),
        (".json", "", "list: contains no URLs"),
        (".json", "[]", "list: contains no URLs"),
        (".json", "{}", "list: must be a list"),
        (".json", '["http://a/"', "list:1: expected a comma or ]"),
        (".json", '["http://a/" "http://b/"]', "list:1: expected a comma or ]"),
        (".json", '["http://a/",\n]', "list:2: invalid JSON: Expecting value"),
        (".json", '["http://a/"] x', "list: unexpected text after the list"),
        (".json", "[\n\n7]", "list:3: must be a URL in quotes or an object"),
        (".json", '["ftp://a/"]', "list:1: unsupported scheme"),
        (".json", '[{"out": "x"}]', "list:1: url is missing"),
        (".json", '[{"url": 7}]', "list:1: url must be text"),
        (".json", '[{"url": "http://a/", "md5": 7}]', "list:1: md5 must be text"),
        (
            ".json",
            '[{"url": "http://a/", "size": 1.5}]',
            "list:1: size must be a whole",
        ),
        (
            ".json",
            '[{"url": "http://a/", "size": true}]',
            "list:1: size must be a whole",
        ),
        (".csv", "url,size\nhttp://a/,1.5\n", "list:2: size must be a whole number"),
        (".json", '[{"url": "http://a/", "header": {"X": 1}}]', "list:1: header must"),
        (".json", '[{"url": "http://a/", "out": "\\ud800"}]', "list:1: out= contains"),
        (".json", "[" * 100_000, "list:1: nested too deeply"),
        (".json", b"[\xff\xff]", "list: not JSON in UTF-8"),
        (".jsonl", "{", "list:1: invalid JSON"),
        (".jsonl", '"http://a/' + "x" * 70_000 + '"', "list:1: longer than"),
        # Python 3.14 parses as deep as its stack allows.
        (".jsonl", "[" * 60_000, ("list:1: nested too deeply", "list:1: invalid JSON")),
        (".jsonl", '"http://a/"\n["http://a/"]', "list:2: must be a URL"),
    ],
)
def test_error_has_its_line(suffix, data, complaint):
    _, errors = parse(data, suffix)
    assert len(errors) == 1
    assert errors[0].startswith(complaint)


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".csv", "url,size\nhttp://a/1,5.0\nhttp://a/2,\n"),
        (".json", '["http://a/2", {"url": "http://a/1", "size": 5.0}]'),
        (".jsonl", '{"url": "http://a/1", "size": 5e0}\n{"url": "http://a/2"}\n'),
        (
            ".json",
            '[{"url": "http://a/1", "size": 5}, {"url": "http://a/2", "size": NaN}]',
        ),
    ],
)
def test_whole_numbers_that_became_floats_are_sizes(suffix, data):
    requests, errors = parse(data, suffix)
    assert errors == []
    assert {r.url: r.size for r in requests} == {"http://a/1": 5, "http://a/2": None}


def test_valid_entries_around_an_error_are_read():
    requests, errors = parse('["http://a/1", 7, "http://a/2"]', ".json")
    assert (len(requests), len(errors)) == (2, 1)


def test_oversized_json_is_refused(monkeypatch):
    monkeypatch.setattr(list_file, "JSON_LIMIT", 1 << 20)
    _, errors = parse(b" " * ((1 << 20) + 1), ".json")
    assert errors == ["list: larger than 1 MiB; use JSON Lines (.jsonl)"]


def test_suffix_selects_the_format(tmp_path):
    (tmp_path / "a.CSV").write_text("url\nhttp://a/1\n")
    (tmp_path / "b.json").write_text('["http://a/2"]')
    (tmp_path / "c.jsonl").write_text('"http://a/3"\n')
    (tmp_path / "d.list").write_text("http://a/4\n")
    paths = [str(path) for path in sorted(tmp_path.iterdir())]
    requests, errors = load_sources(paths, None)
    assert errors == []
    assert [r.url for r in requests] == [f"http://a/{n}" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("name", ["a.torrent"])
def test_unsupported_format_is_reported(tmp_path, name):
    (tmp_path / name).write_text("http://a/1\n")
    _, errors = load_sources([str(tmp_path / name)], None)
    assert "files are not supported" in str(errors[0])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("http://a/"),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["url", "mirrors", "out", "dir", "checksum", "header"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(st.lists(json_values), st.text())
def test_any_json_is_handled(values, tail):
    text = json.dumps(values)
    list(parse_json(text + tail, "x"))
    list(parse_json(tail, "x"))
    list(parse_json_lines([*map(json.dumps, values), tail], "x"))


@given(st.lists(st.text()), st.sampled_from(["url,out", "out;url", "", '"']))
def test_any_table_is_handled(rows, header):
    list(parse_csv([header, *rows], "x"))
