"""An answer is believed only where it says exactly what was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.net.heads import DATE, MIDDLE, OLD, REST, URL, WHOLE, Head, fault, read
from tui.core.errors import ErrorKind, FetchError, PermanentError, TransientError
from tui.core.text.plain_text import plain
from tui.net.resource import RangeRefused, ResourceInfo, read_answer
from tui.net.session import GetRequest

# -- what status is no file ------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (101, "http_status"),
        (102, "http_status"),
        (201, "http_status"),
        (202, "http_status"),
        (203, "http_status"),
        (204, "http_status"),
        (205, "http_status"),
        (226, "http_status"),
        (300, "http_status"),
        (302, "http_status"),
        (304, "http_status"),
        (400, "http_4xx"),
        (401, "auth"),
        (403, "auth"),
        (404, "not_found"),
        (407, "auth"),
        (410, "not_found"),
        (412, "http_4xx"),
        (416, "http_4xx"),
        (451, "http_4xx"),
        (600, "http_status"),
        (999, "http_status"),
    ],
)
def test_a_final_status_fails_at_once(status: int, kind: str) -> None:
    error = fault(status)
    assert isinstance(error, PermanentError)
    assert error.kind == kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (408, "http_4xx"),
        (425, "http_4xx"),
        (429, "rate_limited"),
        (500, "http_5xx"),
        (502, "http_5xx"),
        (503, "http_5xx"),
        (522, "http_5xx"),
    ],
)
def test_a_passing_status_is_tried_again(status: int, kind: str) -> None:
    error = fault(status, retry_after="7")
    assert isinstance(error, TransientError)
    assert error.kind == kind
    assert error.retry_after_s == 7
    assert fault(status).retry_after_s is None


def test_a_retry_after_date_is_counted_from_the_servers_own_clock() -> None:
    assert fault(503, retry_after=DATE, date=OLD).retry_after_s == 60
    with pytest.raises(TransientError) as caught:
        read_answer(Head(503, {"retry-after": DATE}), WHOLE, now_wall=784111770.0)
    assert caught.value.retry_after_s == 7


# -- ranges ----------------------------------------------------------------------------


def test_the_range_asked_for_is_taken() -> None:
    answer = read(206, MIDDLE, content_range="bytes 100-199/1000")
    assert (answer.start, answer.end, answer.size) == (100, 200, 1000)
    assert answer.accepts_ranges


def test_less_than_asked_for_and_an_unknown_total_are_legal() -> None:
    answer = read(206, MIDDLE, content_range="bytes 100-149/*")
    assert (answer.start, answer.end, answer.size) == (100, 150, None)
    answer = read(206, REST, content_range="bytes 100-999/1000")
    assert (answer.start, answer.end, answer.size) == (100, 1000, 1000)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes 0-99/1000",
        "bytes 101-199/1000",
        "bytes 100-200/1000",
        "bytes 199-100/1000",
        "bytes 100-199/150",
        "bytes 100-199",
        "bytes 100-/1000",
        "bytes -100/1000",
        "bytes */1000",
        "bytes=100-199/1000",
        "items 100-199/1000",
        "bytes 100-199/1000, bytes 300-399/1000",
        "bytes 0100-0199/+1000",
        "bytes ١٠٠-199/1000",
        "bytes 100-199/99999999999999999999999",
    ],
)
def test_a_part_that_is_not_the_one_asked_for_is_refused(value: str) -> None:
    error = fault(206, MIDDLE, content_range=value)
    assert isinstance(error, PermanentError)
    assert error.kind == "bad_reply"


def test_a_part_whose_length_contradicts_its_range_is_refused() -> None:
    head = Head(206, {"content-range": "bytes 100-199/1000"}, content_length=99)
    with pytest.raises(PermanentError, match="99 bytes for a part of 100"):
        read_answer(head, MIDDLE)


def test_several_parts_in_one_are_refused() -> None:
    error = fault(
        206,
        MIDDLE,
        content_range="bytes 100-199/1000",
        content_type="Multipart/ByteRanges; boundary=x",
    )
    assert error.kind == "bad_reply"


def test_a_part_that_nobody_asked_for_is_refused() -> None:
    assert fault(206, content_range="bytes 0-9/10").kind == "bad_reply"


def test_the_whole_file_instead_of_a_part_means_begin_again() -> None:
    head = Head(200, {"accept-ranges": "bytes"}, content_length=1000)
    answer = read_answer(head, MIDDLE)
    assert (answer.start, answer.end, answer.size) == (0, 1000, 1000)
    assert not answer.accepts_ranges
    changed = GetRequest(URL, start=100, if_range='"v1"')
    assert read_answer(head, changed).accepts_ranges


@pytest.mark.parametrize(
    ("value", "total"),
    [("bytes */1000", 1000), ("bytes */*", None), ("", None), ("bytes */-1", None)],
)
def test_a_range_past_the_end_tells_the_size(value: str, total: int | None) -> None:
    error = fault(416, REST, content_range=value)
    assert isinstance(error, RangeRefused)
    assert error.kind == "range"
    assert error.total == total


# -- anything at all ------------------------------------------------------------------

_TEXT = st.text(st.characters(max_codepoint=255), max_size=60)


@given(
    st.sampled_from([200, 206, 416, 503]),
    st.dictionaries(
        st.sampled_from(
            [
                "content-range",
                "etag",
                "last-modified",
                "date",
                "content-disposition",
                "content-type",
                "repr-digest",
                "digest",
                "retry-after",
                "accept-ranges",
            ]
        ),
        _TEXT,
    ),
    st.sampled_from([WHOLE, MIDDLE, REST]),
)
def test_any_headers_give_an_answer_or_a_classified_error(
    status: int, fields: dict[str, str], target: GetRequest
) -> None:
    outcome: ResourceInfo | FetchError
    try:
        outcome = read_answer(Head(status, fields), target)
    except FetchError as error:
        outcome = error
    if isinstance(outcome, FetchError):
        assert isinstance(outcome.kind, ErrorKind)
        assert str(outcome) == plain(str(outcome))
    else:
        assert outcome.validator == "" or outcome.validator.isascii()
        assert outcome.start in (0, target.start)
