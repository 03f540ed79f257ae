"""Commands as browsers and people write them, and what they download.

The cases are facts from these sources, in a form of our own: POSIX, Shell Command
Language (sections 2.2, 2.3, 2.7); the manuals of curl 8, wget 1.25 and Windows' cmd;
"Copy as cURL" of Chrome, Firefox and Safari; and curlconverter's test fixtures.
"""

from __future__ import annotations

import time

import pytest

from tui.core.request import BadRequestLine, DownloadRequest
from tui.sources.readers.shell_words import split_command, split_words
from tui.sources.readers.text_list import parse_text


def read(text: str, notes: list[str] | None = None) -> list[DownloadRequest]:
    items = list(parse_text(text.split("\n"), "list", notes))
    assert [str(i) for i in items if isinstance(i, BadRequestLine)] == []
    return [item for item in items if isinstance(item, DownloadRequest)]


QUOTING = [
    # POSIX 2.2.1: a backslash outside quotes
    (r"a\ b", ["a b"]),
    (r"\$x", ["$x"]),
    ("a\\\nb", ["ab"]),
    # 2.2.2: single quotes keep everything
    (r"'a\b$c`d\"'", [r"a\b$c`d\""]),
    ("'a\nb'", ["a\nb"]),
    # 2.2.3: in double quotes a backslash escapes only $ ` " \ and a line end
    (r'"\$"', ["$"]),
    (r'"\`"', ["`"]),
    (r'"\""', ['"']),
    (r'"\\"', ["\\"]),
    ('"a\\\nb"', ["ab"]),
    (r'"\n\t\a"', [r"\n\t\a"]),
    (r'"a\&b"', [r"a\&b"]),
    (r'"it' "'" 's"', ["it's"]),
    # joined parts
    (r"""a'b'"c"\d""", ["abcd"]),
    ("''", [""]),
    ('""', [""]),
    # bash: $'...' and $"..."
    (r"$'it\'s'", ["it's"]),
    (r"$'\u00fc\x41\101\n'", ["üAA\n"]),
    ('$"a"', ["a"]),
    # nothing is expanded
    ("$HOME/*.iso", ["$HOME/*.iso"]),
    # a comment starts only at the start of a word (2.3)
    ("a#b #c", ["a#b"]),
    ("a '#b'", ["a", "#b"]),
    # operators inside quotes are text
    ("'|' \";\" \\&", ["|", ";", "&"]),
]


@pytest.mark.parametrize(("text", "words"), QUOTING)
def test_words_are_split_as_posix_says(text, words):
    tokens = split_command(f"curl {text}")[1:]
    assert [token.text for token in tokens] == words
    assert not any(token.is_operator for token in tokens)


@pytest.mark.parametrize(("text", "words"), QUOTING[:-2])
def test_hooks_are_split_in_the_same_way(text, words):
    if "#" not in text:
        assert split_words(text) == words
    assert split_words("a|b; #c (d) > e&") == ["a|b;", "#c", "(d)", ">", "e&"]


@pytest.mark.parametrize(
    ("text", "operators"),
    [
        ("a>b", [">"]),
        ("a 2>b", ["2>"]),
        ("a2>b", [">"]),
        ("a '2'>b", [">"]),
        ("a >>b 2>&1", [">>", "2>&"]),
        ("a &>b", ["&>"]),
        ("a<b<<<c", ["<", "<<<"]),
        ("a|b||c|&d", ["|", "||", "|&"]),
        ("a;b&&c", [";"]),
        ("a; b && c &", [";", "&&", "&"]),
        # Unquoted URLs are common in lists, though a shell would split them.
        ("https://a/?b=1&c=2", []),
        ("https://a/X_(y)", []),
    ],
)
def test_operators_are_found_where_a_shell_finds_them(text, operators):
    tokens = split_command(f"curl {text}")
    assert [token.text for token in tokens if token.is_operator] == operators


# The command, and for each download: URL, name, headers.
COMMANDS = [
    # redirections: POSIX 2.7
    ("wget -qO - https://a/x > x.bin", [("https://a/x", "x.bin", ())]),
    ("wget -qO- https://a/x >x.bin 2>/dev/null", [("https://a/x", "x.bin", ())]),
    ("curl https://a/x 1> x.bin", [("https://a/x", "x.bin", ())]),
    ("curl https://a/x >| x.bin", [("https://a/x", "x.bin", ())]),
    ("> x.bin curl https://a/x", "not a URL"),
    ("curl -O https://a/x > log", [("https://a/x", None, ())]),
    ("wget https://a/x > log", [("https://a/x", None, ())]),
    ("curl https://a/x >&2", [("https://a/x", None, ())]),
    ("curl https://a/x https://a/y > z", "> joins several files into one"),
    # what runs the command
    ("sudo curl -sO https://a/x", [("https://a/x", None, ())]),
    ("sudo -u www -E wget https://a/x", [("https://a/x", None, ())]),
    ("( curl -O https://a/x )", [("https://a/x", None, ())]),
    ("(curl -O https://a/x)", [("https://a/x", None, ())]),
    ("{ curl -O https://a/x; }", [("https://a/x", None, ())]),
    ("time curl -O https://a/x", [("https://a/x", None, ())]),
    ("https_proxy=http://p:1 curl -O https://a/x", [("https://a/x", None, ())]),
    ("env LC_ALL=C wget https://a/x", [("https://a/x", None, ())]),
    ("nice -n 10 wget https://a/x", [("https://a/x", None, ())]),
    # several commands on a line
    (
        "curl -O https://a/x && curl -o z https://a/y",
        [("https://a/x", None, ()), ("https://a/y", "z", ())],
    ),
    (
        "wget https://a/x; wget https://a/y &",
        [("https://a/x", None, ()), ("https://a/y", None, ())],
    ),
    ("curl -f https://a/x || wget https://b/x", [("https://a/x", None, ())]),
    ("curl https://a/x | sudo tee /etc/x", [("https://a/x", None, ())]),
    # curl's manual
    (
        "curl -b 'a=b' --cookie c=d https://a/x",
        [("https://a/x", None, (("Cookie", "a=b; c=d"),))],
    ),
    ("curl -b '' -c jar https://a/x", [("https://a/x", None, ())]),
    (
        "curl -b a=b -H 'Cookie: c=d' https://a/x",
        [("https://a/x", None, (("Cookie", "c=d"),))],
    ),
    (
        "curl -A one -A two https://a/x",
        [("https://a/x", None, (("User-Agent", "two"),))],
    ),
    (
        "curl -e 'https://r/;auto' https://a/x",
        [("https://a/x", None, (("Referer", "https://r/"),))],
    ),
    ("curl -A '' https://a/x", [("https://a/x", None, (("User-Agent", ""),))]),
    ("curl -H @headers https://a/x", "--header names a file"),
    ("curl -b cookies.txt https://a/x", "--cookie names a file; use --cookies"),
    # names of wget's options that it keeps from earlier versions
    (
        "wget --http-user a --http-passwd b --proxy-passwd c https://a/x",
        [("https://a/x", None, (("Authorization", "Any-Login YTpi"),))],
    ),
    ("wget --load-cookies c.txt https://a/x", "--load-cookies names a file"),
    ("curl -G -d a=1 https://a/x", [("https://a/x?a=1", None, ())]),
    (
        "curl -d a=1 --get -d b=2 'https://a/x?q#f'",
        [("https://a/x?q&a=1&b=2#f", None, ())],
    ),
    (
        "curl -G --data-urlencode 'q=a b&c' https://a/x",
        [("https://a/x?q=a%20b%26c", None, ())],
    ),
    ("curl --url-query a=b -o n https://a/x", [("https://a/x?a=b", "n", ())]),
    ("curl -G -d 'r={1..3}' https://a/x", [("https://a/x?r={1..3}", None, ())]),
    ("curl -G -d @file https://a/x", "--data reads a file"),
    ("curl -d a=1 https://a/x", "--data sends data"),
    (
        "curl --remote-name-all https://a/x https://a/y > log",
        [("https://a/x", None, ()), ("https://a/y", None, ())],
    ),
    ("curl a.example?u=http://b/", [("http://a.example?u=http://b/", None, ())]),
    (
        "curl --no-progress-meter --tlsv1.2 --proto '=https' -sSf https://a/x",
        [("https://a/x", None, ())],
    ),
    ("curl --shiny https://a/x", [("https://a/x", None, ())]),
    ("curl --shiny value https://a/x", "--shiny is not a known option of curl"),
    (
        "wget --no-check-certificate --no-cookies https://a/x",
        [("https://a/x", None, ())],
    ),
]


@pytest.mark.parametrize(("text", "expected"), COMMANDS)
def test_a_command_downloads_what_the_program_would(text, expected):
    if isinstance(expected, str):
        (item,) = parse_text([text], "list")
        assert isinstance(item, BadRequestLine)
        assert item.reason.startswith(expected)
        return
    assert [(item.url, item.name, item.headers) for item in read(text)] == [*expected]


CHROME_POSIX = r"""curl 'https://e.example/f.bin?x=1&y=2' \
  -H 'accept: text/html' \
  -H 'accept-language: en' \
  -b $'sid=abc; n=\u00fc' \
  -H 'priority: u=0, i' \
  -H $'x-a: it\'s \u0021' \
  -H 'range: bytes=0-' \
  -H 'x-empty;' ;
curl 'https://e.example/g' \
  -H 'x-b: 2'"""
CHROME_CMD = r"""curl ^"https://e.example/f.bin?x=1^&y=2^" ^
  -H ^"accept: text/html^" ^
  -H ^"accept-language: en^" ^
  -b ^"sid=abc; n=ü^" ^
  -H ^"priority: u=0, i^" ^
  -H ^"x-a: it's ^!^" ^
  -H ^"range: bytes=0-^" ^
  -H ^"x-empty;^" &
curl ^"https://e.example/g^" ^
  -H ^"x-b: 2^" """
FIREFOX_POSIX = (
    r"curl 'https://e.example/f.bin?x=1&y=2' --compressed -H 'accept: text/html'"
    r" -H 'accept-language: en' -H 'Accept-Encoding: gzip, deflate, br, zstd'"
    r" -H 'Connection: keep-alive' -b 'sid=abc; n=ü' -H 'priority: u=0, i'"
    r" -H $'x-a: it\'s \x21' -H 'TE: trailers' -H 'x-empty;'"
    "\ncurl 'https://e.example/g' -H 'x-b: 2'"
)
FIREFOX_CMD = (
    r'curl "https://e.example/f.bin?x=1&y=2" --compressed -H "accept: text/html"'
    r' -H "accept-language: en" -H "Accept-Encoding: gzip, deflate, br" ^'
    "\n"
    r' -b "sid=abc; n=ü" -H "priority: u=0, i" -H "x-a: it'
    r"""'s !" -H "TE: trailers" -H "x-empty;" """
    '\ncurl "https://e.example/g" -H "x-b: 2"'
)
SAFARI = r"""curl 'https://e.example/f.bin?x=1&y=2' \
-X 'GET' \
-H 'accept: text/html' \
-H 'accept-language: en' \
-H 'Cookie: sid=abc; n=ü' \
-H 'Accept-Encoding: gzip, deflate, br' \
-H 'priority: u=0, i' \
-H $'x-a: it\'s !' \
-H 'x-empty;'
curl 'https://e.example/g' -H 'x-b: 2'"""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CHROME_POSIX, id="chrome"),
        pytest.param(CHROME_CMD, id="chrome-cmd"),
        pytest.param(FIREFOX_POSIX, id="firefox"),
        pytest.param(FIREFOX_CMD, id="firefox-cmd"),
        pytest.param(SAFARI, id="safari"),
    ],
)
def test_every_browser_copies_the_same_requests(text):
    first, second = read(text)
    assert first.url == "https://e.example/f.bin?x=1&y=2"
    assert sorted(first.headers) == [
        ("Cookie", "sid=abc; n=ü"),
        ("accept", "text/html"),
        ("accept-language", "en"),
        ("priority", "u=0, i"),
        ("x-a", "it's !"),
        ("x-empty", ""),
    ]
    assert (second.url, second.headers) == ("https://e.example/g", (("x-b", "2"),))


@pytest.mark.alone
@pytest.mark.parametrize(
    "text",
    [
        "sudo " + "-u " * 20_000,
        "curl " + "\\" * 60_000,
        "curl " + '"' + "\\$" * 30_000,
        "curl $'" + "\\'" * 30_000,
        "A=" * 30_000,
        "curl " + "(" * 60_000,
        "curl " + "2>" * 30_000,
        "/" * 65_000,
        "curl " + "-" * 60_000,
        "curl " + "^" * 60_000,
        'curl ^"' + '\\^"' * 20_000,
    ],
    ids=lambda text: ascii(text[:10]),
)
def test_hostile_commands_take_linear_time(text):
    start = time.process_time()
    assert len(list(parse_text([text], "list"))) >= 0
    assert time.process_time() - start < 2
