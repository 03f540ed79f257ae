"""Checksum lists in every format that tools write."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.request import Checksum
from tui.core.text.checksum_list import parse_checksum_list

A, B = "a" * 64, "b" * 64
LONG = "c" * 128


@pytest.mark.parametrize(
    ("line", "name", "digest"),
    [
        (f"{A}  big.iso", "big.iso", A),
        (f"{A} *big.iso", "big.iso", A),
        (f"{A}\tbig.iso", "big.iso", A),
        (f"{A.upper()}  ./big.iso\r", "big.iso", A),
        (f"{LONG}  big.iso", "big.iso", LONG),
        (f"{A}  with  two  spaces", "with  two  spaces", A),
        (f"\\{A}  a\\\\b\\nc", "a\\b\nc", A),
        (f"SHA256 (big.iso) = {A}", "big.iso", A),
        (f"SHA512 (a (1).iso) = {LONG}", "a (1).iso", LONG),
        (f"SHA256(big.iso)= {A}", "big.iso", A),
        (f"SHA2-256(big.iso)= {A}", "big.iso", A),
        (A, "", A),
        (f"  {A}  ", "", A),
        (f"{A}  -", "", A),
        (f"{A} *-", "", A),
        (f"{A}  ./-", "-", A),
    ],
)
def test_every_format_of_a_line_is_parsed(line, name, digest):
    kind = "sha256" if len(digest) == 64 else "sha512"
    assert parse_checksum_list(line + "\n") == {name: Checksum(kind, digest)}


@pytest.mark.parametrize(
    "line",
    [
        "# comment",
        "-----BEGIN PGP SIGNED MESSAGE-----",
        "Hash: SHA256",
        f"{'a' * 40}  sha1.iso",
        f"{'a' * 63}  short.iso",
        f"MD5 (big.iso) = {'a' * 32}",
        f"SHA256 (big.iso) = {LONG}",
        f"SHA512 (big.iso) = {A}",
        "<!DOCTYPE html><title>Not found</title>",
        f"{A}  {'n' * 5000}",
    ],
)
def test_other_lines_are_skipped(line):
    assert parse_checksum_list(f"{line}\n{B}  other\n") == {
        "other": Checksum("sha256", B)
    }


def test_contradictory_digests_are_left_out():
    assert parse_checksum_list(f"{A}  x\n{B}  x\n{A}  x\n{A}  y\n{A}  y\n") == {
        "y": Checksum("sha256", A)
    }


def test_the_stronger_algorithm_has_precedence():
    text = f"SHA256 (x) = {A}\nSHA512 (x) = {LONG}\n"
    assert parse_checksum_list(text) == {"x": Checksum("sha512", LONG)}


@pytest.mark.alone
@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("", f"{A}  some/name/of/a/file-%07d\n"),
        ("", " "),
        (f"{A} ", " "),
        ("SHA256 (" + "(" * 4000 + "\n", "SHA256 (a) = \n"),
        ("", "\n"),
    ],
    ids=["names", "blanks", "blanks after a digest", "no digests", "empty lines"],
)
def test_a_long_list_takes_linear_time(head: str, line: str) -> None:
    def seconds(nbytes: int) -> float:
        text = head + line * (nbytes // len(line))
        before = time.process_time()
        parse_checksum_list(text)
        return time.process_time() - before

    # With quadratic time, it would take 64 times as long.
    assert seconds(4 << 20) < 30 * max(0.01, seconds(512 << 10))


@given(st.text() | st.text(alphabet="abcdef0123456789 *\\()=SHA256\n"))
def test_no_text_raises_an_error(text):
    parse_checksum_list(text)
