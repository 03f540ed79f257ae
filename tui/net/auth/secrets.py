"""Where secrets come from: the one place that turns a reference into a password.

Settings hold references; a secret is read once, before anything is fetched, and lives
in the memory of the session alone.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from tui.core.errors import LocalError
from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tui.core.settings import Login

FILE_LIMIT = 64 << 10
"""Bytes of a secret's file; tokens of clouds take up to some KiB."""
KEYRING_TIMEOUT_S = 60.0
"""It may have to be unlocked first, by somebody who looks for a password."""
KINDS = ("env", "file", "keyring", "text")


def reveal(login: Login, place: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the secret that a login refers to.

    Reads files and may wait for the keyring to be unlocked: call it in a thread.

    Args:
        login: whose ``secret`` is ``env:NAME``, ``file:PATH``, ``keyring:SERVICE`` or
            ``text:SECRET``; ``netrc`` and ``ask`` are for others to answer.
        place: what the login is for, for messages.
        environ: the environment; the process's own by default.

    Raises:
        LocalError: ``login``, it is not there; the message names the reference, and
            nothing of the secret.
    """
    kind, separator, name = login.secret.partition(":")
    if kind == "ask":
        raise _missing(place, "nobody is here to be asked for it")
    if not separator or kind not in KINDS:
        # Not repeated: it may be a password that somebody put in the wrong place.
        raise _missing(
            place, "its reference is none of env:NAME, file:PATH, keyring:SERVICE"
        )
    if kind == "text":
        return _sendable(name, place, "what was typed")
    if not name:
        raise _missing(place, f"{kind}: needs a name behind it")
    if kind == "env":
        value = (os.environ if environ is None else environ).get(name)
        if value is None:
            raise _missing(place, f"the variable {plain(name, 100)} is not set")
    elif kind == "file":
        value = _from_file(name, place)
    else:
        value = _from_keyring(name, login.user, place)
    return _sendable(value, place, f"{kind}:{plain(name, 100)}")


def _from_file(name: str, place: str) -> str:
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
        if len(content) > FILE_LIMIT:
            raise _missing(place, f"{plain(str(path))} is too large for a secret")
        # One line; the line end that every editor adds is not part of it.
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise _missing(place, f"{plain(str(path))} is not text") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _missing(place, f"{plain(str(path))}: {reason}") from None


def _from_keyring(service: str, user: str, place: str) -> str:
    try:
        # Late: it looks for its backends, and is an extra that few need.
        keyring: Any = import_module("keyring")
    except ImportError:
        raise _missing(
            place, "no keyring is installed; install fetchtui[keyring]"
        ) from None
    answer: Future[str | None] = Future()

    def ask() -> None:
        try:
            answer.set_result(keyring.get_password(service, user))
        except Exception as error:  # each backend has exceptions of its own
            answer.set_exception(error)

    # A daemon: one that waits for its user for ever must not keep the process.
    Thread(target=ask, name="keyring", daemon=True).start()
    try:
        value = answer.result(KEYRING_TIMEOUT_S)
    except TimeoutError:
        raise _missing(place, "the keyring gives no answer; is it locked?") from None
    except Exception as error:
        reason = plain(str(error) or type(error).__name__, 200)
        raise _missing(place, f"the keyring fails: {reason}") from None
    if value is None:
        raise _missing(
            place,
            f"the keyring has no password for service {plain(service, 100)!r}"
            f" and user {plain(user, 100)!r}",
        )
    return str(value)


def _sendable(value: str, place: str, origin: str) -> str:
    """Refuse what would break a header apart, or is nothing."""
    if not value:
        raise _missing(place, f"{origin} is empty")
    if not all(c.isprintable() or c == "\t" for c in value):
        raise _missing(place, f"{origin} holds a control character or several lines")
    return value


def _missing(place: str, reason: str) -> LocalError:
    return LocalError("login", f"no secret for {plain(place, 200)}: {reason}")
