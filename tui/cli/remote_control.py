"""The remote control on the command line: checks its settings, starts and ends it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from tui.core.errors import LocalError
from tui.core.notices import Notice, NoticeCode

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack

    from tui.config.precedence import Resolved
    from tui.core.service import DownloadService
    from tui.rpc.config import RpcConfig

_LIBRARIES = ("uvicorn", "starlette", "websockets")
SECRET_FILE = "rpc-secret"


def rpc_config(resolved: Resolved) -> RpcConfig | None:
    """Return what the remote control is started with; ``None`` if it is off.

    Call it before the loop runs: it may prompt for the secret.

    Raises:
        UsageError: settings are missing or contradict each other.
    """
    settings = resolved.rpc()
    if not settings.listen:
        return None
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise click.UsageError(
            f"--rpc needs {', '.join(missing)}; install fetchtui[rpc], for example with"
            " pipx install 'fetchtui[rpc]'"
        )
    from tui.rpc.config import RpcConfig, is_loopback

    host, _, port = settings.listen.rpartition(":")
    host = host.strip("[]")
    if not is_loopback(host) and not settings.secret_from:
        raise click.UsageError(
            f"--rpc {settings.listen} lets other machines connect and needs a secret of"
            " your own; add --rpc-secret-from"
        )
    if settings.ui is not None and not (settings.ui / "index.html").is_file():
        raise click.BadParameter("the folder has no index.html", param_hint="--rpc-ui")
    secret, where = _secret(settings.secret_from)
    return RpcConfig(
        host,
        int(port),
        secret,
        settings.ui.absolute() if settings.ui is not None else None,
        settings.allow_shutdown,
        settings.allow_origin,
        secret_in=where,
    )


def _secret(reference: str) -> tuple[str, str]:
    """Return the secret, and where the user finds it."""
    from getpass import getpass

    from tui.core.settings import Login
    from tui.disk.state.location import state_dir
    from tui.net.auth.secrets import resolve_secret
    from tui.rpc.secret import load_secret

    try:
        if not reference:
            path = state_dir() / SECRET_FILE
            return load_secret(path), str(path)
        if reference == "ask":
            reference = f"text:{getpass('Secret of the remote control: ')}"
            return resolve_secret(Login(secret=reference), "the remote control"), ""
        secret = resolve_secret(Login(secret=reference), "the remote control")
    except LocalError as error:
        raise click.UsageError(str(error)) from None
    except EOFError:
        raise click.UsageError("no secret entered") from None
    return secret, "" if reference.startswith("text:") else reference.partition(":")[0]


async def open_rpc(
    stack: AsyncExitStack,
    service: DownloadService,
    config: RpcConfig,
    shut_down: Callable[[], None],
) -> Notice:
    """Start the remote control; it ends with the stack.

    Args:
        stack: ends it before what was entered earlier.
        service: the engine.
        config: from ``rpc_config``.
        shut_down: ends the program, if clients may do that.

    Returns:
        A notice with its address, to show when the front end runs.

    Raises:
        UsageError: the address cannot be used.
    """
    from tui.rpc.web.server import serve_rpc

    try:
        server = await serve_rpc(service, config, shut_down)
    except LocalError as error:
        # Its usual remedy is about connections to servers.
        text = f"{error}; choose another address or port with --rpc"
        raise click.UsageError(text) from None
    stack.push_async_callback(server.close)
    url = f"{server.config.url}jsonrpc"
    return Notice(NoticeCode.RPC_STARTED, (url, config.secret_in))
