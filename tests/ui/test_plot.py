"""Sparklines, graphs and axes, character by character."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lines import line_text
from tui.ui.panes.plot import (
    Axis,
    axis_graph,
    axis_labels,
    filled_graph,
    milliseconds,
    spark,
    spread,
    step_above,
)
from tui.ui.panes.throughput import axis_label
from tui.ui.style.format import cells

speeds = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=300)


@pytest.mark.parametrize(
    ("values", "width", "top", "drawn"),
    [
        ([], 4, 0, "    "),
        ([0, 0], 4, 0, "    "),
        ([1, 2, 3, 4, 5, 6, 7, 8], 8, 8, "▁▂▃▄▅▆▇█"),
        ([1, 2, 4, 8], 2, 8, "▄█"),
        ([8], 4, 0, "   █"),
        ([0.001], 1, 1000, "▁"),
        ([99], 1, 8, "█"),
        ([math.nan, math.inf, -1], 3, 8, "   "),
        ([1], 0, 0, ""),
    ],
)
def test_a_spark_shows_the_newest_values_at_the_right(values, width, top, drawn):
    assert spark(values, width, top) == drawn


def test_an_ascii_spark_has_only_ascii_characters():
    assert spark(range(8), 8, is_ascii=True) == " .:-=+*#"


def test_a_braille_graph_is_filled_from_the_bottom():
    assert filled_graph([1, 2, 3, 4, 5, 6, 7, 8], 4, 2, 8) == ["  ⣠⣾", "⣠⣾⣿⣿"]


def test_a_short_history_stands_at_the_right_edge():
    assert filled_graph([4, 4], 3, 1, 4) == ["  ⣿"]


def test_an_ascii_graph_uses_three_shades():
    assert filled_graph([1, 2, 3, 6], 4, 2, 6, is_ascii=True) == ["   #", ".:##"]


def test_a_trickle_is_never_drawn_as_nothing():
    assert filled_graph([1, 1], 1, 1, 1e9) == ["⣀"]


@given(speeds, st.integers(1, 40), st.integers(1, 8), st.booleans())
def test_graphs_and_sparks_always_fill_their_cells_exactly(
    values, width, height, is_ascii
):
    rows = filled_graph(values, width, height, 1e6, is_ascii=is_ascii)
    assert [cells(row) for row in rows] == [width] * height
    assert cells(spark(values, width, is_ascii=is_ascii)) == width


@pytest.mark.parametrize(
    ("values", "columns", "result"),
    [
        ([], 8, []),
        ([1, 2, 3], 2, [2, 3]),
        ([1, 2], 120, [1, 2]),
        ([1, 2], 121, [1, 1, 2, 2]),
        ([1, 2], 300, [1, 1, 1, 2, 2, 2]),
        ([1], 0, []),
    ],
)
def test_a_graph_wider_than_a_full_history_repeats_values(values, columns, result):
    assert spread(values, columns) == result


@pytest.mark.parametrize(
    ("value", "step"),
    [
        (0, 1),
        (1, 1),
        (1.1, 2),
        (2.1, 5),
        (5.1, 10),
        (10, 10),
        (342e6, 500e6),
        (1000.0000000001, 1000),
        (math.inf, 1),
    ],
)
def test_axis_steps_are_one_two_and_five(value, step):
    assert step_above(value) == step


@given(st.floats(0, 1e18))
def test_an_axis_step_is_never_below_its_value_nor_far_above(value):
    step = step_above(value)
    assert step * (1 + 1e-6) >= value
    assert step <= max(1.0, value * 2.5 * (1 + 1e-6))


def test_the_axis_grows_at_once_and_shrinks_after_ten_calm_seconds():
    axis = Axis()
    assert axis.follow(400, 0) == 500
    assert axis.follow(600, 1) == 1000
    assert axis.follow(90, 2) == 1000
    assert axis.follow(90, 11.9) == 1000
    assert axis.follow(90, 12) == 100


def test_a_new_peak_starts_the_wait_again():
    axis = Axis()
    axis.follow(900, 0)
    axis.follow(90, 1)
    axis.follow(900, 10)
    assert axis.follow(90, 12) == 1000
    assert axis.follow(90, 21) == 1000
    assert axis.follow(90, 22) == 100


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.00995, "10 ms"),
        (0.031, "31 ms"),
        (0.9996, "1.0 s"),
        (12, "12.0 s"),
        (math.nan, "0.0 ms"),
    ],
)
def test_short_durations_read_as_milliseconds(seconds, text):
    assert milliseconds(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1, "1 B"), (5e8, "500 MB"), (2.5e6, "2.5 MB")]
)
def test_axis_labels_have_no_needless_digits(value, text):
    assert axis_label(value) == text


@pytest.mark.parametrize(
    ("rows", "labels"),
    [
        (1, ["500 MB"]),
        (2, ["500 MB", "0"]),
        (3, ["500 MB", "", "0"]),
        (5, ["500 MB", "", "250 MB", "", "0"]),
    ],
)
def test_an_axis_names_its_top_its_middle_and_zero(rows, labels):
    assert axis_labels(5e8, rows, axis_label) == labels


@pytest.mark.parametrize("width", [24, 60, 64, 70, 114, 200])
def test_a_full_history_leaves_no_gap_at_the_left(width):
    (line,) = axis_graph([9.0] * 120, width, 1, 10, axis_label)
    assert set(line_text(line).partition("┤")[2]) == {"⣿"}
    assert cells(line_text(line)) == width
