"""Cookies from a browser's file: parsing, and which requests get them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.net.fetching import fetch
from tui.core.errors import LocalError
from tui.core.settings import Settings
from tui.demo.script import ResponseScript
from tui.messages import notice_text
from tui.net.auth import cookies
from tui.net.auth.cookies import CookieFile
from tui.net.request import GetRequest
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from pathlib import Path

    from tui.demo.server import ScriptedServer

NOW = 1_000_000.0


def line(
    domain: str = "h.example",
    subdomains: str = "FALSE",
    path: str = "/",
    secure: str = "FALSE",
    expires: str = "0",
    name: str = "n",
    value: str = "v",
) -> str:
    return "\t".join((domain, subdomains, path, secure, expires, name, value)) + "\n"


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    return tmp_path / "cookies.txt"


def pairs(jar: Path, url: str, *lines: str) -> dict[str, str]:
    jar.write_text("# Netscape HTTP Cookie File\n" + "".join(lines))
    return dict(CookieFile(jar).cookies_for(url, NOW))


@pytest.mark.parametrize(
    ("cookie", "url", "is_sent"),
    [
        (line(), "http://h.example/a", True),
        (line(), "http://H.EXAMPLE:81", True),
        (line(), "http://sub.h.example/", False),
        (line(), "http://other.example/", False),
        (line("h.example", "TRUE"), "http://a.b.h.example/", True),
        (line(".bücher.example", "TRUE"), "http://a.xn--bcher-kva.example/", True),
        (line("xn--bcher-kva.example"), "http://bücher.example/", True),
        (line(".h.example", "TRUE"), "http://h.example/", True),
        (line(".h.example", "FALSE"), "http://sub.h.example/", False),
        (line(".h.example", "FALSE"), "http://h.example/", True),
        (line("org", "TRUE"), "http://h.example.org/", False),
        (line("co.uk", "TRUE"), "http://h.co.uk/", False),
        (line("h.example", "TRUE"), "http://notmyh.example/", False),
        (line("h.example", "TRUE"), "http://a.h.example.", True),
        (line("127.0.0.1"), "http://127.0.0.1/", True),
        (line("0.1", "TRUE"), "http://127.0.0.1/", False),
        (line("localhost"), "http://localhost:8080/", True),
        (line(path="/a"), "http://h.example/a", True),
        (line(path="/a"), "http://h.example/a/b?c", True),
        (line(path="/a"), "http://h.example/ab", False),
        (line(path="/a/"), "http://h.example/a/b", True),
        (line(path="/a/"), "http://h.example/a", False),
        (line(path="/a"), "http://h.example/?/a", False),
        (line(path="odd"), "http://h.example/", True),
        (line(secure="TRUE"), "http://h.example/", False),
        (line(secure="TRUE"), "https://h.example/", True),
        (line(expires="999999"), "http://h.example/", False),
        (line(expires="1000001.5"), "http://h.example/", True),
        ("#HttpOnly_" + line(), "http://h.example/", True),
        ("# " + line(), "http://h.example/", False),
        (line().replace("\n", "\r\n"), "http://h.example/", True),
    ],
)
def test_cookies_are_sent_to_matching_urls(
    jar: Path, cookie: str, url: str, is_sent: bool
) -> None:
    assert pairs(jar, url, cookie) == ({"n": "v"} if is_sent else {})


def test_the_longest_path_takes_precedence(jar: Path) -> None:
    pairs(
        jar,
        "http://h.example/",
        line(path="/", value="far"),
        line(path="/a/b", value="near"),
    )
    found = CookieFile(jar).cookies_for("http://h.example/a/b/c", NOW)
    assert found == [("n", "near"), ("n", "far")]


def test_the_last_of_two_lines_for_one_cookie_counts(jar: Path) -> None:
    lines = (line(value="old"), line(value="new"), line("other.example", value="no"))
    assert pairs(jar, "http://h.example/", *lines) == {"n": "new"}


def test_an_empty_value_is_accepted(jar: Path) -> None:
    short = line(value="").rstrip() + "\n"
    assert pairs(jar, "http://h.example/", short) == {"n": ""}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("h.example TRUE / FALSE 0 n v\n", "expected 7 tab-separated fields, found 1"),
        (line().rstrip() + "\tmore\n", "found 8"),
        (line(domain=""), "domain"),
        (line(subdomains="maybe"), r"field 2 \(subdomains\) must be TRUE or FALSE"),
        (line(secure="1"), "field 4"),
        (line(expires="tomorrow"), "expiry"),
        (line(name="", value=""), "neither a name nor a value"),
        (line(value="SECRET\x00"), "cannot be sent"),
        (line(value="SECRET;x"), "cannot be sent"),
    ],
)
def test_an_invalid_line_is_skipped_and_reported_with_its_number(
    jar: Path, bad: str, reason: str
) -> None:
    assert pairs(jar, "http://h.example/", line(), bad) == {"n": "v"}
    said = notice_text(CookieFile(jar).notice)
    assert re.match(f"{jar}:3: .*{reason}", said)
    assert "SECRET" not in said
    # A file without any cookie is the wrong file.
    with pytest.raises(LocalError, match=f"{jar}:2: .*{reason}") as caught:
        pairs(jar, "http://h.example/", bad)
    assert caught.value.kind == "cookies"
    assert "SECRET" not in str(caught.value)


def test_an_unreadable_file_is_reported(
    jar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LocalError, match="No such file"):
        CookieFile(jar)
    jar.write_bytes(line().encode() + b"\xff\n")
    found = CookieFile(jar)
    assert found.notice is not None
    assert found.notice.values[:3] == (1, str(jar), 2)
    monkeypatch.setattr(cookies, "FILE_LIMIT", 10)
    with pytest.raises(LocalError, match="larger"):
        CookieFile(jar)


@given(st.text(alphabet="h.\t TRUEFALS/0#1\n", max_size=300))
def test_any_line_is_parsed_or_refused(text: str) -> None:
    for each in text.split("\n"):
        try:
            cookie = cookies._parse(each)
        except ValueError:
            continue
        assert cookie.domain


async def test_cookies_from_the_file_and_from_servers_are_merged(
    backend: str, server: ScriptedServer, other: ScriptedServer, jar: Path
) -> None:
    lines = (
        line("127.0.0.1", name="file", value="1"),
        line("127.0.0.1", name="both", value="old"),
        line("elsewhere.example", name="not", value="here"),
    )
    assert pairs(jar, "http://127.0.0.1/", *lines) == {"file": "1", "both": "old"}
    server.add("/there", ResponseScript(b"file"))
    url = server.add(
        "/x", ResponseScript(redirect="/there", headers=[("Set-Cookie", "both=new")])
    )
    session = HttpSession(Settings(http_backend=backend, cookies=jar))
    headers = (("Cookie", "list=0"),)
    assert await fetch(session, GetRequest(url, headers)) == b"file"
    # Another port is another origin, but the user's file applies to the host.
    assert await fetch(session, GetRequest(other.url("/file"), (), 1)) == b"ile"
    await session.close()
    first, second = (seen.headers["cookie"] for seen in server.requests)
    assert first == "list=0; file=1; both=old"
    assert second == "list=0; both=new; file=1"
    assert other.requests[0].headers["cookie"] == "file=1; both=old"
