"""The details of a download in the pane, folded, and in the long form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_service import FakeService
from tests.support.lines import line_text
from tests.ui.dashboards import dashboard
from tests.ui.panes_builders import HOSTILE, MB, PaneApp, detail, drawn, row
from tui.core.diagnosis import Diagnosis, Limit, LimitCause
from tui.core.download import DownloadState
from tui.messages import remedy
from tui.ui.panes.detail import DetailPane, empty_lines
from tui.ui.panes.detail_lines import pane_lines, progress_line, sheet_lines
from tui.ui.panes.pane import line_width
from tui.ui.style.format import cells, wrap

FAILED = detail(
    row=row(
        state=DownloadState.FAILED,
        error="404 Not Found",
        error_kind="not_found",
        status=404,
        speed=0.0,
        connections=0,
        received=0,
    ),
    segments=(),
    finished=(),
)


def as_text(lines) -> str:
    return "\n".join(line_text(line) for line in lines)


def test_the_pane_shows_map_sizes_speed_addresses_and_response():
    text = as_text(pane_lines(detail(), 60, 9))
    for fact in (
        "downloading",
        "41.3%",
        "█▶",
        "826 MB of 2.00 GB  28.7 MB/s  41s",
        "https://cdn-3.example.org/sets/",
        ".parquet.part",
        "HTTP/1.1 206  etag  sha256 pending",
        "3/3 conn",
        "no bytes for 30 s",
    ):
        assert fact in text


@pytest.mark.parametrize("height", [4, 6, 8, 20])
def test_why_it_failed_and_what_to_do_come_first(height):
    text = as_text(pane_lines(FAILED, 60, height)[:height])
    assert "✗ failed" in text
    assert "404 Not Found" in text
    assert remedy("not_found") in text


def test_a_wait_counts_down_and_a_stall_is_shown():
    waiting = detail(row=row(state=DownloadState.WAITING, retry_in_s=4.0))
    assert "retry in 4s" in as_text(pane_lines(waiting, 40, 6))
    stalled = detail(row=row(stalled_s=12.0))
    assert "stalled 12s" in as_text(pane_lines(stalled, 40, 6))


def test_a_checksum_and_a_limit_of_its_own_are_shown():
    text = as_text(pane_lines(detail(checksum_state="mismatch"), 60, 8))
    assert "sha256 mismatch" in text
    text = as_text(pane_lines(detail(rate_limit=2 * MB), 60, 8))
    assert "limit 2.00 MB/s" in text


def test_credentials_in_an_url_are_never_shown():
    secret = "https://ada:lovelace@host.example/file"
    shy = detail(row=row(url=secret), mirrors=(secret,))
    for lines in (pane_lines(shy, 100, 10), sheet_lines(shy, 100)):
        assert "lovelace" not in as_text(lines)
        assert "https://host.example/file" in as_text(lines)


def test_the_sheet_shows_everything():
    text = as_text(sheet_lines(detail(), 100))
    for fact in (
        "Ranges in flight (3)",
        "12.1 MB/s",
        "500 MB to 900 MB",
        "mirror    https://mirror.example.net/train-00017-of-00512.parquet",
        "part file /home/ada/data",
        'validator "5f3a-62c1"',
        "last-modified Mon, 21 Sep 2026 09:00:00 GMT",
        "ab" * 32,
        "try 1",
        "train.txt:17",
    ):
        assert fact in text


@pytest.mark.parametrize("width", [20, 56, 76, 116])
def test_no_line_of_the_sheet_is_wider_than_the_screen(width):
    hostile = detail(
        row=row(name=HOSTILE, url=HOSTILE, error=HOSTILE * 9, error_kind="tls"),
        answer=(("x-" + "y" * 50, HOSTILE * 5),),
        path=HOSTILE * 4,
    )
    lines = sheet_lines(hostile, width)
    assert "\x1b" not in as_text(lines)
    assert "\n" not in "".join(line_text(line) for line in lines)
    if width >= 56:
        assert max(line_width(line) for line in lines) <= width


@given(st.text(max_size=200), st.integers(2, 60))
def test_wrapping_keeps_every_character_within_the_width(text, width):
    rows = wrap(text, width)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    assert all(cells(part) <= width for part in rows)


@pytest.mark.parametrize("size", [(40, 8), (60, 12), (114, 30)])
async def test_the_pane_names_the_file_and_fits(size):
    pane = DetailPane()
    async with PaneApp(pane).run_test(size=size):
        for each in (detail(), FAILED, detail(row=row(name=HOSTILE, size=None))):
            pane.show(each)
            lines = drawn(pane)
            assert {cells(line) for line in lines} == {size[0]}
            assert "[enter]" in lines[0]


async def test_the_empty_pane_teaches():
    pane = DetailPane()
    async with PaneApp(pane).run_test(size=(40, 8)):
        pane.show(None)
        text = "\n".join(drawn(pane))
    assert "enter opens all details." in text


@pytest.mark.parametrize("width", [60, 80, 120])
async def test_folded_it_shows_a_short_map_or_the_error(width):
    pane = DetailPane()
    async with PaneApp(pane).run_test(size=(width, 15)) as pilot:
        pane.is_folded = True
        await pilot.pause()
        for each, fact in (
            (detail(), "█▶"),
            (FAILED, "404 Not Found"),
            (None, "no download"),
        ):
            pane.show(each)
            (line,) = drawn(pane)
            assert fact in line
            assert cells(line) == width


async def test_a_click_on_its_key_asks_for_the_full_screen():
    asked = []

    class Host(PaneApp):
        def on_detail_pane_open_requested(self) -> None:
            asked.append(True)

    pane = DetailPane()
    async with Host(pane).run_test(size=(60, 8)) as pilot:
        pane.show(detail())
        await pilot.click(pane, offset=(drawn(pane)[0].index("[enter]") + 1, 0))
    assert asked == [True]


def test_the_sheet_shows_the_diagnosis_the_speeds_and_keys_to_change_it():
    text = as_text(
        sheet_lines(
            detail(
                diagnosis=Diagnosis(Limit.SERVER, LimitCause.CONNECTIONS, (3,)),
                speeds=(1.0 * MB, 3.0 * MB),
                asked=(("User-Agent", "x"), ("Authorization", "(hidden)")),
            ),
            100,
        )
    )
    assert "now       Limited by the server: 3 connections (> adds one)" in text
    assert "mean 2.00 MB/s, peak 3.00 MB/s" in text
    assert "3 of 3 in flight   > to add one, < to remove one" in text
    assert "limit     none   B to change" in text
    assert "Request" in text
    assert "Authorization (hidden)" in text


def test_a_finished_download_shows_its_times_and_no_validator():
    done = detail(
        row=row(state=DownloadState.DONE, speed=0.0, connections=0),
        segments=(),
        validator="",
        started_at=1_790_000_000.0,
        finished_at=1_790_000_090.0,
    )
    text = as_text(sheet_lines(done, 100))
    assert "(took 1m30s)" in text
    assert "starts again from zero" not in text
    assert "no validator" not in as_text(pane_lines(done, 60, 9))


@pytest.mark.parametrize(
    ("width", "words"),
    [(60, "downloading · limited by server"), (36, "downloading    ")],
)
def test_the_pane_shows_the_diagnosis_if_it_fits(width, words):
    bound = detail(diagnosis=Diagnosis(Limit.SERVER, LimitCause.CONNECTIONS, (3,)))
    assert words in as_text(pane_lines(bound, width, 9))


def test_the_attempts_end_with_the_successful_one():
    done = detail(
        row=row(state=DownloadState.DONE, attempt=3), finished_at=1_760_000_000.0
    )
    lines = as_text(sheet_lines(done, 90)).split("\n")
    (last,) = (line for line in lines if line.startswith("try 3"))
    assert last.endswith("done")


def test_after_a_restore_the_validator_is_unknown_and_not_missing():
    restored = detail(
        row=row(state=DownloadState.PAUSED, connections=0),
        validator="",
        http_version="",
    )
    text = as_text(sheet_lines(restored, 100))
    assert "validator not known until it is requested again" in text
    assert "HTTP 206  validator unknown" in as_text(pane_lines(restored, 60, 9))
    without = restored._replace(http_version="HTTP/1.1")
    assert "none; a resume starts from" in as_text(sheet_lines(without, 100))
    assert "no validator" in as_text(pane_lines(without, 60, 9))


def test_no_map_is_announced_for_a_download_that_ended_without_a_size():
    unknown = row(size=None, received=0, speed=0.0, connections=1)
    running = detail(row=unknown, finished=(), segments=())
    text = as_text(pane_lines(running, 36, 9))
    assert "Size unknown; map when complete" in text
    assert "…" not in text.splitlines()[1]
    assert "0 B/s" not in text, "there is no sample yet"
    ended = unknown._replace(state=DownloadState.FAILED, connections=0)
    text = as_text(pane_lines(detail(row=ended, finished=(), segments=()), 36, 9))
    assert "Size unknown" in text
    assert "map" not in text


@pytest.mark.parametrize(
    ("received", "words"), [(0, "connecting"), (1_500_000, "1.50 MB so far")]
)
async def test_folded_it_shows_what_is_known_without_a_size(received, words):
    pane = DetailPane()
    state = DownloadState.DOWNLOADING if received else DownloadState.PROBING
    unknown = row(state=state, size=None, received=received, speed=0.0)
    async with PaneApp(pane).run_test(size=(80, 8)) as pilot:
        pane.is_folded = True
        pane.show(detail(row=unknown, finished=(), segments=()))
        await pilot.pause()
        (folded,) = drawn(pane)
    assert words in folded
    assert "— of —" not in folded


@pytest.mark.parametrize("width", [40, 60, 120])
async def test_folded_it_has_no_map_of_parts_that_are_not_known(width):
    pane = DetailPane()
    paused = row(state=DownloadState.PAUSED, connections=0, speed=0.0)
    async with PaneApp(pane).run_test(size=(width, 8)) as pilot:
        pane.is_folded = True
        pane.show(detail(row=paused, finished=(), segments=()))
        await pilot.pause()
        (folded,) = drawn(pane)
    assert len(folded) == width
    assert "Map" not in folded
    assert "train" in folded


@pytest.mark.parametrize("size", [(100, 30), (120, 36), (200, 60)])
async def test_the_words_of_the_empty_pane_are_whole(size):
    async with dashboard(FakeService(), size=size) as board:
        text = board.text()
    for words in empty_lines():
        assert words in text


def test_the_response_of_a_failure_has_no_validator():
    assert "validator" not in as_text(sheet_lines(FAILED, 90))


@pytest.mark.parametrize("width", range(20, 50))
def test_the_line_of_the_progress_shows_whole_figures(width):
    text = line_text(progress_line(detail(rate_limit=2 << 20), width))
    assert "…" not in text
    assert " of " in text
