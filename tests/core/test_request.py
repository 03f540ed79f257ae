"""URLs and checksums of requests."""

from __future__ import annotations

import hashlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.request import (
    ALGORITHMS,
    URL_LIMIT,
    BadRequestLine,
    Checksum,
    check_url,
    origin_of,
    with_login_of,
    without_login,
    without_logins,
)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://a", "http://a"),
        ("HTTP://A.Example/Path", "http://a.example"),
        ("https://a.example:443/x", "https://a.example"),
        ("https://a.example:80/x", "https://a.example:80"),
        ("http://a.example:0080/x", "http://a.example"),
        ("http://a.example:08080", "http://a.example:8080"),
        ("http://a.example:/x", "http://a.example"),
        ("http://a.example?q=http://b", "http://a.example"),
        ("http://a.example#f", "http://a.example"),
        ("http://me:pass@a.example:81/x", "http://a.example:81"),
        ("http://me:p@ss@a.example/x", "http://a.example"),
        ("http://a/me@b/x", "http://a"),
        ("http://127.0.0.1:8765/x", "http://127.0.0.1:8765"),
        ("http://[::1]/x", "http://[::1]"),
        ("http://[::1]:80/x", "http://[::1]"),
        ("http://[2001:DB8::1]:81/x", "http://[2001:db8::1]:81"),
        ("http://localhost.:81/", "http://localhost.:81"),
        ("http://under_score.example/", "http://under_score.example"),
        ("http://bücher.example/ä", "http://bücher.example"),
        ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example"),
        ("http://a.example/[x]{y}|z\\", "http://a.example"),
    ],
)
def test_a_valid_url_is_unchanged_and_has_an_origin(url, origin):
    assert check_url(url) == url
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not a URL"),
        ("a.example/x", "not a URL"),
        ("http:/a/x", "not a URL"),
        ("mailto:me", "not a URL"),
        ("ftp://a/x", "unsupported scheme 'ftp'"),
        ("file:///etc/passwd", "unsupported scheme 'file'"),
        (" http://a/", "not a URL"),
        ("\x1b[31mhttp://a", "not a URL"),
        ("ſhttp://a", "not a URL"),
        ("http://", "no host"),
        ("http:///x", "no host"),
        ("http://?q", "no host"),
        ("http://:80/", "no host"),
        ("http://me@/", "no host"),
        ("http://a b/", "space"),
        ("http://a/\n", "control"),
        ("http://a/\u202e", "control"),
        ("http://a/\ud800", "control"),
        ("http://a/\xa0", "control"),
        ("http://a:0/", "port"),
        ("http://a:65536/", "port"),
        ("http://a:٣/", "port"),
        ("http://a:80:90/", "port"),
        ("http://a:x/", "port"),
        ("http://a\\@b/", "backslash"),
        ("http://[::1/", "bracket"),
        ("http://a]/", "bracket"),
        ("http://[::1]x/", "bracket"),
        ("http://[]/", "IPv6"),
        ("http://[1::2::3]/", "IPv6"),
        ("http://[fe80::1%25en0]/", "zone"),
        ("http://256.1.1.1/", "IPv4"),
        ("http://1.2.3/", "IPv4"),
        ("http://127.0.0.1./", "IPv4"),
        ("http://0x7f000001/", "IPv4"),
        ("http://a..b/", "empty label"),
        ("http://.a/", "empty label"),
        ("http://" + "a" * 64 + "/", "empty label"),
        ("http://" + "a." * 130 + "b/", "empty label"),
        ("http://a%20b/", "an invalid character"),
        ("http://<a>/", "an invalid character"),
        ("http://" + "ü" * 64 + ".example/", "not a valid domain name"),
        ("http://a/" + "x" * URL_LIMIT, "longer"),
    ],
)
def test_an_invalid_url_has_a_reason(url, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        check_url(url)
    assert str(caught.value).isprintable()


def test_a_reason_does_not_contain_a_password():
    for url in (
        "http://me:hunter2@:80/",
        "http://me:hunter2/x@a/",
        "http://me:hunter2",
    ):
        with pytest.raises(ValueError) as caught:  # noqa: PT011  any reason will do
            check_url(url)
        assert "hunter" not in str(caught.value)


hosts = (
    st.from_regex(r"[a-zA-Z0-9_-]{1,8}(\.[a-zA-Z0-9-]{1,8}){0,2}\.?", fullmatch=True)
    | st.ip_addresses(v=4).map(str)
    | st.ip_addresses(v=6).map("[{}]".format)
)
urls = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.from_regex(r"([!-~]{0,6}@)?", fullmatch=True),
    hosts,
    st.from_regex(r"(:[0-9]{0,6})?", fullmatch=True),
    st.from_regex(r"([/?#][!-~]{0,20})?", fullmatch=True),
)


@given(urls)
def test_the_http_clients_accept_every_valid_url_and_see_the_same_host(url):
    try:
        check_url(url)
    except ValueError:
        return
    if "xn--" in url.lower():
        return  # whether a name in Punycode is a good one is left to the wire
    seen = httpx.URL(url)
    host = f"[{seen.host}]" if ":" in seen.host else seen.host
    default = 443 if seen.scheme == "https" else 80
    port = "" if seen.port in (None, default) else f":{seen.port}"
    assert origin_of(url) == f"{seen.scheme}://{host}{port}".lower()


@given(st.text())
def test_no_text_raises_another_error(text):
    for url in (text, f"http://{text}", f"https://a:{text}/"):
        assert isinstance(origin_of(url), str)
        try:
            reason = "" if check_url(url) == url else "changed"
        except ValueError as error:
            reason = str(error)
        assert reason.isprintable()
        assert reason != "changed"


def test_downloads_from_one_origin_share_one_string():
    first, second = origin_of("http://a.example/1"), origin_of("http://a.example/2")
    assert first is second


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_every_known_algorithm_exists_and_has_its_length(name):
    digest = hashlib.new(ALGORITHMS[name], b"x").hexdigest()
    checksum = Checksum.parse(f" {name.upper()} = {digest.upper()} ")
    assert checksum == Checksum(ALGORITHMS[name], digest)
    assert Checksum.parse(str(checksum)) == checksum
    assert Checksum.parse(f"{name}:{digest}") == checksum


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "TYPE=HEX"),
        ("a" * 64, "TYPE=HEX"),
        ("crc32=12345678", "TYPE=HEX"),
        ("sha-256=", "64 hexadecimal digits, got 0"),
        ("sha-256=" + "a" * 63, "64 hexadecimal digits, got 63"),
        ("md5=" + "g" * 32, "32 hexadecimal digits"),
        ("md5=" + "٣" * 32, "32 hexadecimal digits"),
    ],
)
def test_an_invalid_checksum_has_a_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        Checksum.parse(text)


def test_an_error_names_its_line_if_there_is_one():
    assert str(BadRequestLine("list.txt:3", "why")) == "list.txt:3: why"
    assert str(BadRequestLine("", "why")) == "why"


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("https://user:pass@h/f?q=1#x", "https://h/f?q=1#x"),
        ("HTTP://user@h:81/f", "HTTP://h:81/f"),
        ("http://a@b@h/f", "http://h/f"),
        ("https://h/@scope/f?mail=me@h", "https://h/@scope/f?mail=me@h"),
        ("https://h?mail=me@h", "https://h?mail=me@h"),
        ("https://h/f?of=http://u:p@g/", "https://h/f?of=http://u:p@g/"),
        ("https://u@h/f?of=http://u:p@g/", "https://h/f?of=http://u:p@g/"),
    ],
)
def test_a_url_loses_its_own_login_and_nothing_else(url, bare):
    assert without_login(url) == bare


def test_a_text_loses_the_logins_of_all_urls():
    text = "http://u:p@h/a failed, https://v@g/b?of=http://w:p@g did not: a@b"
    bare = "http://h/a failed, https://g/b?of=http://g did not: a@b"
    assert without_logins(text) == bare


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ("http://me:pw@h/a", "http://me:pw@h/b?c"),
        ("http://me:pw@h?mail=x@y", "http://me:pw@h/b?c"),
        ("http://me:pw@H:80#x@y", "http://me:pw@h/b?c"),
        ("http://h?mail=x@y", "http://h/b?c"),
        ("http://me:pw@other/a", "http://h/b?c"),
    ],
)
def test_a_login_of_the_same_origin_is_taken_over(known: str, expected: str) -> None:
    assert with_login_of("http://h/b?c", [known]) == expected
