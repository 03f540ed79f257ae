"""Headers and credentials per origin, from the settings and netrc.

The most specific source takes precedence: a header in the list, then the URL's own
userinfo, the rule for the host, the login of the run, and netrc. A rule or netrc entry
that names a host applies to that host wherever it appears; everything else (the run's
login and headers, the rule ``*``, netrc's ``default``) applies only to origins that the
list names, and never to the target of a redirect or to a mirror elsewhere.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, LocalError
from tui.core.request import ANY_LOGIN, DIGEST_LOGIN, origin_of, without_login
from tui.core.rules.hosts import names_a_host, rule_for, split_port
from tui.core.settings import Scheme
from tui.core.text.sanitize import sanitize
from tui.net.auth.secrets import resolve_secret

if TYPE_CHECKING:
    from typing import TypeAlias

    from tui.core.settings import Login, Settings
    from tui.net.auth.netrc import NetrcFile
    from tui.net.url import ParsedUrl

Headers: TypeAlias = tuple[tuple[str, str], ...]

_PREFIXES = {
    Scheme.AUTO: ANY_LOGIN,
    Scheme.BASIC: "Basic",
    Scheme.DIGEST: DIGEST_LOGIN,
    Scheme.BEARER: ANY_LOGIN,
}
"""Of ``Authorization`` values that contain user and password."""


class Credentials:
    """The headers that each origin gets in addition to those of the request.

    Reads the netrc file and all secrets at once, so that anything missing is reported
    before the first request.

    Raises:
        LocalError: ``login`` or ``netrc``.
    """

    def __init__(self, settings: Settings) -> None:
        """Load what the settings refer to; may block on the keyring."""
        self._headers = settings.headers
        self._rules = settings.hosts
        self._netrc = _read_netrc(settings.netrc) if settings.netrc else None
        self._own_netrc: NetrcFile | None = None
        self._run_login = settings.login
        self._scheme = settings.auth
        # By login: the secret of a login that several hosts share is read once.
        self._values: dict[Login, str] = {}
        for login, purpose in _all_logins(settings):
            if login.secret == "netrc":
                self._own_netrc = self._netrc or _read_netrc(_home_netrc())
            elif login.secret == "ask" and login is not settings.login:
                # The user was not asked, since the list has nothing from that host: it
                # gets no credentials, not even the run's.
                self._values[login] = ""
            elif login not in self._values:
                self._values[login] = _authorization(
                    login.scheme, login.user, resolve_secret(login, purpose)
                )
        self._known: dict[tuple[str, bool], Headers] = {}
        self.is_empty = not (
            self._netrc
            or self._run_login
            or any(rule.headers or rule.login for rule in self._rules)
        )
        """Whether headers are the same for all origins."""

    def headers_for(self, url: str, headers: Headers, *, is_named: bool) -> Headers:
        """Return the headers for a request; of each name the most specific one.

        Args:
            url: of the request.
            headers: of the request itself.
            is_named: whether the list names the origin; other origins get neither
                ``headers`` nor the headers and login of the run.
        """
        if not is_named:
            return () if self.is_empty else self._by_origin(origin_of(url), False)
        if self.is_empty:
            return _merged(self._headers, headers)
        general = self._by_origin(origin_of(url), True)
        if "@" in url and without_login(url) != url:
            # The URL has its own credentials.
            general = _without_login(general)
        return _merged(general, headers)

    def for_redirect(self, url: str) -> Headers:
        """Return the headers for the target of a redirect to another origin."""
        return () if self.is_empty else self._by_origin(origin_of(url), False)

    def of_userinfo(self, url: ParsedUrl, *, is_named: bool) -> str:
        """Return the value for the login in a URL, "" if it has none.

        A name without a password chooses one of several entries of netrc.

        Args:
            url: with the login in Basic's form.
            is_named: whether the user's own list names the URL.
        """
        pair = url.authorization.partition(" ")[2]
        if not pair:
            return ""
        user, _, password = b64decode(pair).decode(errors="replace").partition(":")
        if not password and self._netrc is not None:
            host = url.origin[1]
            found = self._netrc.login_for(host, is_named=is_named, user=user)
            if found is not None:
                return _authorization(self._scheme, found.user, found.password)
        return f"{_PREFIXES[self._scheme]} {pair}"

    def _by_origin(self, origin: str, is_named: bool) -> Headers:
        known = self._known.get((origin, is_named))
        if known is not None:
            return known
        rule = rule_for(self._rules, origin)
        if rule is not None and not is_named and not names_a_host(rule.pattern):
            rule = None
        headers = self._headers if is_named else ()
        rule_headers = rule.headers if rule is not None else ()
        headers = _merged(headers, rule_headers)
        value = ""
        if rule is not None and rule.login is not None and not _has_login(rule_headers):
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
        """Return the ``Authorization`` value for an origin; by default from netrc."""
        if login is not None and login.secret != "netrc":
            return self._values[login]
        netrc = self._own_netrc if login is not None else self._netrc
        if netrc is None:
            return ""
        host, _ = split_port(origin.partition("://")[2])
        user = login.user if login is not None else ""
        found = netrc.login_for(host, is_named=is_named, user=user)
        if found is None:
            return ""
        scheme = login.scheme if login is not None else self._scheme
        return _authorization(scheme, found.user, found.password)


def _all_logins(settings: Settings) -> list[tuple[Login, str]]:
    logins = [
        (rule.login, f"the login for {rule.pattern}")
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
    """Return the default netrc file: ``NETRC`` as in curl and git, else in the home.

    Raises:
        LocalError: ``login``, there is none.
    """
    named = os.environ.get("NETRC")
    if named:
        return Path(named)
    try:
        path = Path.home() / ".netrc"
    except RuntimeError:  # no home directory
        path = None
    if path is None or not path.exists():
        raise LocalError(ErrorKind.LOGIN, "there is no netrc file")
    return path


def _authorization(scheme: Scheme, user: str, secret: str) -> str:
    """Encode an ``Authorization`` value (RFC 7617, RFC 6750 section 2.1).

    Raises:
        LocalError: ``login``, user or token cannot be sent.
    """
    if scheme is Scheme.BEARER:
        if not secret.isascii() or " " in secret:
            raise LocalError(
                ErrorKind.LOGIN, "a bearer token must be ASCII without spaces"
            )
        return f"Bearer {secret}"
    if not user.isprintable() or ":" in user:
        raise LocalError(
            ErrorKind.LOGIN, f"the user {sanitize(user, 50)!r} cannot be sent"
        )
    pair = b64encode(f"{user}:{secret}".encode()).decode("ascii")
    return f"{_PREFIXES[scheme]} {pair}"


def _has_login(headers: Headers) -> bool:
    return any(name.lower() == "authorization" for name, _ in headers)


def _without_login(headers: Headers) -> Headers:
    return tuple(pair for pair in headers if pair[0].lower() != "authorization")


def _merged(general: Headers, specific: Headers) -> Headers:
    """Merge headers; ``specific`` ones replace those of the same name."""
    if not general or not specific:
        return general or specific
    names = {name.lower() for name, _ in specific}
    return (*(h for h in general if h[0].lower() not in names), *specific)
