"""``fetchtui ls``: the downloads of a background process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.background.protocol import ROWS_LIMIT
from tui.cli.background.connection import (
    apply_units,
    clean,
    echo_json,
    find,
    json_option,
    name_option,
    name_words,
    path_of,
    run,
    targets_argument,
    unsaved_text,
)
from tui.core.listing.query import SortKey
from tui.core.text.sanitize import sanitize, sanitize_url
from tui.core.text.units import format_duration, format_rate, format_size

if TYPE_CHECKING:
    from tui.background.client import Connection

_STATES = ("downloading", "queued", "waiting", "paused", "done", "failed", "cancelled")
_COLUMNS = f"{'ID':>6}  {'STATE':<11} {'DONE':>5} {'SIZE':>9} {'SPEED':>10}  NAME"


@click.command()
@targets_argument
@click.option(
    "--sort",
    type=click.Choice([key.value for key in SortKey]),
    default=SortKey.ADDED.value,
    show_default=True,
    help="Order, if no TARGET is given.",
)
@click.option("--limit", type=click.IntRange(1), help="Show only the first N.")
@json_option
@name_option
def ls(
    targets: tuple[str, ...], sort: str, limit: int | None, is_json: bool, name: str
) -> None:
    """List the downloads of a background process.

    TARGET is an id (12), a range of ids (12-20), the name of a file, or a filter as in
    the dashboard ('is:failed', 'host:example.org', 'size:>1G').

    With --json, one object per line is written: id, state, url, path, bytes, size,
    speed, eta_s, connections, attempt, error, error_kind. size and eta_s are null if
    they are unknown, error and error_kind if there was no error.
    """
    apply_units()

    async def show(connection: Connection) -> None:
        status = await connection.request("status")
        if targets:
            ids = await find(connection, targets)
        else:
            answer = await connection.request("select", sort=sort, limit=limit)
            ids = answer["ids"]
        ids = ids[:limit]
        if not is_json and ids:
            click.echo(_COLUMNS)
        for at in range(0, len(ids), ROWS_LIMIT):
            answer = await connection.request("rows", ids=ids[at : at + ROWS_LIMIT])
            for row in answer["rows"]:
                if is_json:
                    echo_json(_fields(row, status["output_dir"]))
                else:
                    click.echo(_line(row))
        if not is_json:
            click.echo(_summary(status, name_words(name)))

    run(name, show)


def _fields(row: dict[str, Any], output_dir: str) -> dict[str, Any]:
    fields = dict(row)
    fields["url"] = sanitize_url(str(row["url"]))
    fields["path"] = path_of(output_dir, row)
    names = (
        "id",
        "state",
        "url",
        "path",
        "bytes",
        "size",
        "speed",
        "eta_s",
        "connections",
        "attempt",
        "error",
        "error_kind",
    )
    return {name: fields[name] for name in names}


def _line(row: dict[str, Any]) -> str:
    size, received = row["size"], row["bytes"]
    share = f"{min(received / size, 1):.0%}" if size else ""
    speed = format_rate(row["speed"]) if row["speed"] else ""
    name = f"{row['directory']}/{row['name']}" if row["directory"] else row["name"]
    has_failed = row["state"] == "failed" and row["error"]
    error = f"  ({clean(row['error'])})" if has_failed else ""
    return (
        f"{row['id']:>6}  {clean(row['state']):<11} {share:>5}"
        f" {format_size(size):>9} {speed:>10}  {sanitize(str(name))}{error}"
    )


def _summary(status: dict[str, Any], option: str) -> str:
    counts = dict(status["counts"])
    counts["downloading"] += counts.pop("probing") + counts.pop("verifying")
    parts = [f"{counts[state]:,} {state}" for state in _STATES if counts[state]]
    parts = parts or ["no downloads"]
    if status["speed"]:
        parts.append(format_rate(status["speed"]))
    if status["eta_s"] is not None:
        parts.append(f"{format_duration(status['eta_s'])} to go")
    text = " · ".join(parts)
    if status["is_paused"]:
        reason = f": {clean(status['pause_reason'])}" if status["pause_reason"] else ""
        text += (
            f"\nThe queue is paused{reason};"
            f" fetchtui resume --all{option} continues it."
        )
    if status["unsaved"]:
        text += f"\nwarning: {unsaved_text(status['unsaved'])}"
    return text
