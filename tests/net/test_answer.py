"""What an answer tells about the file: validator, name, digests, length."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.net.heads import DATE, MIDDLE, OLD, WHOLE, YOUNG, Head, read
from tui.core.errors import PermanentError
from tui.net.resource import read_answer
from tui.net.transports.base import parse_length

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
def test_last_modified_counts_a_minute_after_it_was_set(
    modified: str, date: str, validator: str
) -> None:
    answer = read(last_modified=modified, date=date, etag='W/"weak"')
    assert answer.validator == validator
    assert answer.last_modified == modified
    assert answer.etag == 'W/"weak"'


# -- the rest --------------------------------------------------------------------------


def test_an_encoding_that_nobody_asked_for_is_refused() -> None:
    head = Head(200, {"content-encoding": "gzip"}, is_identity=False)
    with pytest.raises(PermanentError, match="gzip") as caught:
        read_answer(head, WHOLE)
    assert caught.value.kind == "encoding"


def test_an_answer_tells_name_type_and_ranges() -> None:
    answer = read(
        content_disposition="attachment; filename=../a.zip",
        content_type="Text/HTML; charset=utf-8",
        accept_ranges="bytes",
    )
    assert answer.suggested_name == "a.zip"
    assert answer.content_type == "text/html"
    assert answer.accepts_ranges
    bare = read(accept_ranges="none")
    assert bare.suggested_name is None
    assert not bare.accepts_ranges
    assert bare.size is None
    assert bare.digests == ()


def _b64(algorithm: str, data: bytes = b"x") -> str:
    return base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


def test_digests_of_the_whole_file_are_collected_best_first() -> None:
    answer = read(
        repr_digest=f"sha-256=:{_b64('sha256')}:, sha-512=:{_b64('sha512')}:",
        digest=f"MD5={_b64('md5')},SHA={_b64('sha1')},SHA-256={_b64('sha256')}",
        content_digest=f"sha-256=:{_b64('sha256')}:",
    )
    expected = [
        (name, hashlib.new(name, b"x").hexdigest())
        for name in ("sha512", "sha256", "sha1", "md5")
    ]
    assert [(c.algorithm, c.digest) for c in answer.digests] == expected


def test_the_digest_of_a_part_says_nothing_about_the_file() -> None:
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
def test_digests_that_are_broken_or_contradict_each_other_vouch_for_nothing(
    value: str,
) -> None:
    assert read(repr_digest=value).digests == ()


@pytest.mark.parametrize(
    ("values", "length"),
    [
        ([], None),
        (["10"], 10),
        (["0"], 0),
        (["10", "10"], 10),
        (["10, 10"], 10),
        (["10", "11"], None),
        (["10, 11"], None),
        (["-1"], None),
        (["+1"], None),
        (["1.0"], None),
        (["0x10"], None),
        (["1_0"], None),
        (["٣"], None),
        ([""], None),
        (["9" * 30], None),
    ],
)
def test_a_length_is_a_plain_decimal_number_or_unknown(
    values: list[str], length: int | None
) -> None:
    assert parse_length(values) == length
