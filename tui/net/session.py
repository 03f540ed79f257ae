"""HTTP exchanges: which way they go, how long they may take, where they may lead."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from typing import TYPE_CHECKING, NamedTuple

from tui.core.clock import SystemClock
from tui.core.errors import FetchError, PermanentError
from tui.core.request import origin_of
from tui.net.auth.digest import DigestAuthCache, without_digest_logins
from tui.net.errors import stalled
from tui.net.idle_timeout import IdleTimeout, TimeoutWheel
from tui.net.limiter import OriginLimiters
from tui.net.request import sendable
from tui.net.response import RateLimitedResponse, Response
from tui.net.routing.proxy_errors import wants_login
from tui.net.senders import REDIRECTS, Senders
from tui.net.session_config import SessionConfig, load_session_config
from tui.net.transports.base import RawResponse
from tui.net.transports.selector import TransportSelector
from tui.net.url import is_plain, where

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    from tui.core.settings import Settings
    from tui.net.redirects import RedirectChain

    T = TypeVar("T")

_GOES_ON = REDIRECTS | {401, 407}
"""Statuses that are not the last word."""


class GetRequest(NamedTuple):
    """What to ask for: a URL, and the bytes of it."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    """Bound to the origin of ``url``: never sent to another one."""
    start: int = 0
    """First byte wanted."""
    end: int | None = None
    """Exclusive; ``None`` for all the rest. No Range is sent for the whole file."""
    if_range: str = ""
    """Validator for If-Range: a strong ETag or a date; only used with a range."""

    @property
    def is_range(self) -> bool:
        """Whether a part of the file is asked for."""
        return self.start > 0 or self.end is not None

    def range_headers(self) -> list[tuple[str, str]]:
        """``Range`` and ``If-Range``, or nothing (RFC 9110 section 14.2)."""
        if not self.is_range:
            return []
        last = "" if self.end is None else str(self.end - 1)
        headers = [("Range", f"bytes={self.start}-{last}")]
        if self.if_range:
            headers.append(("If-Range", self.if_range))
        return headers


class HttpSession:
    """The pool of connections and everything that goes over it.

    Must be created inside a running loop.
    """

    def __init__(self, settings: Settings, means: SessionConfig | None = None) -> None:
        """Begin without a connection.

        Args:
            settings: what the run starts with.
            means: what ``load_session_config`` gives; ``None`` reads them here, which
                may take as long as the keyring does.

        Raises:
            LocalError: as ``load_session_config``; and ``network``, the wire that is
                installed cannot do what the settings want.
        """
        means = means or load_session_config(settings)
        self._watch = IdleTimeout(asyncio.get_running_loop())
        self._timeout_s = settings.timeout_s
        # The connection itself may take timeout_s and then says connect_timeout, so
        # whatever is cut off here had connected, and waited for an answer.
        self._open_limit_s = settings.timeout_s + min(2.0, settings.timeout_s / 4)
        self._wires = TransportSelector(
            settings, means.ca_file, self._open_limit_s, means.routes
        )
        self._senders = Senders(
            self._wires, means.logins, DigestAuthCache(), means.cookies
        )
        self._has_cookies = means.cookies is not None
        self.limiters = OriginLimiters(settings.hosts, SystemClock())
        """Rates of single origins; they change live."""

    @property
    def wire_name(self) -> str:
        """The wire that the settings name, or the one that serves most."""
        return self._wires.name

    def headers_for(
        self, url: str, headers: tuple[tuple[str, str], ...], *, is_named: bool
    ) -> tuple[tuple[str, str], ...]:
        """Return the headers that a ``GetRequest`` to ``url`` carries.

        Args:
            url: of the target.
            headers: that the list gives for this file.
            is_named: whether the list names the origin as its own; only then
                ``headers`` and what the run is given for such origins count.
        """
        return self._senders.logins.headers_for(url, headers, is_named=is_named)

    async def open(self, target: GetRequest) -> Response:
        """Ask for ``target``, follow redirects, return when the headers are there.

        A challenge that a login of the target can answer is answered. Every other
        status is returned but redirects; ``probe.read_answer`` judges it.

        Raises:
            FetchError: no answer, or one that leads nowhere safe; ``proxy_auth``.
        """
        clock = TimeoutWheel(self._watch)
        secrets = sendable(target.headers, target.url) if target.headers else []
        others = target.range_headers()
        try:
            chain = None
            if (
                is_plain(target.url)
                and not self._has_cookies
                # Proofs are about a URL in the spelling that the chain gives it.
                and not (secrets and self._senders.digests.is_used)
            ):
                # The short way: no httpx objects, a third of the cost.
                url, headers = target.url, secrets + others
                wire = self._wires.wire_for(url, is_range=bool(others))
                sent = without_digest_logins(headers) if secrets else others
                exchange = await self._timed(clock, wire.open(url, sent), url)
                if exchange.status in _GOES_ON:
                    chain = self._chain(url, secrets, others)
            else:
                chain = self._chain(target.url, secrets, others)
                url, headers = chain.url, chain.headers()
                exchange = await self._timed(clock, chain.send(), url)
            is_foreign = False
            if chain is not None:
                exchange = await self._follow(clock, chain, exchange)
                url, headers = chain.url, chain.headers()
                is_foreign = chain.is_foreign
            extra = None
            # Only the request for a file's beginning is asked for its name.
            if target.start == 0 and exchange.is_unreadable("content-disposition"):
                extra = await self._ask_for_name(
                    clock, exchange, url, headers, is_foreign
                )
            hops = chain.hops if chain is not None else 0
            reply = Response(exchange, url, hops, clock, self._timeout_s, extra)
            if self.limiters.is_used and (
                limiter := self.limiters.limiter_for(origin_of(url))
            ):
                reply = RateLimitedResponse(
                    exchange, url, hops, clock, self._timeout_s, extra
                )
                reply.limiter = limiter
            if exchange.status == 401:
                given = self._senders.digests.applied(url, headers)
                reply.has_login = any(k.lower() == "authorization" for k, _ in given)
            return reply
        except BaseException:
            clock.stop()
            raise

    def _chain(
        self, url: str, secrets: list[tuple[str, str]], others: list[tuple[str, str]]
    ) -> RedirectChain:
        # Most runs never need one, nor httpx, which takes 40 ms to load.
        from tui.net.redirects import RedirectChain

        return RedirectChain(self._senders, url, secrets, others)

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._watch.stop()
        await self._wires.aclose()

    async def _follow(
        self, clock: TimeoutWheel, chain: RedirectChain, exchange: RawResponse
    ) -> RawResponse:
        """Answer challenges and follow redirects until there is neither."""
        rounds = 0
        while exchange.status in _GOES_ON:
            if exchange.status == 401:
                is_next = await self._prove(chain, exchange, rounds)
                rounds += 1
            elif exchange.status == 407:
                await self._check_proxy(chain.url, exchange)
                break
            else:
                is_next = await self._hop(clock, chain, exchange)
                rounds = 0
            if not is_next:
                break
            exchange = await self._timed(clock, chain.send(), chain.url)
        return exchange

    async def _prove(
        self, chain: RedirectChain, exchange: RawResponse, rounds: int
    ) -> bool:
        """Take a challenge and close its exchange; false if we have no answer."""
        challenges = exchange.values("www-authenticate")
        headers = tuple(chain.headers())
        if not self._senders.digests.answer(chain.url, headers, challenges, rounds):
            return False
        await exchange.close()
        return True

    async def _check_proxy(self, url: str, exchange: RawResponse) -> None:
        """Say that it was the proxy who asked for a login, where there is one."""
        proxy = self._wires.proxy_for(url)
        if proxy is not None:
            await exchange.close()
            raise wants_login(proxy.label, has_login=proxy.has_login)

    async def _hop(
        self, clock: TimeoutWheel, chain: RedirectChain, exchange: RawResponse
    ) -> bool:
        """Step on along a redirect and close it; false if it names no place."""
        try:
            locations = exchange.values("location")
            if exchange.is_unreadable("location"):
                locations = await self._ask_again(
                    clock,
                    chain.url,
                    chain.headers(),
                    "location",
                    REDIRECTS,
                    chain.is_foreign,
                )
            if not locations:
                return False
            if len(set(locations)) > 1:
                raise PermanentError(
                    "bad_redirect", f"{where(chain.url)} redirects to several places"
                )
            chain.follow(exchange, locations[0])
        except BaseException:
            await exchange.close()
            raise
        await exchange.close()
        return True

    async def _ask_for_name(
        self,
        clock: TimeoutWheel,
        exchange: RawResponse,
        url: str,
        headers: list[tuple[str, str]],
        is_foreign: bool,
    ) -> dict[str, str] | None:
        """Fetch a Content-Disposition that the wire cannot read.

        One byte is asked for; a server that ignores that is cut off.
        """
        name = "content-disposition"
        headers = [(k, v) for k, v in headers if k not in ("Range", "If-Range")]
        headers.append(("Range", "bytes=0-0"))
        try:
            values = await self._ask_again(
                clock, url, headers, name, frozenset({200, 206}), is_foreign
            )
        except FetchError:
            # The body is there; its name alone is not worth failing an attempt.
            return None
        except BaseException:
            await exchange.close()
            raise
        return {name: ", ".join(values)} if values else None

    async def _ask_again(
        self,
        clock: TimeoutWheel,
        url: str,
        headers: list[tuple[str, str]],
        name: str,
        statuses: frozenset[int],
        is_foreign: bool,
    ) -> list[str]:
        """Read a header through httpx's own transport, which gives its bytes."""
        spare = await self._wires.spare_for(url, is_foreign=is_foreign)
        headers = self._senders.digests.applied(url, headers)
        exchange = await self._timed(clock, spare.open(url, headers), url)
        try:
            return exchange.values(name) if exchange.status in statuses else []
        finally:
            await exchange.close()

    async def _timed(
        self, clock: TimeoutWheel, work: Coroutine[Any, Any, T], url: str
    ) -> T:
        """Wait for ``work``, but not longer than an answer may take."""
        clock.begin(self._open_limit_s)
        try:
            result = await work
        except CancelledError:
            if clock.was_struck():
                raise stalled(where(url)) from None
            raise
        finally:
            is_cancelled = clock.end_well()
        if is_cancelled:
            if isinstance(result, RawResponse):
                await result.close()
            raise CancelledError
        return result
