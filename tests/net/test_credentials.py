"""Which headers and credentials each origin gets."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from tests.net.fetching import fetch, refusal_of
from tui.core.errors import LocalError
from tui.core.settings import HostRule, Login, Scheme, Settings
from tui.demo.script import ResponseScript
from tui.net.auth.credentials import Credentials
from tui.net.auth.netrc import NetrcFile
from tui.net.request import GetRequest
from tui.net.session import HttpSession

if TYPE_CHECKING:
    from pathlib import Path

    from tui.demo.server import ScriptedServer

URL = "http://dl.example.org/x"


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def authorization(
    credentials: Credentials, url: str = URL, *, is_named: bool = True
) -> str:
    headers = dict(credentials.headers_for(url, (), is_named=is_named))
    return headers.get("Authorization", "")


@pytest.fixture
def netrc(tmp_path: Path) -> Path:
    path = tmp_path / "netrc"
    path.write_text(
        "machine dl.example.org login net password rc-secret\n"
        "machine 127.0.0.1\n  login loop\n  password back\n"
        "default login anybody password else\n"
    )
    return path


def test_a_password_that_was_not_prompted_for_sends_no_credentials(
    netrc: Path,
) -> None:
    rule = HostRule("dl.example.org", login=Login("you", "ask"))
    for run in (Login("me", "text:mine"), None):
        credentials = Credentials(Settings(login=run, hosts=(rule,), netrc=netrc))
        assert authorization(credentials) == ""
        assert authorization(credentials, "http://other.example/") != ""
    with pytest.raises(LocalError, match="there is no terminal to ask"):
        Credentials(Settings(login=Login("me", "ask")))


def test_the_login_of_the_run_is_sent_to_named_origins_only() -> None:
    credentials = Credentials(Settings(login=Login("me", "text:pä:ss")))
    assert authorization(credentials) == basic("me", "pä:ss")
    assert authorization(credentials, is_named=False) == ""
    assert credentials.for_redirect(URL) == ()


def test_a_bearer_token_is_sent_unchanged() -> None:
    credentials = Credentials(
        Settings(login=Login("", "text:abc.def==", Scheme.BEARER))
    )
    assert authorization(credentials) == "Bearer abc.def=="


def test_a_rule_for_the_host_takes_precedence_over_the_login_of_the_run(
    netrc: Path,
) -> None:
    settings = Settings(
        login=Login("me", "text:mine"),
        hosts=(HostRule("*.example.org", login=Login("you", "text:yours")),),
        netrc=netrc,
    )
    credentials = Credentials(settings)
    assert authorization(credentials) == basic("you", "yours")
    assert authorization(credentials, is_named=False) == basic("you", "yours")
    assert authorization(credentials, "http://other.example/x") == basic("me", "mine")


@pytest.mark.parametrize("pattern", ["*", "*.*", "*:80", "**"])
def test_a_rule_without_a_host_name_applies_to_named_origins_only(pattern: str) -> None:
    rule = HostRule(
        pattern, login=Login("you", "text:yours"), headers=(("X-Key", "k"),)
    )
    credentials = Credentials(Settings(hosts=(rule,)))
    assert authorization(credentials) == basic("you", "yours")
    assert credentials.headers_for(URL, (), is_named=False) == ()


def test_a_rule_with_a_port_applies_to_that_port_only() -> None:
    rule = HostRule("dl.example.org:8443", login=Login("you", "text:yours"))
    credentials = Credentials(Settings(hosts=(rule,)))
    assert authorization(credentials, "https://dl.example.org:8443/x")
    assert not authorization(credentials, "https://dl.example.org/x")


def test_netrc_applies_to_its_hosts_and_its_default_to_named_origins(
    netrc: Path,
) -> None:
    credentials = Credentials(Settings(netrc=netrc, auth=Scheme.BASIC))
    assert authorization(credentials, "https://DL.example.org:81/y") == basic(
        "net", "rc-secret"
    )
    assert authorization(credentials, is_named=False) == basic("net", "rc-secret")
    assert authorization(credentials, "http://h/x") == basic("anybody", "else")
    assert authorization(credentials, "http://h/x", is_named=False) == ""


def test_a_rule_can_use_a_login_from_netrc(
    netrc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", str(netrc))
    login = Login("", "netrc", Scheme.DIGEST)
    credentials = Credentials(
        Settings(hosts=(HostRule("dl.example.org", login=login),))
    )
    assert authorization(credentials) == basic("net", "rc-secret").replace(
        "Basic", "Digest-Login"
    )
    other = Login("nobody", "netrc")
    credentials = Credentials(
        Settings(hosts=(HostRule("dl.example.org", login=other),))
    )
    assert authorization(credentials) == ""


def test_the_most_specific_of_equal_headers_is_sent() -> None:
    settings = Settings(
        headers=(("User-Agent", "run"), ("X-Run", "1")),
        hosts=(HostRule("dl.example.org", headers=(("user-agent", "rule"),)),),
    )
    credentials = Credentials(settings)
    assert credentials.headers_for(URL, (), is_named=True) == (
        ("X-Run", "1"),
        ("user-agent", "rule"),
    )
    assert credentials.headers_for(URL, (("USER-AGENT", "list"),), is_named=True) == (
        ("X-Run", "1"),
        ("USER-AGENT", "list"),
    )
    assert credentials.headers_for(URL, (("X", "list"),), is_named=False) == (
        ("user-agent", "rule"),
    )


@pytest.mark.parametrize("end", ["?mail=me@there", "#me@there", "?a=/b@c", "/d?e@f"])
async def test_an_at_sign_behind_the_host_is_no_login(
    server: ScriptedServer, end: str
) -> None:
    """A URL without a path lost the login of the run."""
    server.scripts["/"] = server.scripts["/d"] = ResponseScript(body=b"file")
    session = HttpSession(Settings(login=Login("me", "text:mine")))
    url = f"http://127.0.0.1:{server.port}{end}"
    headers = session.headers_for(url, (), is_named=True)
    assert await fetch(session, GetRequest(url, headers)) == b"file"
    await session.close()
    (asked,) = server.requests
    assert asked.headers["authorization"] == basic("me", "mine")


def test_a_header_or_userinfo_takes_precedence_over_every_login(netrc: Path) -> None:
    credentials = Credentials(Settings(login=Login("me", "text:mine"), netrc=netrc))
    given = (("authorization", "Custom x"),)
    assert credentials.headers_for(URL, given, is_named=True) == given
    assert credentials.headers_for("http://u:p@h/x", (), is_named=True) == ()


def test_a_login_in_a_rule_takes_precedence_over_a_header_of_the_run() -> None:
    headers = (("authorization", "Run"),)
    rule = HostRule("dl.example.org", login=Login("you", "text:yours"))
    credentials = Credentials(Settings(headers=headers, hosts=(rule,)))
    assert credentials.headers_for(URL, (), is_named=True) == (
        ("Authorization", basic("you", "yours")),
    )
    assert credentials.headers_for("http://h/x", (), is_named=True) == headers
    rule = HostRule("dl.example.org", headers=(("Authorization", "Rule"),))
    credentials = Credentials(Settings(headers=headers, hosts=(rule,)))
    assert authorization(credentials) == "Rule"
    login = Login("me", "text:mine")
    credentials = Credentials(Settings(headers=headers, login=login))
    assert credentials.headers_for(URL, (), is_named=True) == headers


async def test_credentials_are_sent_to_their_origin_only(
    backend: str, server: ScriptedServer, other: ScriptedServer
) -> None:
    other.add("/x", ResponseScript(redirect=server.url("/back")))
    server.add("/back", ResponseScript(b"file"))
    url = server.add("/x", ResponseScript(redirect=other.url("/x")))
    session = HttpSession(
        Settings(http_backend=backend, login=Login("me", "text:mine"))
    )
    headers = session.headers_for(url, (("X-Key", "k"),), is_named=True)
    assert await fetch(session, GetRequest(url, headers)) == b"file"
    await session.close()
    first, last = server.requests
    assert first.headers["authorization"] == basic("me", "mine")
    for seen in (other.requests[0], last):
        assert "authorization" not in seen.headers
        assert "x-key" not in seen.headers


async def test_netrc_applies_to_the_target_of_a_redirect(
    backend: str, server: ScriptedServer, netrc: Path
) -> None:
    # As with archives that have one login server for many hosts.
    server.add("/there", ResponseScript(b"file"))
    url = server.add(
        "/x", ResponseScript(redirect=server.url("/there", host="127.0.0.1"))
    )
    session = HttpSession(
        Settings(http_backend=backend, netrc=netrc, auth=Scheme.BASIC)
    )
    start = url.replace("127.0.0.1", "localhost")
    headers = session.headers_for(start, (), is_named=True)
    assert await fetch(session, GetRequest(start, headers)) == b"file"
    await session.close()
    assert server.requests[0].headers["authorization"] == basic("anybody", "else")
    assert server.requests[1].headers["authorization"] == basic("loop", "back")


async def test_missing_and_rejected_credentials_are_distinguished(
    backend: str, server: ScriptedServer
) -> None:
    headers = {"WWW-Authenticate": 'Basic realm="x"'}
    url = server.add("/x", ResponseScript(status=401, headers=headers))
    session = HttpSession(Settings(http_backend=backend))
    error = await refusal_of(session, GetRequest(url))
    assert "credentials required (Basic)" in str(error)
    assert error.kind == "auth"
    error = await refusal_of(session, GetRequest(url.replace("//", "//me:SECRET@")))
    assert "credentials rejected (Basic)" in str(error)
    assert "SECRET" not in str(error)
    await session.close()


@pytest.mark.parametrize(
    "content",
    [
        "machine h login me pasword SECRET\n",
        "\n\nmachien h\n",
        "machine",
        'machine h login me password "SECRET',
    ],
)
def test_an_invalid_netrc_is_reported_with_file_and_line(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "netrc"
    path.write_text(content)
    with pytest.raises(LocalError) as caught:
        Credentials(Settings(netrc=path))
    assert caught.value.kind == "netrc"
    assert f"{path}:" in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_an_unreadable_netrc_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    with pytest.raises(LocalError, match="No such file"):
        Credentials(Settings(netrc=path))
    path.write_bytes(b"machine h\nlogin \xff\n")
    with pytest.raises(LocalError, match=f"{path}:2: not UTF-8"):
        Credentials(Settings(netrc=path))
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(LocalError, match="larger than 1 MiB"):
        Credentials(Settings(netrc=path))


def test_the_repr_of_settings_has_no_secrets() -> None:
    header = (("Authorization", "Bearer hunter2"),)
    login = Login("me", "text:hunter2")
    hosts = (HostRule("*", headers=header, login=login),)
    assert "hunter2" not in repr(Settings(login=login, headers=header, hosts=hosts))


@pytest.mark.parametrize(
    ("content", "user", "expected"),
    [
        # aria2's test/sample.netrc begins with such a comment.
        ("#sample netrc file\nmachine h login a password b", "", ("a", "b")),
        ("# x\n#y z\nmachine h login a # c\npassword b", "", ("a", "b")),
        ("machine h login a password b\nmacdef init\ncd /x\nget y", "", ("a", "b")),
        (
            "macdef init\nmachine h login m password m\n\nmachine h login a password b",
            "",
            ("a", "b"),
        ),
        # curl's tests 478, 682, 683 and 685: the first entry, or the one of the login.
        (
            "machine h login a password b\nmachine h login c password d",
            "",
            ("a", "b"),
        ),
        (
            "machine h login a password b\nmachine h login c password d",
            "c",
            ("c", "d"),
        ),
        ("machine h login a password b", "c", None),
        ("machine h password b", "c", ("c", "b")),
        ("machine x login a password b default login c password d", "", ("c", "d")),
        # curl's test 679 and 680: escapes and quotes.
        (r'machine h login a password "b\"\n\r\t\x"', "", ("a", 'b"\n\r\tx')),
        ('machine h login "a b" password "c d"', "", ("a b", "c d")),
        ("machine h login a password #b", "", ("a", "#b")),
        ("machine h\r\nlogin a\r\npassword b\r\n", "", ("a", "b")),
        ("machine H login a account c password b", "", ("a", "b")),
        ("machine h login a", "", ("a", "")),
        # curl compares the words without regard to case.
        ("MACHINE h Login a PASSWORD b", "", ("a", "b")),
        ("DEFAULT login a password b", "", ("a", "b")),
        # Emacs, msmtp and git keep logins for other protocols in the same file.
        ("machine x port 993 login a password b\nmachine h login c", "", ("c", "")),
        ("machine h login a protocol https port 443 password b", "", ("a", "b")),
        ("", "", None),
        ("\ufeffmachine h login a password b", "", ("a", "b")),
    ],
)
def test_netrc_files_are_read_as_by_curl(
    tmp_path: Path, content: str, user: str, expected: tuple[str, str] | None
) -> None:
    path = tmp_path / "netrc"
    path.write_text(content, encoding="utf-8")
    assert NetrcFile(path).login_for("h", is_named=True, user=user) == expected


@pytest.mark.parametrize("machine", ["bücher.example", "XN--bcher-kva.example."])
@pytest.mark.parametrize("host", ["BÜCHER.example", "xn--bcher-kva.example"])
def test_netrc_finds_a_host_in_either_spelling(
    tmp_path: Path, machine: str, host: str
) -> None:
    path = tmp_path / "netrc"
    path.write_text(f"machine {machine} login a password b", encoding="utf-8")
    assert NetrcFile(path).login_for(host, is_named=False) == ("a", "b")
    assert NetrcFile(path).login_for("bucher.example", is_named=True) is None


async def test_a_name_in_the_url_chooses_the_entry_of_netrc(
    backend: str, server: ScriptedServer, tmp_path: Path
) -> None:
    path = tmp_path / "netrc"
    path.write_text(
        "machine 127.0.0.1 login one password p1\n"
        "machine 127.0.0.1 login two password p2\n"
    )
    url = server.add("/x", ResponseScript(b"file"))
    session = HttpSession(Settings(http_backend=backend, netrc=path, auth=Scheme.BASIC))
    for user in ("two", "one", "new"):
        asked = url.replace("//", f"//{user}@")
        headers = session.headers_for(asked, (), is_named=True)
        assert await fetch(session, GetRequest(asked, headers)) == b"file"
    await session.close()
    sent = [seen.headers["authorization"] for seen in server.requests]
    assert sent == [basic("two", "p2"), basic("one", "p1"), basic("new", "")]
