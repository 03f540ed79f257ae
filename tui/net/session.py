"""HTTP requests with redirects, authentication, rate limits and timeouts."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from typing import TYPE_CHECKING

from tui.core.clock import SystemClock
from tui.core.errors import ErrorKind, FetchError, PermanentError
from tui.core.request import origin_of
from tui.net.auth.digest import DigestAuthCache
from tui.net.errors import proxy_auth, stalled
from tui.net.idle_timeout import IdleTimeout, TimeoutTimer
from tui.net.limiter import OriginLimiters
from tui.net.request import sendable_headers
from tui.net.response import RateLimitedResponse, Response
from tui.net.session_config import SessionConfig, load_session_config
from tui.net.transports.selector import TransportSelector
from tui.net.url import host_port, is_plain

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    from tui.core.settings import Settings
    from tui.net.redirects import RedirectChain
    from tui.net.request import GetRequest
    from tui.net.transports.base import IdleConnections, RawResponse
    from tui.net.transports.early_connections import EarlyConnections

    T = TypeVar("T")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses whose Location is followed, always with GET."""
_NOT_FINAL = _REDIRECTS | {401, 407}
"""Statuses that may lead to another request."""


class HttpSession:
    """A pool of connections, and the requests made through it.

    Must be created inside a running loop.
    """

    def __init__(
        self,
        settings: Settings,
        config: SessionConfig | None = None,
        early: EarlyConnections | None = None,
    ) -> None:
        """Prepare a session.

        Args:
            settings: of the run.
            config: from ``load_session_config``; ``None`` loads it here, which may
                block on files and the keyring.
            early: connections that are being opened; the session closes them.

        Raises:
            LocalError: as ``load_session_config``; and ``network``, the installed HTTP
                backend does not support the settings.
        """
        config = config or load_session_config(settings)
        self._timeouts = TimeoutTimer(asyncio.get_running_loop())
        self._timeout_s = settings.timeout_s
        # Connecting may take timeout_s and then fails as connect_timeout, so whatever
        # exceeds this limit had connected and waited for a response.
        self._open_limit_s = settings.timeout_s + min(2.0, settings.timeout_s / 4)
        self._transports = TransportSelector(
            settings, config.ca_file, config.router, early
        )
        self._credentials = config.credentials
        self._digests = DigestAuthCache()
        self._cookie_file = config.cookie_file
        self.limiters = OriginLimiters(settings.hosts, SystemClock())
        """Rate limits of single origins; they can change at any time."""

    @property
    def backend_name(self) -> str:
        """The HTTP backend in the settings, or the one that serves most requests."""
        return self._transports.name

    def headers_for(
        self, url: str, headers: tuple[tuple[str, str], ...], *, is_named: bool
    ) -> tuple[tuple[str, str], ...]:
        """Return the headers for a ``GetRequest`` to ``url``.

        Args:
            url: of the request.
            headers: that the list sets for this file.
            is_named: whether the list itself names the origin; only then do
                ``headers`` and the headers and credentials of the run apply.
        """
        return self._credentials.headers_for(url, headers, is_named=is_named)

    async def open(self, request: GetRequest) -> Response:
        """Send a request, follow redirects, and return once the headers have arrived.

        Challenges that the request's credentials can answer are answered. Every other
        status is returned, except redirects; ``resource.read_resource_info`` checks it.

        Raises:
            FetchError: no response, or an unsafe redirect; ``proxy_auth``. It is marked
                as unanswered.
        """
        timeout = IdleTimeout(self._timeouts)
        secrets = (
            sendable_headers(request.headers, request.url) if request.headers else []
        )
        others = request.range_headers()
        try:
            if (
                is_plain(request.url)
                and self._cookie_file is None
                # Digests sign a URL in the spelling that the chain gives it.
                and not (secrets and self._digests.is_used)
            ):
                # Shortcut: no httpx objects, a third of the cost.
                url = request.url
                transport = self._transports.transport_for(url, is_range=bool(others))
                sent = others
                if secrets:
                    sent = self._digests.apply(url, secrets + others)
                timeout.start(self._open_limit_s)
                # As in _timed; inlined to save one coroutine per file.
                try:
                    raw = await transport.open(url, sent)
                except CancelledError:
                    if timeout.expired():
                        raise stalled(host_port(url)) from None
                    raise
                timeout.stop()
                if raw.status not in _NOT_FINAL:
                    return self._wrap(raw, url, 0, timeout)
                chain = self._chain(url, secrets, others)
                chain.has_sent_login = _has_login(sent)
            else:
                chain = self._chain(request.url, secrets, others)
                raw = await self._timed(timeout, self._send(chain), chain.url)
            raw = await self._follow(timeout, chain, raw)
            response = self._wrap(raw, chain.url, chain.hops, timeout)
            if raw.status == 401:
                response.has_credentials = chain.has_sent_login
                response.has_unsent_credentials = (
                    not chain.has_sent_login and _has_login(chain.headers())
                )
            return response
        except BaseException as error:
            timeout.stop()
            if isinstance(error, FetchError):
                error.is_unanswered = True
            raise

    def idle_connections(self, url: str) -> IdleConnections:
        """Return what is known of the idle connections for ranges of ``url``."""
        return self._transports.transport_for(url, is_range=True).idle_connections(url)

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._timeouts.stop()
        await self._transports.aclose()

    def _wrap(
        self,
        raw: RawResponse,
        url: str,
        hops: int,
        timeout: IdleTimeout,
    ) -> Response:
        """Return the response, rate-limited if its origin has a limit."""
        if self.limiters.is_used and (
            limiter := self.limiters.limiter_for(origin_of(url))
        ):
            limited = RateLimitedResponse(raw, url, hops, timeout, self._timeout_s)
            limited.limiter = limiter
            return limited
        return Response(raw, url, hops, timeout, self._timeout_s)

    # -- redirects and challenges ------------------------------------------------------

    def _chain(
        self, url: str, secrets: list[tuple[str, str]], others: list[tuple[str, str]]
    ) -> RedirectChain:
        # Late: most runs need neither this nor httpx, which takes 40 ms to load.
        from tui.net.redirects import RedirectChain

        return RedirectChain(url, secrets, others, self._credentials, self._cookie_file)

    async def _send(self, chain: RedirectChain) -> RawResponse:
        """Send the request of the current hop."""
        headers = self._digests.apply(chain.url, chain.headers())
        chain.has_sent_login = _has_login(headers)
        transport = self._transports.transport_for(
            chain.url,
            is_range=any(name == "Range" for name, _ in headers),
            is_cross_origin=chain.is_cross_origin,
        )
        return await transport.open(chain.url, headers)

    async def _follow(
        self, timeout: IdleTimeout, chain: RedirectChain, raw: RawResponse
    ) -> RawResponse:
        """Answer challenges and follow redirects until there are none."""
        attempts = 0
        while raw.status in _NOT_FINAL:
            if raw.status == 401:
                is_next = await self._answer_challenge(chain, raw, attempts)
                attempts += 1
            elif raw.status == 407:
                await self._check_proxy(chain.url, raw)
                break
            else:
                is_next = await self._redirect(chain, raw)
                attempts = 0
            if not is_next:
                break
            raw = await self._timed(timeout, self._send(chain), chain.url)
        return raw

    async def _answer_challenge(
        self, chain: RedirectChain, raw: RawResponse, attempts: int
    ) -> bool:
        """Accept a challenge and close its response; False if it cannot be answered."""
        challenges = raw.values("www-authenticate")
        headers = tuple(chain.headers())
        is_next = self._digests.accept_challenge(
            chain.url, headers, challenges, attempts, was_sent=chain.has_sent_login
        )
        if not is_next:
            return False
        chain.store_cookies(raw)
        await raw.close()
        return True

    async def _check_proxy(self, url: str, raw: RawResponse) -> None:
        """Raise ``proxy_auth`` if the 407 can have come from a proxy."""
        proxy = self._transports.proxy_for(url)
        if proxy is not None:
            await raw.close()
            raise proxy_auth(proxy.label, has_credentials=proxy.has_login)

    @staticmethod
    async def _redirect(chain: RedirectChain, raw: RawResponse) -> bool:
        """Follow a redirect and close its response; False if it has no Location."""
        try:
            locations = raw.values("location")
            if not locations:
                return False
            if len(set(locations)) > 1:
                raise PermanentError(
                    ErrorKind.BAD_REDIRECT,
                    f"{host_port(chain.url)} redirects to several locations",
                )
            chain.store_cookies(raw)
            chain.follow(locations[0])
        except BaseException:
            await raw.close()
            raise
        await raw.close()
        return True

    async def _timed(
        self, timeout: IdleTimeout, work: Coroutine[Any, Any, T], url: str
    ) -> T:
        """Wait for ``work``, but not longer than a response may take."""
        timeout.start(self._open_limit_s)
        try:
            return await work
        except CancelledError:
            if timeout.expired():
                raise stalled(host_port(url)) from None
            raise
        finally:
            timeout.stop()


def _has_login(headers: list[tuple[str, str]]) -> bool:
    return any(name.lower() == "authorization" for name, _ in headers)
