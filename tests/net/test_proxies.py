"""Requests through real proxies: proxy.py, and a SOCKS5 server in the tests."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.net.fetching import error_by, fetch, fetch_by
from tests.support.proxy_process import running_proxy
from tests.support.socks_server import SocksServer
from tui.core.errors import FetchError, LocalError, PermanentError, TransientError
from tui.core.settings import HostRule, Login, Settings
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.net.request import GetRequest
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    import trustme

SECRET = "p@ss:w/rd"
QUOTED = "p%40ss%3Aw%2Frd"


@pytest.fixture(params=["http1", "httpx"])
def backend(request: pytest.FixtureRequest) -> str:
    """The backends that support proxies."""
    return str(request.param)


@pytest.fixture(scope="module")
def open_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with running_proxy(tmp_path_factory.mktemp("proxy")) as port:
        yield port


@pytest.fixture(scope="module")
def guarded_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("proxy")
    with running_proxy(folder, "--basic-auth", f"me:{SECRET}") as port:
        yield port


@pytest.fixture(scope="module")
def tls_proxy(
    tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA
) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("proxy")
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    arguments = ("--cert-file", "cert.pem", "--key-file", "key.pem")
    with running_proxy(folder, *arguments) as port:
        yield port


@pytest.fixture
async def secure(authority: trustme.CA) -> AsyncIterator[ScriptedServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "far.example").configure_cert(context)
    async with ScriptedServer(context) as running:
        running.add("/x", ResponseScript(b"secure file"))
        yield running


@pytest.fixture
def plain(server: ScriptedServer) -> str:
    return server.add("/x", ResponseScript(b"file"))


@pytest.fixture(params=["http", "https"])
def url(request: pytest.FixtureRequest, plain: str, secure: ScriptedServer) -> str:
    """A file by each scheme."""
    return plain if request.param == "http" else secure.url("/x")


async def error_through(settings: Settings, url: str) -> FetchError:
    error = await error_by(settings, url)
    for secret in (SECRET, QUOTED, "ss:w"):
        assert secret not in str(error)
    return error


async def free_port() -> int:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port: int = server.sockets[0].getsockname()[1]
        return port


def came_through_proxy(server: ScriptedServer) -> bool:
    """proxy.py adds Via to what it forwards, but cannot look into a tunnel."""
    return "via" in server.requests[-1].headers


async def test_a_plain_request_goes_through_an_http_proxy(
    backend: str, open_proxy: int, server: ScriptedServer, plain: str
) -> None:
    proxy = f"http://127.0.0.1:{open_proxy}"
    assert await fetch_by(Settings(http_backend=backend, proxy=proxy), plain) == b"file"
    assert came_through_proxy(server)
    assert await fetch_by(Settings(http_backend=backend), plain) == b"file"
    assert not came_through_proxy(server)


async def test_https_goes_through_a_tunnel(
    backend: str, open_proxy: int, secure: ScriptedServer, bundle: Path
) -> None:
    settings = Settings(
        http_backend=backend, ca_file=bundle, proxy=f"http://127.0.0.1:{open_proxy}"
    )
    assert await fetch_by(settings, secure.url("/x")) == b"secure file"


async def test_the_certificate_of_a_tls_proxy_is_verified(
    backend: str,
    tls_proxy: int,
    server: ScriptedServer,
    plain: str,
    secure: ScriptedServer,
    bundle: Path,
) -> None:
    proxy = f"https://127.0.0.1:{tls_proxy}"
    trusting = Settings(http_backend=backend, proxy=proxy, ca_file=bundle)
    assert await fetch_by(trusting, plain) == b"file"
    assert came_through_proxy(server)
    assert await fetch_by(trusting, secure.url("/x")) == b"secure file"
    error = await error_through(Settings(http_backend=backend, proxy=proxy), plain)
    assert isinstance(error, PermanentError)
    assert error.kind == "proxy"
    assert f"proxy {proxy} is not trusted" in str(error)


async def test_credentials_are_sent_to_the_proxy(
    backend: str,
    guarded_proxy: int,
    url: str,
    bundle: Path,
) -> None:
    login = Login("me", f"text:{SECRET}")
    by_login = Settings(
        http_backend=backend,
        ca_file=bundle,
        proxy=f"http://127.0.0.1:{guarded_proxy}",
        proxy_login=login,
    )
    by_url = Settings(
        http_backend=backend,
        ca_file=bundle,
        proxy=f"http://me:{QUOTED}@127.0.0.1:{guarded_proxy}",
    )
    assert (await fetch_by(by_login, url)).endswith(b"file")
    assert (await fetch_by(by_url, url)).endswith(b"file")


async def test_missing_or_wrong_proxy_credentials_are_reported(
    backend: str,
    guarded_proxy: int,
    url: str,
    bundle: Path,
) -> None:
    proxy = f"http://127.0.0.1:{guarded_proxy}"
    for login in (None, Login("me", "text:wrong")):
        settings = Settings(
            http_backend=backend,
            ca_file=bundle,
            proxy=proxy,
            proxy_login=login,
            timeout_s=5,
        )
        error = await error_through(settings, url)
        assert isinstance(error, PermanentError)
        assert (error.kind, error.status) == ("proxy_auth", 407)
        assert f"proxy {proxy}" in str(error)


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
@pytest.mark.parametrize("is_secure", [False, True])
async def test_a_dead_proxy_is_named_without_its_credentials(
    backend: str, scheme: str, is_secure: bool
) -> None:
    port = await free_port()
    target = "https://127.0.0.1:9/x" if is_secure else "http://127.0.0.1:9/x"
    settings = Settings(
        http_backend=backend,
        proxy=f"{scheme}://me:{QUOTED}@127.0.0.1:{port}",
        timeout_s=5,
    )
    error = await error_through(settings, target)
    assert isinstance(error, TransientError)
    assert error.kind == "proxy"
    assert f"proxy {scheme}://127.0.0.1:{port}" in str(error)


async def test_an_unknown_proxy_host_is_named(backend: str) -> None:
    settings = Settings(http_backend=backend, proxy="http://no-such-proxy.invalid:3128")
    error = await error_through(settings, "http://127.0.0.1:9/x")
    assert error.kind == "proxy"
    assert "proxy http://no-such-proxy.invalid:3128" in str(error)


async def test_a_server_that_the_proxy_cannot_reach_is_named(
    backend: str, open_proxy: int
) -> None:
    port = await free_port()
    settings = Settings(
        http_backend=backend, proxy=f"http://127.0.0.1:{open_proxy}", timeout_s=5
    )
    error = await error_through(settings, f"https://127.0.0.1:{port}/x")
    assert error.kind == "proxy"
    assert f"cannot connect to 127.0.0.1:{port}" in str(error)


async def test_the_certificate_of_a_server_behind_a_tunnel_is_verified(
    backend: str, open_proxy: int, secure: ScriptedServer
) -> None:
    settings = Settings(http_backend=backend, proxy=f"http://127.0.0.1:{open_proxy}")
    error = await error_through(settings, secure.url("/x"))
    assert error.kind == "tls"
    assert f"127.0.0.1:{secure.port} is not trusted" in str(error)


async def test_socks5h_lets_the_proxy_resolve_names(
    backend: str,
    server: ScriptedServer,
    plain: str,
    secure: ScriptedServer,
    bundle: Path,
) -> None:
    async with SocksServer(login=("me", SECRET)) as proxy:
        settings = Settings(
            http_backend=backend,
            ca_file=bundle,
            proxy=f"socks5h://127.0.0.1:{proxy.port}",
            proxy_login=Login("me", f"text:{SECRET}"),
        )
        url = f"http://far.example:{server.port}/x"
        assert await fetch_by(settings, url) == b"file"
        url = f"https://far.example:{secure.port}/x"
        assert await fetch_by(settings, url) == b"secure file"
        assert proxy.requested == [
            ("far.example", server.port),
            ("far.example", secure.port),
        ]


async def test_socks5_resolves_names_here(server: ScriptedServer, plain: str) -> None:
    async with SocksServer() as proxy:
        settings = Settings(
            http_backend="http1",
            proxy=f"socks5://127.0.0.1:{proxy.port}",
            ip_version=4,
        )
        url = f"http://localhost:{server.port}/x"
        assert await fetch_by(settings, url) == b"file"
        assert proxy.requested == [("127.0.0.1", server.port)]


@pytest.mark.parametrize("login", [None, Login("me", "text:wrong")])
async def test_wrong_socks_credentials_are_reported(
    backend: str, plain: str, login: Login | None
) -> None:
    async with SocksServer(login=("me", SECRET)) as proxy:
        settings = Settings(
            http_backend=backend,
            proxy=f"socks5h://127.0.0.1:{proxy.port}",
            proxy_login=login,
        )
        error = await error_through(settings, plain)
    assert isinstance(error, PermanentError)
    assert error.kind == "proxy_auth"


async def test_a_server_that_the_socks_proxy_cannot_reach_is_named(
    backend: str,
) -> None:
    async with SocksServer(reply=5) as proxy:
        settings = Settings(
            http_backend=backend, proxy=f"socks5h://127.0.0.1:{proxy.port}"
        )
        error = await error_through(settings, "http://far.example:81/x")
    assert isinstance(error, TransientError)
    assert error.kind == "proxy"
    assert "cannot connect to far.example:81: connection refused" in str(error)


async def test_a_socks_proxy_may_not_want_the_login(plain: str) -> None:
    """As curl, offer both: ``ssh -D`` and others know no passwords."""
    async with SocksServer() as proxy:
        settings = Settings(
            http_backend="http1",
            proxy=f"socks5h://127.0.0.1:{proxy.port}",
            proxy_login=Login("me", f"text:{SECRET}"),
        )
        assert await fetch_by(settings, plain) == b"file"


@pytest.mark.parametrize(
    ("status", "kind", "is_final"),
    [
        (401, "proxy_auth", True),  # of tinyproxy, for a wrong password
        (403, "proxy", True),
        (405, "proxy", True),
        (429, "proxy", False),
        (502, "proxy", False),
        (503, "proxy", False),
    ],
)
async def test_what_a_proxy_refuses_is_not_asked_of_it_again(
    backend: str, status: int, kind: str, is_final: bool
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as running:
        address = f"127.0.0.1:{running.sockets[0].getsockname()[1]}"
        settings = Settings(
            http_backend=backend, proxy=f"http://me:{QUOTED}@{address}", timeout_s=5
        )
        error = await error_through(settings, "https://far.example/x")
    assert error.kind == kind
    assert isinstance(error, PermanentError if is_final else TransientError)
    assert address in str(error)


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (503, "Retry-After: 120", 120.0),
        (429, "retry-after: 7", 7.0),
        (
            503,
            "Date: Mon, 02 Nov 2026 10:00:00 GMT\r\n"
            "Retry-After: Mon, 02 Nov 2026 10:01:00 GMT",
            60.0,
        ),
        (503, "Retry-After: soon", None),
        (503, "X: y", None),
        (403, "Retry-After: 120", None),
    ],
)
async def test_a_busy_proxy_is_asked_again_when_it_wants(
    status: int, headers: str, wait_s: float | None
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status} No\r\n{headers}\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as running:
        address = f"127.0.0.1:{running.sockets[0].getsockname()[1]}"
        settings = Settings(
            http_backend="http1", proxy=f"http://{address}", timeout_s=5
        )
        error = await error_through(settings, "https://far.example/x")
    assert error.kind == "proxy"
    assert error.retry_after_s == wait_s


async def test_a_proxy_that_does_not_speak_socks_is_reported(backend: str) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as running:
        proxy = f"socks5h://127.0.0.1:{running.sockets[0].getsockname()[1]}"
        error = await error_through(
            Settings(http_backend=backend, proxy=proxy, timeout_s=5),
            "http://far.example:81/x",
        )
    assert error.kind == "proxy"
    assert f"proxy {proxy}" in str(error)


async def test_the_environment_is_used_without_a_setting(
    backend: str,
    open_proxy: int,
    server: ScriptedServer,
    plain: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{open_proxy}")
    await fetch_by(Settings(http_backend=backend), plain)
    assert came_through_proxy(server)
    await fetch_by(Settings(http_backend=backend, proxy="direct"), plain)
    assert not came_through_proxy(server)
    monkeypatch.setenv("no_proxy", "example.org, 127.0.0.0/8")
    await fetch_by(Settings(http_backend=backend), plain)
    assert not came_through_proxy(server)


async def test_a_per_host_proxy_is_used_for_that_host_only(
    backend: str, open_proxy: int, server: ScriptedServer, plain: str
) -> None:
    settings = Settings(
        http_backend=backend,
        hosts=(HostRule("127.0.0.1", proxy=f"http://127.0.0.1:{open_proxy}"),),
    )
    session = HttpSession(settings)
    await fetch(session, GetRequest(plain))
    assert came_through_proxy(server)
    await fetch(session, GetRequest(server.url("/x", host="localhost")))
    assert not came_through_proxy(server)
    await session.close()


async def test_a_redirect_uses_the_proxy_of_its_target(
    backend: str, open_proxy: int, server: ScriptedServer, plain: str
) -> None:
    away = server.add(
        "/away", ResponseScript(redirect=server.url("/x", host="localhost"))
    )
    settings = Settings(
        http_backend=backend,
        hosts=(HostRule("localhost", proxy=f"http://127.0.0.1:{open_proxy}"),),
    )
    assert await fetch_by(settings, away) == b"file"
    assert "via" not in server.requests_for("/away")[0].headers
    assert came_through_proxy(server)


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        ("ftp://h:1", "use http, https, socks5, socks5h"),
        ("http://", "the host is missing"),
        ("http://h:99999", "port"),
        ("http://me:hunter2@h:x", "port"),
        ("http://h:1/path", "expected scheme"),
        ("http://h h:1", "expected scheme"),
        ("::1:80", "the host is missing"),
    ],
)
def test_an_invalid_proxy_is_reported_at_startup(proxy: str, reason: str) -> None:
    async def make() -> None:
        HttpSession(Settings(proxy=proxy))

    with pytest.raises(LocalError, match=reason) as caught:
        asyncio.run(make())
    assert caught.value.kind == "proxy"
    assert str(caught.value).startswith("proxy: ")
    assert "hunter2" not in str(caught.value)


LONG = "ä" * 128
"""256 bytes, one more than a SOCKS5 proxy can get (RFC 1929)."""


@pytest.mark.parametrize(
    ("settings", "environ", "expected"),
    [
        (
            Settings(proxy=f"socks5://{quote(LONG)}:hunter2@h"),
            {},
            "proxy: the user name is longer than 255 bytes",
        ),
        (
            Settings(hosts=(HostRule("a.example", proxy=f"socks5h://me:{LONG}@h"),)),
            {},
            "proxy for a.example: the password is longer than 255 bytes",
        ),
        (
            Settings(),
            {"all_proxy": f"socks5://me:{LONG}@h"},
            "all_proxy: the password is longer than 255 bytes",
        ),
        (
            Settings(proxy="socks5://h", proxy_login=Login("me", "env:PASSWORD")),
            {"PASSWORD": LONG},
            "proxy-password-from: the password is longer than 255 bytes",
        ),
        (
            Settings(proxy="socks5://h", proxy_login=Login("me", f"text:{LONG}")),
            {},
            "proxy or proxy-user: the password is longer than 255 bytes",
        ),
        (
            Settings(proxy_login=Login(LONG, "env:PASSWORD")),
            {"https_proxy": "socks5h://h", "PASSWORD": "hunter2"},
            "proxy-user: the user name is longer than 255 bytes",
        ),
    ],
)
def test_a_login_too_long_for_socks_is_reported_at_startup(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    environ: dict[str, str],
    expected: str,
) -> None:
    """It was cut, which no proxy accepts."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    async def make() -> None:
        HttpSession(settings)

    with pytest.raises(LocalError) as caught:
        asyncio.run(make())
    assert caught.value.kind == "proxy"
    assert str(caught.value).startswith(expected)
    assert "ä" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_the_longest_socks_login_is_sent_whole(
    server: ScriptedServer, plain: str, backend: str
) -> None:
    user, password = "u" * 255, "p" * 255
    async with SocksServer(login=(user, password)) as proxy:
        settings = Settings(
            http_backend=backend,
            proxy=f"socks5h://127.0.0.1:{proxy.port}",
            proxy_login=Login(user, f"text:{password}"),
        )
        assert await fetch_by(settings, plain) == b"file"


async def test_a_long_login_for_an_http_proxy_is_fine() -> None:
    session = HttpSession(Settings(proxy=f"http://{quote(LONG)}:{quote(LONG)}@h"))
    await session.close()
