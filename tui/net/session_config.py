"""What the settings let a session do, read and checked before anything is fetched.

Files, the environment and the keyring are asked here and nowhere later: what is missing
or wrong ends the run with a message, not one download after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tui.net.auth.certificates import read_authorities
from tui.net.auth.credentials import Credentials
from tui.net.routing.router import Router

if TYPE_CHECKING:
    from pathlib import Path

    from tui.core.settings import Settings
    from tui.net.auth.cookies import CookieFile


class SessionConfig(NamedTuple):
    """Certificates, ways, logins and cookies of a run."""

    ca_file: str | None
    """PEM file with the certificates to trust; ``None`` for the system's."""
    routes: Router
    logins: Credentials
    cookies: CookieFile | None


def load_session_config(settings: Settings) -> SessionConfig:
    """Read what the settings refer to; may block on files and the keyring.

    Raises:
        LocalError: ``ca_file``, ``client_cert``, ``proxy``, ``network``, ``login``,
            ``netrc`` or ``cookies``: what it is, and where it stands.
    """
    return SessionConfig(
        ca_file=read_authorities(settings.ca_file),
        routes=Router(settings),
        logins=Credentials(settings),
        cookies=_read_cookies(settings.cookies) if settings.cookies else None,
    )


def _read_cookies(path: Path) -> CookieFile:
    # Late: few runs have one.
    from tui.net.auth.cookies import CookieFile

    return CookieFile(path)
