"""Who we are to which origin: headers and logins out of the settings and netrc.

What is nearest to the file wins: a header of the list, then the URL's own userinfo,
then the rule for the host, then the login of the run, then netrc. What a rule or netrc
says of a host by name holds for that host wherever it is met; everything else (the
run's login and headers, the rule ``*``, netrc's ``default``) is for origins that the
list names, and follows no redirect and no mirror elsewhere.
"""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.errors import LocalError
from tui.core.request import origin_of
from tui.core.rules.hosts import names_a_host, rule_for, split_port
from tui.core.settings import Scheme
from tui.core.text.plain_text import plain
from tui.net.auth.secrets import reveal

if TYPE_CHECKING:
    from typing import TypeAlias

    from tui.core.settings import Login, Settings
    from tui.net.auth.netrc import NetrcFile

Headers: TypeAlias = tuple[tuple[str, str], ...]

DIGEST_LOGIN = "Digest-Login"
"""Scheme of an ``Authorization`` value that never goes out: user and password, as
Basic writes them, for whom ``digest.DigestAuthCache`` puts in the proof."""


class Credentials:
    """The headers that each origin gets beside those of the request itself.

    Reads the netrc file and all secrets at once, so that what is missing is said before
    anything is fetched.

    Raises:
        LocalError: ``login`` or ``netrc``.
    """

    def __init__(self, settings: Settings) -> None:
        """Read the settings; may wait for the keyring."""
        self._headers = settings.headers
        self._rules = settings.hosts
        self._netrc = _read_netrc(settings.netrc) if settings.netrc else None
        self._own_netrc: NetrcFile | None = None
        self._run_login = settings.login
        # A value by login: hosts of one login ask for its secret once.
        self._values: dict[Login, str] = {}
        for login, place in _all_logins(settings):
            if login.secret == "netrc":
                self._own_netrc = self._netrc or _read_netrc(_home_netrc())
            elif login.secret == "ask" and login is not settings.login:
                # Nobody was asked, as nothing in the list comes from that host: it gets
                # no login, not the run's either, and the others are none the worse.
                self._values[login] = ""
            elif login not in self._values:
                self._values[login] = _authorization(
                    login.scheme, login.user, reveal(login, place)
                )
        self._known: dict[tuple[str, bool], Headers] = {}
        self.is_empty = not (
            self._netrc
            or self._run_login
            or any(rule.headers or rule.login for rule in self._rules)
        )
        """Whether nothing depends on the origin."""

    def headers_for(self, url: str, headers: Headers, *, is_named: bool) -> Headers:
        """Return the headers for a request, of which the nearest won.

        Args:
            url: where it goes.
            headers: of the request itself.
            is_named: whether the list names the origin; nothing of ``headers`` and of
                the run goes to others.
        """
        if not is_named:
            return () if self.is_empty else self._by_origin(origin_of(url), False)
        if self.is_empty:
            return _merged(self._headers, headers)
        around = self._by_origin(origin_of(url), True)
        if "@" in url.partition("://")[2].partition("/")[0]:
            # The URL says by itself who we are.
            around = _without_login(around)
        return _merged(around, headers)

    def elsewhere(self, url: str) -> Headers:
        """Return the headers for a place that another server named."""
        return () if self.is_empty else self._by_origin(origin_of(url), False)

    def _by_origin(self, origin: str, is_named: bool) -> Headers:
        known = self._known.get((origin, is_named))
        if known is not None:
            return known
        rule = rule_for(self._rules, origin)
        if rule is not None and not is_named and not names_a_host(rule.pattern):
            rule = None
        headers = self._headers if is_named else ()
        of_rule = rule.headers if rule is not None else ()
        headers = _merged(headers, of_rule)
        value = ""
        if rule is not None and rule.login is not None and not _has_login(of_rule):
            value = self._value(rule.login, origin, is_named)
        is_open = rule is None or rule.login is None or rule.login.secret != "ask"
        if not value and is_open and not _has_login(headers):
            value = self._value(self._run_login if is_named else None, origin, is_named)
        if value:
            headers = (*_without_login(headers), ("Authorization", value))
        if len(self._known) < 4096:
            self._known[origin, is_named] = headers
        return headers

    def _value(self, login: Login | None, origin: str, is_named: bool) -> str:
        """Write what proves a login to an origin; for none netrc is asked."""
        if login is not None and login.secret != "netrc":
            return self._values[login]
        netrc = self._own_netrc if login is not None else self._netrc
        if netrc is None:
            return ""
        host, _ = split_port(origin.partition("://")[2])
        found = netrc.login_for(host, is_named=is_named)
        if found is None or (login and login.user not in ("", found.user)):
            return ""
        scheme = login.scheme if login is not None else Scheme.BASIC
        return _authorization(scheme, found.user, found.password)


def _all_logins(settings: Settings) -> list[tuple[Login, str]]:
    logins = [
        (rule.login, f"the login of {rule.pattern}")
        for rule in settings.hosts
        if rule.login is not None
    ]
    if settings.login is not None:
        logins.append((settings.login, "the login"))
    return logins


def _read_netrc(path: Path) -> NetrcFile:
    # Late: few runs have one.
    from tui.net.auth.netrc import NetrcFile

    return NetrcFile(path)


def _home_netrc() -> Path:
    """Where netrc is where nobody says: ``NETRC`` as curl and git have it, else home.

    Raises:
        LocalError: there is none.
    """
    named = os.environ.get("NETRC")
    if named:
        return Path(named)
    for name in (".netrc", "_netrc"):
        try:
            path = Path.home() / name
        except RuntimeError:
            break
        if path.exists():
            return path
    raise LocalError("login", "there is no netrc file; name one with --netrc")


def _authorization(scheme: Scheme, user: str, secret: str) -> str:
    """Write an ``Authorization`` value (RFC 7617, RFC 6750 section 2.1).

    Raises:
        LocalError: ``login``, the user's name cannot be sent.
    """
    if scheme is Scheme.BEARER:
        if not secret.isascii() or " " in secret:
            raise LocalError("login", "a bearer token holds no spaces and only ASCII")
        return f"Bearer {secret}"
    if not user.isprintable() or ":" in user:
        raise LocalError("login", f"the user {plain(user, 50)!r} cannot be sent")
    pair = b64encode(f"{user}:{secret}".encode()).decode("ascii")
    return f"{DIGEST_LOGIN if scheme is Scheme.DIGEST else 'Basic'} {pair}"


def _has_login(headers: Headers) -> bool:
    return any(name.lower() == "authorization" for name, _ in headers)


def _without_login(headers: Headers) -> Headers:
    return tuple(pair for pair in headers if pair[0].lower() != "authorization")


def _merged(around: Headers, near: Headers) -> Headers:
    """Join headers; of those of one name the near ones count."""
    if not around or not near:
        return around or near
    names = {name.lower() for name, _ in near}
    return (*(h for h in around if h[0].lower() not in names), *near)
