"""Digest authentication (RFC 7616): every request has its own Authorization value.

Decides when a value is needed and which of several challenges to answer, and makes sure
that a password meant for Digest is never sent in any other way. Challenges are cached
by origin, so that the ranges of a download are authenticated at once and do not cost
one 401 each.

``httpx.DigestAuth`` is not used: it refuses realms outside ASCII and ``auth-int``, and
returns a realm with quotes in it unescaped, so that a server could add parameters.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from typing import TYPE_CHECKING

from tui.core.quick.pattern import late_pattern
from tui.core.request import ANY_LOGIN, DIGEST_LOGIN, origin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.net.auth.credentials import Headers

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~/-]+"
_PART = late_pattern(
    rf"(,)|({_WORD})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",]+))|({_WORD})"
)
VALUE_LIMIT = 8192
"""Characters of a header that are parsed; real challenges stay below 1,000."""
_ALGORITHMS = {
    "SHA-512": "sha512",
    "SHA-512-256": "sha512_256",
    "SHA-256": "sha256",
    "SHA": "sha1",
    "MD5": "md5",
}
"""Names of hashlib, best first."""
_PATH = late_pattern(r"[/?].*", re.DOTALL)
_ESCAPED = late_pattern(r"\\(.)", re.DOTALL)
_TO_ESCAPE = late_pattern(r'(["\\])')


class Challenge:
    """A Digest challenge, and the values that answer it."""

    __slots__ = ("_count", "_parameters", "is_stale", "qop", "rank")

    def __init__(self, parameters: dict[str, str]) -> None:
        """Read the parameters; ``rank`` and ``qop`` say whether they are supported.

        Args:
            parameters: unescaped and decoded as Latin-1, by lower-case name.
        """
        import hashlib  # late: few servers ask for it

        self._parameters = parameters
        self._count = 0
        names = list(_ALGORITHMS)
        base = self._algorithm.upper().removesuffix("-SESS")
        known = base in names and _ALGORITHMS[base] in hashlib.algorithms_available
        self.rank = names.index(base) if known else -1
        """Lower is better; -1 for an unknown algorithm."""
        self.is_stale = parameters.get("stale", "").lower() == "true"
        offered = parameters.get("qop", "").lower().replace(",", " ").split()
        self.qop = next((q for q in ("auth", "auth-int") if q in offered), "")
        """Quality of protection; "" in the form of RFC 2069."""
        if offered and not self.qop:
            self.rank = -1

    @property
    def _algorithm(self) -> str:
        return self._parameters.get("algorithm", "MD5")

    def answer(
        self, credentials: tuple[str, str], uri: str, client_nonce: str = ""
    ) -> str:
        """Return an ``Authorization`` value for a GET (RFC 7616 section 3.4).

        Args:
            credentials: user and password.
            uri: path and query as the transport sends them.
            client_nonce: of the RFC's example; by default a new one.
        """
        import hashlib

        name = _ALGORITHMS[self._algorithm.upper().removesuffix("-SESS")]

        def digest(*parts: bytes) -> bytes:
            return hashlib.new(name, b":".join(parts)).hexdigest().encode()

        given = {k: v.encode("latin-1", "replace") for k, v in self._parameters.items()}
        realm, nonce = given["realm"], given["nonce"]
        user, password = (text.encode() for text in credentials)
        self._count += 1
        count = b"%08x" % self._count
        client = client_nonce.encode() or os.urandom(16).hex().encode()
        secret = digest(user, realm, password)
        if self._algorithm.upper().endswith("-SESS"):
            secret = digest(secret, nonce, client)
        qop, target = self.qop.encode(), uri.encode()
        # A GET has no body; auth-int covers it all the same.
        covered = (b"GET", target, *([digest(b"")] if qop == b"auth-int" else []))
        middle = (nonce, count, client, qop) if qop else (nonce,)
        response = digest(secret, *middle, digest(*covered))
        is_hashed = given.get("userhash", b"").lower() == b"true"
        fields = [
            ("username", _quoted(digest(user, realm) if is_hashed else user)),
            ("realm", _quoted(realm)),
            ("nonce", _quoted(nonce)),
            ("uri", _quoted(target)),
            ("response", _quoted(response)),
        ]
        if "algorithm" in given:
            fields.append(("algorithm", self._algorithm))
        if "opaque" in given:
            fields.append(("opaque", _quoted(given["opaque"])))
        if qop:
            fields += [("qop", self.qop), ("nc", count.decode())]
            fields.append(("cnonce", _quoted(client)))
        if is_hashed:
            fields.append(("userhash", "true"))
        return "Digest " + ", ".join(f"{key}={value}" for key, value in fields)


def _quoted(value: bytes) -> str:
    """Return a quoted string; bytes that are not UTF-8 become surrogates."""
    text = value.decode(errors="surrogateescape")
    return '"' + _TO_ESCAPE.sub(r"\\\1", text) + '"'


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
                    text = _ESCAPED.sub(r"\1", quoted) if quoted else plain
                    found[-1][1].setdefault(name.lower(), text)
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
        self._auths: dict[tuple[str, str], Challenge] = {}
        self._basic: set[tuple[str, str]] = set()
        """Origins that have asked for Basic, with the credentials meant for any scheme.
        """
        self._first: dict[tuple[str, str], tuple[str, str]] = {}
        """URL and value of the first use of a new nonce, until it is sent: servers may
        reject a nonce whose count does not start at 1."""

    @property
    def is_used(self) -> bool:
        """Whether any server has sent a Digest challenge that was answered."""
        return bool(self._auths)

    def apply(
        self, url: str, headers: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Return headers as they may be sent.

        Credentials for Digest or for any scheme become the value that the origin has
        asked for, or are dropped if it has not asked yet; Basic credentials become a
        Digest value if the server accepts nothing else.
        """
        sendable = []
        for name, value in headers:
            if name.lower() == "authorization" and _parse_credentials(value):
                key = (origin_of(url), value)
                auth = self._auths.get(key)
                if auth is not None:
                    first = self._first.pop(key, ("", ""))
                    is_first = first[0] == url
                    digest = first[1] if is_first else _answer(auth, value, url)
                    sendable.append((name, digest))
                    continue
                if key in self._basic:
                    value = f"Basic {value.partition(' ')[2]}"
                elif value.startswith(_UNSENDABLE):
                    continue
            sendable.append((name, value))
        return sendable

    def accept_challenge(
        self,
        url: str,
        headers: Headers,
        challenges: Sequence[str],
        attempts: int,
        *,
        was_sent: bool = False,
    ) -> bool:
        """Process a 401; return True if another request with ``apply`` may succeed.

        Args:
            url: of the request.
            headers: with the credentials, as passed to ``apply``.
            challenges: the ``WWW-Authenticate`` values.
            attempts: 0 for the first 401 to this request.
            was_sent: whether the request carried credentials.
        """
        value = next((v for k, v in headers if k.lower() == "authorization"), "")
        credentials = _parse_credentials(value)
        if credentials is None or attempts >= MAX_ATTEMPTS:
            return False
        offered = [scheme.lower() for scheme in schemes(challenges)]
        key = (origin_of(url), value)
        challenge = best_challenge(challenges)
        if challenge is None:
            if was_sent or "basic" not in offered or not value.startswith(ANY_LOGIN):
                return False
            if len(self._basic) >= MAX_CACHED_ORIGINS:
                self._basic.clear()
            self._basic.add(key)
            return True
        if "basic" in offered and not value.startswith(_UNSENDABLE):
            return False  # Basic was offered and sent: the password is wrong
        if attempts and not challenge.is_stale:
            # The value was computed for this challenge: the password is wrong.
            return False
        if len(self._auths) >= MAX_CACHED_ORIGINS:
            self._auths.clear()
            self._first.clear()
        self._auths[key] = challenge
        self._first[key] = (url, _answer(challenge, value, url))
        return True


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


def _answer(challenge: Challenge, value: str, url: str) -> str:
    """Return the value for one request, from one that contains the credentials."""
    credentials = _parse_credentials(value)
    assert credentials is not None
    rest = url.partition("://")[2].partition("#")[0]
    found = _PATH.search(rest)
    uri = found[0] if found is not None else "/"
    return challenge.answer(credentials, uri if uri[0] == "/" else f"/{uri}")
