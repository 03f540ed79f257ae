"""The server side of Digest authentication (RFC 7616), as a script for a server.

Written from the RFC, independently of the client; ``curl --digest`` succeeds with it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from tui.demo.script import ResponseScript

if TYPE_CHECKING:
    from tui.demo.script import Body, RecordedRequest

_PARAMETER = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


class DigestGuard:
    """Serves a body to requests with a valid Digest value."""

    def __init__(
        self,
        body: Body,
        *,
        user: str = "me",
        password: str = "secret",
        algorithm: str = "SHA-256",
        uses: int = 1000,
        others: tuple[str, ...] = (),
    ) -> None:
        """Configure the body, the credentials and the challenges.

        Args:
            body: served to authenticated requests.
            user: of the credentials.
            password: of the credentials.
            algorithm: ``MD5``, ``SHA-256``, ``SHA-512``, also with ``-sess``.
            uses: requests after which a nonce is stale.
            others: challenges in front of the Digest one.
        """
        self._file = ResponseScript(body, etag='"v"')
        self._user, self._password, self._uses = user, password, uses
        self._algorithm = algorithm
        self._others = others
        self._nonces: dict[str, set[int]] = {}
        self.opaque = secrets.token_hex(8)
        self.refusals = 0

    def script(self) -> ResponseScript:
        """Return the script for the server."""
        return ResponseScript(answer=self._answer)

    def _answer(self, seen: RecordedRequest) -> ResponseScript:
        given = seen.headers.get("authorization", "")
        if not given.startswith("Digest "):
            return self._challenge(is_stale=False)
        found = {k: q or w for k, q, w in _PARAMETER.findall(given[7:])}
        if found["nonce"] not in self._nonces:
            return self._challenge(is_stale=True)
        if found["response"] != self._expected(seen, found):
            return self._challenge(is_stale=False)
        used = self._nonces[found["nonce"]]
        count = int(found["nc"], 16)
        if count in used or len(used) >= self._uses:
            # Section 3.4: a repeated count is a replay.
            return self._challenge(is_stale=True)
        used.add(count)
        return replace(self._file)

    def _challenge(self, *, is_stale: bool) -> ResponseScript:
        self.refusals += 1
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = set()
        challenge = (
            f'Digest realm="a, realm", qop="auth, auth-int", nonce="{nonce}",'
            f' opaque="{self.opaque}", algorithm={self._algorithm}'
        )
        challenge += ", stale=true" if is_stale else ""
        line = ", ".join((*self._others, challenge))
        return ResponseScript(b"no", status=401, headers=[("WWW-Authenticate", line)])

    def _expected(self, seen: RecordedRequest, found: dict[str, str]) -> str:
        assert found["uri"] == seen.path
        assert found["qop"] == "auth"
        assert found["opaque"] == self.opaque
        is_session = self._algorithm.endswith("-sess")
        name = self._algorithm.removesuffix("-sess")

        def digest(text: str) -> str:
            kind = name.lower().replace("-", "")
            return hashlib.new(kind, text.encode()).hexdigest()

        secret = digest(f"{self._user}:a, realm:{self._password}")
        if is_session:
            secret = digest(f"{secret}:{found['nonce']}:{found['cnonce']}")
        request = digest(f"{seen.method}:{seen.path}")
        return digest(
            f"{secret}:{found['nonce']}:{found['nc']}:{found['cnonce']}:auth:{request}"
        )
