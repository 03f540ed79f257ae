"""Sources by name: URLs, files and standard input, and every way they are wrong."""

from __future__ import annotations

import io
import os
import time

import pytest

from tui.sources import load
from tui.sources.load import COMPLAINT_LIMIT, load_sources


def reasons(sources, stdin=None) -> list[str]:
    requests, complaints = load_sources(sources, stdin)
    assert requests == []
    return [str(complaint) for complaint in complaints]


def test_urls_files_and_standard_input_mix_in_order(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("http://a/2\nhttp://a/3\n")
    requests, complaints = load_sources(
        ["http://a/1", str(path), "-"], io.BytesIO(b"http://a/4\n")
    )
    assert complaints == []
    assert [(r.url, r.source) for r in requests] == [
        ("http://a/1", "command line"),
        ("http://a/2", f"{path}:1"),
        ("http://a/3", f"{path}:2"),
        ("http://a/4", "stdin:1"),
    ]


def test_a_bad_url_is_named_without_its_credentials():
    assert reasons(["https://me:secret@a:b/x"]) == [
        "https://a:b/x: the port of the URL is no number from 1 to 65535"
    ]
    assert reasons(["ftp://a/x"]) == [
        "ftp://a/x: unsupported scheme 'ftp'; only http and https"
    ]


def test_a_missing_file_is_said_and_a_bare_host_gets_a_hint():
    assert reasons(["nowhere/list"]) == ["nowhere/list: no such file"]
    assert reasons(["example.org/a.iso"]) == [
        "example.org/a.iso: no such file; if it is a URL, write https:// in front"
    ]


def test_a_directory_is_no_list(tmp_path):
    assert reasons([str(tmp_path)]) == [
        f"{tmp_path}: this is a directory; name a list file in it"
    ]


def test_a_file_without_permission_is_said(monkeypatch):
    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", path)

    # Asked of a stand-in, because root may read every file.
    monkeypatch.setattr("builtins.open", refuse)
    assert reasons(["list.txt"]) == ["list.txt: no permission to read it"]


@pytest.mark.parametrize("path", ["x" * 5000, "nul\0byte", ""])
def test_a_path_that_the_system_refuses_is_said(path):
    (reason,) = reasons([path])
    assert "no such file" in reason or "cannot be read" in reason
    assert "\0" not in reason


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# only words\n", b"\xef\xbb\xbf"])
def test_an_empty_list_is_said(tmp_path, data):
    path = tmp_path / "list.txt"
    path.write_bytes(data)
    assert reasons([str(path)]) == [f"{path}: no URLs in it"]
    assert reasons(["-"], io.BytesIO(data)) == ["stdin: no URLs in it"]


def test_standard_input_that_is_not_there_is_said():
    assert reasons(["-"], None) == ["-: there is no standard input"]
    closed = io.BytesIO()
    closed.close()
    assert reasons(["-"], closed)[0].startswith("stdin: cannot be read: ")


def test_standard_input_is_read_once():
    requests, complaints = load_sources(["-", "-"], io.BytesIO(b"http://a/1\n"))
    assert len(requests) == 1
    assert [str(c) for c in complaints] == ["-: standard input can be read only once"]


def test_names_of_files_reach_the_terminal_disarmed():
    (reason,) = reasons(["\x1b]0;title\x07"])
    assert reason.isprintable()


def test_a_list_may_come_from_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    # Opened for both ends, so that neither open waits for the other.
    keeper = os.open(path, os.O_RDWR)
    os.write(keeper, b"http://a/1\n")
    reader = os.open(path, os.O_RDONLY)
    os.close(keeper)
    with os.fdopen(reader, "rb") as stream:
        requests, complaints = load_sources(["-"], stream)
    assert ([r.url for r in requests], complaints) == (["http://a/1"], [])


def test_complaints_are_bounded_and_the_rest_is_counted():
    data = b"nonsense\n" * 12_345
    requests, complaints = load_sources(["-"], io.BytesIO(data))
    assert requests == []
    assert len(complaints) == COMPLAINT_LIMIT + 1
    assert str(complaints[0]).startswith("stdin:1: not a URL")
    assert str(complaints[-1]) == "and 12,325 more that cannot be read"


def test_an_endless_list_ends(monkeypatch):
    monkeypatch.setattr(load, "ITEM_LIMIT", 100)
    requests, complaints = load_sources(
        ["-"], io.BytesIO(b"".join(b"http://a/%d\n" % n for n in range(1000)))
    )
    assert len(requests) == 100
    assert [str(c) for c in complaints] == [
        "stdin:101: more than 100 downloads; split the list",
    ]


def test_notes_come_from_every_source(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("http://a/1\n split=4\n")
    notes: list[str] = []
    load_sources([str(path), "-"], io.BytesIO(b"http://a/2\n gid=4\n"), notes)
    assert notes == [
        f"{path}:2: the option split= is ignored",
        "stdin:2: the option gid= is ignored",
    ]


def test_a_hundred_thousand_lines_take_less_than_a_second():
    line = b"http://127.0.0.1:8080/some/folder/file-%06d.bin\n"
    stream = io.BytesIO(b"".join(line % number for number in range(100_000)))
    before = time.process_time()
    requests, complaints = load_sources(["-"], stream)
    took_s = time.process_time() - before
    assert (len(requests), complaints) == (100_000, [])
    assert took_s < 1
