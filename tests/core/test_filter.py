"""The filter language: what matches, what is wrong, and how long it takes."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.download import Download, DownloadState
from tui.core.listing.filter import FilterError, _compile, compile_filter
from tui.core.listing.query import DownloadQuery, SortKey, select_iter
from tui.core.listing.slices import run_at_once
from tui.core.request import DownloadRequest, origin_of

_S = DownloadState


def row(
    id: int, path: str, state: DownloadState, size: int | None, host: str = "a.example"
) -> Download:
    directory, _, name = path.rpartition("/")
    url = f"https://{host}/get/{name}?v=1"
    made = Download(id, DownloadRequest((url,)), origin_of(url), name)
    made.directory = directory
    made.state = state
    made.size = size
    return made


ROWS = [
    row(0, "Images/ubuntu-26.iso", _S.DOWNLOADING, 6 << 30, "releases.ubuntu.example"),
    row(1, "images/fedora 45.iso", _S.FAILED, 1 << 30),
    row(2, "train-0001.parquet", _S.QUEUED, None, "cdn.example"),
    row(3, "train-0002.parquet", _S.WAITING, 500, "cdn.example"),
    row(4, "notes.txt", _S.PAUSED, 10 << 10),
    row(5, "SHA256SUMS", _S.DONE, 0),
    row(6, "is-it.txt", _S.CANCELLED, 20),
    row(7, "probe.bin", _S.PROBING, None),
    row(8, "check.bin", _S.VERIFYING, 1 << 20),
]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("ISO", [0, 1]),
        ("iso images", [0, 1]),
        ("iso -fedora", [0]),
        ("images/ubuntu", [0]),
        ('"fedora 45"', [1]),
        ('-"fedora 45" iso', [0]),
        ('"fedora 4', [1]),
        ("is:failed", [1]),
        ("IS:Failed", [1]),
        ("is:active", [0, 3, 7, 8]),
        ("is:done", [5]),
        ("is:do", [0, 5]),
        ("is:f", [1]),
        ("is:paused,queued", [2, 4]),
        ("is:ended", [1, 5, 6]),
        ("is:unfinished -is:active", [2, 4]),
        ("is:connecting", [7]),
        ("is:saving", [8]),
        ("is:retrying", [3]),
        ("host:cdn", [2, 3]),
        ("-host:example", []),
        ("host:https", []),
        ("name:train", [2, 3]),
        ("name:get", []),
        ("name:images/", [0, 1]),
        ('name:"fedora 45"', [1]),
        ("size:>1G", [0]),
        ("size:>=1G", [0, 1]),
        ("size:<10k", [3, 5, 6]),
        ("size:<=10k", [3, 4, 5, 6]),
        ("size:20..10k", [3, 4, 6]),
        ("size:?", [2, 7]),
        ("-size:?", [0, 1, 3, 4, 5, 6, 8]),
        (r"/train-\d+/", [2, 3]),
        (r"/TRAIN-\d+2/", [3]),
        (r"/fedora \d/", [1]),
        (r"-/\.(iso|parquet|bin)/", [4, 5, 6]),
        ("/train-000", [2, 3]),
        ("/images/ubuntu/", [0]),
        (r"/^notes\.txt$/ is:paused", [4]),
        ("/", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("-", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("https://cdn.example/get", [2, 3]),
        ("foo:bar", []),
        ("[", []),
    ],
)
def test_a_filter_keeps(text, ids):
    assert run_at_once(select_iter(ROWS, DownloadQuery(text=text))) == ids


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("is:", "is: needs a state: queued, probing, downloading"),
        ("is:broken", "unknown state 'broken'; use queued"),
        ("iso -is:x", "unknown state 'x'; use"),
        ("is:done,", "is: needs a state"),
        ("size:", "size: needs >1G, <10k, 1M..1G, or ?"),
        ("size:10M", "size: needs >1G"),
        ("size:>", "size: needs a size such as 500k"),
        ("size:>huge", "'huge' is not a valid size; use 500k, 10M or 1.5G"),
        ("size:1M..", "size: needs a size"),
        ("/(/", "/(/: missing )"),
        ("/[a/", "/[a/: unterminated character set"),
    ],
)
def test_errors_describe_the_problem(text, words):
    with pytest.raises(FilterError) as error:
        compile_filter(text)
    assert str(error.value).startswith(words)


def test_errors_do_not_repeat_control_characters():
    with pytest.raises(FilterError) as error:
        compile_filter("is:\x1b[31mred")
    assert str(error.value).isprintable()


@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_an_error(text):
    try:
        kept = [d.id for d in compile_filter(text)(ROWS)]
    except FilterError as error:
        words, kept = str(error), []
    else:
        words = "none"
    assert words
    assert kept == sorted(kept)


@given(st.sampled_from(["iso", "is:done", "host:cdn", "size:>1k", "/a.b/"]))
def test_a_minus_inverts_a_term(term):
    with_it = run_at_once(select_iter(ROWS, DownloadQuery(text=term)))
    without = run_at_once(select_iter(ROWS, DownloadQuery(text=f"-{term}")))
    assert sorted(with_it + without) == list(range(len(ROWS)))


@pytest.mark.parametrize(
    "pattern",
    ["/(a+)+[bc]/", "/a*a*a*a*[bc]/", "/(a|a)*[bc]/", "-/(a|a)*[bc]/"],
)
def test_a_pattern_that_takes_too_long_is_stopped(pattern):
    rows = [*ROWS, row(9, "a" * 250, _S.QUEUED, None), *ROWS]
    started = time.perf_counter()
    with pytest.raises(FilterError, match="takes too long"):
        run_at_once(select_iter(rows, DownloadQuery(text=pattern)))
    assert time.perf_counter() - started < 20  # without it: years


def test_long_lists_are_filtered_in_slices():
    rows = [row(n, f"file-{n}", _S.QUEUED, None) for n in range(20_000)]
    query = DownloadQuery(text=r"/\d+7\d*x?$/", sort=SortKey.NAME, is_reversed=True)
    work = select_iter(rows, query)
    slices = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            found = end.value
            break
        slices += 1
    assert slices > 1
    assert found == run_at_once(select_iter(rows, query))
    names = sorted((d.name for d in rows if re.search(r"\d7", d.name)), reverse=True)
    assert [rows[id].name for id in found] == names


def test_short_lists_are_filtered_in_one_slice():
    with pytest.raises(StopIteration):
        next(select_iter(ROWS, DownloadQuery(text="iso")))


@pytest.mark.parametrize(
    "pattern",
    [".*2026.*", ".*b|a.*", r"x\.*", r"x\\.*", ".*+b", ".*?b", "(a.*)", ".*", "a.*b"],
)
@given(st.text("ab2x.\\", max_size=6), st.text("ab026", max_size=5))
def test_simplifying_a_pattern_does_not_change_the_result(
    pattern: str, before: str, after: str
) -> None:
    name = f"{before}2026{after}"
    try:
        wanted = re.search(pattern, name) is not None
    except re.error:
        return
    assert (_compile(pattern).search(name) is not None) == wanted


def test_any_text_at_both_ends_is_removed() -> None:
    assert _compile(".*a.*b.*").pattern == "a.*b"
