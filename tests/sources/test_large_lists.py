"""Compressed lists, and tables in Parquet and Arrow."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tracemalloc

import pytest

from tests.support.command import fetchtui
from tui.core.request import BadRequestLine, DownloadRequest
from tui.demo.script import ResponseScript
from tui.sources import list_file, load
from tui.sources.list_file import load_stream
from tui.sources.load import load_sources
from tui.sources.options import ReadOptions
from tui.sources.readers import columnar, lines
from tui.sources.readers.fields import Columns

SHA = "ab" * 32
TEXT = "http://a/1\nhttp://a/2\n  out=two\n"
CSV = "url,out\nhttp://a/1,\nhttp://a/2,two\n"
JSONL = '"http://a/1"\n{"url": "http://a/2", "out": "two"}\n'
JSON = '["http://a/1", {"url": "http://a/2", "out": "two"}]'


def compress(kind: str, data: bytes) -> bytes:
    if kind == "gz":
        return gzip.compress(data)
    zstd = pytest.importorskip(
        "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    )
    return zstd.compress(data)


def read(path, **how):
    """Read a list; return URLs with names, and errors without the folder."""
    requests, errors = load_sources([str(path)], None, **how)
    return (
        [(request.url, request.name) for request in requests],
        [str(error).replace(f"{path.parent}/", "") for error in errors],
    )


TWO = [("http://a/1", None), ("http://a/2", "two")]


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize(
    ("suffix", "text"),
    [(".txt", TEXT), (".csv", CSV), (".jsonl", JSONL), (".json", JSON), ("", CSV)],
)
def test_every_text_format_may_be_compressed(tmp_path, kind, suffix, text):
    path = tmp_path / f"list{suffix}.{kind}"
    path.write_bytes(compress(kind, text.encode()))
    assert read(path) == (TWO, [])


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_compression_is_found_by_content(tmp_path, kind):
    """Neither a missing nor a wrong suffix matters."""
    hidden = tmp_path / "list.txt"
    hidden.write_bytes(compress(kind, TEXT.encode()))
    assert read(hidden) == (TWO, [])
    plain = tmp_path / f"list.txt.{kind}"
    plain.write_text(TEXT)
    assert read(plain) == (TWO, [])
    stream = io.BytesIO(compress(kind, TEXT.encode()))
    requests, errors = load_sources(["-"], stream)
    assert ([request.url for request in requests], errors) == (
        ["http://a/1", "http://a/2"],
        [],
    )


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_several_members_are_one_list(tmp_path, kind):
    path = tmp_path / f"list.txt.{kind}"
    first, second = TEXT.encode()[:11], TEXT.encode()[11:]
    path.write_bytes(compress(kind, first) + compress(kind, second))
    assert read(path) == (TWO, [])


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_data_that_is_cut_off_or_corrupt_is_an_error(tmp_path, kind):
    name = {"gz": "gzip", "zst": "Zstandard"}[kind]
    data = compress(kind, "".join(f"http://a/{n}\n" for n in range(50_000)).encode())
    path = tmp_path / f"l.txt.{kind}"
    path.write_bytes(data[:-20])
    assert read(path)[1] == [f"l.txt.{kind}: cannot read: its {name} data is cut off"]
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes(200) + data[middle + 200 :])
    *_, error = list_file.load_file(str(path))
    assert str(error) == f"{path}: cannot read: its {name} data is corrupt"
    assert load_sources(["-"], io.BytesIO(data[:-20]))[1]


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_bomb_stops_at_the_limits_of_a_list(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(lines, "LIST_LIMIT", 4 << 20)
    monkeypatch.setattr(list_file, "JSON_LIMIT", 4 << 20)
    path = tmp_path / f"l.txt.{kind}"
    path.write_bytes(compress(kind, b"# " + b"a" * (64 << 20)))
    tracemalloc.start()
    try:
        assert read(path)[1] == [f"l.txt.{kind}: cannot read: larger than 4 MiB"]
        assert tracemalloc.get_traced_memory()[1] < 3 << 20
    finally:
        tracemalloc.stop()
    page = tmp_path / f"l.json.{kind}"
    page.write_bytes(compress(kind, b"[" + b" " * (64 << 20)))
    assert read(page)[1] == [
        f"l.json.{kind}: larger than 4 MiB; use JSON Lines (.jsonl)"
    ]


def test_a_missing_zstandard_package_is_named(tmp_path, monkeypatch):
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "l.txt.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    assert read(path)[1] == [
        "l.txt.zst: cannot read: it is compressed with Zstandard, which needs another"
        " package; pip install 'fetchtui[scale]', or unpack it with unzstd"
    ]


# -- tables ------------------------------------------------------------------------


def write_table(path, columns, kind):
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(columns)
    if kind == "parquet":
        from pyarrow import parquet

        parquet.write_table(table, path, row_group_size=1000)
        return
    new = pyarrow.ipc.new_file if kind == "arrow" else pyarrow.ipc.new_stream
    with new(str(path), table.schema) as writer:
        writer.write_table(table)


KINDS = ["parquet", "arrow", "stream"]


@pytest.mark.parametrize("kind", KINDS)
def test_tables_are_read_by_content(tmp_path, kind):
    path = tmp_path / "list.bin"
    columns = {
        "id": [1, 2],
        "URL": ["http://a/1", "http://a/2"],
        "name": [None, "two"],
        "sha256": [SHA, None],
        "caption": ["x", "y"],
    }
    write_table(path, columns, kind)
    notes: list[str] = []
    requests, errors = load_sources([str(path)], None, notes)
    assert (errors, notes) == ([], [])
    assert [(r.url, r.name, str(r.checksum), r.source) for r in requests] == [
        ("http://a/1", None, f"sha256={SHA}", f"{path}:1"),
        ("http://a/2", "two", "None", f"{path}:2"),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_can_be_chosen(tmp_path, kind):
    path = tmp_path / f"list.{kind}"
    columns = {
        "url": ["http://wrong/", "http://wrong/"],
        "link": ["http://a/1", "http://a/2"],
        "key": [17, 18],
        "hash": [SHA, "ab" * 16],
    }
    write_table(path, columns, kind)
    requests, errors = load_sources(
        [str(path)], None, columns=Columns("link", "key", "HASH")
    )
    assert errors == []
    assert [(r.url, r.name, str(r.checksum)) for r in requests] == [
        ("http://a/1", "17", f"sha256={SHA}"),
        ("http://a/2", "18", "md5=" + "ab" * 16),
    ]


def test_a_binary_digest_is_accepted(tmp_path):
    path = tmp_path / "list.parquet"
    digest = b"\xab" * 32
    write_table(path, {"url": ["http://a/1"], "sha256": [digest]}, "parquet")
    requests, _ = load_sources([str(path)], None)
    assert str(requests[0].checksum) == f"sha256={'ab' * 32}"
    write_table(path, {"url": ["http://a/1"], "hash": [digest]}, "parquet")
    requests, _ = load_sources([str(path)], None, columns=Columns(checksum="hash"))
    assert str(requests[0].checksum) == f"sha256={SHA}"


@pytest.mark.parametrize("kind", [*KINDS, "csv"])
def test_a_missing_column_is_named_with_those_that_exist(tmp_path, kind):
    path = tmp_path / f"l.{kind}"
    if kind == "csv":
        path.write_text("id,link\n1,http://a/1\n")
    else:
        write_table(path, {"id": [1], "link": ["http://a/1"]}, kind)
    where = "l.csv:1" if kind == "csv" else f"l.{kind}"
    assert read(path, columns=Columns("image_url"))[1] == [
        f"{where}: there is no column 'image_url'; the columns are id, link"
    ]
    if kind != "csv":
        assert read(path)[1] == [
            f"{where}: no column is called url; choose one with --url-column NAME;"
            " the columns are id, link"
        ]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json"])
def test_columns_apply_to_text_formats(tmp_path, suffix):
    path = tmp_path / f"l.{suffix}"
    row = {"link": "http://a/1", "key": "one", "hash": SHA, "url": "http://wrong/"}
    texts = {
        "csv": ",".join(row) + "\n" + ",".join(row.values()),
        "jsonl": json.dumps(row),
        "json": json.dumps([row]),
    }
    path.write_text(texts[suffix])
    requests, errors = load_sources(
        [str(path)], None, columns=Columns("link", "key", "hash")
    )
    assert errors == []
    (request,) = requests
    assert (request.url, request.name, str(request.checksum)) == (
        "http://a/1",
        "one",
        f"sha256={SHA}",
    )


def test_wrong_rows_of_a_table_are_named(tmp_path):
    path = tmp_path / "l.parquet"
    write_table(path, {"url": ["http://a/1", None, "nope"]}, "parquet")
    assert read(path)[1] == [
        "l.parquet:2: url is missing",
        "l.parquet:3: not a URL; write http:// or https:// in front of the host",
    ]
    write_table(path, {"url": [1]}, "parquet")
    assert read(path)[1] == ["l.parquet:1: url must be text"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_table_is_an_error(tmp_path, kind):
    path = tmp_path / "l.bin"
    write_table(path, {"url": [f"http://a/{n}" for n in range(5000)]}, kind)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    (error,) = read(path)[1]
    assert error.startswith("l.bin: cannot read: ")
    assert "\n" not in error
    path.write_bytes({"parquet": b"PAR1", "arrow": b"ARROW1"}.get(kind, b"\xff" * 8))
    (error,) = read(path)[1]
    assert error.startswith("l.bin: cannot read: ")


def test_a_table_cannot_come_from_a_pipe():
    pytest.importorskip("pyarrow")
    _, errors = load_sources(["-"], io.BytesIO(b"PAR1 and more"))
    assert list(map(str, errors)) == [
        "stdin: is Parquet or Arrow, which cannot be read from a pipe"
    ]


def test_a_missing_pyarrow_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "l.parquet"
    path.write_bytes(b"PAR1")
    assert read(path)[1] == [
        "l.parquet: Parquet and Arrow lists need pyarrow; pip install 'fetchtui[scale]'"
    ]


def test_a_huge_row_group_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(columnar, "_CHUNK_LIMIT", 1000)
    path = tmp_path / "l.parquet"
    write_table(path, {"url": [f"http://a/{n}" for n in range(1000)]}, "parquet")
    (error,) = read(path)[1]
    assert "write smaller row groups" in error


def test_the_limit_of_downloads_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "ITEM_LIMIT", 3)
    path = tmp_path / "l.parquet"
    write_table(path, {"url": [f"http://a/{n}" for n in range(9)]}, "parquet")
    assert read(path)[1] == ["l.parquet:4: more than 3 downloads; split the list"]


def test_reading_a_table_takes_bounded_memory(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "l.parquet"
    urls = [f"http://a/{n:060d}" for n in range(30_000)]
    write_table(path, {"url": urls, "text": urls}, "parquet")
    del urls
    count = 0
    tracemalloc.start()
    try:
        with open(path, "rb") as stream:
            for item in load_stream(stream, "l", ReadOptions(), "", str(path)):
                count += isinstance(item, DownloadRequest)
                assert not isinstance(item, BadRequestLine)
        assert count == 30_000
        # At once, all requests would take more than 7 MiB.
        assert tracemalloc.get_traced_memory()[1] < 3 << 20
    finally:
        tracemalloc.stop()


async def test_a_parquet_list_is_downloaded(tmp_path, server):
    pytest.importorskip("pyarrow")
    url = server.add("/a", ResponseScript(b"x" * 1000))
    path = tmp_path / "l.parquet"
    write_table(path, {"link": [url], "key": ["x"]}, "parquet")
    ended = await fetchtui(
        "--url-column=link", "--name-column=key", "l.parquet", cwd=tmp_path
    )
    assert ended.status == 0, ended.err
    assert (tmp_path / "x").stat().st_size == 1000
