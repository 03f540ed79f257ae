"""Connections over ssh: ``ssh HOST fetchtui bridge NAME``, and its standard streams.

Keys, agents, jump hosts and host keys are those of ssh. No shell on this side sees the
host or the name; the one on the other side sees only a checked name.
"""

from __future__ import annotations

import asyncio
import re
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from tui.background.client import Connection, ConnectionLost, NotRunning
from tui.background.name import DEFAULT_NAME, check_name
from tui.background.protocol import REPLY_LIMIT, ProtocolError
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.background.protocol import Hello, Notification

_HOST: Final = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9._:%\]@+-]*")
_NOT_RUNNING: Final = 3
"""Exit status of ``fetchtui bridge`` if there is no such process."""
_NO_COMMAND: Final = 127
_FIND: Final = (
    'PATH="$PATH:$HOME/.local/bin:/usr/local/bin:/opt/homebrew/bin"; export PATH'
)
"""Commands that ssh runs have a short PATH on most systems, without the folders into
which pipx, uv and pip install. ``sh`` reads it, since not every login shell would."""
_END_TIMEOUT_S: Final = 2.0
_KEEP_ALIVE: Final = ("-oServerAliveInterval=5", "-oServerAliveCountMax=3")
"""A lost network ends the connection after 15 s."""


class SshTarget(NamedTuple):
    """A background process on another machine."""

    host: str
    """``host`` or ``user@host``, as ssh takes it."""
    port: int | None
    name: str


def parse_target(text: str) -> SshTarget:
    """Return what ``ssh://[USER@]HOST[:PORT][/NAME]`` means.

    Raises:
        ValueError: it is not such a target; the message has the reason.
    """
    if not text.isprintable():
        raise ValueError("control characters are not allowed in it")
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise ValueError("the port after the host must be a number") from None
    user, at, _ = parts.netloc.rpartition("@")
    if ":" in user:
        raise ValueError("passwords are not allowed in it; ssh asks for them")
    if parts.query or parts.fragment:
        raise ValueError("write ssh://HOST or ssh://HOST/NAME")
    target = f"{user}{at}{host}"
    if _HOST.fullmatch(target) is None or _HOST.fullmatch(host) is None:
        # A leading dash would be an option of ssh.
        raise ValueError("the host must start with a letter or a digit")
    name = parts.path.strip("/") or DEFAULT_NAME
    return SshTarget(target, port, check_name(name))


def command(target: SshTarget, *, is_first: bool) -> list[str]:
    """Return the arguments of ssh.

    Args:
        target: the machine and the process.
        is_first: ssh may ask for passwords; later it would disturb the dashboard.
    """
    port = [] if target.port is None else ["-p", str(target.port)]
    quiet = [] if is_first else ["-oBatchMode=yes"]
    remote = f"sh -c '{_FIND}; exec fetchtui bridge {target.name}'"
    return ["ssh", "-T", *_KEEP_ALIVE, *quiet, *port, "--", target.host, remote]


class SshConnector:
    """Opens connections to a background process on another machine."""

    def __init__(self, target: SshTarget) -> None:
        """Connect to ``target`` when called."""
        self._target = target
        self._is_first = True

    async def __call__(
        self, on_notification: Callable[[Notification], None]
    ) -> Connection:
        """Start ssh; the greeting shows whether it gets through.

        Raises:
            ConnectionLost: ssh cannot be started.
        """
        is_first, self._is_first = self._is_first, False
        try:
            process = await asyncio.create_subprocess_exec(
                *command(self._target, is_first=is_first),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                limit=REPLY_LIMIT,
            )
        except OSError as error:
            raise ConnectionLost(f"cannot start ssh: {error.strerror}") from None
        return _SshConnection(process, on_notification)


class _SshConnection(Connection):
    """A connection whose end has a reason that ssh printed."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        on_notification: Callable[[Notification], None],
    ) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        self._process = process
        self._last_line = ""
        self._reading_errors = asyncio.create_task(self._read_errors())
        super().__init__(process.stdout, process.stdin, on_notification)

    async def greet(self, client: str, *, watch: bool = False) -> Hello:
        try:
            return await super().greet(client, watch=watch)
        except ConnectionLost as error:
            await asyncio.wait_for(self._process.wait(), _END_TIMEOUT_S)
            await self._reading_errors
            raise self._explained(error) from None

    def _explained(self, error: ConnectionLost) -> Exception:
        if self._process.returncode == _NOT_RUNNING:
            return NotRunning(self._last_line)
        if self._process.returncode == _NO_COMMAND:
            return ConnectionLost("fetchtui is not installed there, or not in PATH")
        if isinstance(error.__cause__, ProtocolError):
            return ConnectionLost(
                "the shell of that machine must print nothing when ssh runs a command;"
                " it printed something before fetchtui"
            )
        return ConnectionLost(self._last_line) if self._last_line else error

    async def _read_errors(self) -> None:
        """Keep the last line that ssh or the other side printed."""
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            text = sanitize(line.decode(errors="replace").strip(), 200)
            self._last_line = text or self._last_line

    async def close(self) -> None:
        """Close the streams, and end ssh if that does not."""
        await super().close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_TIMEOUT_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading_errors
