"""HTTP exchanges: which way they go, how long they may take, where they may lead."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from asyncio import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.errors import FetchError, LocalError, PermanentError
from tui.core.plain_text import plain
from tui.net.address import is_plain, where
from tui.net.byte_stream import Reply
from tui.net.exchange import Exchange
from tui.net.faults import stalled
from tui.net.redirects import REDIRECTS, RedirectChain
from tui.net.stall_clock import StallClock
from tui.net.wires import Wires

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    from tui.core.settings import Settings

    T = TypeVar("T")

# These are ours to set: another value would change framing, range or encoding behind
# the back of those who check the answer.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "if-range",
        "keep-alive",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----"
)
_CERTIFICATE_BYTES = 64 << 10
"""Read to find the first certificate of a bundle; one takes about 2 KiB."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_CONTROLS = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


@dataclass(frozen=True, slots=True)
class Target:
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

    Raises:
        LocalError: ``tls``, the file with certificates cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout_s = settings.timeout_s
        # The connection itself may take timeout_s and then says connect_timeout, so
        # whatever is cut off here had connected, and waited for an answer.
        self._open_limit_s = settings.timeout_s + min(2.0, settings.timeout_s / 4)
        ca_file = _check_certificates(settings)
        self._wires = Wires(settings, ca_file, self._open_limit_s)

    @property
    def wire_name(self) -> str:
        """``pyreqwest`` or ``httpx``."""
        return self._wires.name

    async def open(self, target: Target) -> Reply:
        """Ask for ``target``, follow redirects, return when the headers are there.

        Every status is returned but redirects; ``probe.read_answer`` judges it.

        Raises:
            FetchError: no answer, or one that leads nowhere safe.
        """
        clock = StallClock(self._loop)
        secrets = _sendable(target.headers, target.url) if target.headers else []
        others = target.range_headers()
        try:
            chain = None
            if is_plain(target.url):
                # The short way: no httpx objects, a third of the cost.
                url, headers = target.url, secrets + others
                wire = self._wires.wire_for(url)
                exchange = await self._timed(clock, wire.open(url, headers), url)
                if exchange.status in REDIRECTS:
                    chain = RedirectChain(self._wires, url, secrets, others)
            else:
                chain = RedirectChain(self._wires, target.url, secrets, others)
                url, headers = chain.url, chain.headers()
                exchange = await self._timed(clock, chain.send(), url)
            hops = 0
            while chain is not None and exchange.status in REDIRECTS:
                if not await self._hop(clock, chain, exchange):
                    break
                url, headers, hops = chain.url, chain.headers(), chain.hops
                exchange = await self._timed(clock, chain.send(), url)
            extra = None
            # Only the request for a file's beginning is asked for its name.
            if target.start == 0 and exchange.is_unreadable("content-disposition"):
                extra = await self._ask_for_name(clock, exchange, url, headers)
            return Reply(exchange, url, hops, clock, self._timeout_s, extra)
        except BaseException:
            clock.stop()
            raise

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        await self._wires.aclose()

    async def _hop(
        self, clock: StallClock, chain: RedirectChain, exchange: Exchange
    ) -> bool:
        """Step on along a redirect and close it; false if it names no place."""
        try:
            locations = exchange.values("location")
            if exchange.is_unreadable("location"):
                locations = await self._ask_again(
                    clock, chain.url, chain.headers(), "location", REDIRECTS
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
        clock: StallClock,
        exchange: Exchange,
        url: str,
        headers: list[tuple[str, str]],
    ) -> dict[str, str] | None:
        """Fetch a Content-Disposition that the wire cannot read.

        One byte is asked for; a server that ignores that is cut off.
        """
        name = "content-disposition"
        headers = [(k, v) for k, v in headers if k not in ("Range", "If-Range")]
        headers.append(("Range", "bytes=0-0"))
        try:
            values = await self._ask_again(
                clock, url, headers, name, frozenset({200, 206})
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
        clock: StallClock,
        url: str,
        headers: list[tuple[str, str]],
        name: str,
        statuses: frozenset[int],
    ) -> list[str]:
        """Read a header through httpx's own transport, which gives its bytes."""
        spare = await self._wires.spare_for(url)
        exchange = await self._timed(clock, spare.open(url, headers), url)
        try:
            return exchange.values(name) if exchange.status in statuses else []
        finally:
            await exchange.close()

    async def _timed(
        self, clock: StallClock, work: Coroutine[Any, Any, T], url: str
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
            if isinstance(result, Exchange):
                await result.close()
            raise CancelledError
        return result


def _sendable(headers: tuple[tuple[str, str], ...], url: str) -> list[tuple[str, str]]:
    """Return the headers that may go out with a request.

    Raises:
        PermanentError: ``bad_header`` for a name or a value that would break the
            request apart (RFC 9110 section 5.5); the value is not told.
    """
    for name, value in headers:
        if _TOKEN.fullmatch(name) is None or _NO_CONTROLS.fullmatch(value) is None:
            raise PermanentError(
                "bad_header", f"{where(url)}: header {plain(name, 50)!r} cannot be sent"
            )
    return [(k, v) for k, v in headers if k.lower() not in _RESERVED]


def _check_certificates(settings: Settings) -> str | None:
    """Return the file of certificates to trust, or ``None`` for the system's.

    Both wires would go on with a bundle that cannot be read, the one silently and the
    other with a traceback; here it is said once, before anything is fetched.

    Raises:
        LocalError: ``ca_file``, no certificate can be read from it.
    """
    chosen = settings.ca_file or os.environ.get("SSL_CERT_FILE") or None
    if chosen is None:
        return None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        first = b"" if settings.ca_file else _first_certificate(str(chosen))
        if first:
            # The environment names the system's bundle, which is large: to read all of
            # it took 29 ms of every start. One that is chosen here is read to its end.
            context.load_verify_locations(cadata=first.decode("ascii"))
        else:
            context.load_verify_locations(str(chosen))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = (
            error.strerror or str(error) if isinstance(error, OSError) else str(error)
        )
        raise LocalError(
            "ca_file", f"no certificates in {plain(str(chosen))}: {plain(reason, 100)}"
        ) from None
    return str(chosen)


def _first_certificate(path: str) -> bytes:
    """Return the first certificate of a bundle, or nothing where there is none.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        found = _CERTIFICATE.search(file.read(_CERTIFICATE_BYTES))
    return found[0] if found is not None else b""
