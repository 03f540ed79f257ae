"""Sources: URLs, files and standard input, and all their errors."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from tui.sources import load
from tui.sources.load import ERROR_LIMIT, load_sources


def reasons(sources, stdin=None) -> list[str]:
    requests, errors = load_sources(sources, stdin)
    assert requests == []
    return [str(complaint) for complaint in errors]


def test_sources_are_read_in_their_order(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("http://a/2\nhttp://a/3\n")
    requests, errors = load_sources(
        ["http://a/1", str(path), "-"], io.BytesIO(b"http://a/4\n")
    )
    assert errors == []
    assert [(r.url, r.source) for r in requests] == [
        ("http://a/1", "command line"),
        ("http://a/2", f"{path}:1"),
        ("http://a/3", f"{path}:2"),
        ("http://a/4", "stdin:1"),
    ]


def test_invalid_url_is_named_without_credentials():
    assert reasons(["https://me:secret@a:b/x"]) == [
        "https://a:b/x: the port of the URL must be between 1 and 65535"
    ]
    assert reasons(["ftp://a/x"]) == [
        "ftp://a/x: unsupported scheme 'ftp'; only http and https"
    ]


def test_missing_file_that_looks_like_a_host_gets_a_hint():
    assert reasons(["nowhere/list"]) == ["nowhere/list: no such file"]
    assert reasons(["example.org"]) == [
        "example.org: no such file; if it is a URL, write https:// in front"
    ]


def test_directory_is_not_a_list(tmp_path):
    assert reasons([str(tmp_path)]) == [
        f"{tmp_path}: is a directory; name a list file in it"
    ]


def test_unreadable_file_is_an_error(monkeypatch):
    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", path)

    # Simulated, because root may read every file.
    monkeypatch.setattr("os.open", refuse)
    assert reasons(["list.txt"]) == ["list.txt: permission denied"]


@pytest.mark.parametrize("path", ["x" * 5000, "nul\0byte"])
def test_invalid_path_is_an_error(path):
    (reason,) = reasons([path])
    assert "no such file" in reason or "cannot read" in reason
    assert "\0" not in reason


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# only words\n", b"\xef\xbb\xbf"])
def test_empty_list_is_an_error(tmp_path, data):
    path = tmp_path / "list.txt"
    path.write_bytes(data)
    assert reasons([str(path)]) == [f"{path}: contains no URLs"]
    assert reasons(["-"], io.BytesIO(data)) == ["stdin: contains no URLs"]


def test_missing_stdin_is_an_error():
    assert reasons(["-"], None) == ["-: there is no standard input"]
    closed = io.BytesIO()
    closed.close()
    assert reasons(["-"], closed)[0].startswith("stdin: cannot read: ")


def test_stdin_can_be_read_once():
    requests, errors = load_sources(["-", "-"], io.BytesIO(b"http://a/1\n"))
    assert len(requests) == 1
    assert [str(c) for c in errors] == ["-: standard input can be read only once"]


def test_an_empty_source_says_that_it_is_empty():
    # As in fetchtui "$URL", where the variable is not set.
    assert reasons([""]) == ["a source is empty; give a URL, a list file, or -"]


def test_file_names_are_sanitized():
    (reason,) = reasons(["\x1b]0;title\x07"])
    assert reason.isprintable()


def test_list_may_be_a_named_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    # Opened for both ends, so that neither open waits for the other.
    keeper = os.open(path, os.O_RDWR)
    os.write(keeper, b"http://a/1\n")
    reader = os.open(path, os.O_RDONLY)
    os.close(keeper)
    with os.fdopen(reader, "rb") as stream:
        requests, errors = load_sources(["-"], stream)
    assert ([r.url for r in requests], errors) == (["http://a/1"], [])


def test_errors_are_limited_and_the_rest_is_counted():
    data = b"nonsense\n" * 12_345
    requests, errors = load_sources(["-"], io.BytesIO(data))
    assert requests == []
    assert len(errors) == ERROR_LIMIT + 1
    assert str(errors[0]).startswith("stdin:1: not a URL")
    assert str(errors[-1]) == "and 12,325 more errors"


def test_endless_list_stops_at_the_limit(monkeypatch):
    monkeypatch.setattr(load, "ITEM_LIMIT", 100)
    requests, errors = load_sources(
        ["-"], io.BytesIO(b"".join(b"http://a/%d\n" % n for n in range(1000)))
    )
    assert len(requests) == 100
    assert [str(c) for c in errors] == [
        "stdin:101: more than 100 downloads; split the list",
    ]


def test_notes_come_from_every_source(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("http://a/1\n split=4\n")
    notes: list[str] = []
    load_sources([str(path), "-"], io.BytesIO(b"http://a/2\n gid=4\n"), notes)
    assert notes == [
        f"{path}:2: ignoring the option split=",
        "stdin:2: ignoring the option gid=",
    ]


@pytest.mark.alone
def test_a_long_list_takes_linear_time():
    def seconds_for(count):
        line = b"http://127.0.0.1:8080/some/folder/file-%06d.bin\n"
        stream = io.BytesIO(b"".join(line % number for number in range(count)))
        before = time.process_time()
        requests, errors = load_sources(["-"], stream)
        assert (len(requests), errors) == (count, [])
        return time.process_time() - before

    assert seconds_for(100_000) < 40 * seconds_for(10_000)


def test_ctrl_c_between_two_reads_of_standard_input_is_noticed():
    read = (
        "import sys\n"
        "from tui.sources.patient_stream import StandardInput\n"
        "stream = StandardInput(sys.stdin.buffer)\n"
        "while stream.read(1 << 20):\n"
        "    print('read', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", read],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        # Less than it asks for; the signal comes while it may be between two of them.
        process.stdin.write(bytes(1 << 16))
        process.stdin.flush()
        process.stdout.readline()
        process.stdin.write(bytes(1 << 16))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
