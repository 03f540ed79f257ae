"""Patterns: expansions, text that is not a pattern, and bounded memory."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.request import BadRequestLine
from tui.sources.patterns import PATTERN_LIMIT, check_pattern, escape, expand, from_curl
from tui.sources.readers.text_list import parse_text


def read(text: str) -> tuple[list[tuple[str, str | None, str | None]], list[str]]:
    items = list(parse_text(text.split("\n"), "l"))
    good = [i for i in items if not isinstance(i, BadRequestLine)]
    bad = [str(i) for i in items if isinstance(i, BadRequestLine)]
    return [(r.url, r.directory, r.name) for r in good], bad


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{1..3}", ["1", "2", "3"]),
        ("{08..10}", ["08", "09", "10"]),
        ("{10..1..4}", ["10", "6", "2"]),
        ("{-1..1}", ["-1", "0", "1"]),
        ("{a..e..2}", ["a", "c", "e"]),
        ("{Y..Z}", ["Y", "Z"]),
        ("{a,b-c,}", ["a", "b-c", ""]),
        ("{a,b}{1..2}", ["a1", "a2", "b1", "b2"]),
        (r"\{a,b}", ["{a,b}"]),
        (r"\\{a,b}", [r"\{a,b}"]),
        ("?q={1..2}", ["?q=1", "?q=2"]),
    ],
)
def test_pattern_expands(text, found):
    assert expand(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{id}",
        "{,,}",
        "{1..}",
        "{a..Z}",
        "{1..b}",
        '{"a":1,"b":2}',
        "{a, b}",
        "{{a}}",
        "?fields={id,name}",
        "%7B1..3%7D",
        "{z}/{x}/{y}",
        "{1..99999999999999999999}",
    ],
)
def test_braces_in_real_urls_are_kept(text):
    assert expand(text) == [text]
    assert check_pattern(f"https://a/{text.replace(' ', '')}")


def test_hosts_may_be_patterns():
    assert read("http://m{1..2}.example/x")[0] == [
        ("http://m1.example/x", None, None),
        ("http://m2.example/x", None, None),
    ]
    assert read("http://m{1..2}.example:x/")[1] == [
        "l:1: the port of the URL must be between 1 and 65535"
    ]


def test_names_folders_and_mirrors_expand_alongside():
    text = "http://a/{1..2}\thttp://b/{3..4}\n dir={x,y}\n out={1..2}.z\n"
    assert read(text)[0] == [("http://a/1", "x", "1.z"), ("http://a/2", "y", "2.z")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://a/{1..2}\n out=x", "out= names one file, but the URL expands to 2"),
        ("http://a/{1..2}\n out={1..3}", "out= or dir= expands to 3 names, the URL"),
        ("http://a/{1..2}\thttp://b/x", "the mirrors expand to different numbers"),
        (
            f"http://a/{{1..2}}\n checksum=md5={'0' * 32}",
            "one checksum cannot match 2 files",
        ),
        ("http://a/{1..2}\n dir={..,x}", "dir= must not leave"),
        ("http://a/{1..2}\n dir={.ssh,x}", "dir=: hidden folders are not allowed"),
        ("http://a/{1..2}\n out={,x}", "out= must end in a file name"),
        (
            "http://a/{1..999999}{1..9}",
            "the pattern expands to 8,999,991 URLs; the limit is 100,000",
        ),
        (
            f"http://a/{'b' * 9000}{{1..99999}}",
            "the pattern expands to 99,999 URLs that",
        ),
    ],
)
def test_mismatched_patterns_are_errors(text, why):
    found, (expected, *more) = read(text)
    assert (found, more) == ([], [])
    assert expected.startswith(f"l:1: {why}")


@pytest.mark.alone
def test_limit_is_checked_before_expanding():
    tracemalloc.start()
    before = time.process_time()
    with pytest.raises(ValueError, match="expands to"):
        expand("{1..999999999999999}" * 3000)
    assert time.process_time() - before < 1
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()
    assert len(expand(f"{{1..{PATTERN_LIMIT}}}")) == PATTERN_LIMIT


def test_curl_ranges_are_converted():
    assert from_curl("http://a/[01-20:3][a-c]") == "http://a/{01..20..3}{a..c}"
    assert from_curl("http://[::1]/[x]") == "http://[::1]/[x]"


@given(st.text(st.sampled_from("{}\\,.ab019?-/ {")))
def test_escape_round_trips(text):
    assert expand(escape(text)) == [text]
