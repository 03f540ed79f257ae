"""Sizes, rates and durations, parsed and formatted."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.text.units import (
    format_clock,
    format_duration,
    format_limit,
    format_rate,
    format_size,
    parse_size,
    size_width,
    use_units,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("1k", 1024),
        ("1K", 1024),
        ("1KiB", 1024),
        ("1kB", 1000),
        ("10M", 10 * 1024**2),
        ("10MB", 10_000_000),
        ("10 MB/s", 10_000_000),
        ("800k/s", 800 * 1024),
        ("1.5G", 3 * 1024**3 // 2),
        ("1.5GiB", 3 * 1024**3 // 2),
        (" 2T ", 2 * 1024**4),
        ("1P", 1024**5),
        ("0.1k", 102),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_sizes_are_parsed_like_aria2_and_curl(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "k", "-1", "1,5M", "1e6", "10X", "1.M", ".5M", "0x10", "٣", "9" * 400, "0.5"],
)
def test_an_invalid_size_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="500k"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "—"),
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1.00 KB"),
        (1000, "1.00 KB"),
        (9_994, "9.99 KB"),
        (9_996, "10.0 KB"),
        (99_960, "100 KB"),
        (999_499, "999 KB"),
        (999_500, "1.00 MB"),
        (6_100_000_000, "6.10 GB"),
        (-1500, "-1.50 KB"),
    ],
)
def test_sizes_are_formatted_with_three_digits(size, text):
    assert format_size(size) == text


@given(st.integers(0, 10**20))
def test_a_formatted_size_fits_its_column_and_can_be_parsed(size):
    text = format_size(size)
    assert len(text) <= 7
    assert re.fullmatch(r"\d{1,3} B|(\d{3}|\d\d\.\d|\d\.\d\d) [KMGTPE]B", text)
    assert math.isclose(parse_size(text), size, rel_tol=0.0051)


def test_rates_are_sizes_per_second():
    assert format_rate(41_200_000) == "41.2 MB/s"
    assert format_rate(None) == "—"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (math.nan, "—"),
        (math.inf, "—"),
        (-1, "—"),
        (0, "0s"),
        (38.4, "38s"),
        (59.6, "1m00s"),
        (250, "4m10s"),
        (599, "9m59s"),
        (600, "10m"),
        (7199, "119m"),
        (7200, "2h00m"),
        (7500, "2h05m"),
        (47 * 3600 + 59 * 60, "47h59m"),
        (48 * 3600, "2d00h"),
        (400 * 86400, "400d00h"),
    ],
)
def test_durations_grow_coarser(seconds, text):
    assert format_duration(seconds) == text


def test_a_clock_counts_up_in_hours():
    assert format_clock(0) == "00:00:00"
    assert format_clock(3723.9) == "01:02:03"
    assert format_clock(-5) == "00:00:00"
    assert format_clock(360_000) == "100:00:00"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (999, "999 B"),
        (1000, "0.98 KiB"),
        (1024, "1.00 KiB"),
        (1023 * 1024, "1.00 MiB"),
        (10 * 1024**2, "10.0 MiB"),
        (6_550_000_000, "6.10 GiB"),
    ],
)
def test_binary_units_have_three_digits_and_their_own_names(size, text):
    use_units("iec")
    try:
        assert format_size(size) == text
        assert len(text) <= size_width()
    finally:
        use_units("si")
    assert size_width() == 7


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (40 << 20, "40M"),
        (1536 << 10, "1536k"),
        (3 << 30, "3G"),
        (10_000_000, "10.0 MB/s"),
        (1000, "1.00 KB/s"),
    ],
)
def test_a_limit_is_shown_as_it_was_typed(rate, shown):
    assert format_limit(rate) == shown
