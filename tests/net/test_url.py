"""URLs are parsed once, into a form that all parsers read alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.errors import PermanentError
from tui.core.text.sanitize import sanitize
from tui.net.url import host_port, is_plain, parse_url


@pytest.mark.parametrize(
    ("url", "normal", "origin"),
    [
        ("http://h/x", "http://h/x", ("http", "h", 80)),
        ("HTTPS://H.Example/x", "https://h.example/x", ("https", "h.example", 443)),
        ("http://h:8080/x#f", "http://h:8080/x", ("http", "h", 8080)),
        ("http://u:p@h/x?q", "http://h/x?q", ("http", "h", 80)),
        ("http://[::1]:81/x", "http://[::1]:81/x", ("http", "::1", 81)),
        (
            "http://b\u00fccher.example/\u00fc",
            "http://xn--bcher-kva.example/%C3%BC",
            ("http", "xn--bcher-kva.example", 80),
        ),
        ("http://a\\@b/x", "http://b/x", ("http", "b", 80)),
    ],
)
def test_a_url_is_normalized(
    url: str, normal: str, origin: tuple[str, str, int]
) -> None:
    parsed = parse_url(url)
    assert (parsed.url, parsed.origin) == (normal, origin)
    assert is_plain(parsed.url)


def test_userinfo_is_basic_auth() -> None:
    assert parse_url("http://u:p@h/").authorization == "Basic dTpw"
    assert parse_url("http://u@h/").authorization == "Basic dTo="
    assert parse_url("http://h/@u:p").authorization == ""


@pytest.mark.parametrize(
    "url", ["", "x", "http://", "http://h:0x/", "http://h:99999/", "ftp://h/", "//h/"]
)
def test_an_invalid_url_is_reported_without_its_credentials(url: str) -> None:
    with pytest.raises(PermanentError) as caught:
        parse_url(url.replace("//", "//user:SECRET@", 1))
    assert caught.value.kind == "unknown_host"
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h/x", "h:80"),
        ("https://H/x", "h:443"),
        ("http://h:81?x", "h:81"),
        ("http://u:SECRET@h:81/x", "h:81"),
        ("http://[::1]/x", "[::1]:80"),
        ("http://[::1]:81/x", "[::1]:81"),
        ("http://h:/x", "h:80"),
        ("http://h\x1b[31m/", "h\ufffd[31m:80"),
    ],
)
def test_messages_contain_only_host_and_port(url: str, expected: str) -> None:
    assert host_port(url) == expected


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(tail: str) -> None:
    for url, base in ((tail, ""), ("http://" + tail, ""), (tail, "http://h/x")):
        try:
            parsed = parse_url(url, base)
        except PermanentError as error:
            message = str(error)
            assert message == sanitize(message)
        else:
            assert parsed.origin[0] in ("http", "https")
            assert "@" not in parsed.url.partition("://")[2].partition("/")[0]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        # As in urltestdata.json of web-platform-tests, for the base below.
        ("y", "http://h/a/y"),
        ("./y/../z", "http://h/a/z"),
        ("..", "http://h/"),
        ("?q", "http://h/a/b?q"),
        ("?", "http://h/a/b?"),
        ("?#", "http://h/a/b?"),
        ("#f", "http://h/a/b?c"),
        (":a", "http://h/a/:a"),
        (":", "http://h/a/:"),
        ("a:80/x", None),
        ("\\x", "http://h/x"),
        ("\\\\host\\x", "http://host/x"),
        ("/\\host/x", "http://host/x"),
        ("x?a\\b", "http://h/a/x?a\\b"),
        ("http:\\\\host\\x", "http://host/x"),
        ("HTTP://HOST/x", "http://host/x"),
        # Without slashes: relative to a base of the same scheme.
        ("http:/host/x", "http://h/host/x"),
        ("http:x", "http://h/a/x"),
        ("https:/host/x", "https://host/x"),
        ("https:host/x", "https://host/x"),
        ("http://host:0080/", "http://host/"),
        # Refused on purpose, where browsers look for a host further right.
        ("///host/x", None),
        ("http:///host/x", None),
        ("http://", None),
        ("//", None),
        ("mailto:x", None),
    ],
)
def test_locations_are_read_as_in_browsers(location: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(PermanentError):
            parse_url(location, "http://h/a/b?c")
    else:
        assert parse_url(location, "http://h/a/b?c").url == expected


@pytest.mark.parametrize(
    "url",
    [
        "me:SECRET@host/x",
        "//me:SECRET@ho st/y",
        "http:\\\\me:SECRET@ho st/x",
        "http://me:SECRET@[::1/x",
        "ftp://me:SECRET@host/x",
        "http://me:SECRET/a@[host/x",
    ],
)
@pytest.mark.parametrize("base", ["", "http://h/"])
def test_what_could_be_a_password_is_not_shown(url: str, base: str) -> None:
    with pytest.raises(PermanentError) as caught:
        parse_url(url, base)
    assert "SECRET" not in str(caught.value)
