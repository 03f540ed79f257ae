"""Waits between attempts, and parsing of Retry-After and HTTP dates."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.net.backoff import (
    CAP_S,
    next_wait_s,
    parse_http_date,
    parse_retry_after,
)

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("failures", "ceiling"), [(1, 0.5), (2, 1), (3, 2), (7, 30), (5000, 30)]
)
def test_the_ceiling_doubles_up_to_its_cap(failures: int, ceiling: float) -> None:
    assert next_wait_s(failures, None, lambda: 1.0) == ceiling
    assert next_wait_s(failures, None, lambda: 0.0) == 0


@given(
    st.integers(0, 10**6),
    st.none() | st.floats(0, 10**9),
    st.floats(0, 1, exclude_max=True),
)
def test_waits_stay_within_bounds(
    failures: int, retry_after: float | None, chance: float
) -> None:
    wait = next_wait_s(failures, retry_after, lambda: chance)
    asked = retry_after or 0.0
    assert asked <= wait <= max(CAP_S, asked)


def test_retry_after_is_honored() -> None:
    assert next_wait_s(1, 7.0, lambda: 0.0) == 7
    assert next_wait_s(9, 7.0, lambda: 1.0) == 30


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        # As good as never; certainly not at once.
        ("99999999999999999999", 1e11),
        ("9" * 400, 1e11),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        ("Sun Nov  6 08:50:37 1994", 60.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("1e3", None),
        ("٣", None),
        ("Sun, 99 Nov 1994 08:50:37 GMT", None),
    ],
)
def test_retry_after_is_parsed_in_both_forms(value: str, wait: float | None) -> None:
    assert parse_retry_after(value, NOW) == wait


@given(st.text(max_size=80) | st.integers().map(str))
def test_any_retry_after_gives_a_wait_or_nothing(value: str) -> None:
    wait = parse_retry_after(value, NOW)
    assert wait is None or 0 <= wait < 10**12


@given(st.text(max_size=80))
def test_any_text_is_a_date_or_none(value: str) -> None:
    at = parse_http_date(value)
    assert at is None or isinstance(at, float)


def test_a_date_without_a_zone_is_not_that_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    assert parse_http_date("Sun Nov  6 08:49:37 1994") == NOW


def test_the_three_date_forms_are_equal() -> None:
    assert parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == NOW
    assert parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == NOW
    assert parse_http_date("Sun Nov  6 08:49:37 1994") == NOW
