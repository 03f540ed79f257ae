"""What the RPC is started with."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class RpcConfig(NamedTuple):
    """Settings of the RPC, fixed for a run."""

    host: str
    """Name or address to listen on."""
    port: int
    """0 for any free port."""
    secret: str
    """The token of every call; never empty."""
    ui_dir: Path | None = None
    """Folder with a web client, such as AriaNg, to serve."""
    allow_shutdown: bool = False
    """``aria2.shutdown`` ends the program."""
    origins: tuple[str, ...] = ()
    """Further origins whose pages may use the RPC, such as browser extensions."""

    process_name: str = ""
    """The background process whose dashboard is shown in browsers; "" for none."""
    secret_in: str = ""
    """Where the user finds the secret: a path or the kind of a reference; "" if it was
    typed."""

    def __repr__(self) -> str:
        return f"RpcConfig({self.host}:{self.port})"

    @property
    def url(self) -> str:
        """The address of the RPC's own pages."""
        return f"http://{bracketed(self.host)}:{self.port}/"


def bracketed(host: str) -> str:
    """Return a host as URLs write it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Return True if only this machine can connect to ``host``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
