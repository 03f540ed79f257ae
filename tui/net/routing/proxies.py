"""Choose the proxy for an origin.

The rules are curl's, which existing environments are written for: ``http_proxy`` only
in lower case (a CGI script gets HTTP_PROXY from its visitors), the others in both;
``no_proxy`` lists hosts, including all their subdomains, addresses, networks
(``10.0.0.0/8``), or ``*``; lower case takes precedence.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from tui.core.errors import ErrorKind, LocalError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.rules.hosts import ascii_host, rule_for, split_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv6Address

    from tui.core.settings import Settings

DIRECT = "direct"
"""The setting for no proxy."""
SCHEMES = ("http", "https", "socks5", "socks5h")
_SOCKS_LOGIN_BYTES = 255
"""Maximum size of a user name or a password for a SOCKS5 proxy (RFC 1929)."""
_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class Proxy(NamedTuple):
    """A proxy and the credentials for it."""

    scheme: str
    """``socks5h`` lets the proxy resolve names, ``socks5`` resolves them here."""
    host: str
    """An IPv6 address without brackets."""
    port: int
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.label}, user={self.user!r})"

    @property
    def label(self) -> str:
        """``scheme://host:port``, for messages."""
        return f"{self.scheme}://{self._authority}"

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS instead of HTTP."""
        return self.scheme.startswith("socks")

    @property
    def has_login(self) -> bool:
        """Whether there are credentials for it."""
        return bool(self.user or self.password)

    def url(self, *, has_login: bool) -> str:
        """Return the proxy as a URL for the transports."""
        login = ""
        if has_login and self.has_login:
            login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"
        return f"{self.scheme}://{login}{self._authority}"


class ProxyResolver:
    """Finds the proxy for each origin of a run."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        user: str = "",
        password: str = "",
    ) -> None:
        """Parse all proxies in the settings and the environment.

        Args:
            settings: ``proxy`` and the rules for hosts.
            environ: used if ``settings.proxy`` is "".
            user: of ``settings.proxy_login``; for the proxy of the whole run, never
                for one from a per-host rule.
            password: of that login.

        Raises:
            LocalError: ``proxy``, one of them is invalid, or its login is too long.
        """
        self._rules = tuple(rule for rule in settings.hosts if rule.proxy)
        self._by_rule = {
            rule.proxy: parse_proxy(rule.proxy, f"proxy for {rule.pattern}")
            for rule in self._rules
        }
        self._hosts = settings.hosts
        self._exceptions: list[str] = []
        self._by_scheme: dict[str, Proxy | None] = {}
        if settings.proxy:
            chosen = parse_proxy(settings.proxy, "proxy")
            self._by_scheme = {"http": chosen, "https": chosen}
        else:
            self._read_environment(environ)
        if user or password:
            self._by_scheme = {
                scheme: _with_login(proxy, user, password)
                for scheme, proxy in self._by_scheme.items()
            }
            login = settings.proxy_login
            sources = "proxy-user", "proxy-password-from"
            if login is not None and login.secret.startswith("text:"):
                # As ``NAME:PASSWORD``, or taken out of the address.
                sources = ("proxy or proxy-user",) * 2
            for proxy in self._by_scheme.values():
                _check_login(proxy, *sources)

    @property
    def is_same_for_all(self) -> bool:
        """Whether every origin uses the same proxy."""
        return (
            not self._rules
            and not (self._exceptions and any(self._by_scheme.values()))
            and self._by_scheme.get("http") == self._by_scheme.get("https")
        )

    def proxy_for(self, origin: str) -> Proxy | None:
        """Return the proxy for ``origin`` (``scheme://host[:port]``), if any."""
        if self._rules:
            rule = rule_for(self._hosts, origin)
            if rule is not None and rule.proxy:
                return self._by_rule[rule.proxy]
        scheme, _, authority = origin.lower().partition("://")
        proxy = self._by_scheme.get(scheme)
        if proxy is None or bypasses_proxy(authority, scheme, self._exceptions):
            return None
        return proxy

    def _read_environment(self, environ: Mapping[str, str]) -> None:
        def first(*names: str) -> tuple[str, str]:
            found = ((name, environ.get(name, "").strip()) for name in names)
            return next(((name, text) for name, text in found if text), ("", ""))

        for scheme, names in (
            ("http", ("http_proxy",)),
            ("https", ("https_proxy", "HTTPS_PROXY")),
        ):
            name, text = first(*names, "all_proxy", "ALL_PROXY")
            self._by_scheme[scheme] = parse_proxy(text, name) if text else None
        _, exceptions = first("no_proxy", "NO_PROXY")
        self._exceptions = exceptions.lower().replace(",", " ").split()


def parse_proxy(text: str, source: str) -> Proxy | None:
    """Parse ``[scheme://][user[:password]@]host[:port]``; ``direct`` is ``None``.

    Args:
        text: the setting; without a scheme it is an HTTP proxy.
        source: the setting or variable that it comes from, for the message.

    Raises:
        LocalError: ``proxy``; the message contains no credentials.
    """
    if text.lower() == DIRECT:
        return None
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    scheme = {"socks": "socks5"}.get(scheme.lower(), scheme.lower())
    if scheme not in SCHEMES:
        # Anything but a word may be a part of a password.
        shown = f" {scheme[:20]}" if scheme.isalnum() and scheme.isascii() else ""
        raise _bad(source, f"unknown scheme{shown}; use {', '.join(SCHEMES)}")
    login, _, authority = rest.rpartition("@")
    authority, _, path = authority.partition("/")
    if path or any(c in authority for c in "?#\\ ") or not authority.isprintable():
        raise _bad(source, "expected scheme://[user@]host:port")
    host, port = split_port(authority)
    if not host or (":" in host and "[" not in authority):
        raise _bad(source, "the host is missing")
    if port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise _bad(source, "the port must be between 1 and 65535")
    user, _, password = login.partition(":")
    number = int(port) if port else _DEFAULT_PORTS[scheme]
    proxy = Proxy(scheme, host.lower(), number, unquote(user), unquote(password))
    _check_login(proxy, source, source)
    return proxy


def bypasses_proxy(authority: str, scheme: str, exceptions: list[str]) -> bool:
    """Return True if ``no_proxy`` matches this host (curl's rules, see the module).

    Args:
        authority: ``host`` or ``host:port``.
        scheme: of the URL; implies the port if the authority has none.
        exceptions: the words of ``no_proxy``, in lower case.
    """
    host, port = split_port(authority)
    host = ascii_host(host).removesuffix(".")
    port = port or ("443" if scheme == "https" else "80")
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    for word in exceptions:
        if word == "*":
            return True
        if address is not None and "/" in word:
            try:
                if address in ip_network(word, strict=False):
                    return True
            except ValueError:
                pass
            continue
        name, only_port = split_port(word)
        if only_port and only_port != port:
            continue
        name = name.removeprefix("*").removeprefix(".")
        name = ascii_host(name).removesuffix(".")
        if address is not None:
            if name == host or _is_address(name, address):
                return True
        elif name and (host == name or host.endswith("." + name)):
            return True
    return False


def _is_address(text: str, address: IPv4Address | IPv6Address) -> bool:
    """Return True if a text is another spelling of an address."""
    try:
        return ip_address(text) == address
    except ValueError:
        return False


def _with_login(proxy: Proxy | None, user: str, password: str) -> Proxy | None:
    """Add credentials to a proxy that lacks them or has only the same user."""
    if proxy is None or proxy.password or proxy.user not in ("", user):
        return proxy
    return proxy._replace(user=user, password=password)


def _check_login(proxy: Proxy | None, user_source: str, password_source: str) -> None:
    """Check that a login fits: SOCKS5 has one byte for each length (RFC 1929).

    Args:
        proxy: with its login.
        user_source: the setting or variable that its user comes from.
        password_source: the one of its password.

    Raises:
        LocalError: ``proxy``; the message contains no credentials.
    """
    if proxy is None or not proxy.is_socks:
        return
    most = _SOCKS_LOGIN_BYTES
    if len(proxy.user.encode(errors="surrogatepass")) > most:
        reason = f"the user name is longer than {most} bytes, the most for SOCKS5"
        raise _bad(user_source, reason)
    if len(proxy.password.encode(errors="surrogatepass")) > most:
        reason = f"the password is longer than {most} bytes, the most for SOCKS5"
        raise _bad(password_source, reason)


def _bad(source: str, reason: str) -> LocalError:
    return LocalError(ErrorKind.PROXY, f"{source}: {reason}")
