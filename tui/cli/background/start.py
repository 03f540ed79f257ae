"""Start a background process: a new interpreter that outlives the terminal.

The process gets its settings, the list and the secrets over a pipe, since arguments and
files could be read by others. It answers over another pipe as soon as its session is
saved, or with the reason why it cannot start; only then does the command return.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from tui.background.address import (
    AddressError,
    address_of,
    make_private,
    running,
)
from tui.background.name import DEFAULT_NAME
from tui.core.rules.child_python import child_environment, module_command
from tui.core.text.sanitize import sanitize
from tui.core.text.units import plural

if TYPE_CHECKING:
    from tui.background.address import Address, Record
    from tui.core.request import DownloadRequest
    from tui.core.settings import Settings
    from tui.rpc.config import RpcConfig


@dataclass(frozen=True, slots=True)
class StartOrder:
    """What a background process is started with."""

    name: str
    settings: Settings
    given: frozenset[str] = frozenset()
    """Fields of the settings given now, which override those of its session."""
    title: str = ""
    requests: tuple[DownloadRequest, ...] = ()
    carried: tuple[DownloadRequest, ...] = ()
    """Requests of its session with their secrets, which no journal stores."""
    exit_when_done: bool = False
    rpc: RpcConfig | None = None
    """The remote control to start, if any."""


@dataclass(frozen=True, slots=True)
class Started:
    """What a background process reports when it is ready."""

    pid: int
    unfinished: int
    """Downloads that were left to do when it started."""
    restored: str = ""
    """What was restored of an earlier run, or why not; "" for a new session."""
    unsaved: str = ""
    """Why the session cannot be saved; "" if it is."""
    output_dir: str = ""
    """Where files are saved: for a continued session, where they were before."""
    rpc: str = ""
    """Where the remote control listens and its secret is, in words; "" without one."""


class StartError(click.ClickException):
    """A background process cannot start; the message says why, and what to do."""

    exit_code = 2


def already_running(name: str, record: Record) -> str:
    """Return the refusal of a second start."""
    since = time.strftime("%d %b %H:%M", time.localtime(record.started_at))
    of_name = "" if name == DEFAULT_NAME else f" {name}"
    option = "" if name == DEFAULT_NAME else f" --name {name}"
    return (
        f"the background process {name!r} is already running"
        f" (pid {record.pid}, since {since}); fetchtui attach{of_name} shows it,"
        f" fetchtui add{option} LIST adds to it, fetchtui stop{option} ends it, so that"
        " it can be started with other options, and --name starts another one"
    )


def check_free(name: str) -> Address:
    """Return the address of a name that no process has.

    Raises:
        StartError: a process with this name is running.
        UsageError: the name is not allowed.
    """
    try:
        address = address_of(name)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--name") from None
    record = running(address)
    if record is not None:
        raise StartError(already_running(name, record))
    return address


def start_process(order: StartOrder) -> Started:
    """Start a background process and wait until it is ready.

    Raises:
        StartError: it cannot start.
    """
    address = check_free(order.name)
    settings = order.settings
    # Relative paths keep their meaning: the process stays in this directory.
    order = replace(
        order, settings=settings._replace(output_dir=settings.output_dir.absolute())
    )
    try:
        make_private(address.folder.parent)
        make_private(address.folder)
        log = os.open(
            address.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    except AddressError as error:
        raise StartError(str(error)) from None
    except OSError as error:
        text = f"cannot write {str(address.log)!r}: {error.strerror}"
        raise StartError(text) from None
    try:
        process = subprocess.Popen(
            module_command("tui.cli.background.process", order.name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env=child_environment(),
        )
    finally:
        os.close(log)
    return _await_ready(process, order, address)


def _await_ready(
    process: subprocess.Popen[bytes], order: StartOrder, address: Address
) -> Started:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(BrokenPipeError), process.stdin as pipe:
            pickle.dump(order, pipe, pickle.HIGHEST_PROTOCOL)
        with process.stdout as pipe:
            answer: dict[str, Any] = json.loads(pipe.readline() or b"{}")
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    if "error" in answer:
        process.wait()
        raise StartError(answer["error"])
    if not answer:
        process.wait()
        raise StartError(
            f"the background process ended unexpectedly; see {address.log}"
        )
    process.returncode = 0  # it outlives this process: nobody waits for it
    return Started(**answer)


def started_lines(name: str, started: Started) -> list[str]:
    """Return what to print about a process that has started."""
    of_name = "" if name == DEFAULT_NAME else f" {name}"
    option = "" if name == DEFAULT_NAME else f" --name {name}"
    count = started.unfinished
    what = plural(count) if count else "nothing to download yet"
    if started.output_dir:
        what += f", saved to {sanitize(started.output_dir)}"
    lines = [started.restored] if started.restored else []
    lines += [
        f"Running in the background as {name!r} (pid {started.pid}): {what}.",
        f"fetchtui attach{of_name} shows it, fetchtui stop{option} ends it.",
    ]
    if started.rpc:
        lines.append(started.rpc)
    if started.unsaved:
        lines.append(f"warning: this session is not being saved: {started.unsaved}")
    return lines
