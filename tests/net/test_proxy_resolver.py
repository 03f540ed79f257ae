"""Which proxy an origin gets, by the rules of curl's environment variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.errors import LocalError
from tui.core.settings import HostRule, Settings
from tui.net.routing.proxies import Proxy, ProxyResolver, bypasses_proxy, parse_proxy


def labels(environ: dict[str, str], *origins: str) -> list[str]:
    resolver = ProxyResolver(Settings(), environ)
    found = [resolver.proxy_for(origin) for origin in origins]
    return [proxy.label if proxy is not None else "" for proxy in found]


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("h", Proxy("http", "h", 80)),
        ("H.example:3128", Proxy("http", "h.example", 3128)),
        ("http://h:1/", Proxy("http", "h", 1)),
        ("https://h", Proxy("https", "h", 443)),
        ("socks5://h", Proxy("socks5", "h", 1080)),
        ("SOCKS5H://h:9", Proxy("socks5h", "h", 9)),
        ("socks://h", Proxy("socks5", "h", 1080)),
        ("http://u@h:1", Proxy("http", "h", 1, "u")),
        ("http://u%40x:p%3A@h:1", Proxy("http", "h", 1, "u@x", "p:")),
        ("http://u:p@x@h:1", Proxy("http", "h", 1, "u", "p@x")),
        ("http://[::1]:3128", Proxy("http", "::1", 3128)),
        ("[fe80::1]", Proxy("http", "fe80::1", 80)),
        ("direct", None),
        ("DIRECT", None),
    ],
)
def test_proxies_are_read_as_people_write_them(text: str, proxy: Proxy | None) -> None:
    assert parse_proxy(text, "x") == proxy


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    for written in (text, f"http://{text}"):
        try:
            proxy = parse_proxy(written, "x")
        except LocalError:
            continue
        assert proxy is None or (proxy.host and 0 < proxy.port < 65536)


def test_a_proxy_tells_nothing_of_its_login() -> None:
    proxy = parse_proxy("http://me:hunter2@h:1", "x")
    assert proxy is not None
    assert proxy.label == "http://h:1"
    assert "hunter2" not in repr(proxy)
    assert proxy.url(has_login=False) == "http://h:1"
    assert proxy.url(has_login=True) == "http://me:hunter2@h:1"
    ipv6 = Proxy("socks5", "::1", 9, "a b", "c/d")
    assert ipv6.url(has_login=True) == "socks5://a%20b:c%2Fd@[::1]:9"


@pytest.mark.parametrize("text", ["me:hunter2://p:1", "hunter2 x://p", "://p:1"])
def test_a_password_where_a_scheme_belongs_is_not_repeated(text: str) -> None:
    with pytest.raises(LocalError, match="unknown scheme") as caught:
        parse_proxy(text, "http_proxy")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(LocalError, match="unknown scheme socks4; use http, https"):
        parse_proxy("socks4://p:1", "http_proxy")


def test_the_environment_is_read_as_curl_reads_it() -> None:
    http, https = "http://a.example", "https://a.example"
    assert labels({"http_proxy": "p:1"}, http, https) == ["http://p:1", ""]
    assert labels({"HTTP_PROXY": "p:1"}, http) == [""]
    assert labels({"HTTPS_PROXY": "p:1"}, http, https) == ["", "http://p:1"]
    both = {"https_proxy": "low:1", "HTTPS_PROXY": "up:1", "ALL_PROXY": "all:1"}
    assert labels(both, http, https) == ["http://all:1", "http://low:1"]
    assert labels({"http_proxy": "", "all_proxy": "socks5://s"}, http) == [
        "socks5://s:1080"
    ]
    with pytest.raises(LocalError, match="https_proxy: "):
        labels({"https_proxy": "gopher://x"}, https)


@pytest.mark.parametrize(
    ("words", "authority", "is_excluded"),
    [
        ("example.org", "example.org", True),
        ("example.org", "sub.example.org", True),
        (".example.org", "sub.example.org", True),
        (".example.org", "example.org", True),
        ("*.example.org", "sub.example.org", True),
        ("example.org", "notexample.org", False),
        ("example.org.", "example.org", True),
        ("example.org", "example.org.:8080", True),
        ("example.org:8080", "example.org:8080", True),
        ("example.org:8080", "example.org", False),
        ("example.org:80", "example.org", True),
        ("*", "anything", True),
        ("10.0.0.0/8", "10.1.2.3:99", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("2.3", "10.1.2.3", False),
        ("10.0.0.0/99", "10.1.2.3", False),
        ("::1", "[::1]:8080", True),
        ("[::1]", "[::1]", True),
        ("::1", "[0:0:0:0:0:0:0:1]", True),
        ("2001:DB8:0::1".lower(), "[2001:db8::1]:443", True),
        ("[2001:db8:0::1]:8080", "[2001:db8::1]:8080", True),
        ("[2001:db8:0::1]:8080", "[2001:db8::1]", False),
        ("::2", "[::1]", False),
        ("fe80::/10", "[fe80::2]", True),
        ("10.0.0.0/8", "example.org", False),
        ("bücher.example", "www.xn--bcher-kva.example", True),
        (".xn--bcher-kva.example.", "bücher.example:8080", True),
        ("strasse.example", "straße.example", False),
        (".", "example.org", False),
        ("", "example.org", False),
    ],
)
def test_no_proxy_matches_hosts_domains_and_networks(
    words: str, authority: str, is_excluded: bool
) -> None:
    assert bypasses_proxy(authority, "http", words.split()) is is_excluded


def test_a_rule_takes_precedence_over_the_setting() -> None:
    rules = (
        HostRule("near.example", proxy="direct"),
        HostRule("*.far.example", proxy="socks5h://s:1"),
        HostRule("*", cap=3),
    )
    resolver = ProxyResolver(
        Settings(proxy="http://p:1", hosts=rules), {"no_proxy": "*"}, "me", "secret"
    )
    assert not resolver.is_same_for_all
    assert resolver.proxy_for("http://near.example") is None
    far = resolver.proxy_for("https://a.far.example:8443")
    assert far == Proxy("socks5h", "s", 1)
    # no_proxy applies to proxies from the environment only.
    other = resolver.proxy_for("http://other.example")
    assert other == Proxy("http", "p", 1, "me", "secret")


def test_proxy_credentials_are_not_mixed_with_another_user() -> None:
    resolver = ProxyResolver(Settings(proxy="http://you@p:1"), {}, "me", "secret")
    assert resolver.proxy_for("http://h") == Proxy("http", "p", 1, "you")


def test_is_same_for_all_tells_whether_origins_differ() -> None:
    assert ProxyResolver(Settings(), {"no_proxy": "x"}).is_same_for_all
    assert ProxyResolver(Settings(proxy="p:1"), {}).is_same_for_all
    assert not ProxyResolver(Settings(), {"http_proxy": "p"}).is_same_for_all
    both = {"all_proxy": "p"}
    assert ProxyResolver(Settings(), both).is_same_for_all
    assert not ProxyResolver(Settings(), {**both, "no_proxy": "x"}).is_same_for_all
