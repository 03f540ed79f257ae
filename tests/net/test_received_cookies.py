"""Cookies that servers set along redirects, and where they may go.

``cases/cookies.json`` and ``cases/cookie_dates.json`` state the cases of the http-state
working group (https://github.com/abarth/http-state, tests/data) in a form of our own:
what a server at ``home.example.org`` sets, the URL asked next, and what it gets.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.net.fetching import fetch
from tui.demo.script import ResponseScript
from tui.net.auth.received_cookies import (
    MAX_COOKIES,
    MAX_HEADER_CHARS,
    ReceivedCookies,
    is_public_suffix,
    parse_cookie_date,
)
from tui.net.request import GetRequest
from tui.net.url import parse_url

if TYPE_CHECKING:
    from tui.demo.server import ScriptedServer
    from tui.net.session import HttpSession

NOW = datetime(2011, 1, 1, tzinfo=UTC).timestamp()
CASES = Path(__file__).parent / "cases"
SET_AT = "http://home.example.org:8888/cookie-parser?x"

# What we send where http-state expects something else, and why.
DIFFERENT: dict[str, str] = {}


def sent(url: str, *lines: str, set_at: str = SET_AT, now: float = NOW) -> str:
    cookies = ReceivedCookies()
    raw = [line.encode().decode("latin-1") for line in lines]
    cookies.store(parse_url(set_at), raw, NOW)
    pairs = cookies.pairs_for(parse_url(url), now)
    return "; ".join(f"{name}={value}" for name, value in pairs)


@pytest.mark.parametrize(
    ("case", "lines", "url", "expected"),
    [
        pytest.param(*row, id=row[0])
        for row in json.loads((CASES / "cookies.json").read_text())
    ],
)
def test_cookies_of_http_state(
    case: str, lines: list[str], url: str, expected: str
) -> None:
    assert sent(url, *lines) == DIFFERENT.get(case, expected)


@pytest.mark.parametrize(
    ("text", "expected"), json.loads((CASES / "cookie_dates.json").read_text())
)
def test_dates_of_http_state(text: str, expected: str | None) -> None:
    found = parse_cookie_date(text)
    assert found == (parsedate_to_datetime(expected).timestamp() if expected else None)


HOST = "https://a.pages.example.co.uk:443/d/x"


@pytest.mark.parametrize(
    ("line", "url", "is_sent"),
    [
        # a host-only cookie
        ("s=1", "https://a.pages.example.co.uk/d/", True),
        ("s=1", "https://evil.a.pages.example.co.uk/d/", False),
        ("s=1", "https://pages.example.co.uk/d/", False),
        ("s=1", "https://a.pages.example.co.uk:8443/d/", False),
        ("s=1", "https://a.pages.example.co.uk/other", False),
        # a domain
        ("s=1; Domain=.example.co.uk", "https://b.example.co.uk/d/", True),
        ("s=1; Domain=EXAMPLE.co.uk", "https://b.example.co.uk/d/", True),
        ("s=1; Domain=co.uk", "https://b.co.uk/d/", False),
        ("s=1; Domain=.co.uk", "https://a.pages.example.co.uk/d/", False),
        ("s=1; Domain=co.uk.", "https://b.co.uk/d/", False),
        ("s=1; Domain=uk", "https://b.co.uk/d/", False),
        ("s=1; Domain=b.example.co.uk", "https://b.example.co.uk/d/", False),
        (
            "s=1; Domain=a.pages.example.co.uk",
            "https://x.a.pages.example.co.uk/d/",
            True,
        ),
        ("s=1; Domain=", "https://a.pages.example.co.uk/d/", True),
        ("s=1; Domain=", "https://x.a.pages.example.co.uk/d/", False),
        # Secure and the prefixes
        ("s=1; Secure=", "http://a.pages.example.co.uk:443/d/", False),
        ("s=1; Secure", "https://a.pages.example.co.uk/d/", True),
        ("__Secure-s=1", "https://a.pages.example.co.uk/d/", False),
        ("__Secure-s=1; secure", "https://a.pages.example.co.uk/d/", True),
        ("__Host-s=1; Secure; Path=/", "https://a.pages.example.co.uk/d/", True),
        ("__Host-s=1; Secure", "https://a.pages.example.co.uk/d/", False),
        (
            "__Host-s=1; Secure; Path=/; Domain=example.co.uk",
            "https://a.pages.example.co.uk/d/",
            False,
        ),
        # attributes of old servers
        ('s=1; Version="1"; Port="80"; Comment="a b"', HOST, True),
        ("s=1; Max-Age=1e9", HOST, True),
        ("s=1; Max-Age=" + "9" * 5000, HOST, True),
        ("s=1; Max-Age=-" + "9" * 5000, HOST, False),
        ("s=1; Expires=whenever", HOST, True),
        # what must not get into a request
        ("s=1\r\nX-Evil: 1", HOST, False),
        ("s=1\x00", HOST, False),
        ("s=" + "x" * 4100, HOST, False),
    ],
)
def test_cookies_go_where_they_belong(line: str, url: str, is_sent: bool) -> None:
    assert bool(sent(url, line, set_at=HOST)) == is_sent


@pytest.mark.parametrize(
    ("domain", "is_public"),
    [
        ("com", True),
        ("co.uk", True),
        ("github.io", True),
        ("xn--p1ai", True),
        ("kawasaki.jp", True),
        ("city.kawasaki.jp", False),
        ("example.com", False),
        ("unlisted", True),
        ("10.0.0.1", False),
    ],
)
def test_public_suffixes(domain: str, is_public: bool) -> None:
    assert is_public_suffix(domain) == is_public


def test_cookies_of_a_public_suffix_stay_with_its_own_host() -> None:
    at = "https://github.io/"
    assert sent(at, "s=1; Domain=github.io", set_at=at) == "s=1"
    assert not sent("https://evil.github.io/", "s=1; Domain=github.io", set_at=at)


def test_cookies_of_an_address_stay_with_it() -> None:
    at = "http://10.0.0.1/"
    assert sent(at, "s=1; Domain=10.0.0.1", set_at=at) == "s=1"
    assert not sent(at, "s=1; Domain=0.0.1", set_at=at)
    assert sent("http://[::1]:8/", "s=1", set_at="http://[::1]:8/") == "s=1"


def test_a_site_may_move_to_https_but_not_set_secure_cookies_before() -> None:
    at = "http://home.example.org/"
    assert sent("https://home.example.org/", "s=1", set_at=at) == "s=1"
    assert not sent("https://home.example.org/", "s=1; Secure", set_at=at)


def test_a_cookie_can_be_set_and_deleted_in_one_response() -> None:
    assert not sent(SET_AT, "s=1", "s=; Max-Age=0")
    assert not sent(SET_AT, "s=1", "s=; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    assert not sent(SET_AT, "s=1; Max-Age=10", now=NOW + 11)


def test_the_number_of_cookies_is_limited() -> None:
    found = sent(SET_AT, *(f"n{i}={'x' * 100}" for i in range(5_000)))
    assert len(found) <= MAX_HEADER_CHARS
    assert found.count("=") <= MAX_COOKIES


@given(st.text(max_size=200))
def test_any_line_is_parsed_or_ignored(line: str) -> None:
    header = sent(SET_AT, line)
    assert not set(header) & {"\r", "\n", "\0"}
    parse_cookie_date(line)


@pytest.mark.parametrize(
    "raw", ["Jürgen".encode(), "Jürgen".encode("latin-1"), b"\x80"]
)
async def test_cookies_outside_ascii_go_back_as_they_came(
    session: HttpSession, server: ScriptedServer, raw: bytes
) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n"
    url = server.add(
        "/a",
        ResponseScript(
            raw=head
            + b"Set-Cookie: name="
            + raw
            + b"; path=/\r\nSet-Cookie: b=1\r\n\r\n"
        ),
    )
    server.add("/next", ResponseScript(b"file"))
    assert await fetch(session, GetRequest(url)) == b"file"
    seen = server.requests[1].raw_head
    assert b"ookie: name=" + raw + b"; b=1" in seen
