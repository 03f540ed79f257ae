"""Redirects are followed, and credentials stay with their origin."""

from __future__ import annotations

import base64
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.net.fetching import error_of, fetch, read_all
from tui.core.errors import PermanentError
from tui.core.settings import Scheme, Settings
from tui.demo.script import RecordedRequest, ResponseScript
from tui.demo.server import ScriptedServer
from tui.net.redirects import MAX_HOPS
from tui.net.request import GetRequest
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = (
    ("Authorization", "Bearer SECRET"),
    ("Cookie", "sid=SECRET"),
    ("X-Api-Key", "SECRET"),
)


# -- following -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_to_the_file(
    session: HttpSession, server: ScriptedServer, status: int
) -> None:
    server.add("/file", ResponseScript(b"file"))
    url = server.add(
        "/a/x", ResponseScript(b"moved", redirect="../file", status=status)
    )
    response = await session.open(GetRequest(url))
    assert response.url == server.url("/file")
    assert response.redirects == 1
    assert await read_all(response) == b"file"


async def test_the_range_is_sent_on_every_hop(
    session: HttpSession, server: ScriptedServer, other: ScriptedServer
) -> None:
    other.add("/y", ResponseScript(b"0123456789", etag='"v"'))
    url = server.add("/x", ResponseScript(redirect=other.url("/y")))
    target = GetRequest(url, start=2, end=5, if_range='"v"')
    assert await fetch(session, target) == b"234"
    for seen in (*server.requests, *other.requests):
        assert seen.headers["range"] == "bytes=2-4"
        assert seen.headers["if-range"] == '"v"'


async def test_at_most_twenty_hops_are_followed(
    session: HttpSession, server: ScriptedServer
) -> None:
    server.add("/0", ResponseScript(b"file"))
    for hop in range(1, MAX_HOPS + 2):
        server.add(f"/{hop}", ResponseScript(redirect=f"/{hop - 1}"))
    response = await session.open(GetRequest(server.url(f"/{MAX_HOPS}")))
    assert response.redirects == MAX_HOPS
    assert await read_all(response) == b"file"
    error = await error_of(session, GetRequest(server.url(f"/{MAX_HOPS + 1}")))
    assert isinstance(error, PermanentError)
    assert error.kind == "too_many_redirects"


async def test_loops_are_detected_at_once(
    session: HttpSession, server: ScriptedServer
) -> None:
    server.add("/a", ResponseScript(redirect="/b"))
    server.add("/b", ResponseScript(redirect="/a#fragment"))
    error = await error_of(session, GetRequest(server.url("/a")))
    assert isinstance(error, PermanentError)
    assert error.kind == "too_many_redirects"
    assert "loop" in str(error)
    assert len(server.requests) == 4


async def test_a_redirect_to_the_same_url_is_followed_once(
    session: HttpSession, server: ScriptedServer
) -> None:
    # As in curl's test 193: the second request gets the file.
    def answer(seen: RecordedRequest) -> ResponseScript | None:
        return ResponseScript(b"file") if len(server.requests) == 2 else None

    url = server.add("/x", ResponseScript(redirect="/x", answer=answer))
    assert await fetch(session, GetRequest(url)) == b"file"


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "javascript:alert(1)",
        "data:text/plain,x",
        "http://",
        "http://:80/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "http://127.0.0.1:x/",
        "//",
        "http://a b/",
    ],
)
async def test_a_redirect_to_an_invalid_url_is_refused(
    session: HttpSession, server: ScriptedServer, location: str
) -> None:
    error = await error_of(
        session, GetRequest(server.add("/x", ResponseScript(redirect=location)))
    )
    assert isinstance(error, PermanentError)
    assert error.kind == "bad_redirect"
    assert f"127.0.0.1:{server.port}" in str(error)
    scheme = location.partition(":")[0]
    if scheme and not scheme.startswith(("http", "//")):
        assert str(error).endswith(f"unsupported scheme {scheme!r}")
    assert len(server.requests) == 1


async def test_a_redirect_with_several_locations_is_refused(
    session: HttpSession, server: ScriptedServer
) -> None:
    script = ResponseScript(
        status=302, headers=[("Location", "/a"), ("Location", "/b")]
    )
    error = await error_of(session, GetRequest(server.add("/x", script)))
    assert error.kind == "bad_redirect"


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/x", "http://[/x"])
async def test_refused_redirects_keep_no_connections(
    session: HttpSession, server: ScriptedServer, location: str
) -> None:
    url = server.add("/x", ResponseScript(redirect=location))
    for _ in range(3):
        await error_of(session, GetRequest(url))
    await server.until(lambda: server.open_connections <= 1)


async def test_a_redirect_without_location_is_returned(
    session: HttpSession, server: ScriptedServer
) -> None:
    response = await session.open(
        GetRequest(server.add("/x", ResponseScript(b"", status=302)))
    )
    assert response.status == 302
    await response.close()


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/f\u00fc", "/f%C3%BC"),
        ("/a b", "/a%20b"),
        ("?q=1", "/x?q=1"),
        ("./y/../z", "/z"),
    ],
)
async def test_odd_locations_are_parsed_as_in_browsers(
    session: HttpSession, server: ScriptedServer, location: str, path: str
) -> None:
    server.add("/x", ResponseScript(redirect=location))
    server.add(path, ResponseScript(b"file"))
    assert await fetch(session, GetRequest(server.url("/x"))) == b"file"
    assert server.requests[-1].path == path


async def test_a_location_in_raw_latin_1_is_percent_encoded(
    session: HttpSession, server: ScriptedServer
) -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: /caf\xe9\r\nContent-Length: 0\r\n\r\n"
    server.add("/caf%E9", ResponseScript(b"file"))
    assert (
        await fetch(session, GetRequest(server.add("/x", ResponseScript(raw=raw))))
        == b"file"
    )


# -- credentials -----------------------------------------------------------------------


async def test_credentials_go_to_their_own_origin_only(
    session: HttpSession, server: ScriptedServer, other: ScriptedServer
) -> None:
    server.add("/b", ResponseScript(redirect=other.url("/file")))
    url = server.add("/a", ResponseScript(redirect="/b"))
    assert await fetch(session, GetRequest(url, headers=SECRETS)) == b"file"
    for seen in server.requests:
        assert seen.raw_head.count(b"SECRET") == 3
    assert b"SECRET" not in other.requests[0].raw_head


async def test_another_name_of_the_same_host_is_another_origin(
    session: HttpSession, server: ScriptedServer
) -> None:
    server.add("/file", ResponseScript(b"file"))
    url = server.add(
        "/a", ResponseScript(redirect=server.url("/file", host="localhost"))
    )
    assert await fetch(session, GetRequest(url, headers=SECRETS)) == b"file"
    assert b"SECRET" not in server.requests[-1].raw_head


async def test_credentials_are_not_sent_after_returning_to_the_first_origin(
    session: HttpSession, server: ScriptedServer, other: ScriptedServer
) -> None:
    server.add("/file", ResponseScript(b"file"))
    other.add("/back", ResponseScript(redirect=server.url("/file")))
    url = server.add("/a", ResponseScript(redirect=other.url("/back")))
    assert await fetch(session, GetRequest(url, headers=SECRETS)) == b"file"
    assert b"SECRET" not in server.requests[-1].raw_head


async def test_ambiguous_urls_do_not_leak_credentials(
    session: HttpSession, server: ScriptedServer, other: ScriptedServer
) -> None:
    # One parser reads host "other" with a path, the next userinfo at "server".
    trick = f"http://127.0.0.1:{other.port}\\@127.0.0.1:{server.port}/file"
    server.add("/file", ResponseScript(b"file"))
    url = server.add("/a", ResponseScript(redirect=trick))
    await fetch(session, GetRequest(url, headers=SECRETS))
    assert not any(b"SECRET" in seen.raw_head for seen in other.requests)


async def test_userinfo_becomes_basic_auth_and_is_never_shown(
    backend: str, server: ScriptedServer, other: ScriptedServer
) -> None:
    session = HttpSession(Settings(http_backend=backend, auth=Scheme.BASIC))
    server.add("/a", ResponseScript(redirect="/b"))
    server.add("/b", ResponseScript(redirect=other.url("/file")))
    url = server.url("/a").replace("://", "://us%40er:SEC%3aRET@")
    response = await session.open(GetRequest(url))
    assert "@" not in response.url
    assert await read_all(response) == b"file"
    expected = "Basic " + base64.b64encode(b"us@er:SEC:RET").decode()
    assert [s.headers.get("authorization") for s in server.requests] == [expected] * 2
    assert "authorization" not in other.requests[0].headers
    await server.stop()
    error = await error_of(session, GetRequest(url))
    assert "SEC" not in str(error)
    assert "us%40er" not in str(error)
    await session.close()


async def test_a_redirect_to_the_same_origin_may_name_another_login(
    backend: str, server: ScriptedServer
) -> None:
    session = HttpSession(Settings(http_backend=backend, auth=Scheme.BASIC))
    server.add("/file", ResponseScript(b"file"))
    target = server.url("/file").replace("://", "://new:login@")
    url = server.add("/a", ResponseScript(redirect=target))
    named = url.replace("://", "://us:er@")
    assert await fetch(session, GetRequest(named)) == b"file"
    await session.close()
    expected = [b"us:er", b"new:login"]
    assert [seen.headers["authorization"] for seen in server.requests] == [
        f"Basic {base64.b64encode(login).decode()}" for login in expected
    ]


async def test_an_authorization_header_takes_precedence_over_userinfo(
    session: HttpSession, server: ScriptedServer
) -> None:
    url = server.add("/a", ResponseScript(b"x")).replace("://", "://u:p@")
    await fetch(session, GetRequest(url, headers=(("authorization", "Mine"),)))
    assert server.requests[0].headers["authorization"] == "Mine"


# -- cookies ---------------------------------------------------------------------------


def _demands_cookie(seen: RecordedRequest) -> ResponseScript | None:
    if "pass=1" in seen.headers.get("cookie", ""):
        return ResponseScript(b"file")
    return None


async def test_cookies_apply_to_one_redirect_chain(
    session: HttpSession, server: ScriptedServer
) -> None:
    # Redirects to itself until it gets the cookie: no loop, the request differs.
    script = ResponseScript(
        redirect="/x", headers={"Set-Cookie": "pass=1"}, answer=_demands_cookie
    )
    target = GetRequest(server.add("/x", script), headers=(("Cookie", "own=2"),))
    assert await fetch(session, target) == b"file"
    assert server.requests[1].headers["cookie"] == "own=2; pass=1"
    assert await fetch(session, GetRequest(target.url)) == b"file"
    assert "cookie" not in server.requests[2].headers


async def test_each_cookie_may_lead_to_the_same_url_again(
    session: HttpSession, server: ScriptedServer
) -> None:
    def answer(seen: RecordedRequest) -> ResponseScript:
        if seen.number == 5:
            return ResponseScript(b"file")
        cookie = {"Set-Cookie": f"step={seen.number}"}
        return ResponseScript(redirect="/x", headers=cookie)

    url = server.add("/x", ResponseScript(answer=answer))
    assert await fetch(session, GetRequest(url)) == b"file"


async def test_cookies_are_not_sent_to_another_port(
    session: HttpSession, server: ScriptedServer, other: ScriptedServer
) -> None:
    other.add("/back", ResponseScript(redirect=server.url("/file")))
    server.add("/file", ResponseScript(b"file"))
    url = server.add(
        "/a",
        ResponseScript(
            redirect=other.url("/back"), headers={"Set-Cookie": "sid=SECRET"}
        ),
    )
    assert await fetch(session, GetRequest(url)) == b"file"
    assert "cookie" not in other.requests[0].headers
    assert server.requests[-1].headers["cookie"] == "sid=SECRET"


# -- https to http ---------------------------------------------------------------------


async def test_a_redirect_from_https_to_http_is_refused(
    backend: str, server: ScriptedServer, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    session = HttpSession(Settings(http_backend=backend, ca_file=bundle, timeout_s=20))
    server.add("/file", ResponseScript(b"file"))
    async with ScriptedServer(context) as secure:
        secure.add("/down", ResponseScript(redirect=server.url("/file")))
        error = await error_of(session, GetRequest(secure.url("/down")))
        assert isinstance(error, PermanentError)
        assert error.kind == "bad_redirect"
        assert "https" in str(error)
        assert server.requests == []
        # From http to https is allowed, but without the credentials.
        secure.add("/file", ResponseScript(b"file"))
        server.add("/up", ResponseScript(redirect=secure.url("/file")))
        up = GetRequest(server.url("/up"), headers=SECRETS)
        assert await fetch(session, up) == b"file"
        assert b"SECRET" not in secure.requests[-1].raw_head
        await session.close()
