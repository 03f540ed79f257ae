"""TLS contexts: which certificates are trusted and shown, and what is spoken.

The rules are curl's with OpenSSL: TLS 1.2 or newer, all suites that OpenSSL offers by
default (Python's own list leaves out some that old servers still need), the host name
checked by OpenSSL, certificates of the system. Post-handshake authentication is on:
servers may ask for the client certificate only once they know the path.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, LocalError
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from tui.net.auth.certificates import ClientCertificate


def make_context(
    ca_file: str | None, certificate: ClientCertificate | None = None
) -> ssl.SSLContext:
    """Return a context for HTTP/1.1. Blocks for up to 50 ms.

    Args:
        ca_file: PEM file with the certificates to trust; ``None`` for the system's.
        certificate: for servers that require one.

    Raises:
        LocalError: ``ca_file``, there is nothing to trust; ``client_cert``, its files
            have changed since they were checked.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT")
    context.set_alpn_protocols(["http/1.1"])
    context.post_handshake_auth = True
    if ca_file is None:
        _load_system_certificates(context)
    else:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ValueError):
            raise LocalError(
                ErrorKind.CA_FILE, f"cannot load certificates from {sanitize(ca_file)}"
            ) from None
    if certificate is not None:
        try:
            context.load_cert_chain(*certificate)
        except (OSError, ValueError) as error:
            raise LocalError(
                ErrorKind.CLIENT_CERT,
                f"{sanitize(certificate.certificate)}: {sanitize(str(error), 100)}",
            ) from None
    return context


class TlsContexts:
    """The TLS contexts of a session, one per client certificate."""

    def __init__(self, ca_file: str | None) -> None:
        self._ca_file = ca_file
        self._tasks: dict[ClientCertificate | None, asyncio.Task[ssl.SSLContext]] = {}

    def load(
        self, certificate: ClientCertificate | None
    ) -> asyncio.Task[ssl.SSLContext]:
        """Start to load the context in a thread, unless that has been done."""
        task = self._tasks.get(certificate)
        if task is None:
            task = self._tasks[certificate] = asyncio.ensure_future(
                asyncio.to_thread(make_context, self._ca_file, certificate)
            )
            # Nobody may be waiting for it, if there is no connection to make.
            task.add_done_callback(_note_exception)
        return task

    async def get(self, certificate: ClientCertificate | None) -> ssl.SSLContext:
        """Return the context once it is loaded.

        Raises:
            LocalError: as ``make_context``.
        """
        task = self.load(certificate)
        # The others that wait for it outlive the one that is cancelled.
        return task.result() if task.done() else await asyncio.shield(task)


def _note_exception(task: asyncio.Task[ssl.SSLContext]) -> None:
    if not task.cancelled():
        task.exception()


def _load_system_certificates(context: ssl.SSLContext) -> None:
    """Trust the system's certificates, or certifi's where the system has none."""
    context.load_default_certs()
    if context.cert_store_stats()["x509_ca"] or _has_certificate_folder():
        return
    try:
        import certifi

        context.load_verify_locations(certifi.where())
    except (ImportError, OSError):
        raise LocalError(
            ErrorKind.CA_FILE,
            "found no certificates to trust; install ca-certificates, or name a file"
            " with --ca-file",
        ) from None


def _has_certificate_folder() -> bool:
    """Whether OpenSSL looks certificates up in a folder, which it reads only then."""
    # ``None`` if it does not exist, unlike its annotation.
    folder = ssl.get_default_verify_paths().capath or ""
    try:
        return bool(folder) and any(os.scandir(folder))
    except OSError:
        return False
