"""Digest authentication (RFC 7616): each request carries a proof of its own.

The proofs are httpx's; here it is decided when one is due, which of several challenges
is answered, and that a password which is for Digest goes out in no other way. What a
server asked once is remembered for its origin, so that the ranges of a download are
proven at once and cost no 401 each.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from tui.core.request import origin_of
from tui.net.auth.credentials import DIGEST_LOGIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from tui.net.auth.credentials import Headers

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~/-]+"
_PART = re.compile(
    rf"(,)|({_WORD})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",]+))|({_WORD})"
)
VALUE_LIMIT = 8192
"""Characters of a header that are read; real challenges stay below 1,000."""
# Best first.
_ALGORITHMS = ("SHA-512", "SHA-256", "SHA", "MD5")


class Challenge:
    """One Digest challenge, written in the one form that httpx reads."""

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
    """Return the strongest Digest challenge that can be answered, if there is one.

    Args:
        values: of ``WWW-Authenticate``; one may hold several (RFC 9110 section 11.6.1).
    """
    found = []
    for scheme, parameters in _challenges(values):
        if scheme.lower() == "digest" and {"realm", "nonce"} <= parameters.keys():
            challenge = Challenge(parameters)
            if challenge.rank >= 0:
                found.append(challenge)
    return min(found, key=lambda challenge: challenge.rank, default=None)


def schemes(values: Sequence[str]) -> list[str]:
    """Name the schemes that ``WWW-Authenticate`` offers, as they are spelt."""
    return [scheme for scheme, _ in _challenges(values)]


def _challenges(values: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Part ``WWW-Authenticate`` into schemes with their parameters, in lower case.

    A word that follows a comma, and no ``=``, is the next scheme.
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


ROUNDS = 3
"""Challenges answered for one request. One is the rule; a second one comes where the
nonce of the first ran out meanwhile (``stale``)."""
KNOWN_ORIGINS = 1000


class DigestAuthCache:
    """What servers asked to be proven, by origin and login."""

    def __init__(self) -> None:
        self._proofs: dict[tuple[str, str], httpx.DigestAuth] = {}
        self._first: dict[tuple[str, str], tuple[str, str]] = {}
        """URL and value of the first proof for a new nonce, not sent yet: servers may
        refuse a nonce whose count does not begin at 1."""

    @property
    def is_used(self) -> bool:
        """Whether any server asked for a proof so far."""
        return bool(self._proofs)

    def applied(
        self, url: str, headers: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        """Return headers as they may go out.

        A login for Digest becomes its proof, or nothing where the server has not asked
        yet; one for Basic becomes a proof where the server wants only that.
        """
        sendable = []
        for name, value in headers:
            if name.lower() == "authorization" and _login_of(value):
                key = (origin_of(url), value)
                proof = self._proofs.get(key)
                if proof is not None:
                    first = self._first.pop(key, ("", ""))
                    proven = first[1] if first[0] == url else _proven(proof, url, None)
                    sendable.append((name, proven))
                    continue
                if value.startswith(DIGEST_LOGIN):
                    continue
            sendable.append((name, value))
        return sendable

    def answer(
        self, url: str, headers: Headers, challenges: Sequence[str], round: int
    ) -> bool:
        """Take what a 401 asks for; true if asking again with ``applied`` may help.

        Args:
            url: what was asked for.
            headers: with the login, as ``applied`` takes them.
            challenges: the ``WWW-Authenticate`` values.
            round: 0 for the first 401 to this request.
        """
        value = next((v for k, v in headers if k.lower() == "authorization"), "")
        login = _login_of(value)
        if login is None or round >= ROUNDS:
            return False
        offered = [scheme.lower() for scheme in schemes(challenges)]
        if "digest" not in offered:
            return False
        if "basic" in offered and not value.startswith(DIGEST_LOGIN):
            return False  # it was offered, and what was sent is wrong
        key = (origin_of(url), value)
        challenge = best_challenge(challenges)
        if challenge is None:
            return False
        if round and not challenge.is_stale:
            # The proof was made for this very challenge: the password is wrong.
            return False
        if len(self._proofs) >= KNOWN_ORIGINS:
            self._proofs.clear()
            self._first.clear()
        answered = _answered(login, url, challenge.line)
        if answered is None:
            return False
        self._proofs[key], first = answered
        self._first[key] = (url, first)
        return True


def without_digest_logins(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return headers for a server that has not asked for a proof yet."""
    return [pair for pair in headers if not pair[1].startswith(DIGEST_LOGIN)]


def _login_of(value: str) -> tuple[str, str] | None:
    """Return user and password of an ``Authorization`` value that holds them."""
    scheme, _, pair = value.partition(" ")
    if scheme not in (DIGEST_LOGIN, "Basic"):
        return None
    try:
        user, _, password = b64decode(pair, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password


def _answered(
    login: tuple[str, str], url: str, challenge: str
) -> tuple[httpx.DigestAuth, str] | None:
    """Return who proves a login to a challenge, and the first proof.

    ``None`` if it cannot be done.
    """
    # Late, here and below: few downloads need httpx at all.
    import httpx

    proof = httpx.DigestAuth(*login)
    try:
        return proof, _proven(proof, url, challenge)
    except (httpx.HTTPError, LookupError, ValueError, NotImplementedError):
        return None


def _proven(proof: httpx.DigestAuth, url: str, challenge: str | None) -> str:
    """Return the ``Authorization`` value for one request.

    Args:
        proof: knows the login and counts its uses of a nonce.
        url: what is asked for.
        challenge: to be answered; ``None`` for the last one.

    Raises:
        httpx.HTTPError: it cannot be answered.
    """
    import httpx

    request = httpx.Request("GET", url)
    flow = proof.sync_auth_flow(request)
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
