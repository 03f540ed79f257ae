"""``fetchtui attach``: the dashboard, for the downloads of a background process."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from tui.background.address import address_of, names
from tui.background.client import ConnectionLost, NotRunning, connect
from tui.background.name import DEFAULT_NAME, check_name
from tui.background.protocol import RequestError
from tui.cli.background.connection import NoProcess, lost, not_running, refusal
from tui.cli.event_loop import freeze_memory, run_loop
from tui.core.listing.query import DownloadQuery, SortKey
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.background.attach.link import Connector, Link
    from tui.background.attach.replica import Replica
    from tui.background.attach.ssh import SshTarget
    from tui.background.client import Connection
    from tui.background.protocol import Notification
    from tui.config.precedence import Resolved

_SSH = "ssh://"


def _complete(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names() if name.startswith(incomplete)]


@click.command()
@click.argument("target", required=False, shell_complete=_complete)
@click.option(
    "--name",
    metavar="NAME",
    shell_complete=_complete,
    help="Name of the background process, instead of TARGET.",
)
@click.option("--watch", "is_watching", is_flag=True, help="Only look; change nothing.")
def attach(target: str | None, name: str | None, is_watching: bool) -> None:
    """Show the downloads of a background process in the dashboard.

    TARGET is the name of a process on this machine, or ssh://[USER@]HOST[:PORT][/NAME]
    for one on another machine, where fetchtui must be installed, too.

    Quitting detaches: the downloads continue. Output directory, limits and credentials
    are those of the process; theme and keys are those of this terminal.
    """
    from tui.cli.load_settings import load_settings
    from tui.cli.options import CommandLine
    from tui.core.text.units import use_units
    from tui.headless import terminal

    if target is not None and name is not None:
        raise click.UsageError("give TARGET or --name, not both")
    target = target or name or DEFAULT_NAME
    terminal.fill_closed_streams()
    ssh = _parse(target)
    if not terminal.can_show_dashboard():
        raise click.UsageError(
            terminal.dashboard_problem()
            or "attach needs a terminal; for scripts, there are ls, wait and the other"
            " commands for background processes"
        )
    settings = load_settings(CommandLine())
    use_units(settings["units"])
    gc.disable()  # until the dashboard runs: what is imported lives to the end
    try:
        status = run_loop(_run(target, ssh, settings, is_watching=is_watching))
    finally:
        gc.enable()
    raise SystemExit(status)


def _parse(target: str) -> SshTarget | None:
    """Return the other machine that a target names; ``None`` for this one."""
    try:
        if target.lower().startswith(_SSH):
            from tui.background.attach.ssh import parse_target

            return parse_target(target)
        check_name(target)
    except ValueError as error:
        text = f"{sanitize(target, 100)!r}: {error}"
        raise click.BadParameter(text, param_hint="TARGET") from None
    return None


async def _run(
    target: str, ssh: SshTarget | None, settings: Resolved, *, is_watching: bool
) -> int:
    """Connect while the dashboard is imported, and run it."""
    from tui.background.attach.replica import Replica

    def load() -> None:
        import tui.ui.app  # noqa: F401  # takes 0.2 s

    loading = asyncio.ensure_future(asyncio.to_thread(load))
    replica = Replica(is_watching=is_watching)
    link = link_to(replica, target, ssh)
    try:
        await _start(link)
        # The order in which a dashboard starts.
        replica.prepare(DownloadQuery(sort=SortKey.ACTIVITY))
    finally:
        await loading
    freeze_memory()
    from tui.ui.app import run_attached

    try:
        return await run_attached(replica, link, settings=settings)
    finally:
        await link.close()


def link_to(replica: Replica, target: str, ssh: SshTarget | None) -> Link:
    """Return the connection that a target names; it is not open yet."""
    from tui.background.attach.link import Link

    if ssh is None:
        return Link(replica, _local_connector(target), target)
    from tui.background.attach.ssh import SshConnector

    host = ssh.host if ssh.port is None else f"{ssh.host}:{ssh.port}"
    return Link(replica, SshConnector(ssh), ssh.name, host)


def _local_connector(name: str) -> Connector:
    address = address_of(name)

    async def open_connection(
        on_notification: Callable[[Notification], None],
    ) -> Connection:
        return await connect(address, on_notification)

    return open_connection


async def _start(link: Link) -> None:
    """Connect, or end with what is wrong and what helps."""
    try:
        await link.start()
    except NotRunning as error:
        if link.host:
            raise NoProcess(f"{link.host}: {sanitize(str(error), 300)}") from None
        raise NoProcess(not_running(link.name)) from None
    except RequestError as error:
        raise refusal(link.name, error) from None
    except (ConnectionLost, TimeoutError) as error:
        if link.host:
            reason = sanitize(str(error), 300) or "ssh ended without a message"
            raise NoProcess(f"cannot attach to {link.host}: {reason}") from None
        raise NoProcess(lost(link.name, str(error))) from None
