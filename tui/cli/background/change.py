"""``fetchtui pause``, ``resume``, ``cancel``, ``retry`` and ``remove``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from tui.cli.background.connection import (
    echo_json,
    find,
    json_option,
    name_option,
    run,
    targets_argument,
)
from tui.core.text.units import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tui.background.client import Connection

SLICE = 100_000
"""Ids in one request, so that a line stays below the limit of the server."""


class Change(NamedTuple):
    """A verb that changes downloads."""

    verb: str
    past: str
    """For the report: ``Paused 3 downloads.``"""
    all_filter: str
    """The downloads that ``--all`` means."""
    all_call: str
    """A verb for the whole queue that ``--all`` calls first; "" for none."""
    doc: str


_CHANGES = {
    change.verb: change
    for change in (
        Change(
            "pause",
            "Paused",
            "is:unfinished",
            "pause_all",
            "Pause downloads; their partial files and positions are kept.",
        ),
        Change(
            "resume",
            "Resumed",
            "is:paused",
            "resume_all",
            "Resume paused and cancelled downloads.",
        ),
        Change(
            "cancel",
            "Cancelled",
            "is:unfinished",
            "",
            "Cancel downloads; their partial files are kept, resume continues them.",
        ),
        Change(
            "retry",
            "Retrying",
            "is:failed",
            "",
            "Retry failed downloads, and those waiting for a retry, now.",
        ),
        Change(
            "remove",
            "Removed",
            "is:ended",
            "",
            "Remove ended downloads from the list; files are kept.",
        ),
    )
}


def _command(change: Change) -> click.Command:
    """Return the command of a verb."""

    @click.command(
        change.verb,
        help=f"{change.doc}\n\nTARGET is an id, a range of ids, the name of a file, or"
        " a filter as in the dashboard, such as 'host:example.org'.",
        no_args_is_help=True,
    )
    @targets_argument
    @click.option("--all", "is_all", is_flag=True, help="All that can be changed.")
    @json_option
    @name_option
    def command(
        targets: tuple[str, ...], is_all: bool, is_json: bool, name: str
    ) -> None:
        if bool(targets) == is_all:
            raise click.UsageError("give a TARGET, or --all for all downloads")
        ids = run(name, _work(change, targets))
        if is_json:
            echo_json({"changed": ids})
        else:
            click.echo(f"{change.past} {plural(len(ids))}.")

    return command


def _work(
    change: Change, targets: tuple[str, ...]
) -> Callable[[Connection], Coroutine[None, None, list[int]]]:
    async def work(connection: Connection) -> list[int]:
        if targets:
            ids = await find(connection, targets)
        else:
            answer = await connection.request("select", filter=change.all_filter)
            ids = answer["ids"]
            if change.all_call:
                await connection.request("call", name=change.all_call)
        changed: list[int] = []
        for at in range(0, len(ids), SLICE):
            args = {"ids": ids[at : at + SLICE]}
            answer = await connection.request("call", name=change.verb, args=args)
            changed += answer["ids"]
        return changed

    return work


pause, resume, cancel, retry, remove = map(_command, _CHANGES.values())
