"""Let a background process continue the downloads of a dashboard that ends."""

from __future__ import annotations

import signal
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

import click

from tui.background.address import address_of, running
from tui.background.name import DEFAULT_NAME
from tui.core.errors import LocalError
from tui.core.rules.exit_status import INTERRUPTED
from tui.core.text.sanitize import sanitize
from tui.disk.state.sessions import Sessions
from tui.messages import error_text

if TYPE_CHECKING:
    from pathlib import Path

    from tui.engine.session.session import SavedSession
    from tui.rpc.config import RpcConfig

FAILED: Final = 1
_FROM_NOW: Final = frozenset({"headers"})
"""Settings that the journal of the session lacks or has without their secrets."""


def continue_in_background(session: SavedSession, rpc: RpcConfig | None = None) -> int:
    """Move the session of a dashboard, which is closed, to a background process.

    Args:
        session: of the dashboard.
        rpc: its remote control, which the process takes over, if there is one.

    Returns:
        The exit status: 0 if the process continues the downloads, 130 after Ctrl+C.
    """
    from tui.cli.background.start import (
        StartError,
        StartOrder,
        start_process,
        started_lines,
    )

    path = session.journal_path
    if path is None:
        click.echo("fetchtui: there are no downloads to continue", err=True)
        return FAILED
    # Finish even if the terminal is closed meanwhile.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    name = free_name()
    order = StartOrder(
        name, session.settings, _FROM_NOW, carried=session.carried, rpc=rpc
    )
    try:
        moved = Sessions(address_of(name).folder).take_over(path)
    except LocalError as error:
        click.echo(f"fetchtui: {error_text(error)}", err=True)
        return FAILED
    try:
        started = start_process(order)
    except StartError as error:
        click.echo(f"fetchtui: {error.message}", err=True)
        _move_back(moved)
        return FAILED
    except KeyboardInterrupt:
        _move_back(moved)
        return INTERRUPTED
    for line in started_lines(name, replace(started, restored="")):
        click.echo(line)
    return 0


def _move_back(session: Path) -> None:
    """Return a session to the dashboard, and say where it is."""
    try:
        Sessions().take_over(session)
        hint = "The downloads are saved; fetchtui continues them."
    except LocalError:
        hint = f"The session is kept as {sanitize(str(session))}."
    click.echo(hint, err=True)


def free_name() -> str:
    """Return a name without a process and without unfinished downloads."""
    for number in count(1):
        name = DEFAULT_NAME if number == 1 else f"{DEFAULT_NAME}-{number}"
        address = address_of(name)
        if running(address) is None and not _has_unfinished(address.folder):
            return name
    raise AssertionError


def _has_unfinished(folder: Path) -> bool:
    if not folder.exists():
        return False
    last = Sessions(folder).last()
    if last.journal is None:
        return last.notice is not None  # it cannot be read: leave it alone
    try:
        return last.journal.unfinished() > 0
    except LocalError:
        return True
    finally:
        last.journal.close()
