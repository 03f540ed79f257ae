"""Digest authentication: every request is signed, the password is never sent."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.net.fetching import fetch, refusal_of
from tests.support.digest_guard import DigestGuard
from tui.core.errors import PermanentError
from tui.core.settings import HostRule, Login, Scheme, Settings
from tui.demo.script import ResponseScript
from tui.net.auth.digest import DigestAuthCache, best_challenge, schemes
from tui.net.request import GetRequest
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from pathlib import Path

    from tui.demo.script import RecordedRequest
    from tui.demo.server import ScriptedServer

ME = Login("me", "text:secret", Scheme.DIGEST)


def target(session: HttpSession, url: str, start: int = 0) -> GetRequest:
    return GetRequest(url, session.headers_for(url, (), is_named=True), start)


def sent(server: ScriptedServer) -> list[str]:
    return [seen.headers.get("authorization", "") for seen in server.requests]


@pytest.mark.parametrize(
    "algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512"]
)
async def test_a_challenge_is_answered_and_cached_for_the_ranges(
    backend: str, server: ScriptedServer, algorithm: str
) -> None:
    guard = DigestGuard(b"0123456789", algorithm=algorithm)
    url = server.add("/x?a=b", guard.script())
    session = HttpSession(Settings(http_backend=backend, login=ME))
    assert await fetch(session, target(session, url)) == b"0123456789"
    assert await fetch(session, target(session, url, 4)) == b"456789"
    assert await fetch(session, target(session, url, 8)) == b"89"
    await session.close()
    assert guard.refusals == 1
    first, *later = sent(server)
    assert first == ""
    counts = [value.partition("nc=")[2][:8] for value in later]
    assert counts == ["00000001", "00000002", "00000003"]


@pytest.mark.parametrize(
    "path", ["/a/../b", "/a b", "/f%C3%BC%7e", "/x?q='{|}^`[]", "/fü?ü", "/a//b;c=d,e"]
)
async def test_the_digest_covers_the_requested_path(
    backend: str, server: ScriptedServer, path: str
) -> None:
    guard = DigestGuard(b"file")
    # In whichever spelling the transport requests it.
    for asked in ("/b", "/a%20b", "/f%C3%BC%7e", "/f%C3%BC~", "/x", "/f%C3%BC"):
        server.add(asked, guard.script())
    server.add("/a//b;c=d,e", guard.script())
    session = HttpSession(Settings(http_backend=backend, login=ME))
    url = f"http://127.0.0.1:{server.port}{path}"
    assert await fetch(session, target(session, url)) == b"file"
    assert await fetch(session, target(session, url)) == b"file"
    await session.close()
    assert guard.refusals == 1


async def test_concurrent_ranges_are_all_authenticated(
    backend: str, server: ScriptedServer
) -> None:
    guard = DigestGuard(bytes(range(200)), uses=5)
    url = server.add("/x", guard.script())
    session = HttpSession(Settings(http_backend=backend, login=ME))
    bodies = await asyncio.gather(
        *(fetch(session, target(session, url, start)) for start in range(1, 21))
    )
    await session.close()
    assert [body[0] for body in bodies] == list(range(1, 21))


async def test_a_stale_nonce_costs_one_more_request(
    backend: str, server: ScriptedServer
) -> None:
    guard = DigestGuard(b"file", uses=1)
    url = server.add("/x", guard.script())
    session = HttpSession(Settings(http_backend=backend, login=ME))
    for _ in range(3):
        assert await fetch(session, target(session, url)) == b"file"
    await session.close()
    assert guard.refusals == 3


async def test_a_wrong_password_is_sent_once_and_reported(
    backend: str, server: ScriptedServer
) -> None:
    url = server.add("/x", DigestGuard(b"file", password="other").script())
    session = HttpSession(Settings(http_backend=backend, login=ME))
    error = await refusal_of(session, target(session, url))
    await session.close()
    assert isinstance(error, PermanentError)
    assert (error.kind, error.status) == ("auth", 401)
    assert "credentials rejected (Digest)" in str(error)
    assert len(server.requests) == 2


async def test_digest_credentials_are_never_sent_as_basic(
    backend: str, server: ScriptedServer
) -> None:
    url = server.add(
        "/x",
        ResponseScript(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}),
    )
    session = HttpSession(Settings(http_backend=backend, login=ME))
    error = await refusal_of(session, target(session, url))
    await session.close()
    assert "credentials cannot be sent" in str(error)
    assert str(error).endswith("(Basic)")
    assert sent(server) == [""]


async def test_basic_credentials_answer_a_digest_challenge(
    backend: str, server: ScriptedServer
) -> None:
    guard = DigestGuard(b"file")
    url = server.add("/x", guard.script())
    session = HttpSession(Settings(http_backend=backend))
    userinfo = url.replace("http://", "http://me:secret@")
    assert await fetch(session, GetRequest(userinfo)) == b"file"
    assert await fetch(session, GetRequest(userinfo)) == b"file"
    await session.close()
    assert guard.refusals == 1


async def test_digest_credentials_do_not_follow_a_cross_origin_redirect(
    backend: str, server: ScriptedServer, other: ScriptedServer
) -> None:
    guard = DigestGuard(b"file")
    away = other.add("/x", guard.script())
    url = server.add("/x", ResponseScript(redirect=away))
    session = HttpSession(Settings(http_backend=backend, login=ME))
    error = await refusal_of(session, target(session, url))
    await session.close()
    assert "credentials required (Digest)" in str(error)
    assert sent(other) == [""]


async def test_a_rule_sets_the_credentials_for_the_target_of_a_redirect(
    backend: str, server: ScriptedServer
) -> None:
    guard = DigestGuard(b"file")
    server.add("/there", guard.script())
    url = server.add(
        "/x", ResponseScript(redirect=server.url("/there", host="localhost"))
    )
    session = HttpSession(
        Settings(http_backend=backend, hosts=(HostRule("localhost", login=ME),))
    )
    assert await fetch(session, target(session, url)) == b"file"
    await session.close()
    assert sent(server)[0] == ""


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="x"',
        'Digest nonce="n"',
        'Digest realm="x", nonce="n", algorithm=CRC32',
        'Digest realm="x", nonce="n", qop="other"',
        "Digest",
        "digest ,,,=",
        "",
    ],
)
async def test_an_unsupported_challenge_is_a_401(
    session: HttpSession, server: ScriptedServer, challenge: str
) -> None:
    url = server.add(
        "/x", ResponseScript(status=401, headers={"WWW-Authenticate": challenge or "x"})
    )
    error = await refusal_of(session, GetRequest(url.replace("//", "//me:secret@")))
    assert (error.kind, error.status) == ("auth", 401)
    assert "credentials cannot be sent" in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "realm", ["Größe".encode(), "Größe".encode("latin-1"), b'the \\"inner\\" one, x=y']
)
@pytest.mark.parametrize("qop", ['qop="auth-int"', 'qop="auth-int,auth"', "opaque=x"])
async def test_odd_realms_are_returned_as_they_came(
    session: HttpSession, server: ScriptedServer, realm: bytes, qop: str
) -> None:
    line = (
        b'WWW-Authenticate: Digest realm="' + realm + b'", nonce="n", ' + qop.encode()
    )
    head = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n" + line + b"\r\n\r\n"
    url = server.add("/x", ResponseScript(raw=head))
    error = await refusal_of(session, GetRequest(url.replace("//", "//me:secret@")))
    assert "credentials rejected (Digest)" in str(error)
    first, second = server.requests
    assert b"uthorization" not in first.raw_head
    assert b'realm="' + realm + b'", nonce="n", uri="/x", ' in second.raw_head
    value = second.raw_head.decode("latin-1")
    assert ("qop=auth-int" in value) == (qop == 'qop="auth-int"')

    def digest(*parts: bytes) -> bytes:
        return hashlib.md5(b":".join(parts)).hexdigest().encode()

    found = dict(re.findall(r'(\w+)="?(\w+)', value))
    secret = digest(b"me", realm.replace(b"\\", b""), b"secret")
    covered = [b"GET", b"/x"]
    if "qop" in found:
        middle = [b"n", found["nc"].encode(), found["cnonce"].encode()]
        middle.append(b"auth-int" if "qop=auth-int" in value else b"auth")
        covered += [digest(b"")] if "qop=auth-int" in value else []
    else:
        middle = [b"n"]
    assert found["response"].encode() == digest(secret, *middle, digest(*covered))


async def test_a_login_is_sent_after_a_challenge_only(
    backend: str, server: ScriptedServer
) -> None:
    def answer(seen: RecordedRequest) -> ResponseScript | None:
        if seen.headers.get("authorization", "") == "Basic bWU6c2VjcmV0":
            return ResponseScript(b"file")
        return None

    script = ResponseScript(
        status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}, answer=answer
    )
    url = server.add("/x", script)
    userinfo = url.replace("//", "//me:secret@")
    session = HttpSession(Settings(http_backend=backend))
    bodies = await asyncio.gather(
        *(fetch(session, GetRequest(userinfo)) for _ in range(5))
    )
    assert bodies == [b"file"] * 5
    before = len(server.requests)
    assert sent(server)[0] == ""
    # From now on it is sent at once, and to that origin only.
    assert await fetch(session, GetRequest(userinfo)) == b"file"
    assert len(server.requests) == before + 1
    await session.close()
    session = HttpSession(Settings(http_backend=backend, auth=Scheme.BASIC))
    assert await fetch(session, GetRequest(userinfo)) == b"file"
    assert len(server.requests) == before + 2
    await session.close()


@pytest.mark.parametrize("source", ["url", "run", "rule", "netrc"])
async def test_a_password_for_digest_is_never_sent(
    server: ScriptedServer, tmp_path: Path, source: str
) -> None:
    guard = DigestGuard(b"file", others=('Basic realm="x"',))
    url = server.add("/x", guard.script())
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret")
    login = Login("me", "text:secret", Scheme.AUTO)
    settings = Settings(
        login=login if source == "run" else None,
        hosts=(HostRule("127.0.0.1", login=login),) if source == "rule" else (),
        netrc=netrc if source == "netrc" else None,
    )
    session = HttpSession(settings)
    if source == "url":
        url = url.replace("//", "//me:secret@")
    assert await fetch(session, target(session, url)) == b"file"
    await session.close()
    assert [value.partition(" ")[0] for value in sent(server)] == ["", "Digest"]


def test_the_example_in_the_rfc_is_answered_correctly() -> None:
    # RFC 7616 section 3.9.1, with the client nonce of the example.
    challenge = best_challenge(
        [
            'Digest realm="http-auth@example.org", qop="auth, auth-int",'
            ' algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",'
            ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
            'Digest realm="http-auth@example.org", qop="auth, auth-int",'
            " algorithm=SHA-256,"
            ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",'
            ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
        ]
    )
    assert challenge is not None
    value = challenge.answer(
        ("Mufasa", "Circle of Life"),
        "/dir/index.html",
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    response = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    assert "algorithm=SHA-256" in value
    assert f'response="{response}"' in value


def test_schemes_keep_the_order_of_the_server() -> None:
    line = 'Negotiate, Basic realm="a, Digest b", Digest realm="x", nonce="y"'
    assert schemes([line]) == ["Negotiate", "Basic", "Digest"]
    assert schemes(["Bearer", 'Digest realm="x"']) == ["Bearer", "Digest"]


@given(st.lists(st.text(max_size=200), max_size=3))
def test_any_challenge_is_parsed_without_exceptions(values: list[str]) -> None:
    best_challenge([f"Digest {value}" for value in values])
    schemes(values)
    cache = DigestAuthCache()
    headers = (("Authorization", "Basic bWU6c2VjcmV0"),)
    values = ['Digest realm="x", nonce="' + value + '"' for value in values]
    cache.accept_challenge("http://h/x", headers, values, 0)
    cache.apply("http://h/x", headers)
