"""A settings file that is wrong: where, what, and what to write instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.config.document import LARGEST, line_of, read_document
from tui.core.settings import FolderRule, HostRule, Login, Scheme


def complaints(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    return [str(c) for c in read_document(data, "config.toml").complaints]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "\nconcurency = 3",
            "config.toml:2: there is no setting 'concurency'; did you",
        ),
        ("limit_rate = 3", "config.toml:1: there is no setting 'limit_rate'; did you"),
        ("nonsense = 3", "fetchtui config explain lists them all"),
        ("concurrency = '3'", "must be a whole number, without quotes"),
        ("concurrency = 3.5", "must be a whole number from 1 to 1,000"),
        ("timeout = []", "must be a number from 0.1"),
        ("timeout = inf", "is not in the range"),
        ("notify = 1", "notify: must be true or false"),
        ("headers = 'A'", "write a header as 'Name: value'"),
        ("headers = [1]", "must be a list of texts"),
        ("output-dir = 3", "must be a path in quotes"),
        ("verify = 3", "must be one of headers, auto, off, in quotes"),
        ("ip-version = 5", "must be one of any, 4, 6"),
        ("hooks = 3", "hooks must be a table: [hooks]"),
        ("on-done = 'x'", "on-done belongs in the table [hooks]"),
        ("theme = 'x'", "theme belongs in the table [dashboard]"),
        (
            "[hooks]\nnotify = true",
            "config.toml:2: hooks.notify: notify belongs at the top",
        ),
        ("[hooks]\non-dne = 'x'", "did you mean 'hooks.on-done'"),
        ("[hooks]\non-done = 'a > b'", "no shell is between"),
        ("password = 'hush'", 'write password-from = "env:NAME"'),
        ("password-from = 'hush'", "say where the secret is: env:NAME"),
        ("token = 'hush'", 'write bearer-from = "env:NAME"'),
        ("headers = ['Cookie: hush']", "write cookies = and a file"),
        ("proxy = 'http://me:hush@h:1'", "write proxy-user and"),
        (
            "[hosts.x]\nkap = 1",
            "config.toml:2: [hosts] has no setting 'kap'; did you mean",
        ),
        ("[hosts.x]\nzzz = 1", "it has cap, limit-rate"),
        ("[hosts.'http://x']\ncap = 1", "without http://"),
        (
            "[hosts.x]\npassword = 'hush'",
            "config.toml:2: password: secrets are not kept",
        ),
        ("[hosts.x]\nuser = 'me'", "config.toml:1: user needs password-from here"),
        ("[hosts.x]\nuser='me'\nbearer-from='env:T'", "leave one away"),
        ("hosts = []", "hosts must be a table"),
        ("[keys]\ncancel = 3", "config.toml:2: keys.cancel: must be a list of keys"),
        (
            "[[folders]]\npattern='*'",
            "config.toml:1: folders: write pattern and directory",
        ),
        ("[[folders]]\npattern='*'\ndirectory='/x'", "must stay below the output"),
        ("profile = 'work'", "there is no [profiles.work]"),
        ("[profiles.work]\nconcurency = 1", "config.toml:2: there is no setting"),
        ("[profiles]\nwork = 1", "profiles.work must be a table"),
        (
            "a = b",
            "config.toml:1: this is not TOML: Invalid value; texts stand in quotes",
        ),
        ("a = 'b", "this is not TOML"),
        ("x = 1\nx = 2", "config.toml:2: this is not TOML: Cannot overwrite a value"),
        (b"a = '\xff'", "config.toml:1: this is not UTF-8"),
        ("x = " + "[" * 3000, "config.toml"),
        ("#" * (LARGEST + 1), "larger than 256 KiB"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_remedy(text, told):
    (complaint, *_) = complaints(text)
    assert told in complaint
    assert "hush" not in complaint
    assert complaint.isprintable()


def test_all_mistakes_are_told_at_once_and_the_rest_is_read():
    document = read_document(b"a = 1\nconcurrency = 3\nb = 2\n", "c")
    assert [c.where for c in document.complaints] == ["c:1", "c:3"]
    assert document.values["concurrency"].value == 3


def test_hosts_profiles_and_folders_are_read():
    document = read_document(
        b"""
[hosts."*.example.org"]
cap = 2
limit-rate = "1M"
headers = ["A: b"]
user = "me"
password-from = "keyring:x"
auth = "digest"
proxy = "direct"
[hosts."api.test:8443"]
bearer-from = "env:T"
[[folders]]
pattern = "*.iso"
directory = "images"
[profiles.slow]
limit-rate = "1M"
[profiles.slow.hooks]
on-done = ["true", "a b"]
""",
        "c",
    )
    assert document.complaints == []
    assert document.values["hosts"].value == (
        HostRule(
            "*.example.org",
            2,
            1 << 20,
            (("A", "b"),),
            Login("me", "keyring:x", Scheme.DIGEST),
            "direct",
        ),
        HostRule("api.test:8443", login=Login("", "env:T", Scheme.BEARER)),
    )
    assert document.values["folders"].value == (FolderRule("*.iso", "images"),)
    slow = document.profiles["slow"]
    assert slow["hooks.on-done"].value == ("true", "a b")
    assert document.place(slow["hooks.on-done"].path) == "c:18"


def test_the_line_of_a_value_over_several_lines_is_where_it_begins():
    text = '# c\na = [\n  1,\n\n]\n\n# d\nb = """\nx = 1\n"""\n'
    text += "[t.u]\nv = 1\n[[w]]\n[[w]]\n"
    places = [("a",), ("b",), ("t",), ("t", "u", "v"), ("w", 0), ("w", 1), ("x",)]
    assert [line_of(text, place) for place in places] == [2, 8, 11, 12, 13, 14, 0]


@given(st.text(max_size=200))
def test_no_text_at_all_breaks_the_reader(text):
    document = read_document(text.encode("utf-8", "surrogatepass"), "c")
    assert all(str(c).startswith("c") for c in document.complaints)


_VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.text(max_size=5).map(repr)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["concurrency", "hosts", "hooks", "keys", "folders", "proxy"]
            ),
            _VALUES,
        ),
        max_size=4,
        unique_by=lambda pair: pair[0],
    )
)
def test_no_type_of_value_breaks_the_reader(pairs):
    text = "\n".join(f"{key} = {str(value).lower()}" for key, value in pairs)
    document = read_document(text.encode(), "c")
    assert set(document.values) <= {key for key, _ in pairs}
