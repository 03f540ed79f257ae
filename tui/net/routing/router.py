"""Decide how connections are made: proxy, local address, pinned addresses.

Settings are read and checked once, before the first request. Origins with the same
route share a transport and its pool of connections.
"""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, LocalError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.request import origin_of
from tui.core.rules.hosts import ascii_host, split_port
from tui.core.text.sanitize import sanitize
from tui.net.auth.certificates import ClientCertificate, load_client_certificate
from tui.net.auth.secrets import resolve_secret
from tui.net.routing.proxies import Proxy, ProxyResolver

if TYPE_CHECKING:
    from tui.core.settings import Settings

_ANY = {4: "0.0.0.0", 6: "::"}


class Route(NamedTuple):
    """How connections to some origins are made."""

    proxy: Proxy | None = None
    pins: tuple[tuple[str, str], ...] = ()
    """(host, address): where to connect instead of resolving the host."""
    local_address: str = ""
    """To connect from. ``0.0.0.0`` and ``::`` mean any of their IP version: a socket
    bound to one version never connects to an address of the other."""
    interface: str = ""
    """Network interface to connect through."""
    client_certificate: ClientCertificate | None = None
    """For servers that require one."""
    has_http2: bool = False
    """Offer HTTP/2 over TLS."""


class Router:
    """The routes of a run, by origin.

    Raises:
        LocalError: ``proxy``, ``network``, ``client_cert`` or ``login``: a setting is
            invalid; the message says which and why.
    """

    def __init__(self, settings: Settings) -> None:
        """Load the settings; may block on files, and the keyring for a proxy login."""
        self._proxies = _load_proxies(settings)
        self._local_address, self._interface = _load_source(settings)
        self._pins = _load_pins(settings)
        self._client_certificate = load_client_certificate(
            settings.client_cert, settings.client_key
        )
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
        """The route of an origin without special rules."""
        self.is_single = (
            self._proxies.is_same_for_all
            and not self._has_port_pins
            and not self._has_http2
            and self._client_certificate is None
        )
        """Whether all origins use the default."""

    def route_for(self, url: str, *, is_range: bool, is_cross_origin: bool) -> Route:
        """Return the route to the origin of ``url``.

        Args:
            url: http or https.
            is_range: part of a file is requested. Ranges use HTTP/1.1, one connection
                each: the streams of an HTTP/2 connection share its window.
            is_cross_origin: a redirect led here from another origin, so the client
                certificate is not used.
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
            client_certificate=self._client_certificate
            if is_secure and not is_cross_origin
            else None,
            has_http2=self._has_http2 and is_secure and not is_range,
        )

    def _pins_for(self, authority: str, is_secure: bool) -> tuple[tuple[str, str], ...]:
        """Return the pin for exactly this host and port, if there is one."""
        if not self._has_port_pins:
            return ()
        host, port = split_port(authority)
        host = ascii_host(host)
        number = int(port) if port else 443 if is_secure else 80
        for name, pinned, address in self._pins:
            if name == host and pinned == number:
                return ((host, address),)
        return ()


def _load_proxies(settings: Settings) -> ProxyResolver:
    login = settings.proxy_login
    if login is None:
        return ProxyResolver(settings, os.environ)
    return ProxyResolver(
        settings, os.environ, login.user, resolve_secret(login, "the proxy login")
    )


def _load_source(settings: Settings) -> tuple[str, str]:
    """Return the local address and the interface's name to connect from."""
    version = settings.ip_version
    if version not in (0, 4, 6):
        raise _invalid(f"the IP version must be 4 or 6, not {version}")
    wanted = settings.interface
    any_address = _ANY.get(version, "")
    if not wanted:
        return any_address, ""
    try:
        address = ip_address(wanted.removeprefix("[").removesuffix("]"))
    except ValueError:
        names = [name for _, name in socket.if_nameindex()]
        if wanted not in names:
            raise _invalid(
                f"{sanitize(wanted, 50)!r} is neither a network interface nor an"
                f" address; interfaces: {', '.join(names)}"
            ) from None
        return any_address, wanted
    if version and address.version != version:
        raise _invalid(f"{address} is not an IPv{version} address")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _invalid(f"cannot connect from {address}: {reason}") from None
    return str(address), ""


def _load_pins(settings: Settings) -> list[tuple[str, int, str]]:
    pins = []
    for host, port, text in settings.resolve:
        try:
            address = ip_address(text.removeprefix("[").removesuffix("]"))
        except ValueError:
            raise _invalid(
                f"cannot pin {sanitize(host, 100)} to {sanitize(text, 100)!r}:"
                " not an IP address"
            ) from None
        if not 0 <= port < 65536:
            raise _invalid(
                f"cannot pin {sanitize(host, 100)} on port {port}: not a valid port"
            )
        if settings.ip_version and address.version != settings.ip_version:
            raise _invalid(
                f"cannot pin {sanitize(host, 100)} to {address}: not an"
                f" IPv{settings.ip_version} address"
            )
        pins.append((ascii_host(host).removesuffix("."), port, str(address)))
    return pins


def _invalid(message: str) -> LocalError:
    return LocalError(ErrorKind.NETWORK, message)
