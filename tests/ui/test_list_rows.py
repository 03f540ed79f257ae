"""A line of the list: columns, text and width in every state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_service import FakeService
from tui.core.download import DownloadState
from tui.core.listing.query import DownloadQuery
from tui.core.notices import Notice, NoticeCode
from tui.core.text.units import use_units
from tui.ui.list.rows import (
    Piece,
    changed_spans,
    columns_for,
    heading,
    row_pieces,
    status_text,
)
from tui.ui.style.format import appearance_of, bar, cells, fit, middle_ellipsis, percent

_S = DownloadState
WIDTHS = (38, 40, 59, 60, 79, 80, 100, 119, 120, 160, 199, 240)
SPINNER = "⠹"


def line(service: FakeService, id: int, width: int, **options) -> str:
    (row,) = service.rows([id])
    pieces = row_pieces(row, columns_for(width), spinner=SPINNER, **options)
    return "".join(piece.text for piece in pieces)


def every_state() -> FakeService:
    service = FakeService()
    for state in _S:
        service.put(
            f"{state.word}.bin",
            state,
            size=None if state is _S.PROBING else 10_000_000,
            received=5_000_000,
            speed=1_000_000.0,
            retry_in_s=4.0 if state is _S.WAITING else None,
            error="503 Service Unavailable" if state is _S.WAITING else "",
            error_kind="http_5xx" if state is _S.WAITING else "",
        )
    return service


def test_a_queued_row_shows_the_limit_of_a_host_that_refused_more():
    service = every_state()
    queued = next(d for d in service.downloads if d.state is _S.QUEUED)
    (row,) = service.rows([queued.id])
    pieces = row_pieces(row._replace(host_limit=1), columns_for(120), spinner=SPINNER)
    text = "".join(piece.text for piece in pieces)
    assert "waiting: host limited to 1" in text
    assert cells(text) == cells(line(service, queued.id, 120))


@pytest.mark.parametrize("width", WIDTHS)
def test_every_row_is_as_wide_as_the_heading_allows(width):
    service = every_state()
    room = width - 1  # the cursor's cell
    titles = "".join(text for text, _ in heading(columns_for(width), DownloadQuery()))
    assert cells(titles) <= width
    for row in service.downloads:
        assert cells(line(service, row.id, width)) <= room


def test_columns_are_dropped_by_rank_while_name_percent_and_speed_stay():
    gone = []
    for width in range(200, 30, -1):
        columns = columns_for(width)
        assert columns.name >= 8
        assert columns.percent
        assert columns.status
        for column in ("state", "host", "tries", "size", "bar", "eta"):
            if not getattr(columns, column) and column not in gone:
                gone.append(column)
    assert gone == ["state", "host", "tries", "size", "bar", "eta"]


def test_states_are_distinguishable_without_color():
    service = every_state()
    rows = service.rows(range(len(_S)))
    words = [status_text(row)[0] for row in rows]
    assert len(set(words)) == len(_S)
    for width in (60, 80, 120):
        for row, word in zip(rows, words, strict=True):
            assert word in line(service, row.id, width)
    for row in rows:
        assert appearance_of(row.state).word in line(service, row.id, 200)
    looks = [appearance_of(state) for state in _S]
    for part in ("glyph", "ascii_glyph", "word"):
        assert len({getattr(shown, part) for shown in looks}) == len(_S)
    assert all(cells(shown.glyph) == 1 for shown in looks)


def test_a_file_without_a_checksum_is_saved_and_not_verified():
    service = FakeService()
    id = service.put("a.bin", _S.VERIFYING, size=10, received=10)
    (row,) = service.rows([id])
    checked = row._replace(has_checksum=True)
    assert [status_text(each)[0] for each in (row, checked)] == ["saving", "verifying"]


def test_the_state_has_space_for_the_most_connections():
    service = FakeService()
    id = service.put("a.bin", _S.DOWNLOADING, size=10)
    (row,) = service.rows([id])
    pieces = row_pieces(row._replace(connections=16), columns_for(200), spinner="|")
    assert "downloading ×16 " in "".join(piece.text for piece in pieces)


def test_ascii_mode_draws_ascii_only():
    service = every_state()
    for row in service.downloads:
        (snapshot,) = service.rows([row.id])
        for width in (60, 120, 200):
            pieces = row_pieces(
                snapshot, columns_for(width), spinner="|", is_ascii=True
            )
            assert "".join(piece.text for piece in pieces).isascii()


def test_a_failed_row_says_why_in_full_where_it_fits_and_in_short_where_not():
    service = FakeService()
    why = "mirror.example.org answered 404 Not Found: " + "look elsewhere " * 3
    id = service.put("a.pdf", _S.FAILED, status=404, error=why, error_kind="not_found")
    assert "failed: 404 not found" in line(service, id, 120)
    assert "failed 404" in line(service, id, 60)
    service.change(id, error="no such host", error_kind="unknown_host", status=0)
    assert "failed: no such host" in line(service, id, 120)
    assert line(service, id, 60).endswith("  unknown host      ")
    service.change(id, error="sha256 is " + 64 * "0", error_kind="checksum")
    assert "failed: checksum" in line(service, id, 60)
    for width in (59, 60):
        assert line(service, id, width).rstrip().endswith("checksum")
        assert cells(line(service, id, width)) == cells(line(every_state(), 0, width))


def test_a_finished_row_shows_its_note():
    service = FakeService()
    service.put("a.zip", _S.DONE, size=10, received=10)
    plain_row = line(service, 0, 160)
    service.add_note(0, Notice(NoticeCode.UNPACKED, (3, "a\x1b[2J")))
    assert "unpacked into a\ufffd[2J/ (3 entries)" in line(service, 0, 160)
    assert "done: unpacked" in line(service, 0, 80)
    for width in WIDTHS:
        assert cells(line(service, 0, width)) <= width - 1
    assert cells(line(service, 0, 160)) == cells(plain_row)


def test_a_waiting_row_counts_down_and_a_silent_one_says_it_stalls():
    service = FakeService()
    waiting = service.put("a", _S.WAITING, retry_in_s=65.0, error="reset by peer")
    silent = service.put("b", _S.DOWNLOADING, size=10, stalled_s=12.0)
    assert "retry 1m05s: reset by peer" in line(service, waiting, 120)
    assert "stalled 12s" in line(service, silent, 120)


def test_a_row_shows_no_speed_of_0_before_the_first_sample():
    service = FakeService()
    new = service.put("a", _S.DOWNLOADING, size=10, received=6)
    waiting = service.put("b", _S.DOWNLOADING, size=10, stalled_s=1.5)
    assert "0 B/s" not in line(service, new, 120)
    assert "downloading" in line(service, new, 120)
    assert "0 B/s" in line(service, waiting, 120)


def test_an_unknown_length_shows_the_bytes_so_far_and_no_percentage():
    service = FakeService()
    id = service.put("live.log", _S.DOWNLOADING, received=38_200_000, speed=1.0)
    text = line(service, id, 120)
    assert "38.2 MB so far" in text
    assert "%" not in text


def test_the_folder_gives_way_before_the_name_does():
    service = FakeService()
    name = "train-00016-of-00512.parquet"
    id = service.put(name, _S.QUEUED, directory="dataset")
    columns = columns_for(120)
    assert columns.name < len("dataset/") + len(name)
    assert name in line(service, id, 120)
    assert f"dataset/{name}" in line(service, id, 200)


HOSTILE = [
    "[red]not markup[/red].bin",
    "\x1b[31mred\x1b[0m.bin",
    "\x1b]0;title\x07.bin",
    "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字.tar.gz",
    "👩‍🚀 emoji 🇩🇪 👍🏽.zip",
    "gpj.\u202eexe",
    "line\nbreak\rand\ttab",
    "e\u0301" * 60,
    "\ud800 lone surrogate",
    "",
    " ",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_hostile_names_are_one_line_of_the_right_width(name, width):
    service = FakeService()
    plain_id = service.put("a", _S.DOWNLOADING, size=10, received=5, speed=1.0)
    id = service.put(
        name, _S.DOWNLOADING, size=10, received=5, speed=1.0, directory=name
    )
    text = line(service, id, width)
    assert cells(text) == cells(line(service, plain_id, width))
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text)
    text.encode()


@given(st.text(max_size=80), st.integers(0, 60))
def test_cutting_never_makes_a_text_too_wide(text, width):
    assert cells(middle_ellipsis(text, width)) <= max(width, 0) or cells(text) <= width
    assert cells(fit(text, width)) == width


@given(st.floats(0, 1), st.integers(0, 60))
def test_a_bar_has_its_width_and_is_full_only_at_the_end(fraction, width):
    filled, rest = bar(fraction, width)
    assert cells(filled + rest) == width
    if fraction < 1 and width:
        assert filled != "━" * width
    assert percent(fraction) != "100%" or fraction == 1


def test_the_end_of_a_long_name_survives():
    assert middle_ellipsis("gdal-bathymetry-2026.tif", 16).endswith("2026.tif"[-7:])
    assert middle_ellipsis("short.txt", 16) == "short.txt"


_STYLES = st.sampled_from(["text", "dim"])
_BITS = st.lists(st.builds(Piece, st.text("ab日", max_size=3), _STYLES), max_size=6)


def _row(glyph, bits):
    """A row of 40 cells."""
    rest = 39 - sum(cells(piece.text) for piece in bits)
    return (Piece(glyph, "text"), *bits, Piece(" " * rest, "text"))


def _looks(row):
    """Letter and style of each cell."""
    return [
        (letter, piece.style)
        for piece in row
        for letter in piece.text
        for _ in range(cells(letter))
    ]


@given(_BITS, _BITS, st.sampled_from("|/"))
def test_cells_outside_the_changed_spans_look_the_same(before, after, glyph):
    before, after = _row("|", before), _row(glyph, after)
    spans = changed_spans(before, after)
    pairs = zip(_looks(before), _looks(after), strict=True)
    different = {x for x, (old, new) in enumerate(pairs) if old != new}
    assert different <= {x + i for x, width in spans for i in range(width)}
    assert changed_spans(after, after) == []


def test_a_finished_row_shows_its_average_speed_after_its_state():
    service = FakeService()
    id = service.put("a.iso", _S.DONE, size=10, received=10)
    (row,) = service.rows([id])
    fast = row._replace(average=41_200_000.0)
    for width in WIDTHS:
        columns = columns_for(width)
        text = "".join(piece.text for piece in row_pieces(fast, columns, spinner=" "))
        assert cells(text) == cells(line(service, id, width))
        assert "done" in text
        assert ("41.2 MB/s" in text) == (columns.eta > 0)


def test_a_row_whose_host_is_left_alone_for_a_while_says_so():
    service = FakeService()
    id = service.put("a.iso", _S.QUEUED)
    (row,) = service.rows([id])
    blocked = row._replace(is_host_blocked=True)
    for width, text in ((120, "waiting: backing off"), (40, "backing off")):
        pieces = row_pieces(blocked, columns_for(width), spinner=SPINNER)
        shown = "".join(piece.text for piece in pieces)
        assert text in shown
        assert cells(shown) == cells(line(service, id, width))


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (120, "waiting: host limited to 1"),
        (60, "host limited to 1"),
        (40, "waiting"),
    ],
)
def test_a_row_that_waits_for_its_host_says_so_at_every_width(width, text):
    service = FakeService()
    id = service.put("a.iso", _S.QUEUED)
    (row,) = service.rows([id])
    pieces = row_pieces(row._replace(host_limit=1), columns_for(width), spinner=SPINNER)
    shown = "".join(piece.text for piece in pieces)
    assert text in shown
    assert cells(shown) == cells(line(service, id, width))


def test_chosen_columns_are_shown_as_far_as_they_fit():
    service = every_state()
    chosen = ("received", "finished", "host")
    assert [
        title.strip() for title, _ in heading(columns_for(120, chosen), DownloadQuery())
    ] == ["", "Name", "", "Got", "", "Finished", "", "Host"]
    for width in WIDTHS:
        for columns in (columns_for(width, chosen), columns_for(width, ("state",))):
            titles = heading(columns, DownloadQuery())
            room = cells("".join(text for text, _ in titles))
            for row in service.rows(range(len(_S))):
                pieces = row_pieces(row, columns, spinner=SPINNER)
                assert cells("".join(piece.text for piece in pieces)) == room - 1
    assert columns_for(60, chosen).name >= 25
    assert columns_for(60, ("speed",)).status


def test_sizes_in_binary_units_fit_their_column():
    service = FakeService()
    size = 1023 * 1024**2
    id = service.put("a.iso", _S.DOWNLOADING, size=size, received=size)
    before = line(service, id, 120)
    use_units("iec")
    try:
        assert "0.99 GiB" not in before
        assert "1.00 GiB" in line(service, id, 120)
        assert cells(line(service, id, 120)) == cells(before)
    finally:
        use_units("si")
