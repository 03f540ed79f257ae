"""What a response says about the file, and which responses are refused."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.errors import ErrorKind, FetchError, PermanentError, TransientError
from tui.core.text.sanitize import sanitize
from tui.net.request import GetRequest
from tui.net.resource import (
    RangeNotSatisfiable,
    ResourceInfo,
    check_is_plain,
    read_resource_info,
)
from tui.net.transports.base import parse_length

URL = "http://127.0.0.1:81/x"
WHOLE = GetRequest(URL)
MIDDLE = GetRequest(URL, start=100, end=200)
REST = GetRequest(URL, start=100)
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
YOUNG = "Sun, 06 Nov 1994 08:48:38 GMT"
OLD = "Sun, 06 Nov 1994 08:48:37 GMT"


@dataclass
class FakeResponse:
    """A response that no transport received."""

    status: int = 200
    fields: dict[str, str] = field(default_factory=dict)
    content_length: int | None = None
    is_identity: bool = True
    url: str = URL
    has_credentials: bool = False
    has_unsent_credentials: bool = False

    @property
    def header_map(self) -> dict[str, str]:
        return self.fields


def read(status: int = 200, target: GetRequest = WHOLE, **fields: str) -> ResourceInfo:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return read_resource_info(FakeResponse(status, named), target)


def error_for(status: int, target: GetRequest = WHOLE, **fields: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        read(status, target, **fields)
    assert isinstance(caught.value.kind, ErrorKind)
    assert caught.value.status == status
    assert "127.0.0.1:81" in str(caught.value)
    return caught.value


# -- statuses ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (101, "http_status"),
        (102, "http_status"),
        (201, "http_status"),
        (202, "http_status"),
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
def test_a_permanent_status_raises_a_permanent_error(status: int, kind: str) -> None:
    error = error_for(status)
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
def test_a_temporary_status_raises_a_transient_error(status: int, kind: str) -> None:
    error = error_for(status, retry_after="7")
    assert isinstance(error, TransientError)
    assert error.kind == kind
    assert error.retry_after_s == 7
    assert error_for(status).retry_after_s is None


def test_a_retry_after_date_is_relative_to_the_servers_clock() -> None:
    assert error_for(503, retry_after=DATE, date=OLD).retry_after_s == 60
    with pytest.raises(TransientError) as caught:
        read_resource_info(
            FakeResponse(503, {"retry-after": DATE}), WHOLE, now_wall=784111770.0
        )
    assert caught.value.retry_after_s == 7


# -- ranges ----------------------------------------------------------------------------


def test_the_requested_range_is_accepted() -> None:
    info = read(206, MIDDLE, content_range="bytes 100-199/1000")
    assert (info.start, info.end, info.size) == (100, 200, 1000)
    assert info.accepts_ranges


def test_a_shorter_range_and_an_unknown_total_are_accepted() -> None:
    info = read(206, MIDDLE, content_range="bytes 100-149/*")
    assert (info.start, info.end, info.size) == (100, 150, None)
    info = read(206, REST, content_range="bytes 100-999/1000")
    assert (info.start, info.end, info.size) == (100, 1000, 1000)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes 0-99/1000",
        "bytes 101-199/1000",
        "bytes 100-200/1000",
        "bytes 199-100/1000",
        "bytes 100-98/1000",
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
def test_a_range_other_than_the_requested_one_is_refused(value: str) -> None:
    error = error_for(206, MIDDLE, content_range=value)
    assert isinstance(error, PermanentError)
    assert error.kind == "bad_reply"


def test_a_content_length_that_contradicts_the_range_is_refused() -> None:
    head = FakeResponse(206, {"content-range": "bytes 100-199/1000"}, content_length=99)
    with pytest.raises(PermanentError, match="99 bytes for a range of 100"):
        read_resource_info(head, MIDDLE)


def test_a_multipart_response_is_refused() -> None:
    error = error_for(
        206,
        MIDDLE,
        content_range="bytes 100-199/1000",
        content_type="Multipart/ByteRanges; boundary=x",
    )
    assert error.kind == "bad_reply"


def test_a_206_to_a_request_without_range_is_refused() -> None:
    assert error_for(206, content_range="bytes 0-9/10").kind == "bad_reply"


def test_a_200_to_a_range_request_starts_at_zero() -> None:
    head = FakeResponse(200, {"accept-ranges": "bytes"}, content_length=1000)
    info = read_resource_info(head, MIDDLE)
    assert (info.start, info.end, info.size) == (0, 1000, 1000)
    assert not info.accepts_ranges
    changed = GetRequest(URL, start=100, if_range='"v1"')
    assert read_resource_info(head, changed).accepts_ranges


@pytest.mark.parametrize(
    ("value", "total"),
    [("bytes */1000", 1000), ("bytes */*", None), ("", None), ("bytes */-1", None)],
)
def test_a_416_reports_the_size_of_the_file(value: str, total: int | None) -> None:
    error = error_for(416, REST, content_range=value)
    assert isinstance(error, RangeNotSatisfiable)
    assert error.kind == "range"
    assert error.total == total


# -- arbitrary headers ---------------------------------------------------------------

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
def test_any_headers_give_a_result_or_a_classified_error(
    status: int, fields: dict[str, str], target: GetRequest
) -> None:
    outcome: ResourceInfo | FetchError
    try:
        outcome = read_resource_info(FakeResponse(status, fields), target)
    except FetchError as error:
        outcome = error
    if isinstance(outcome, FetchError):
        assert isinstance(outcome.kind, ErrorKind)
        assert str(outcome) == sanitize(str(outcome))
    else:
        assert outcome.validator == "" or outcome.validator.isascii()
        assert outcome.start in (0, target.start)


# -- validators ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("etag", "validator"),
    [
        ('"abc"', '"abc"'),
        ('"a\'b!#~/+="', '"a\'b!#~/+="'),
        ('W/"abc"', ""),
        ('w/"abc"', ""),
        ("abc", ""),
        ('""', ""),
        ('"abc', ""),
        ('"a"b"', ""),
        ('"a", "b"', ""),
        ('"a b"', ""),
        ('"a\x1b"', ""),
        ('"\xe4"', ""),
        ('"' + "a" * 2000 + '"', ""),
        ("", ""),
    ],
)
def test_only_a_strong_etag_identifies_the_bytes(etag: str, validator: str) -> None:
    assert read(etag=etag).validator == validator


@pytest.mark.parametrize(
    ("modified", "date", "validator"),
    [
        (OLD, DATE, OLD),
        (YOUNG, DATE, ""),
        (DATE, OLD, ""),
        (OLD, "", ""),
        (OLD, "yesterday", ""),
        ("yesterday", DATE, ""),
        ("", DATE, ""),
    ],
)
def test_last_modified_is_a_validator_if_it_is_a_minute_old(
    modified: str, date: str, validator: str
) -> None:
    info = read(last_modified=modified, date=date, etag='W/"weak"')
    assert info.validator == validator
    assert info.last_modified == modified
    assert info.etag == 'W/"weak"'


# -- encoding, name, digests, length --------------------------------------------------


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        ("gzip", "gzip"),
        ("X-GZIP", "x-gzip"),
        ("gzip, br", "gzip, br"),
        ("aws-chunked, gzip", "gzip"),
        ("aws-chunked", ""),
        ("none", ""),
        ("binary", ""),
        ("utf-8", ""),
        ("identity", ""),
        ("", ""),
    ],
)
def test_a_content_coding_is_reported(value: str, coding: str) -> None:
    head = FakeResponse(200, {"content-encoding": value})
    info = read_resource_info(head, WHOLE)
    assert info.coding == coding
    if coding:
        with pytest.raises(PermanentError, match="encoded") as caught:
            check_is_plain(info, "http://h/x")
        assert caught.value.kind == "encoding"


def test_a_transfer_coding_is_refused() -> None:
    head = FakeResponse(200, {"transfer-encoding": "gzip, chunked"}, is_identity=False)
    with pytest.raises(PermanentError, match="gzip") as caught:
        read_resource_info(head, WHOLE)
    assert caught.value.kind == "encoding"


def test_a_date_proves_nothing_about_an_encoded_file() -> None:
    dates = {
        "date": "Mon, 02 Jan 2023 00:00:00 GMT",
        "last-modified": "Sun, 01 Jan 2023 00:00:00 GMT",
    }
    assert read_resource_info(FakeResponse(200, dates), WHOLE).validator
    encoded = FakeResponse(200, {**dates, "content-encoding": "gzip"})
    assert not read_resource_info(encoded, WHOLE).validator


def test_203_is_a_200_by_way_of_a_proxy() -> None:
    assert read_resource_info(FakeResponse(203, {}), WHOLE).status == 200


def test_name_type_and_range_support_are_read() -> None:
    info = read(
        content_disposition="attachment; filename=../a.zip",
        content_type="Text/HTML; charset=utf-8",
        accept_ranges="bytes",
    )
    assert info.suggested_name == "a.zip"
    assert info.content_type == "text/html"
    assert info.accepts_ranges
    minimal = read(accept_ranges="none")
    assert minimal.suggested_name is None
    assert not minimal.accepts_ranges
    assert minimal.size is None
    assert minimal.digests == ()


def _b64(algorithm: str, data: bytes = b"x") -> str:
    return base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


def test_digests_of_the_whole_file_are_collected_best_first() -> None:
    info = read(
        repr_digest=f"sha-256=:{_b64('sha256')}:, sha-512=:{_b64('sha512')}:",
        digest=f"MD5={_b64('md5')},SHA={_b64('sha1')},SHA-256={_b64('sha256')}",
        content_digest=f"sha-256=:{_b64('sha256')}:",
    )
    expected = [
        (name, hashlib.new(name, b"x").hexdigest())
        for name in ("sha512", "sha256", "sha1", "md5")
    ]
    assert [(c.algorithm, c.digest) for c in info.digests] == expected


def test_a_content_digest_of_a_206_is_ignored() -> None:
    ranged = {"content_range": "bytes 100-199/1000"}
    digest = f"sha-256=:{_b64('sha256')}:"
    assert read(206, MIDDLE, content_digest=digest, **ranged).digests == ()
    assert len(read(206, MIDDLE, repr_digest=digest, **ranged).digests) == 1


@pytest.mark.parametrize(
    "value",
    [
        "sha-256=:AAAA:",
        "sha-256=:!!!:",
        "crc32=:AAAA:",
        "sha-256",
        "=",
        f"sha-256=:{_b64('sha256')}:, sha-256=:{_b64('sha256', b'y')}:",
    ],
)
def test_invalid_and_contradicting_digests_are_ignored(
    value: str,
) -> None:
    assert read(repr_digest=value).digests == ()


@pytest.mark.parametrize(
    ("value", "length"),
    [
        ("10", 10),
        ("0", 0),
        ("10,10", 10),
        ("10, 10", 10),
        ("10, 11", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("0x10", None),
        ("1_0", None),
        ("٣", None),
        ("", None),
        ("9" * 30, None),
    ],
)
def test_a_content_length_must_be_a_plain_decimal_number(
    value: str, length: int | None
) -> None:
    assert parse_length(value) == length


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2, 2", 2),
        ("2,2,2", 2),
        ("2, 3", None),
        (
            "Sun, 01 Jan 2023 00:00:10 GMT, Sun, 01 Jan 2023 00:00:10 GMT",
            10,
        ),
    ],
)
def test_a_repeated_retry_after_counts_once(value: str, seconds: float | None) -> None:
    fields = {"retry-after": value, "date": "Sun, 01 Jan 2023 00:00:00 GMT"}
    with pytest.raises(TransientError) as caught:
        read_resource_info(FakeResponse(503, fields), WHOLE)
    assert caught.value.retry_after_s == seconds
