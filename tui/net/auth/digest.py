"""Digest authentication (RFC 7616): every request has its own Authorization value.

httpx computes the values. This module decides when one is needed and which of several
challenges to answer, and makes sure that a password meant for Digest is never sent in
any other way. Challenges are cached by origin, so that the ranges of a download are
authenticated at once and do not cost one 401 each.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from tui.core.request import ANY_LOGIN, DIGEST_LOGIN, origin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from tui.net.auth.credentials import Headers

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~/-]+"
_PART = re.compile(
    rf"(,)|({_WORD})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",]+))|({_WORD})"
)
VALUE_LIMIT = 8192
"""Characters of a header that are parsed; real challenges stay below 1,000."""
# Best first.
_ALGORITHMS = ("SHA-512", "SHA-256", "SHA", "MD5")


class Challenge:
    """A Digest challenge, in the form that httpx parses."""

    __slots__ = ("is_stale", "line", "rank")

    def __init__(self, parameters: dict[str, str]) -> None:
        algorithm = parameters.get("algorithm", "MD5").upper()
        base = algorithm.removesuffix("-SESS")
        self.rank = _ALGORITHMS.index(base) if base in _ALGORITHMS else -1
        self.is_stale = parameters.get("stale", "").lower() == "true"
        quoted = (
            f'{name}="{value}"'
            for name, value in parameters.items()
            if name in ("realm", "nonce", "opaque", "qop", "algorithm")
        )
        self.line = "Digest " + ", ".join(quoted)


def best_challenge(values: Sequence[str]) -> Challenge | None:
    """Return the strongest Digest challenge that is supported, if there is one.

    Args:
        values: of ``WWW-Authenticate``; one may contain several (RFC 9110 sec. 11.6.1).
    """
    found = []
    for scheme, parameters in _challenges(values):
        if scheme.lower() == "digest" and {"realm", "nonce"} <= parameters.keys():
            challenge = Challenge(parameters)
            if challenge.rank >= 0:
                found.append(challenge)
    return min(found, key=lambda challenge: challenge.rank, default=None)


def schemes(values: Sequence[str]) -> list[str]:
    """Return the schemes in ``WWW-Authenticate``, in their original spelling."""
    return [scheme for scheme, _ in _challenges(values)]


def _challenges(values: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Split ``WWW-Authenticate`` into schemes with their lower-case parameters.

    A word after a comma, and without ``=``, is the next scheme.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for value in values:
        may_be_scheme = True
        for comma, name, quoted, plain, word in _PART.findall(value[:VALUE_LIMIT]):
            if comma:
                may_be_scheme = True
            elif word:
                if may_be_scheme:
                    found.append((word, {}))
                may_be_scheme = False
            else:
                if found:
                    found[-1][1].setdefault(name.lower(), quoted or plain)
                may_be_scheme = False
    return found


_UNSENDABLE = (DIGEST_LOGIN, ANY_LOGIN)
MAX_ATTEMPTS = 3
"""Challenges answered for one request. Usually one; a second if the nonce of the first
has expired meanwhile (``stale``)."""
MAX_CACHED_ORIGINS = 1000


class DigestAuthCache:
    """Answered challenges by origin and credentials."""

    def __init__(self) -> None:
        self._auths: dict[tuple[str, str], httpx.DigestAuth] = {}
        self._basic: set[tuple[str, str]] = set()
        """Origins that have asked for Basic, with the credentials meant for any scheme.
        """
        self._first: dict[tuple[str, str], tuple[str, str]] = {}
        """URL and value of the first use of a new nonce, until it is sent: servers may
        reject a nonce whose count does not start at 1."""

    @property
    def is_used(self) -> bool:
        """Whether any server has sent a challenge so far."""
        return bool(self._auths or self._basic)

    def apply(
        self, url: str, headers: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Return headers as they may be sent.

        Digest credentials become a Digest value, or are dropped if the server has not
        sent a challenge yet; Basic credentials become a Digest value if the server
        accepts nothing else.
        """
        sendable = []
        for name, value in headers:
            if name.lower() == "authorization" and _parse_credentials(value):
                key = (origin_of(url), value)
                auth = self._auths.get(key)
                if auth is not None:
                    first = self._first.pop(key, ("", ""))
                    is_first = first[0] == url
                    digest = first[1] if is_first else _compute(auth, url, None)
                    sendable.append((name, digest))
                    continue
                if key in self._basic:
                    value = f"Basic {value.partition(' ')[2]}"
                elif value.startswith(_UNSENDABLE):
                    continue
            sendable.append((name, value))
        return sendable

    def accept_challenge(
        self, url: str, headers: Headers, challenges: Sequence[str], attempts: int
    ) -> bool:
        """Process a 401; return True if another request with ``apply`` may succeed.

        Args:
            url: of the request.
            headers: with the credentials, as passed to ``apply``.
            challenges: the ``WWW-Authenticate`` values.
            attempts: 0 for the first 401 to this request.
        """
        value = next((v for k, v in headers if k.lower() == "authorization"), "")
        credentials = _parse_credentials(value)
        if credentials is None or attempts >= MAX_ATTEMPTS:
            return False
        offered = [scheme.lower() for scheme in schemes(challenges)]
        key = (origin_of(url), value)
        challenge = best_challenge(challenges)
        if challenge is None:
            return self._accept_basic(key, offered)
        if "basic" in offered and not value.startswith(_UNSENDABLE):
            return False  # Basic was offered and sent: the password is wrong
        if attempts and not challenge.is_stale:
            # The value was computed for this challenge: the password is wrong.
            return False
        if len(self._auths) >= MAX_CACHED_ORIGINS:
            self._auths.clear()
            self._first.clear()
        answered = _answer(credentials, url, challenge.line)
        if answered is None:
            return False
        self._auths[key], first = answered
        self._first[key] = (url, first)
        return True

    def _accept_basic(self, key: tuple[str, str], offered: Sequence[str]) -> bool:
        """Send Basic from now on if credentials for any scheme allow it."""
        is_new = key not in self._basic and key[1].startswith(ANY_LOGIN)
        if not is_new or "basic" not in offered:
            return False
        if len(self._basic) >= MAX_CACHED_ORIGINS:
            self._basic.clear()
        self._basic.add(key)
        return True


def without_digest_credentials(
    headers: Sequence[tuple[str, str]],
) -> list[tuple[str, str]]:
    """Return headers for a server that has not sent a challenge yet."""
    return [pair for pair in headers if not pair[1].startswith(_UNSENDABLE)]


def _parse_credentials(value: str) -> tuple[str, str] | None:
    """Return user and password of an ``Authorization`` value, if it contains them."""
    scheme, _, pair = value.partition(" ")
    if scheme not in (*_UNSENDABLE, "Basic"):
        return None
    try:
        user, _, password = b64decode(pair, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password


def _answer(
    credentials: tuple[str, str], url: str, challenge: str
) -> tuple[httpx.DigestAuth, str] | None:
    """Return the state for a challenge and its first ``Authorization`` value.

    ``None`` if the challenge is not supported.
    """
    # Late, here and below: few downloads need httpx at all.
    import httpx

    auth = httpx.DigestAuth(*credentials)
    try:
        return auth, _compute(auth, url, challenge)
    except (httpx.HTTPError, LookupError, ValueError, NotImplementedError):
        return None


def _compute(auth: httpx.DigestAuth, url: str, challenge: str | None) -> str:
    """Compute the ``Authorization`` value for one request.

    Args:
        auth: has the credentials and counts the uses of a nonce.
        url: of the request.
        challenge: to answer; ``None`` for the last one.

    Raises:
        httpx.HTTPError: the challenge is not supported.
    """
    import httpx

    request = httpx.Request("GET", url)
    flow = auth.sync_auth_flow(request)
    next(flow)
    if challenge is not None:
        flow.send(
            httpx.Response(
                401, headers={"WWW-Authenticate": challenge}, request=request
            )
        )
    flow.close()
    value: str = request.headers["Authorization"]
    return value
