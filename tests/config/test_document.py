"""Errors in a settings file: location, reason and fix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.config.document import SIZE_LIMIT, line_of, read_document
from tui.core.settings import FolderRule, HostRule, Login, Scheme


def problems(text: str | bytes) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    return [str(c) for c in read_document(data, "config.toml").problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "\nconcurency = 3",
            "config.toml:2: unknown setting 'concurency'; did you",
        ),
        ("limit_rate = 3", "config.toml:1: unknown setting 'limit_rate'; did you"),
        ("nonsense = 3", "fetchtui config explain lists them all"),
        ("concurrency = '3'", "must be a whole number, without quotes"),
        ("concurrency = 3.5", "must be a whole number from 1 to 1,000"),
        ("timeout = []", "must be a number from 0.1"),
        ("timeout = inf", "is not in the range"),
        ("notify = 1", "notify: must be true or false"),
        ("headers = 'A'", "write a header as 'Name: value'"),
        ("headers = [1]", "must be a list of texts"),
        ("output-dir = 'S3://bucket/x'", "output-dir: an object store is chosen for"),
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
        ("[hooks]\non-done = 'a > b'", "commands do not run in a shell"),
        ("[hooks]\non-done = 'sh -c {name}'", 'a script that uses "$FETCHTUI_NAME"'),
        ("password = 'hush'", 'set password-from = "env:NAME"'),
        ("password-from = 'hush'", "must say where to read the secret from: env:NAME"),
        ("referer = 'http://me:hush@h/'", "referer: leave out user and password"),
        ("header = ['A: b']", "--header is called headers in this file"),
        ("rpc-secret-from = 'env:X'", "--rpc-secret-from is called secret-from"),
        ("rpc-secret-from = 'env:X'", "in the table [rpc]"),
        ("hooks-at-once = 2", "is called at-once in the table [hooks]"),
        ("token = 'hush'", 'set bearer-from = "env:NAME"'),
        ("headers = ['Cookie: hush']", "set cookies to a cookie file"),
        ("proxy = 'http://me:hush@h:1'", "set proxy-user and"),
        (
            "[hosts.x]\nkap = 1",
            "config.toml:2: [hosts] has no setting 'kap'; did you mean",
        ),
        ("[hosts.x]\nzzz = 1", "use cap, limit-rate"),
        ("[hosts.'http://x']\ncap = 1", "without http://"),
        (
            "[hosts.x]\npassword = 'hush'",
            "config.toml:2: password: this file must not contain secrets",
        ),
        ("[hosts.x]\nuser = 'me'", "config.toml:1: user also needs password-from"),
        ("[hosts.x]\nuser='me'\nbearer-from='env:T'", "remove one"),
        ("hosts = []", "hosts must be a table"),
        ("[keys]\ncancel = 3", "config.toml:2: keys.cancel: must be a list of keys"),
        (
            "[[folders]]\npattern='*'",
            "config.toml:1: folders: must have pattern and directory",
        ),
        ("[[folders]]\npattern='*'\ndirectory='/x'", "must stay below the output"),
        ("profile = 'work'", "no [profiles.work] here"),
        ("[profiles.work]\nconcurency = 1", "config.toml:2: unknown setting"),
        ("[profiles]\nwork = 1", "profiles.work must be a table"),
        (
            "a = b",
            "config.toml:1: invalid TOML: Invalid value; put text in quotes",
        ),
        ("a = 'b", "invalid TOML"),
        ("x = 1\nx = 2", "config.toml:2: invalid TOML: Cannot overwrite a value"),
        (b"a = '\xff'", "config.toml:1: not UTF-8"),
        ("x = " + "[" * 3000, "config.toml"),
        ("#" * (SIZE_LIMIT + 1), "larger than 256 KiB"),
    ],
)
def test_problem_has_a_line_and_a_fix(text, expected):
    (problem, *_) = problems(text)
    assert expected in problem
    assert "hush" not in problem
    assert problem.isprintable()


def test_all_problems_are_reported_and_the_rest_is_read():
    document = read_document(b"a = 1\nconcurrency = 3\nb = 2\n", "c")
    assert [c.where for c in document.problems] == ["c:1", "c:3"]
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
    assert document.problems == []
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
    assert document.location(slow["hooks.on-done"].path) == "c:18"


def test_line_of_a_multi_line_value_is_its_first():
    text = '# c\na = [\n  1,\n\n]\n\n# d\nb = """\nx = 1\n"""\n'
    text += "[t.u]\nv = 1\n[[w]]\n[[w]]\n"
    places = [("a",), ("b",), ("t",), ("t", "u", "v"), ("w", 0), ("w", 1), ("x",)]
    assert [line_of(text, place) for place in places] == [2, 8, 11, 12, 13, 14, 0]


@given(st.text(max_size=200))
def test_any_text_is_handled(text):
    document = read_document(text.encode("utf-8", "surrogatepass"), "c")
    assert all(str(c).startswith("c") for c in document.problems)


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
def test_any_value_type_is_handled(pairs):
    text = "\n".join(f"{key} = {str(value).lower()}" for key, value in pairs)
    document = read_document(text.encode(), "c")
    assert set(document.values) <= {key for key, _ in pairs}
