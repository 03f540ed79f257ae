"""Resolve references to secrets: the only place that does.

Settings contain references only; a secret is read once, before the first request, and
is kept only in the memory of the session.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from tui.core.errors import ErrorKind, LocalError
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tui.core.settings import Login

FILE_LIMIT = 64 << 10
"""Bytes of a file with a secret; cloud tokens take up to a few KiB."""
KEYRING_TIMEOUT_S = 60.0
"""Long enough for the user to find a password and unlock the keyring."""
KINDS = ("env", "file", "keyring", "text")
_SOURCES = {
    "env": "environment variable",
    "file": "file",
    "keyring": "password in the keyring",
}


def resolve_secret(
    login: Login, purpose: str, environ: Mapping[str, str] | None = None
) -> str:
    """Return the secret that a login refers to.

    May block on files and until the keyring is unlocked: call it in a thread.

    Args:
        login: whose ``secret`` is ``env:NAME``, ``file:PATH``, ``keyring:SERVICE`` or
            ``text:SECRET``; the caller handles ``netrc`` and ``ask``.
        purpose: of the login, for messages.
        environ: the environment; by default the process's.

    Raises:
        LocalError: ``login``, it cannot be resolved; the message contains the
            reference, but nothing of the secret.
    """
    kind, separator, name = login.secret.partition(":")
    if kind == "ask":
        raise _missing(purpose, "there is no terminal to ask for it")
    if not separator or kind not in KINDS:
        # Not repeated in the message: it may be a password in the wrong place.
        raise _missing(
            purpose, "the reference must be env:NAME, file:PATH or keyring:SERVICE"
        )
    if kind == "text":
        return _sendable(name, purpose, "the input")
    if not name:
        raise _missing(purpose, f"{kind}: must be followed by a name")
    if kind == "env":
        value = (os.environ if environ is None else environ).get(name)
        if value is None:
            # Not repeated in the message: it may be a password in the wrong place.
            raise _missing(purpose, "the environment variable in env:NAME is not set")
    elif kind == "file":
        value = _from_file(name, purpose)
    else:
        value = _from_keyring(name, login.user, purpose)
    return _sendable(value, purpose, f"the {_SOURCES[kind]}")


def _from_file(name: str, purpose: str) -> str:
    # The path is not repeated in messages: it may be a password in the wrong place.
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
        if len(content) > FILE_LIMIT:
            raise _missing(purpose, "the file in file:PATH is too large")
        # One line; the line end that editors add is not part of it.
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise _missing(purpose, "the file in file:PATH is not text") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _missing(purpose, f"the file in file:PATH: {reason}") from None


def _from_keyring(service: str, user: str, purpose: str) -> str:
    try:
        # Late: it searches for backends, and few runs need this extra.
        keyring: Any = import_module("keyring")
    except ImportError:
        raise _missing(
            purpose, "keyring support is not installed (fetchtui[keyring])"
        ) from None
    result: Future[str | None] = Future()

    def ask() -> None:
        try:
            result.set_result(keyring.get_password(service, user))
        except Exception as error:  # each backend has its own exceptions
            result.set_exception(error)

    # A daemon: waiting for the user must not keep the process alive.
    Thread(target=ask, name="keyring", daemon=True).start()
    try:
        value = result.result(KEYRING_TIMEOUT_S)
    except TimeoutError:
        raise _missing(
            purpose, "the keyring does not respond; it may be locked"
        ) from None
    except Exception as error:
        reason = sanitize(str(error) or type(error).__name__, 200)
        raise _missing(purpose, f"the keyring failed: {reason}") from None
    if value is None:
        raise _missing(
            purpose,
            "the keyring has no password for the service in keyring:SERVICE"
            f" and user {sanitize(user, 100)!r}",
        )
    return str(value)


def _sendable(value: str, purpose: str, origin: str) -> str:
    """Reject an empty value, and characters that would break a header apart."""
    if not value:
        raise _missing(purpose, f"{origin} is empty")
    if not all(c.isprintable() or c == "\t" for c in value):
        raise _missing(purpose, f"{origin} contains control characters or line breaks")
    return value


def _missing(purpose: str, reason: str) -> LocalError:
    return LocalError(
        ErrorKind.LOGIN, f"no secret for {sanitize(purpose, 200)}: {reason}"
    )
