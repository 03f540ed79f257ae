"""Everything that can end an attempt, classified by what to do about it.

::

    FetchError
    +-- TransientError        may pass: retried with backoff, honours retry_after_s
    +-- PermanentError        will not pass: fails at once
        +-- LocalError        this machine's fault: disk full, no permission, ...
        +-- IntegrityError    the bytes are not the ones that were promised

There is no class per cause: two branches decide everything, and ``kind`` names the
cause for counting, scripts and tests. Only ``net.session`` knows the HTTP libraries'
exceptions and only ``disk`` knows ``OSError``; each translates at its border.
"""

from __future__ import annotations

from typing import Final

#: Stable codes of causes, with the next step that a person can take.
KINDS: Final[dict[str, str]] = {
    # the way to the server
    "unknown_host": "check the host name, the network or the VPN, then retry",
    "dns": "name resolution is failing for now; check the network",
    "refused": "nothing listens there; check the port or whether the server is up",
    "unreachable": "check the network or the VPN",
    "connect_timeout": "the server did not answer; try later or raise --timeout",
    "tls": "check the host name and the clock, or trust it with --ca-file",
    "ca_file": "name a PEM file with --ca-file or SSL_CERT_FILE",
    "proxy": "check whether the proxy runs, and its address; --proxy direct: none",
    "proxy_auth": "give the proxy's login: --proxy-user, --proxy-password-from",
    "network": "check --interface, --ip-version and --resolve",
    "client_cert": "name PEM files with --cert and --key",
    # the conversation
    "stalled": "the server or the way to it is slow; try later, or raise --timeout",
    "reset": "try again later; what is there is kept",
    "truncated": "try again later, or from another mirror",
    "bad_reply": "the server does not speak valid HTTP; check URL and port",
    "encoding": "the server does not give the file as it is; try another mirror",
    "too_many_redirects": "check the URL; it may need a login",
    "bad_redirect": "only http and https are followed; check the URL",
    "bad_header": "a request header cannot be sent; check --header and header= lines",
    # the answer
    "auth": "give the right login: --user, --netrc, or one for the host in settings",
    "login": "say where the secret is: env:NAME, file:PATH or keyring:SERVICE",
    "netrc": "mend the line: machine HOST login USER password SECRET",
    "cookies": "export the cookies again, in Netscape format (cookies.txt)",
    "secret": "secrets are not stored; repeat the first command, or give --header",
    "not_found": "the server has no such file; check the URL",
    "http_4xx": "the server refuses; check the URL",
    "rate_limited": "try again later, with less at once (-c, --per-host)",
    "http_5xx": "the server has trouble; try again later",
    "http_status": "there is no file at this URL; look at it in a browser",
    "range": "the server has no such bytes; the file must be started again",
    # the bytes
    "changed": "the file changed on the server while it was fetched; retry",
    "checksum": "check the checksum and the URL; the file may have changed",
    "size": "the size is not the promised one; check the URL",
    # this machine
    "disk_full": "free some space, then resume",
    "not_writable": "choose another directory with -o, or fix its permissions",
    "directory_gone": "the output directory vanished; bring it back, then resume",
    "name": "no safe file name can be made; name it with out=",
    "in_use": "another fetchtui is writing this file; wait for it or stop it",
    "disk": "the disk reports an error; check it, then resume",
    "internal": "this is a fault in fetchtui; please report it",
}


class FetchError(Exception):
    """An attempt failed. ``str()`` is safe to show: what happened, in one line."""

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        status: int = 0,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        """A key of ``KINDS``."""
        self.status = status
        """HTTP status that caused it, or 0."""
        self.retry_after_s = retry_after_s
        """Seconds the server asked us to wait, or ``None``."""

    @property
    def advice(self) -> str:
        """What to do next."""
        return KINDS.get(self.kind, "")


class TransientError(FetchError):
    """May pass by itself: timeouts, resets, 408 425 429 5xx."""


class PermanentError(FetchError):
    """Trying the same again gives the same answer."""


class LocalError(PermanentError):
    """This machine stands in the way; what was downloaded is kept."""


class IntegrityError(PermanentError):
    """The bytes are complete but not the ones that were promised."""
