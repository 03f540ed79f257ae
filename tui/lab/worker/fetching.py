"""What all strategies share, so that they differ in nothing but their concurrency."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import httpx

from tui.core.request import origin_of
from tui.lab.job import SIZE_LIMIT
from tui.lab.report.figures import Status

if TYPE_CHECKING:
    from pathlib import Path

    from tui.lab.job import Job, Target
    from tui.lab.worker.instrumentation import Instrumentation


class TooLarge(Exception):
    """More than ``job.SIZE_LIMIT`` bytes."""


FETCH_ERRORS = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, TooLarge)
"""What one download may raise without an end to the others."""
_GONE = (404, 410)
_BOUND = "bound"
"""Extension of a request: the URL of its target, and the names of its headers."""
_TLS = httpx.create_ssl_context()
"""Made when this is imported, before any clock starts: reading the certificates takes
a tenth of a second, which would be most of the loop lag of a program without fault."""
for _module in ("httpcore", "anyio._backends._asyncio"):
    import_module(
        _module
    )  # for the same reason: httpx loads them with the first request


def status_of(error: BaseException) -> Status:
    """Return what an error counts as."""
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in _GONE:
        return Status.NOT_FOUND
    return Status.ERROR


def new_client(job: Job) -> httpx.Client:
    """Return a client with as many connections as there are downloads at once."""
    return httpx.Client(**_options(job), event_hooks={"request": [_keep_to_origin]})


def new_async_client(job: Job) -> httpx.AsyncClient:
    """Return the same for an event loop."""

    async def keep_to_origin(request: httpx.Request) -> None:
        _keep_to_origin(request)

    return httpx.AsyncClient(**_options(job), event_hooks={"request": [keep_to_origin]})


def _options(job: Job) -> dict[str, Any]:
    return {
        "verify": _TLS,
        "timeout": job.timeout_s,
        "follow_redirects": True,
        "headers": {"Accept-Encoding": "identity"},  # the file as it is
        "limits": httpx.Limits(
            max_connections=job.workers, max_keepalive_connections=job.workers
        ),
        "trust_env": not job.is_local,  # proxies
    }


def asked(target: Target) -> dict[str, Any]:
    """Return what a request for a target takes: its headers, bound to its origin."""
    return {
        "headers": list(target.headers),
        "extensions": {_BOUND: (target.url, [name for name, _ in target.headers])},
    }


def _keep_to_origin(request: httpx.Request) -> None:
    """Take the list's headers away where a redirect leads to another server.

    httpx itself takes away ``Authorization`` and no other (0.28, read).
    """
    url, names = request.extensions[_BOUND]
    if origin_of(str(request.url)) != origin_of(url):
        for name in names:
            request.headers.pop(name, None)


def get(client: httpx.Client, target: Target, probe: Instrumentation) -> bytes:
    """Return the body at a URL; the calling thread waits for it.

    Raises:
        httpx.HTTPError: there is none, the status says.
        TooLarge: it does not fit.
    """
    body = bytearray()
    with client.stream("GET", target.url, **asked(target)) as response:
        response.raise_for_status()
        for chunk in response.iter_raw():
            body += chunk
            probe.took(len(chunk))
            _check_size(body)
    return bytes(body)


async def get_async(
    client: httpx.AsyncClient, target: Target, probe: Instrumentation
) -> bytes:
    """Return the body at a URL; the event loop does other things meanwhile.

    Raises:
        httpx.HTTPError: there is none, the status says.
        TooLarge: it does not fit.
    """
    body = bytearray()
    async with client.stream("GET", target.url, **asked(target)) as response:
        response.raise_for_status()
        async for chunk in response.aiter_raw():
            body += chunk
            probe.took(len(chunk))
            _check_size(body)
    return bytes(body)


def _check_size(body: bytearray) -> None:
    if len(body) > SIZE_LIMIT:
        raise TooLarge(f"more than {SIZE_LIMIT >> 20} MiB")


def save(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on the disk; blocks the calling thread."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
