"""File names from headers and URLs: readable if possible, always safe."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.text.joiners import JOINERS, is_needed
from tui.net.filename import (
    _HARMLESS,
    FALLBACK,
    MAX_NAME_BYTES,
    _made_safe,
    name_from_disposition,
    name_from_url,
    safe_name,
)

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
        ("a\u200db\u200c.txt", "ab.txt"),
        ("\u200dx\u200c", "x"),
        ("\U0001f468\u200d\U0001f469.png", "\U0001f468\u200d\U0001f469.png"),
        ("\U0001f468\u200d.png", "\U0001f468.png"),
        ("\U0001f468\u200d\u200d\U0001f469", "\U0001f468\U0001f469"),
        ("\u0645\u06cc\u200c\u062e\u0648.pdf", "\u0645\u06cc\u200c\u062e\u0648.pdf"),
        ("\u0645\u06cc\u200c.pdf", "\u0645\u06cc.pdf"),
        ("\u0915\u094d\u200d\u0937.txt", "\u0915\u094d\u200d\u0937.txt"),
        ("p\u200dart.\u200dpart", "part.part_"),
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


@pytest.mark.parametrize("cut_off", ["." + "x" * 40, " " + "x" * 40])
def test_a_name_is_not_cut_behind_a_dot_or_a_space(cut_off: str) -> None:
    name = "a" * (MAX_NAME_BYTES - 1)
    assert safe_name(name + cut_off) == name


@pytest.mark.parametrize("reserved", [".part", ".part.json", ".PART.NEW", ".bad"])
@pytest.mark.parametrize("cut_off", ["x" * 40, "." + "x" * 40])
def test_a_cut_does_not_turn_a_name_into_that_of_a_part_file(
    reserved: str, cut_off: str
) -> None:
    before = "a" * (MAX_NAME_BYTES - len(reserved))
    name = safe_name(before + reserved + cut_off)
    assert name == before + reserved[:-1] + "_"


def test_a_cut_in_the_middle_does_not_give_the_name_of_a_record_either() -> None:
    before = "a" * (MAX_NAME_BYTES - len(".part.json"))
    assert safe_name(f"{before}.partly.json") == f"{before}.part.jso_"


_UNSAFE_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
_HOSTILE = st.text(
    st.characters()
    | st.sampled_from("./\\: \u202e\u200b\ud800\x00\x1b~-con")
    | st.sampled_from("\u200c\u200d\u0645\u0651\u0915\u094d\u093c\u0301\U0001f468")
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
    for at, character in enumerate(name):
        if character in JOINERS:
            assert is_needed(name, at)
        else:
            assert unicodedata.category(character) not in _UNSAFE_CATEGORIES
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


_HARD = st.sampled_from(
    ["con", "NUL", "aux.x", "com1", "lpt9 .c", ".part", ".part.json", ".PART", ".bad"]
)


@given(st.lists(st.from_regex(r"\A[A-Za-z0-9_. -]{0,9}\Z") | _HARD).map("".join))
def test_names_that_are_taken_as_they_are_obey_all_rules(raw: str) -> None:
    assert safe_name(raw) == _made_safe(raw)


@given(st.from_regex(re.compile(_HARMLESS.pattern), fullmatch=True))
def test_no_rule_changes_a_harmless_name(name: str) -> None:
    assert _made_safe(name) == name


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

# Each row: source, header (bytes as Latin-1), the name here; if the source expects
# another name, that one and why it differs. The sources are greenbytes' tc2231, with
# what browsers make of invalid headers; the examples of RFC 6266; and the unit tests of
# Chromium (http_content_disposition_unittest) and Firefox (test_MIME_params). Their
# names are made safe as all others.
DISPOSITIONS = json.loads(
    (Path(__file__).parent / "cases" / "dispositions.json").read_text()
)


@pytest.mark.parametrize("row", DISPOSITIONS, ids=lambda row: row[0])
def test_dispositions_of_others(row: list[str | None]) -> None:
    _, header, name, *different = row
    assert name_from_disposition(header or "") == name
    if different:
        theirs, _ = different
        assert theirs != name


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
