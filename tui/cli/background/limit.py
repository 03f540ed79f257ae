"""``fetchtui limit``: show and change the limits of a background process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from tui.cli.background.connection import (
    apply_units,
    echo_json,
    find,
    json_option,
    name_option,
    run,
    targets_argument,
)
from tui.core.settings import MAX_CONCURRENCY, MAX_SEGMENTS
from tui.core.text.units import format_limit, parse_size, plural

if TYPE_CHECKING:
    from tui.background.client import Connection


_TOGETHER: Final = 32
"""Requests that are sent before the first one is answered; the process refuses 64."""


def _rate(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> int | None:
    """Return bytes per second; 0 stands for no limit."""
    if value is None or value in ("off", "0"):
        return None if value is None else 0
    try:
        rate = parse_size(value, "rate")
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if rate < 1:
        raise click.BadParameter("must be at least 1 byte per second, or off")
    return rate


def _concurrency(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> int | None:
    """Return the number of downloads; 0 stands for ``auto``."""
    if value is None or value == "auto":
        return None if value is None else 0
    number = int(value) if value.isdecimal() else 0
    if not 1 <= number <= MAX_CONCURRENCY:
        raise click.BadParameter(
            f"must be a number from 1 to {MAX_CONCURRENCY}, or auto"
        )
    return number


def _changes(rate: int | None, connections: int | None) -> str:
    """Return what was set for single downloads, in words."""
    parts = []
    if rate is not None:
        parts.append(f"rate limit {format_limit(rate)}" if rate else "no rate limit")
    if connections is not None:
        parts.append(f"connections {connections or 'by size'}")
    return ", ".join(parts)


def _show(limits: dict[str, Any]) -> None:
    auto = " (automatic)" if limits["auto"] else ""
    rate_text = format_limit(limits["rate_limit"]) if limits["rate_limit"] else "off"
    click.echo(f"rate limit       {rate_text}")
    click.echo(f"concurrency      {limits['concurrency']}{auto}")
    click.echo(f"per host         {limits['per_host'] or 'unlimited'}")
    click.echo(f"connections      {limits['connections'] or 'by size'} per download")


@click.command()
@targets_argument
@click.option("--rate", callback=_rate, metavar="RATE", help="Bytes/s, as 2M; or off.")
@click.option(
    "-c",
    "--concurrency",
    callback=_concurrency,
    metavar="N",
    help="Concurrent downloads, or auto.",
)
@click.option(
    "--per-host",
    type=click.IntRange(0, MAX_CONCURRENCY),
    metavar="N",
    help="Concurrent downloads per host; 0 for no limit.",
)
@click.option(
    "-s",
    "--connections",
    type=click.IntRange(0, MAX_SEGMENTS),
    metavar="N",
    help="Connections per download; 0 decides by size.",
)
@json_option
@name_option
def limit(
    targets: tuple[str, ...],
    rate: int | None,
    concurrency: int | None,
    per_host: int | None,
    connections: int | None,
    is_json: bool,
    name: str,
) -> None:
    """Show or change the limits of a background process while it runs.

    With a TARGET (an id, a name or a filter), --rate and --connections apply to these
    downloads only.
    """
    if targets and (concurrency is not None or per_host is not None):
        raise click.UsageError("--concurrency and --per-host have no TARGET")
    if targets and rate is None and connections is None:
        raise click.UsageError("give --rate or --connections for these downloads")

    apply_units()

    async def work(connection: Connection) -> tuple[int, dict[str, Any]]:
        ids: list[int | None] = [None]
        if targets:
            ids = [*await find(connection, targets)]
        calls: list[tuple[str, dict[str, Any]]] = []
        for id in ids:
            if rate is not None:
                calls.append(("set_rate_limit", {"rate": rate or None, "id": id}))
            if connections is not None:
                calls.append(("set_segments", {"count": connections, "id": id}))
        if concurrency is not None:
            calls.append(
                ("set_concurrency", {"count": concurrency})
                if concurrency
                else ("set_auto", {"on": True})
            )
        if per_host is not None:
            calls.append(("set_per_host", {"count": per_host}))
        for at in range(0, len(calls), _TOGETHER):
            part = calls[at : at + _TOGETHER]
            sent = [connection.send("call", name=v, args=args) for v, args in part]
            for answer in sent:
                await answer
        status: dict[str, Any] = await connection.request("status")
        return len(ids), status

    count, status = run(name, work)
    limits = {
        key: status[key]
        for key in ("rate_limit", "concurrency", "auto", "per_host", "connections")
    }
    if is_json:
        echo_json(limits)
        return
    if targets:
        click.echo(f"Set for {plural(count)}: {_changes(rate, connections)}.")
        return
    _show(limits)
