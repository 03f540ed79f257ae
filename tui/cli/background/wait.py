"""``fetchtui wait`` and ``fetchtui stop``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from tui.background.address import address_of, running
from tui.background.client import ConnectionLost, NotRunning, connect
from tui.background.protocol import RequestError
from tui.cli.background.connection import (
    NoProcess,
    clean,
    echo_json,
    find,
    json_option,
    lost,
    name_option,
    name_words,
    not_running,
    run,
    targets_argument,
)
from tui.core.rules.exit_status import INTERRUPTED

if TYPE_CHECKING:
    from tui.background.address import Address
    from tui.background.client import Connection

_STOP_TIMEOUT_S = 60.0
"""The process needs up to 20 s to flush, and hooks have a grace period."""
_POLL_INTERVAL_S = 0.02


@click.command()
@targets_argument
@json_option
@name_option
def wait(targets: tuple[str, ...], is_json: bool, name: str) -> None:
    """Wait until downloads of a background process have ended.

    TARGET is an id, a range of ids, the name of a file, or a filter; without one, all
    downloads. Paused ones do not count.

    Exit status as of a run without a dashboard: 0 all done, 1 at least one is not or a
    step after a download failed, 130 interrupted: by Ctrl+C, after which the downloads
    continue, or because the process was stopped.
    """

    async def work(connection: Connection) -> dict[str, Any]:
        ids = await find(connection, targets) if targets else None
        try:
            answer: dict[str, Any] = await connection.request("wait", ids=ids)
        except ConnectionLost as end:
            click.echo(f"fetchtui: {lost(name, str(end))}", err=True)
            sys.exit(INTERRUPTED)
        return answer

    try:
        answer = run(name, work)
    except KeyboardInterrupt:
        click.echo("fetchtui: no longer waiting; the downloads continue", err=True)
        sys.exit(INTERRUPTED)
    counts = answer["counts"]
    others = sum(counts.values()) - counts["done"]
    if is_json:
        echo_json(answer)
    else:
        parts = [f"{count:,} {clean(state)}" for state, count in counts.items()]
        parts = [part for part in parts if not part.startswith("0 ")]
        click.echo(", ".join(parts) or "no downloads")
        if answer["pause_reason"]:
            reason = clean(answer["pause_reason"])
            command = f"fetchtui resume --all{name_words(name)}"
            click.echo(f"stopped: {reason}; {command} continues", err=True)
    sys.exit(1 if others or answer["post_processing_failures"] else 0)


@click.command()
@json_option
@name_option
def stop(is_json: bool, name: str) -> None:
    """Stop a background process; it saves everything first.

    fetchtui -b continues its downloads later. Exit status: 1 if the process has ended
    but could not save everything, because of a full disk for example.
    """
    address = address_of(name)
    record = running(address)
    if record is None:
        raise NoProcess(not_running(name))
    unsaved = ""
    try:
        unsaved = asyncio.run(_ask_to_stop(address))
    except (RequestError, ConnectionLost, TimeoutError):
        # Another version, or it does not answer; a signal ends it as well.
        if record.pid > 1:
            with suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGTERM)
    except NotRunning:
        pass
    deadline_s = time.monotonic() + _STOP_TIMEOUT_S
    while (now := running(address)) is not None and now.pid == record.pid:
        if time.monotonic() > deadline_s:
            raise NoProcess(
                f"the background process {name!r} (pid {record.pid}) does not end;"
                f" kill -9 {record.pid} ends it, and loses at most a second of progress"
            )
        time.sleep(_POLL_INTERVAL_S)
    if is_json:
        echo_json({"stopped": record.pid, "unsaved": unsaved})
    else:
        again = f"fetchtui -b{name_words(name)}"
        click.echo(f"Stopped {name!r}. {again} continues its downloads.")
    if unsaved:
        click.echo(
            f"fetchtui: the session could not be saved: {clean(unsaved)};"
            " downloads that were added last may be missing: add them again",
            err=True,
        )
        sys.exit(1)


async def _ask_to_stop(address: Address) -> str:
    """Return why the session could not be saved; "" if it was."""
    async with await connect(address) as connection:
        await connection.greet("verb")
        answer = await connection.request("stop")
        return str(answer.get("unsaved", ""))
