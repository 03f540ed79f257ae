"""Resolve the network settings once, before the first request.

Files, the environment and the keyring are read here and nowhere later: anything missing
or wrong ends the run with one message, instead of failing one download after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.quick.named_tuple import NamedTuple
from tui.net.auth.certificates import load_ca_file
from tui.net.auth.credentials import Credentials
from tui.net.routing.router import Router

if TYPE_CHECKING:
    from pathlib import Path

    from tui.core.settings import Settings
    from tui.net.auth.cookies import CookieFile


class SessionConfig(NamedTuple):
    """Certificates, routes, credentials and cookies of a run."""

    ca_file: str | None
    """PEM file with the certificates to trust; ``None`` for the system's."""
    router: Router
    credentials: Credentials
    cookie_file: CookieFile | None


def load_session_config(settings: Settings) -> SessionConfig:
    """Load what the settings refer to. May block on files and the keyring.

    Raises:
        LocalError: ``ca_file``, ``client_cert``, ``proxy``, ``network``, ``login``,
            ``netrc`` or ``cookies``; the message names the source of the problem.
    """
    return SessionConfig(
        ca_file=load_ca_file(settings.ca_file),
        router=Router(settings),
        credentials=Credentials(settings),
        cookie_file=_load_cookies(settings.cookies) if settings.cookies else None,
    )


def _load_cookies(path: Path) -> CookieFile:
    # Late: few runs have one.
    from tui.net.auth.cookies import CookieFile

    return CookieFile(path)
