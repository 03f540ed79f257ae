"""The map of a file: complete, in flight and missing parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lines import line_text
from tests.ui.panes_builders import MB, detail, row
from tui.core.download import DownloadState
from tui.core.segment import RangeSet
from tui.ui.panes.segment_map import map_lines, map_marks


@pytest.mark.parametrize(
    ("finished", "heads", "size", "width", "drawn"),
    [
        ([], [], 100, 4, "░░░░"),
        ([(0, 100)], [], 100, 4, "████"),
        ([(0, 25), (50, 75)], [], 100, 4, "█░█░"),
        ([(0, 24)], [], 100, 4, "▓░░░"),
        ([(0, 1)], [], 100, 4, "▒░░░"),
        ([(0, 99)], [], 100, 4, "███▓"),
        ([(0, 30)], [30], 100, 4, "█▶░░"),
        ([(0, 100)], [100], 100, 4, "████"),
        ([(0, 1)], [], 2, 4, "██░░"),
        ([(0, 3)], [], 3, 8, "████████"),
        ([(0, 500)], [], 100, 4, "████"),
        ([], [], 0, 4, ""),
        ([], [], 100, 0, ""),
    ],
)
def test_each_cell_shows_its_part_of_the_file(finished, heads, size, width, drawn):
    assert map_marks(finished, heads, size, width) == drawn


@given(
    st.integers(1, 5000),
    st.integers(1, 200),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=8),
)
def test_the_map_is_full_only_when_the_file_is(size, width, pairs):
    ranges = RangeSet((min(a, size), min(max(a, b), size)) for a, b in pairs if a <= b)
    drawn = map_marks(ranges, [], size, width)
    assert len(drawn) == width
    assert (set(drawn) == {"█"}) == (ranges.total == size)
    assert (set(drawn) == {"░"}) == (ranges.total == 0)


def test_bytes_of_running_ranges_count_as_there():
    drawn = "".join(line_text(line) for line in map_lines(detail(), 20, 1))
    assert drawn == "██████▶░░█▶░░░░░▶░░░"


def test_a_finished_file_is_complete_although_its_ranges_are_gone():
    done = detail(row=row(state=DownloadState.DONE), finished=(), segments=())
    assert line_text(map_lines(done, 8, 1)[0]) == "████████"


def test_a_body_of_unknown_length_has_no_map():
    unknown = detail(row=row(size=None))
    assert "unknown" in line_text(map_lines(unknown, 40, 2)[0])


def test_parts_on_disk_that_are_not_known_are_not_drawn_as_missing():
    restored = row(state=DownloadState.PAUSED, received=70 * MB, connections=0)
    paused = detail(row=restored, finished=(), segments=())
    assert line_text(map_lines(paused, 60, 2)[0]).startswith("Map appears when")
    new = detail(row=restored._replace(received=0), finished=(), segments=())
    assert line_text(map_lines(new, 8, 1)[0]) == "░░░░░░░░"


def test_the_map_wraps_into_lines_of_the_given_width():
    lines = map_lines(detail(row=row(size=10 * MB)), 7, 3)
    assert [len(line_text(line)) for line in lines] == [7, 7, 7]


def test_an_ascii_map_has_only_ascii_characters():
    drawn = line_text(map_lines(detail(), 20, 1, is_ascii=True)[0])
    assert drawn == "######>..#>.....>..."
