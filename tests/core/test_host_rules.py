"""Which rule matches which origin."""

from __future__ import annotations

import pytest

from tui.core.rules.hosts import ascii_host, matches, rule_for
from tui.core.settings import HostRule
from tui.net.url import parse_url


@pytest.mark.parametrize(
    ("pattern", "origin", "is_about"),
    [
        ("example.org", "http://example.org", True),
        ("EXAMPLE.org", "https://Example.ORG:8443", True),
        ("example.org", "http://www.example.org", False),
        ("*.example.org", "http://www.example.org", True),
        ("*.example.org", "http://example.org", False),
        ("*", "http://anything:81", True),
        ("example.org:81", "http://example.org:81", True),
        ("example.org:81", "http://example.org:82", False),
        ("example.org:443", "https://example.org", True),
        ("example.org:443", "http://example.org", False),
        ("*:81", "http://a:81", True),
        ("127.0.0.*", "http://127.0.0.9:1", True),
        ("[::1]:81", "http://[::1]:81", True),
        ("[::1]:81", "http://[::1]:82", False),
        ("::1", "http://[::1]", True),
        ("example.org", "http://example.org.", True),
        ("mirror[12].example", "http://mirror2.example", True),
        ("bücher.example", "http://xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "http://bücher.example", True),
        ("BÜCHER.example:81", "http://xn--bcher-kva.example.:81", True),
        ("bu\u0308cher.example", "http://bücher.example", True),
        ("*.bücher.example", "https://www.xn--bcher-kva.example", True),
        ("*.xn--bcher-kva.example", "https://日本.bücher。example", True),
        ("bü*.example", "http://bücher.example", True),
        ("xn--*.example", "http://xn--bcher-kva.example", True),
        # Two hosts to IDNA 2008; browsers and curl once took them for one.
        ("strasse.example", "http://straße.example", False),
        # These labels are no internationalized ones, whatever they could be read as.
        ("example.org", "http://xn--example-.org", False),
        ("bucher.example", "http://xn--bcher-kva.example", False),
    ],
)
def test_patterns_match_hosts_and_ports(
    pattern: str, origin: str, is_about: bool
) -> None:
    assert matches(pattern, origin) is is_about


@pytest.mark.parametrize("host", ["bücher.example", "straße.example", "日本.example"])
def test_hosts_have_the_form_in_which_they_are_connected_to(host: str) -> None:
    connected_to = parse_url(f"http://{host}/").origin[1]
    assert (
        ascii_host(host) == ascii_host(host.upper().replace("SS", "ß")) == connected_to
    )
    assert ascii_host(connected_to.upper()) == connected_to


def test_the_first_rule_that_matches_applies() -> None:
    first, second = HostRule("a.example", cap=1), HostRule("*", cap=2)
    rules = (first, second)
    assert rule_for(rules, "http://a.example") is first
    assert rule_for(rules, "http://b.example") is second
    assert rule_for((first,), "http://b.example") is None
