"""Text from outside: no control characters, overrides or passwords."""

from __future__ import annotations

import sys
import time
import unicodedata
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.text.sanitize import mask_parameters, sanitize, sanitize_url


@cache
def invisible() -> frozenset[str]:
    """Return all control and direction characters; a look at all of Unicode."""
    directions = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
    found = {
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(character) in directions
    }
    return frozenset(
        found
        | set("\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u3164\U000e0041")
    )


def test_every_control_and_direction_character_is_replaced():
    for character in invisible():
        assert sanitize(f"a{character}b") == "a\ufffdb"


INVISIBLE = st.deferred(lambda: st.sampled_from(sorted(invisible())))


@given(st.text(st.characters() | INVISIBLE))
def test_nothing_unsafe_survives_and_all_of_it_can_be_written(text):
    shown = sanitize(text)
    assert not invisible() & set(shown)
    shown.encode()
    assert sanitize(shown) == shown


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_harmless_text_is_unchanged(text):
    assert sanitize(text) == text


@pytest.mark.parametrize("text", ["naïve café", "日本語", "мир", "🎉", "שלום"])
def test_other_languages_are_unchanged(text):
    assert sanitize(text) == text


def test_a_title_sequence_and_an_override_stay_visible_as_replacements():
    assert sanitize("\x1b]0;owned\x07.iso") == "\ufffd]0;owned\ufffd.iso"
    assert sanitize("gpj.\u202eexe") == "gpj.\ufffdexe"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\U0001f468\u200d\U0001f469", "\U0001f468\U0001f469"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u062e\u0648"),
        ("\u0915\u094d\u200d", "\u0915\u094d"),
    ],
)
def test_needed_joiners_are_kept_for_programs_only(text, shown):
    assert sanitize(text) == shown
    assert sanitize(text, keep_joiners=True) == text


def test_joiners_elsewhere_are_replaced_for_programs_too():
    assert sanitize("a\u200db", keep_joiners=True) == "a\ufffdb"


def test_long_text_is_cut_with_an_ellipsis():
    assert sanitize("x" * 3000) == "x" * 1999 + "…"
    assert sanitize("abcdef", 4) == "abc…"
    assert sanitize("abcd", 4) == "abcd"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a/x", "https://a/x"),
        ("https://me@a/x", "https://a/x"),
        ("https://me:secret@a:81/x?q#f", "https://a:81/x?q#f"),
        ("https://me:se@cret@a/x", "https://a/x"),
        ("https://me:se/cret@a/x", "https://a/x"),
        ("https://me:se?cret@a/x", "https://a/x"),
        ("https://me:se#cret@a/x", "https://a/x"),
        ("https://me:secret://@a/x", "https://a/x"),
        ("https://a/x?next=http://me:secret@b/", "https://a/x?next=http://b/"),
        ("https://a/@scope/package@1.2", "https://a/@scope/package@1.2"),
        ("https://a:81/@scope", "https://a:81/@scope"),
        ("https://[::1]:81/@scope", "https://[::1]:81/@scope"),
        ("https://me:secret@[::1", "https://[::1"),
        ("no url @ all", "no url @ all"),
    ],
)
def test_credentials_are_removed_from_a_url(url, shown):
    assert sanitize_url(url) == shown


@pytest.mark.parametrize(
    "url",
    ["https://a/x?" + "b" * 60_000, "https://a/e\u0301/\uf900.iso"],
    ids=["long", "unicode"],
)
def test_a_url_for_programs_stays_the_same_url(url):
    assert sanitize_url(url) == url
    assert sanitize_url(url.replace("//", "//me:secret@")) == url
    assert len(sanitize_url(url, 100)) <= 100


@pytest.mark.parametrize(
    "url",
    [
        "me:SECRET@host/x",
        "http:/me:SECRET@host",
        "//me:SECRET@host/y",
        "//SECRET@host/y",
        "http://me:1/SECRET@host/x",
        "http://me:1?SECRET@host/x",
        "http://me:1#SECRET@host/x",
        "http://me:1/SECRET/@host/x",
        "http://me:x/SECRET@host/x",
        "http://me:SEC/RET/SECRET@host/x",
        "http://me@corp:1/SECRET@host/x",
        "http://user.name:80/SECRET@host",
        "http://user.name:80/SECRET@host/x",
        "http://user.name:80?SECRET@host/x",
        "http://user.name:80?a=SECRET==@host/x",
        "http://user.name:80#SECRET@host/x",
        "http://user.name:80/SECRET/@host",
        "http://user.name:80/SECRET/@host/x",
        "http://me@corp.example:80/SECRET@host/x",
        "http://me:80/SECRET/@host",
        "me:SECRET@host://x",
        "http://me:SECRET@a@host/x",
    ],
)
def test_a_password_in_a_malformed_url_is_not_shown(url):
    assert "SECRET" not in sanitize_url(url)
    assert "host" in sanitize_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://registry.example/@scope/pkg@1.2.tgz",
        "http://localhost:4873/a/@scope/pkg",
        "http://proxy:4873/@scope/pkg",
        "http://10.0.0.1:8000/a@2x.png",
        "http://[::1]:8000/a@2x.png",
        "http://nas/a@2x.png",
        "http://npm.example:8081/@scope/pkg/-/pkg-1.tgz",
        "http://api.example:8080/x?mail=me@host.example&b=c",
        "folder/me@work/list.txt",
    ],
)
def test_an_at_sign_in_a_path_is_shown(url):
    assert sanitize_url(url) == url


printable = st.characters(min_codepoint=33, max_codepoint=126)


@given(st.text(printable).map(lambda t: t.translate(dict.fromkeys(b"/?#"))), st.text())
def test_no_password_is_ever_shown(user, after):
    password = "pa55-Wörd"
    assert password not in sanitize_url(f"https://{user}:{password}{after}@host/file")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://h/a?token=abc&x=1", "http://h/a?token=***&x=1"),
        (
            "<http://h/a?X-Amz-Signature=ab%2F&k=1>",
            "<http://h/a?X-Amz-Signature=***&k=1>",
        ),
        ("http://h/?a=1&api_key=abc", "http://h/?a=1&api_key=***"),
        ("http://h/?sig=abc see", "http://h/?sig=*** see"),
        ("http://h/?Key=abc", "http://h/?Key=***"),
        ("http://h/?monkey=abc&size=3", "http://h/?monkey=abc&size=3"),
        ("http://h/?a;auth?key=abc=d;e=f", "http://h/?a;auth?key=***;e=f"),
        ("http://h/?pass=abc&bypass=1", "http://h/?pass=***&bypass=1"),
        ("http://h/?passphrase=abc&jwt=d.e", "http://h/?passphrase=***&jwt=***"),
        ("http://h/x#access_token=ab", "http://h/x#access_token=***"),
        ("http://h/?a=b#token=ab&c=d", "http://h/?a=b#token=***&c=d"),
        ("http://h/?pw=a#b", "http://h/?pw=***"),
        ("http://h/x#page=2", "http://h/x#page=2"),
        ("http://h/?author=ada&authors=b", "http://h/?author=ada&authors=b"),
        ("verified sha256=00ff", "verified sha256=00ff"),
    ],
)
def test_secrets_are_mask_parameters(text, shown):
    assert mask_parameters(text) == shown


@pytest.mark.alone
def test_crafted_url_is_masked_quickly():
    began = time.process_time()
    mask_parameters("http://h/?" + ";key" * 20_000 + " a=")
    assert time.process_time() - began < 1, "hours, if each name is looked at again"
