"""File names from headers and URLs: readable if possible, always safe."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.net.filename import (
    FALLBACK,
    MAX_NAME_BYTES,
    name_from_disposition,
    name_from_url,
    safe_name,
)

UMLAUT = "foo-\u00e4.html"
EURO = "foo-\u00e4-\u20ac.html"

# -- one safe component ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("file.tar.gz", "file.tar.gz"),
        ("big.iso.part", "big.iso.part_"),
        ("big.iso.PART.json ", "big.iso.PART.json_"),
        ("big.iso.part.new", "big.iso.part.new_"),
        ("big.iso.bad.", "big.iso.bad_"),
        ("movie.part1.rar", "movie.part1.rar"),
        ("Grüße.txt", "Grüße.txt"),
        ("файл 1.txt", "файл 1.txt"),
        ("日本語.zip", "日本語.zip"),
        ("😀.png", "😀.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/cron.d/x", "x"),
        ("C:\\temp\\x.exe", "x.exe"),
        ("dir/", "dir"),
        ("..", ""),
        (".", ""),
        ("", ""),
        ("/", ""),
        ("...", ""),
        (" ", ""),
        (".bashrc", "bashrc"),
        (" . .hidden", "hidden"),
        ("name. . ", "name"),
        ("a\x00b.txt", "ab.txt"),
        ("a\r\nb.txt", "ab.txt"),
        ("\x1b]0;pwned\x07.txt", "]0;pwned.txt"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("a\u200b\u2060\ufeffb.txt", "ab.txt"),
        ("\u3164\u115f.txt", "txt"),
        ("a\u0085b\u2028c.txt", "abc.txt"),
        ("a\ud800b.txt", "ab.txt"),
        ("a\u00a0b\u3000c.txt", "a b c.txt"),
        ("file.txt:stream", "file.txt_stream"),
        ('a<b>c"d|e?f*g', "a_b_c_d_e_f_g"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("LPT\u00b9", "_LPT\u00b9"),
        ("aux .txt", "_aux .txt"),
        ("console.txt", "console.txt"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("-rf", "_-rf"),
        ("--help", "_--help"),
        (" .-rf", "_-rf"),
        ("\u200b-rf", "_-rf"),
        ("a/-rf", "_-rf"),
        ("~", "~"),
    ],
)
def test_a_name_becomes_one_safe_component(raw: str, safe: str) -> None:
    assert safe_name(raw) == safe


@pytest.mark.parametrize(
    ("raw", "extension"),
    [
        ("a" * 300 + ".iso", ".iso"),
        ("\u00e4" * 300 + ".tar.gz", ".tar.gz"),
        ("😀" * 100 + ".jpeg", ".jpeg"),
        ("x." + "y" * 300, ""),
        ("a" * 300, ""),
    ],
)
def test_a_long_name_keeps_its_extension(raw: str, extension: str) -> None:
    name = safe_name(raw)
    assert MAX_NAME_BYTES - 4 < len(name.encode()) <= MAX_NAME_BYTES
    assert name.endswith(extension)
    assert raw.startswith(name.removesuffix(extension))


_HOSTILE = st.text(
    st.characters() | st.sampled_from("./\\: \u202e\u200b\ud800\x00\x1b~-con")
)


@given(
    _HOSTILE
    | st.sampled_from(["con", "nul", "aux"]).flatmap(
        lambda device: _HOSTILE.map(lambda tail: device + tail)
    )
)
def test_any_text_becomes_a_safe_component(raw: str) -> None:
    name = safe_name(raw)
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert not set('/\\:<>"|?*') & set(name)
    assert not name.startswith((".", " "))
    assert not name.endswith((".", " "))
    assert unicodedata.is_normalized("NFC", name)
    for character in name:
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    stem = name.partition(".")[0].strip().lower()
    assert stem not in ("con", "nul", "aux", "prn", "com1", "lpt9")
    assert safe_name(name) == name


# -- from URLs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/a/b.zip", "b.zip"),
        ("http://h/a/b.zip?x=/y.exe#/z", "b.zip"),
        ("http://h/a%20b.txt", "a b.txt"),
        ("http://h/%D1%84.txt", "ф.txt"),
        ("http://h/%E4.txt", "ä.txt"),
        ("http://h/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "passwd"),
        ("http://h/a%00b", "ab"),
        ("http://h/%2F", FALLBACK),
        ("http://h/", FALLBACK),
        ("http://h", FALLBACK),
        ("http://h?x=1", FALLBACK),
        ("http://h/dir/", FALLBACK),
        ("http://h/..", FALLBACK),
        ("http://user:secret@h/", FALLBACK),
        ("http://h/100%", "100%"),
        ("http://h/a+b.txt", "a+b.txt"),
    ],
)
def test_a_url_suggests_a_name(url: str, name: str) -> None:
    assert name_from_url(url) == name


@given(st.text())
def test_any_url_has_a_name(tail: str) -> None:
    name = name_from_url("http://h/" + tail)
    assert name
    assert safe_name(name) == name


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_percent_encoded_name_is_decoded(name: str) -> None:
    wanted = safe_name(name) or FALLBACK
    assert name_from_url("http://h/d/" + quote(name, safe="")) == wanted


# -- from Content-Disposition ----------------------------------------------------------

# The cases of http://test.greenbytes.de/tech/tc2231/ with a file name, and the name
# that RFC 6266 expects or, if it calls the header invalid, the one that browsers use.
TC2231 = [
    ("attachment", None),
    ("inline", None),
    ('"attachment"', None),
    ("inline; filename=foo.html", "foo.html"),
    ('inline; filename="foo.html"', "foo.html"),
    ('inline; filename="Not an attachment!"', "Not an attachment!"),
    ('attachment; filename="foo.html"', "foo.html"),
    (
        'attachment; filename="0000000000111111111122222"',
        "0000000000111111111122222",
    ),
    ('attachment; filename="f\\oo.html"', "foo.html"),
    ('attachment; filename="\\"quoting\\" tested.html"', "_quoting_ tested.html"),
    (
        'attachment; filename="Here\'s a semicolon;.html"',
        "Here's a semicolon;.html",
    ),
    ('attachment; foo="bar"; filename="foo.html"', "foo.html"),
    ('attachment; foo="\\"\\\\";filename="foo.html"', "foo.html"),
    ('attachment; FILENAME="foo.html"', "foo.html"),
    ("attachment; filename=foo.html", "foo.html"),
    ("attachment; filename=foo,bar.html", "foo,bar.html"),
    ("attachment; filename=foo.html ;", "foo.html"),
    ("attachment; ;filename=foo", "foo"),
    ("attachment; filename=foo bar.html", "foo bar.html"),
    ("attachment; filename='foo.bar'", "'foo.bar'"),
    ('attachment; filename="foo-\xe4.html"', UMLAUT),
    ('attachment; filename="foo-\xc3\xa4.html"', UMLAUT),
    ('attachment; filename="foo-%41.html"', "foo-%41.html"),
    ('attachment; filename="50%.html"', "50%.html"),
    ('attachment; filename="foo-%\\41.html"', "foo-%41.html"),
    ('attachment; name="foo-%41.html"', None),
    ('attachment; filename="\xe4-%41.html"', "ä-%41.html"),
    ('attachment; filename="foo-%c3%a4-%e2%82%ac.html"', "foo-%c3%a4-%e2%82%ac.html"),
    ('attachment; filename ="foo.html"', "foo.html"),
    ('attachment; filename="foo.html"; filename="bar.html"', "foo.html"),
    ("attachment; filename=foo[1](2).html", "foo[1](2).html"),
    ("filename=foo.html", "foo.html"),
    ("x=y; filename=foo.html", "foo.html"),
    ('"foo; filename=bar;baz"; filename=qux', "qux"),
    ("; filename=foo.html", "foo.html"),
    (": inline; attachment; filename=foo.html", "foo.html"),
    ("inline; attachment; filename=foo.html", "foo.html"),
    ('attachment; filename="foo.html".txt', "foo.html"),
    ('attachment; filename="bar', "bar"),
    ('attachment; filename=foo"bar;baz"qux', "foo_bar"),
    ("attachment; foo=foo filename=bar", None),
    ("attachment", None),
    ('attachment; filename="/foo.html"', "foo.html"),
    ('attachment; filename="\\\\foo.html"', "foo.html"),
    ('attachment; creation-date="Wed, 12 Feb 1997"; filename="a"', "a"),
    ('attachment; example="filename example.txt"', None),
    ("attachment; filename*=iso-8859-1''foo-%E4.html", UMLAUT),
    ("attachment; filename*=UTF-8''foo-%c3%a4-%e2%82%ac.html", EURO),
    ("attachment; filename*=''foo-%c3%a4-%e2%82%ac.html", None),
    ("attachment; filename*=UTF-8''foo-a%cc%88.html", UMLAUT),
    ("attachment; filename*=utf-8''foo-%E4.html", None),
    ("attachment; filename *=UTF-8''foo-%c3%a4.html", None),
    ("attachment; filename*= UTF-8''foo-%c3%a4.html", UMLAUT),
    ("attachment; filename* =UTF-8''foo-%c3%a4.html", UMLAUT),
    ("attachment; filename*=UTF-8'foo-%c3%a4.html", None),
    ("attachment; filename*=UTF-8''foo%", None),
    ("attachment; filename*=UTF-8''f%oo.html", None),
    ("attachment; filename*=UTF-8''A-%2541.html", "A-%41.html"),
    ("attachment; filename*=UTF-8''%5cfoo.html", "foo.html"),
    ('attachment; filename*0="foo."; filename*1="html"', None),
    ("attachment; filename=\"foo-ae.html\"; filename*=UTF-8''foo-%c3%a4.html", UMLAUT),
    ("attachment; filename*=UTF-8''foo-%c3%a4.html; filename=\"foo-ae.html\"", UMLAUT),
    ('attachment; foobar=x; filename="foo.html"', "foo.html"),
    (
        "attachment; filename==?ISO-8859-1?Q?foo-=E4.html?=",
        "=_ISO-8859-1_Q_foo-=E4.html_=",
    ),
    # RFC 6266 section 5 and RFC 8187 section 3.2.2.
    ("Attachment; filename=example.html", "example.html"),
    (
        "attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates",
        "€ rates",
    ),
    (
        "attachment; filename*=UTF-8'en'%c2%a3%20and%20%e2%82%ac%20rates",
        "£ and € rates",
    ),
]


@pytest.mark.parametrize(("header", "name"), TC2231)
def test_dispositions_are_parsed_as_in_the_rfcs(header: str, name: str | None) -> None:
    assert name_from_disposition(header) == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="../../.ssh/authorized_keys"', "authorized_keys"),
        ('attachment; filename=".."', None),
        ('attachment; filename=""', None),
        ("attachment; filename=", None),
        ("attachment; filename*=UTF-8''..%2f..%2fx; filename=y", "x"),
        ("attachment; filename*=UTF-8''%2e%2e; filename=y", "y"),
        ("attachment; filename*=UTF-8''a%0d%0aSet-Cookie:%20x", "aSet-Cookie_ x"),
        ("attachment; filename*=UTF-8''gpj%E2%80%AE.exe", "gpj.exe"),
        ("attachment; filename*=utf-7''+AC8-etc; filename=y", "y"),
        ('attachment; filename="caf\x92.txt"', "caf’.txt"),
        ('attachment; filename="naïve файл.txt"', "naïve файл.txt"),
        (
            'attachment; filename="a.txt", attachment; filename="b.txt"',
            "a.txt",
        ),
        ("attachment; " * 100_000 + "filename=far-away.txt", None),
    ],
)
def test_hostile_and_invalid_dispositions_give_a_safe_name_or_none(
    header: str, name: str | None
) -> None:
    assert name_from_disposition(header) == name


@given(st.text(st.characters(max_codepoint=255) | st.sampled_from("\"\\;=*'% ")))
def test_any_disposition_gives_a_safe_name_or_none(tail: str) -> None:
    for header in (tail, "attachment; filename=" + tail, "a; filename*=UTF-8''" + tail):
        name = name_from_disposition(header)
        assert name is None or (name and safe_name(name) == name)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_names_survive_every_encoding_that_servers_use(name: str) -> None:
    wanted = safe_name(name) or None
    extended = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode().decode("latin-1")
    assert name_from_disposition(extended) == wanted
    assert name_from_disposition(f'attachment; filename="{quoted}"') == wanted


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("windows-1252''caf%E9.png", "caf\u00e9.png"),
        ("ISO-8859-1''%80-%E4.txt", "\u20ac-\u00e4.txt"),
        ("EUC-JP''%B0%A1.txt", "\u4e9c.txt"),
        ("Euc-Kr''%B0%A1.txt", "\uac00.txt"),
        ("Shift_JIS''%83%65.txt", "\u30c6.txt"),
        ("koi8-r''%C1.txt", "\u0430.txt"),
        ("gb2312''%B0%A1.txt", "\u554a.txt"),
        # Codecs of Python that are no charsets of browsers.
        ("utf-7''%2BAC8-x.txt", None),
        ("unicode_escape''%5Cx2fx.txt", None),
        ("punycode''x.txt", None),
        ("hex''2e.txt", None),
        ("\x00''x.txt", None),
        ("EUC-JP''%FF.txt", None),
    ],
)
def test_charsets_of_extended_names(value: str, name: str | None) -> None:
    assert name_from_disposition(f"attachment; filename*={value}") == name
