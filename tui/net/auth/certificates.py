"""Check the certificates to trust and the client certificate at startup.

A file that cannot be read is reported once, before the first request.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, LocalError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.quick.pattern import late_pattern
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from pathlib import Path

_CERTIFICATE = late_pattern(
    rb"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----"
)
_CERTIFICATE_BYTES = 64 << 10
"""Read to find the first certificate of a bundle; one takes about 2 KiB."""


class ClientCertificate(NamedTuple):
    """The PEM files of a TLS client certificate and its key."""

    certificate: str
    key: str


class _Encrypted(Exception):
    """The key needs a passphrase."""


def load_ca_file(ca_file: Path | None) -> str | None:
    """Return the file with the certificates to trust, or ``None`` for the system's.

    Args:
        ca_file: the setting; ``None`` uses ``SSL_CERT_FILE``.

    Raises:
        LocalError: ``ca_file``, it has no readable certificate.
    """
    chosen = ca_file or os.environ.get("SSL_CERT_FILE") or None
    if chosen is None:
        return None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        first = b"" if ca_file else _first_certificate(str(chosen))
        if first:
            # The environment names the system's bundle, which is large: reading all of
            # it took 29 ms at every start. A file from the settings is read in full.
            context.load_verify_locations(cadata=first.decode("ascii"))
        else:
            context.load_verify_locations(str(chosen))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise LocalError(
            ErrorKind.CA_FILE,
            f"cannot load certificates from {sanitize(str(chosen))}: {_reason(error)}",
        ) from None
    return str(chosen)


def load_client_certificate(
    certificate: Path | None, key: Path | None
) -> ClientCertificate | None:
    """Return the client certificate, or ``None``.

    Args:
        certificate: PEM, followed by any intermediate certificates.
        key: PEM; ``None`` if it is in the same file.

    Raises:
        LocalError: ``client_cert``, they cannot be read, do not match, or the key is
            encrypted.
    """
    if certificate is None:
        if key is not None:
            raise _unusable(f"{sanitize(str(key))} is a key without a certificate")
        return None
    files = sanitize(str(certificate))
    if key is not None:
        files += f" with {sanitize(str(key))}"
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key, password=_refuse_passphrase)
    except _Encrypted:
        raise _unusable(
            f"{files}: the key is encrypted, and passphrases are not supported"
        ) from None
    except (OSError, ValueError) as error:
        raise _unusable(f"{files}: {_certificate_reason(error)}") from None
    return ClientCertificate(str(certificate), str(key or certificate))


def _refuse_passphrase() -> str:
    raise _Encrypted


def _certificate_reason(error: Exception) -> str:
    text = str(getattr(error, "reason", "") or "")
    if "KEY_VALUES_MISMATCH" in text:
        return "the key does not match the certificate"
    if isinstance(error, ssl.SSLError):
        return "no PEM certificate and key found"
    return _reason(error)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return sanitize(error.strerror, 100)
    return sanitize(str(error), 100)


def _first_certificate(path: str) -> bytes:
    """Return the first certificate of a bundle, or nothing if there is none.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        found = _CERTIFICATE.search(file.read(_CERTIFICATE_BYTES))
    return found[0] if found is not None else b""


def _unusable(message: str) -> LocalError:
    return LocalError(ErrorKind.CLIENT_CERT, message)
