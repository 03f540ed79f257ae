"""The certificates that we trust and the one that we show, checked at the start.

Both wires would go on with a file that cannot be read, the one silently and the other
with a traceback; here it is said once, before anything is fetched.
"""

from __future__ import annotations

import os
import re
import ssl
from typing import TYPE_CHECKING, NamedTuple

from tui.core.errors import LocalError
from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from pathlib import Path

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----"
)
_CERTIFICATE_BYTES = 64 << 10
"""Read to find the first certificate of a bundle; one takes about 2 KiB."""
_IDENTITY_LIMIT = 1 << 20


class Identity(NamedTuple):
    """Files that prove who we are to a server that asks (TLS client certificate)."""

    certificate: str
    key: str

    def pem(self) -> bytes:
        """Both, as one PEM text.

        Raises:
            OSError: a file vanished since it was checked.
        """
        parts = []
        for path in dict.fromkeys(self):
            with open(path, "rb") as file:
                parts.append(file.read(_IDENTITY_LIMIT))
        return b"\n".join(parts)


class _Encrypted(Exception):
    """The key asks for a passphrase."""


def read_authorities(ca_file: Path | None) -> str | None:
    """Return the file of certificates to trust, or ``None`` for the system's.

    Args:
        ca_file: the setting; ``SSL_CERT_FILE`` stands in where it is ``None``.

    Raises:
        LocalError: ``ca_file``, no certificate can be read from it.
    """
    chosen = ca_file or os.environ.get("SSL_CERT_FILE") or None
    if chosen is None:
        return None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        first = b"" if ca_file else _first_certificate(str(chosen))
        if first:
            # The environment names the system's bundle, which is large: to read all of
            # it took 29 ms of every start. One that is chosen here is read to its end.
            context.load_verify_locations(cadata=first.decode("ascii"))
        else:
            context.load_verify_locations(str(chosen))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise LocalError(
            "ca_file",
            f"no certificates in {plain(str(chosen))}: {_reason(error)}",
        ) from None
    return str(chosen)


def read_identity(certificate: Path | None, key: Path | None) -> Identity | None:
    """Return the certificate to show to servers, or ``None``.

    Args:
        certificate: PEM, with the chain that a server may need behind it.
        key: PEM; ``None`` where the key stands beside the certificate.

    Raises:
        LocalError: ``client_cert``, they cannot be read, do not belong together, or
            the key is encrypted.
    """
    if certificate is None:
        if key is not None:
            raise _unusable(f"{plain(str(key))} is a key without its certificate")
        return None
    where = plain(str(certificate))
    if key is not None:
        where += f" with {plain(str(key))}"
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key, password=_refuse_passphrase)
    except _Encrypted:
        raise _unusable(
            f"{where}: the key is encrypted; fetchtui asks for no passphrase."
            " Decrypt it with openssl pkey, and keep it in a file that only you read"
        ) from None
    except (OSError, ValueError) as error:
        raise _unusable(f"{where}: {_identity_reason(error)}") from None
    return Identity(str(certificate), str(key or certificate))


def _refuse_passphrase() -> str:
    raise _Encrypted


def _identity_reason(error: Exception) -> str:
    text = str(getattr(error, "reason", "") or "")
    if "KEY_VALUES_MISMATCH" in text:
        return "the key is not the one of the certificate"
    if isinstance(error, ssl.SSLError):
        return "no PEM certificate and key are in there"
    return _reason(error)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return plain(error.strerror, 100)
    return plain(str(error), 100)


def _first_certificate(path: str) -> bytes:
    """Return the first certificate of a bundle, or nothing where there is none.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        found = _CERTIFICATE.search(file.read(_CERTIFICATE_BYTES))
    return found[0] if found is not None else b""


def _unusable(message: str) -> LocalError:
    return LocalError("client_cert", message)
