"""Pasted curl and wget commands: what they download, and what is refused."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.request import BadRequestLine, DownloadRequest
from tui.sources.readers.commands import parse_command
from tui.sources.readers.shell_words import is_command, is_continued, split_command
from tui.sources.readers.text_list import parse_text

CHROME = r"""curl 'https://e.example/f.bin?x=1&y=2' \
  -H 'accept: */*' \
  -H 'Accept-Encoding: gzip, deflate, br' \
  -b 'sid=abc; k=v' \
  -H $'x-a: it\'s \u0021' \
  --compressed"""
CHROME_CMD = r"""curl ^"https://e.example/f.bin?x=1^&y=2^" ^
  -H ^"accept: */*^" ^
  -H ^"Accept-Encoding: gzip, deflate, br^" ^
  -b ^"sid=abc; k=v^" ^
  -H ^"x-a: it's ^!^" ^
  --compressed"""
OLD_CMD = (
    'curl.exe "https://e.example/f.bin?x=1&y=2" -H "accept: */*" ^\n'
    ' -H "Accept-Encoding: gzip, deflate, br" -b "sid=abc; k=v"'
    ' -H "x-a: it\'s !" --compressed'
)


def read(text: str, notes: list[str] | None = None) -> list[DownloadRequest]:
    items = list(parse_text(text.split("\n"), "list", notes))
    assert [str(i) for i in items if isinstance(i, BadRequestLine)] == []
    return items


def reason(text: str) -> str:
    (item,) = parse_command(text, "list:1")
    assert isinstance(item, BadRequestLine)
    return str(item).removeprefix("list:1: ")


# As pages for Windows show it, with the continuation lines of PowerShell.
POWERSHELL = (
    "curl.exe 'https://e.example/f.bin?x=1&y=2' `\r\n  -H \"accept: */*\" `\r\n"
    " -H 'Accept-Encoding: gzip, deflate, br' `\r\n -H \"x-a: it's !\" `\r\n"
    " -b 'sid=abc; k=v'"
)


@pytest.mark.parametrize("text", [CHROME, CHROME_CMD, OLD_CMD, POWERSHELL])
def test_copy_as_curl_is_the_same_for_every_shell(text):
    notes: list[str] = []
    (request,) = read(text, notes)
    assert request.url == "https://e.example/f.bin?x=1&y=2"
    assert request.headers == (
        ("accept", "*/*"),
        ("x-a", "it's !"),
        ("Cookie", "sid=abc; k=v"),
    )
    assert notes == ["list:1: ignoring options of curl: the header Accept-Encoding"]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("curl -LO https://a/x", [("https://a/x", None, None)]),
        ("curl -sSLo n https://a/x", [("https://a/x", None, "n")]),
        ("curl -on https://a/x", [("https://a/x", None, "n")]),
        ("curl --output d/n https://a/x", [("https://a/x", "d", "n")]),
        ("curl --output-dir d -o n https://a/x", [("https://a/x", "d", "n")]),
        ("curl https://a/x > n", [("https://a/x", None, "n")]),
        ("curl -o - https://a/x | tar xz", [("https://a/x", None, None)]),
        ("curl -fsSL a.example/x", [("http://a.example/x", None, None)]),
        (
            "curl -o 1 https://a/x -o 2 https://a/y",
            [("https://a/x", None, "1"), ("https://a/y", None, "2")],
        ),
        (
            "curl -O https://a/[8-10].jpg",
            [(f"https://a/{n}.jpg", None, None) for n in (8, 9, 10)],
        ),
        ("curl -g https://a/[8-10].jpg", [("https://a/[8-10].jpg", None, None)]),
        ("wget -c -nv https://a/x", [("https://a/x", None, None)]),
        ("wget -P d https://a/x", [("https://a/x", "d", None)]),
        ("wget -P d -O n https://a/x", [("https://a/x", None, "n")]),
        ("wget --output-document=e/n https://a/x", [("https://a/x", "e", "n")]),
        ("wget https://a/{1..2}", [("https://a/%7B1..2%7D", None, None)]),
        ("$ /usr/bin/curl -- https://a/x", [("https://a/x", None, None)]),
        ('C:\\Windows\\curl.exe "https://a/x"', [("https://a/x", None, None)]),
    ],
)
def test_urls_and_names_come_from_the_command(text, places):
    assert [(r.url, r.directory, r.name) for r in read(text)] == places


@pytest.mark.parametrize(
    ("text", "url", "pair"),
    [
        ("curl -u ada:s3@r https://a/x", "https://a/x", "ada:s3@r"),
        ("curl -u ada:b https://me:c@a/x@y", "https://a/x@y", "ada:b"),
        ("curl https://me:c%40@a/x", "https://a/x", "me:c@"),
        (
            "wget --auth-no-challenge --user=ada --password=b https://a/x",
            "https://a/x",
            "ada:b",
        ),
        ("curl -u ada https://a/x", "https://ada@a/x", ""),
    ],
)
def test_a_login_for_basic_becomes_a_header(text, url, pair):
    request = read(text)[0]
    assert request.url == url
    value = f"Basic {b64encode(pair.encode()).decode()}"
    assert request.headers == ((("Authorization", value),) if pair else ())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("curl -d secret=1 https://a/x", "--data sends data; only plain GET requests"),
        ("curl --json '{}' https://a/x", "--json sends data"),
        ("curl -X POST https://a/x", "--request uses a method other than GET"),
        ("wget --method=PUT https://a/x", "--method uses a method other"),
        ("wget --post-data=secret https://a/x", "--post-data sends data"),
        ("curl -I https://a/x", "--head requests only headers"),
        ("curl -r 0-5 https://a/x", "--range requests part of a file"),
        ("wget -r https://a/x", "--recursive follows links; use the page as SOURCE"),
        ("wget -i list", "--input-file reads a list"),
        ("curl -b jar https://a/x", "--cookie names a file; use --cookies"),
        ("curl", "the command has no URL"),
        ("curl -H 'a: b", "unclosed quote in the command"),
        ('curl ^"https://a/x', "unclosed quote in the command"),
        ("curl https://a/x -o", "-o needs a value"),
        ("curl --header", "--header needs a value"),
        ("curl -o /etc/passwd https://a/x", "the file name must be relative"),
        ("curl -o ../x https://a/x", "the file name must not leave"),
        ("curl -o '#1.jpg' 'https://a/[1-3]'", "#1 in -o is not supported"),
        ("curl ftp://a/x", "unsupported scheme 'ftp'"),
        ("wget -O n https://a/x https://a/y", "-O joins several files into one"),
        ("curl -H 'a: \x07' https://a/x", "the value of a contains a control"),
        ("curl -K c", "--config reads a list"),
        ('curl -O "$URL"', "the URL has a variable, and nothing is expanded"),
        ("curl -O https://${HOST}/x", "the URL has a variable"),
        ("curl https://a/x --next https://a/y", "--next starts another request"),
    ],
)
def test_unsupported_command_has_a_reason(text, why):
    expected = reason(text)
    assert expected.startswith(why)
    assert "secret" not in expected


def test_ignored_options_are_noted_once():
    notes: list[str] = []
    read("curl -k --proxy p:1 -x q:2 -4 https://a/x && rm -rf x", notes)
    assert notes == [
        "list:1: ignoring options of curl: --insecure, --proxy, -4",
        "list:1: ignoring everything after &&",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "cd x && curl -O https://a/1",
        "$ mkdir -p x/y; cd x/y && sudo curl -O https://a/1",
        "(cd x && curl -O https://a/1)",
    ],
)
def test_a_change_of_folder_before_a_command_is_ignored_with_a_note(text):
    notes: list[str] = []
    assert is_command(text)
    assert [(r.url, r.directory) for r in read(text, notes)] == [("https://a/1", None)]
    assert notes == [f"list:1: ignoring {'mkdir, ' * ('mkdir' in text)}cd before curl"]


def test_commands_and_urls_mix_in_a_list():
    text = "https://a/1\n  out=one\n  curl -o two \\\n https://a/2\nhttps://a/3"
    found = [(r.url, r.name, r.source) for r in read(text)]
    assert found == [
        ("https://a/1", "one", "list:1"),
        ("https://a/2", "two", "list:3"),
        ("https://a/3", None, "list:5"),
    ]


def test_host_named_like_a_program_is_not_a_command():
    assert not is_command("curl.example.org/x")
    assert not is_command("https://a/?q=curl x")
    assert is_command("% wget2 x")


def test_odd_number_of_backslashes_continues_a_line():
    assert is_continued("curl x \\")
    assert not is_continued("curl x \\\\")
    assert is_continued("curl x ^")
    assert is_continued("curl x `")
    assert not is_continued("curl x`")


@given(st.text())
def test_any_pasted_text_is_handled(text):
    for item in parse_command(f"curl {text}", "list:1", []):
        assert isinstance(item, DownloadRequest | BadRequestLine)


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\n\r\0"))))
def test_single_quoted_words_round_trip(words):
    quoted = ["'" + word.replace("'", "'\\''") + "'" for word in words]
    # A caret before a quote is Windows' way of writing it.
    if '^"' not in " ".join(quoted) and not any("^" in word for word in words):
        assert [
            t.text for t in split_command(" ".join(["curl", "-o", *quoted]))[2:]
        ] == words
