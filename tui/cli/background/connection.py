"""What the verbs share: connect to a background process, errors, and their options."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from tui import __version__
from tui.background.address import (
    address_of,
    names,
    running_names,
)
from tui.background.client import ConnectionLost, NotRunning, connect
from tui.background.name import DEFAULT_NAME, check_name
from tui.background.protocol import PROTOCOL, Code, RequestError
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tui.background.client import Connection
    from tui.background.protocol import Hello

T = TypeVar("T")

NOT_RUNNING = 3
"""Exit status if there is no background process, as of ``service NAME status``."""
_COMPLETION_TIMEOUT_S = 1.0


class NoProcess(click.ClickException):
    """There is no background process that could answer."""

    exit_code = NOT_RUNNING


class Refused(click.ClickException):
    """The background process refuses the request."""

    exit_code = 1


def run(name: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Connect to a background process and do some work with the connection.

    Raises:
        NoProcess: it does not run, has another version or went away.
        Refused: it refuses a request.
    """

    async def connected() -> T:
        address = address_of(name)
        async with await connect(address) as connection:
            await connection.greet("verb")
            return await work(connection)

    try:
        return asyncio.run(connected())
    except NotRunning:
        raise NoProcess(not_running(name)) from None
    except RequestError as error:
        raise refusal(name, error) from None
    except (ConnectionLost, TimeoutError) as error:
        raise NoProcess(lost(name, str(error))) from None


def name_words(name: str) -> str:
    """Return the option with which a suggested command means this process."""
    return "" if name == DEFAULT_NAME else f" --name {name}"


def not_running(name: str) -> str:
    """Return what to say if no process has this name."""
    others = running_names()
    option = name_words(name)
    hint = f"fetchtui -b{option} LIST starts one"
    if others:
        hint += f"; running: {', '.join(others)}"
    return f"no background process {name!r} is running; {hint}"


def lost(name: str, reason: str) -> str:
    """Return what to say if the connection to a process ended."""
    if reason == "stopped":
        return f"the background process {name!r} was stopped; its downloads are saved"
    shown = f": {sanitize(reason, 200)}" if reason else ""
    return (
        f"the background process {name!r} does not answer{shown};"
        f" see {address_of(name).log}, or end it with fetchtui stop{name_words(name)}"
    )


def refusal(name: str, error: RequestError) -> click.ClickException:
    """Return the error for a refused request, in words."""
    if error.code is Code.VERSION:
        version = sanitize(str(error.data.get("version", "?")), 40)
        protocol = sanitize(str(error.data.get("protocol", "?")), 10)
        option = name_words(name)
        return NoProcess(
            f"the background process {name!r} runs fetchtui {version} (protocol"
            f" {protocol}), this is fetchtui {__version__} (protocol {PROTOCOL}); run"
            f" fetchtui stop{option} and then fetchtui -b{option}, which continues its"
            " downloads with this version"
        )
    texts = {
        Code.TOO_MANY: "too many clients are connected; close one and try again",
        Code.UNKNOWN_DOWNLOAD: "there is no such download",
        Code.INTERNAL: f"internal error: {sanitize(str(error), 200)}",
    }
    return Refused(texts.get(error.code) or sanitize(str(error), 300))


# -- options ---------------------------------------------------------------------------


def _check_name(
    _context: click.Context, _parameter: click.Parameter, name: str | None
) -> str | None:
    try:
        return None if name is None else check_name(name)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _complete_name(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names() if name.startswith(incomplete)]


name_option = click.option(
    "--name",
    default=DEFAULT_NAME,
    show_default=True,
    metavar="NAME",
    callback=_check_name,
    shell_complete=_complete_name,
    help="Name of the background process.",
)
name_argument = click.argument(
    "name",
    default=DEFAULT_NAME,
    callback=_check_name,
    shell_complete=_complete_name,
    metavar="[NAME]",
)
json_option = click.option(
    "--json", "is_json", is_flag=True, help="Write JSON to stdout."
)


def _complete_target(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer ids and names of downloads; nothing if the process does not answer soon."""
    name = context.params.get("name") or DEFAULT_NAME

    async def ask() -> dict[str, Any]:
        async with (
            asyncio.timeout(_COMPLETION_TIMEOUT_S),
            await connect(address_of(name)) as connection,
        ):
            await connection.greet("completion")
            answer: dict[str, Any] = await connection.request(
                "complete", start=incomplete
            )
            return answer

    try:
        found = asyncio.run(ask())
        items = [
            CompletionItem(str(id), help=f"{state} {sanitize(title, 60)}")
            for id, state, title in found["ids"]
        ]
        # A name with other characters would change the command line.
        names = [n for n in found["names"] if n == sanitize(n)]
    except (NotRunning, ConnectionLost, RequestError, TimeoutError, ValueError):
        return []
    return items + [CompletionItem(name) for name in names]


targets_argument = click.argument(
    "targets", nargs=-1, metavar="[TARGET]...", shell_complete=_complete_target
)


def apply_units() -> None:
    """Show sizes in the units of the settings; a mistake there is not reported here."""
    from tui.cli.load_settings import load_settings
    from tui.cli.options import CommandLine
    from tui.core.text.units import use_units

    use_units(load_settings(CommandLine())["units"])


# -- downloads and answers -------------------------------------------------------------


async def find(connection: Connection, targets: tuple[str, ...]) -> list[int]:
    """Return the ids of targets.

    Raises:
        Refused: a target matches no download.
    """
    answer = await connection.request("find", targets=list(targets))
    missing = [sanitize(str(target), 100) for target in answer["missing"]]
    if missing:
        raise Refused(f"no download matches {', '.join(map(repr, missing))}")
    ids: list[int] = answer["ids"]
    return ids


def echo_json(value: object) -> None:
    """Write a value as one line of JSON."""
    click.echo(json.dumps(clean(value), separators=(",", ":")))


def clean(value: Any) -> Any:
    """Return JSON values with all text safe to show."""
    if isinstance(value, str):
        return sanitize(value, 1 << 20)
    if isinstance(value, list):
        return [clean(part) for part in value]
    if isinstance(value, dict):
        return {sanitize(str(key)): clean(part) for key, part in value.items()}
    return value


def unsaved_text(reason: object) -> str:
    """Return the warning that the session of a process is not saved."""
    return f"this session is not being saved: {clean(str(reason))}"


def since(hello: Hello) -> str:
    """Return when a process was started."""
    return time.strftime("%d %b %H:%M", time.localtime(hello.started_at))


def path_of(output_dir: str, row: dict[str, Any]) -> str:
    """Return the path of a download's file."""
    return os.path.join(output_dir, str(row["directory"]), str(row["name"]))
