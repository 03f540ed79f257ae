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
    unchanged: str
    """Why targets may be left as they are, and what to do about it."""
    doc: str


_CHANGES = {
    change.verb: change
    for change in (
        Change(
            "pause",
            "Paused",
            "is:unfinished",
            "pause_all",
            "the others are paused or have ended",
            "Pause downloads; their partial files and positions are kept.",
        ),
        Change(
            "resume",
            "Resumed",
            "is:paused",
            "resume_all",
            "the others are neither paused nor cancelled",
            "Resume paused and cancelled downloads.",
        ),
        Change(
            "cancel",
            "Cancelled",
            "is:unfinished",
            "",
            "the others have ended",
            "Cancel downloads; their partial files are kept, resume continues them.",
        ),
        Change(
            "retry",
            "Retrying",
            "is:failed",
            "",
            "the others have not failed; resume continues cancelled ones",
            "Retry failed downloads, and those waiting for a retry, now.",
        ),
        Change(
            "remove",
            "Removed",
            "is:ended",
            "",
            "unfinished ones are cancelled first: fetchtui cancel",
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
        asked, ids = run(name, _work(change, targets))
        if is_json:
            echo_json({"changed": ids})
        elif targets and len(ids) < asked:
            number = f"{len(ids):,} of {plural(asked)}"
            click.echo(f"{change.past} {number}; {change.unchanged}.")
        else:
            click.echo(f"{change.past} {plural(len(ids))}.")

    return command


def _work(
    change: Change, targets: tuple[str, ...]
) -> Callable[[Connection], Coroutine[None, None, tuple[int, list[int]]]]:
    """Return work that gives how many downloads were meant, and the changed ids."""

    async def work(connection: Connection) -> tuple[int, list[int]]:
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
        return len(ids), changed

    return work


pause, resume, cancel, retry, remove = map(_command, _CHANGES.values())
