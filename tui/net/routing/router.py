"""How connections are made: through which proxy, from where, to which address.

Read and checked once, before anything is fetched. Origins that are reached alike share
a route, and so a wire and its pool of connections.
"""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from tui.core.errors import LocalError
from tui.core.request import origin_of
from tui.core.rules.hosts import split_port
from tui.core.text.plain_text import plain
from tui.net.auth.certificates import Identity, read_identity
from tui.net.auth.secrets import reveal
from tui.net.routing.proxies import Proxy, ProxyResolver

if TYPE_CHECKING:
    from tui.core.settings import Settings

_ANY = {4: "0.0.0.0", 6: "::"}


class Route(NamedTuple):
    """The way that connections to some origins take."""

    proxy: Proxy | None = None
    pins: tuple[tuple[str, str], ...] = ()
    """(host, address): where to connect without asking the DNS."""
    local_address: str = ""
    """To connect from. ``0.0.0.0`` and ``::`` stand for any of their IP version: a
    connector that is bound to one version takes no address of the other."""
    interface: str = ""
    """Network interface to connect through."""
    identity: Identity | None = None
    """Certificate for a server that asks who we are."""
    has_http2: bool = False
    """Offer HTTP/2 over TLS."""

    @property
    def is_bare(self) -> bool:
        """Whether nothing is asked of it: any connection to the origin will do."""
        return self == _BARE


_BARE = Route()


class Router:
    """The routes of a run, by origin.

    Raises:
        LocalError: ``proxy``, ``network``, ``client_cert`` or ``login``: one of the
            settings cannot be meant; the message says which and why.
    """

    def __init__(self, settings: Settings) -> None:
        """Read the settings; takes files, and the keyring for a proxy's login."""
        self._proxies = _read_proxies(settings)
        self._local_address, self._interface = _read_source(settings)
        self._pins = _read_pins(settings)
        self._identity = read_identity(settings.client_cert, settings.client_key)
        self._has_http2 = settings.http2
        everywhere = tuple(
            (host, address) for host, port, address in self._pins if not port
        )
        self._has_port_pins = len(everywhere) < len(self._pins)
        self.default = Route(
            proxy=self._proxies.proxy_for("http://any.invalid"),
            pins=everywhere,
            local_address=self._local_address,
            interface=self._interface,
        )
        """The route of an origin that nothing special is said about."""
        self.is_single = (
            self._proxies.is_same_for_all
            and not self._has_port_pins
            and not self._has_http2
            and self._identity is None
        )
        """Whether all origins take the default."""

    def route_for(self, url: str, *, is_range: bool, is_foreign: bool) -> Route:
        """Return the way to the origin of ``url``.

        Args:
            url: http or https.
            is_range: a part is asked for. Parts go over HTTP/1.1, one connection each:
                the streams of one HTTP/2 connection share its window.
            is_foreign: another server led here; who we are is not told there.
        """
        if self.is_single:
            return self.default
        origin = origin_of(url)
        scheme, _, authority = origin.partition("://")
        is_secure = scheme == "https"
        return Route(
            proxy=self._proxies.proxy_for(origin),
            pins=self._pins_for(authority, is_secure) or self.default.pins,
            local_address=self._local_address,
            interface=self._interface,
            identity=self._identity if is_secure and not is_foreign else None,
            has_http2=self._has_http2 and is_secure and not is_range,
        )

    def _pins_for(self, authority: str, is_secure: bool) -> tuple[tuple[str, str], ...]:
        """The pin of this host and port, if there is one for the very port."""
        if not self._has_port_pins:
            return ()
        host, port = split_port(authority)
        number = int(port) if port else 443 if is_secure else 80
        for name, pinned, address in self._pins:
            if name == host and pinned == number:
                return ((host, address),)
        return ()


def _read_proxies(settings: Settings) -> ProxyResolver:
    login = settings.proxy_login
    if login is None:
        return ProxyResolver(settings, os.environ)
    return ProxyResolver(
        settings, os.environ, login.user, reveal(login, "the proxy's login")
    )


def _read_source(settings: Settings) -> tuple[str, str]:
    """Return the local address and the interface's name to connect from."""
    version = settings.ip_version
    if version not in (0, 4, 6):
        raise _unusable(f"there is no IP version {version}; 4 or 6")
    wanted = settings.interface
    any_address = _ANY.get(version, "")
    if not wanted:
        return any_address, ""
    try:
        address = ip_address(wanted.removeprefix("[").removesuffix("]"))
    except ValueError:
        names = [name for _, name in socket.if_nameindex()]
        if wanted not in names:
            raise _unusable(
                f"no network interface {plain(wanted, 50)!r} and no address either;"
                f" there are {', '.join(names)}"
            ) from None
        return any_address, wanted
    if version and address.version != version:
        raise _unusable(f"{address} is no IPv{version} address")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _unusable(f"cannot connect from {address}: {reason}") from None
    return str(address), ""


def _read_pins(settings: Settings) -> list[tuple[str, int, str]]:
    pins = []
    for host, port, text in settings.resolve:
        try:
            address = ip_address(text.removeprefix("[").removesuffix("]"))
        except ValueError:
            raise _unusable(
                f"{plain(host, 100)} cannot be pinned to {plain(text, 100)!r}:"
                " that is no IP address"
            ) from None
        if not 0 <= port < 65536:
            raise _unusable(f"{plain(host, 100)} cannot be pinned at port {port}")
        if settings.ip_version and address.version != settings.ip_version:
            raise _unusable(
                f"{plain(host, 100)} is pinned to {address}, which is no"
                f" IPv{settings.ip_version} address"
            )
        pins.append((host.lower().removesuffix("."), port, str(address)))
    return pins


def _unusable(message: str) -> LocalError:
    return LocalError("network", message)
