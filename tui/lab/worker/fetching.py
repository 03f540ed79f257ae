"""Code that all strategies share, so that they differ only in their concurrency."""

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
    """The body has more than ``job.SIZE_LIMIT`` bytes."""


FETCH_ERRORS = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, TooLarge)
"""Exceptions that fail one download but not the others."""
_GONE = (404, 410)
_BOUND = "bound"
"""Request extension: the URL of the target and the names of its headers."""
_TLS = httpx.create_ssl_context()
"""Created on import, before any clock starts: reading the certificates takes a tenth of
a second, which would otherwise be most of the loop lag of a faultless program."""
# For the same reason: httpx imports these with the first request.
for _module in ("httpcore", "anyio._backends._asyncio"):
    import_module(_module)


def status_of(error: BaseException) -> Status:
    """Return the status for an error."""
    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in _GONE:
        return Status.NOT_FOUND
    return Status.ERROR


def new_client(job: Job) -> httpx.Client:
    """Return a client with one connection per concurrent download."""
    return httpx.Client(
        **_options(job), event_hooks={"request": [_drop_headers_off_origin]}
    )


def new_async_client(job: Job) -> httpx.AsyncClient:
    """Return the same client for an event loop."""

    async def drop_headers(request: httpx.Request) -> None:
        _drop_headers_off_origin(request)

    return httpx.AsyncClient(**_options(job), event_hooks={"request": [drop_headers]})


def _options(job: Job) -> dict[str, Any]:
    return {
        "verify": _TLS,
        "timeout": job.timeout_s,
        "follow_redirects": True,
        "headers": {"Accept-Encoding": "identity"},  # the file unchanged
        "limits": httpx.Limits(
            max_connections=job.workers, max_keepalive_connections=job.workers
        ),
        "trust_env": not job.is_local,  # proxies
    }


def request_options(target: Target) -> dict[str, Any]:
    """Return httpx options for a target: its headers, restricted to its origin."""
    return {
        "headers": list(target.headers),
        "extensions": {_BOUND: (target.url, [name for name, _ in target.headers])},
    }


def _drop_headers_off_origin(request: httpx.Request) -> None:
    """Remove the list's headers when a redirect leads to another origin.

    httpx itself removes only ``Authorization`` (0.28, according to its source).
    """
    url, names = request.extensions[_BOUND]
    if origin_of(str(request.url)) != origin_of(url):
        for name in names:
            request.headers.pop(name, None)


def get(client: httpx.Client, target: Target, stats: Instrumentation) -> bytes:
    """Return the body at a URL; blocks the calling thread.

    Raises:
        httpx.HTTPError: the request failed, or the status is an error.
        TooLarge: the body is too large.
    """
    body = bytearray()
    with client.stream("GET", target.url, **request_options(target)) as response:
        response.raise_for_status()
        for chunk in response.iter_raw():
            body += chunk
            stats.add_bytes(len(chunk))
            _check_size(body)
    return bytes(body)


async def get_async(
    client: httpx.AsyncClient, target: Target, stats: Instrumentation
) -> bytes:
    """Return the body at a URL, without blocking the event loop.

    Raises:
        httpx.HTTPError: the request failed, or the status is an error.
        TooLarge: the body is too large.
    """
    body = bytearray()
    async with client.stream("GET", target.url, **request_options(target)) as response:
        response.raise_for_status()
        async for chunk in response.aiter_raw():
            body += chunk
            stats.add_bytes(len(chunk))
            _check_size(body)
    return bytes(body)


def _check_size(body: bytearray) -> None:
    if len(body) > SIZE_LIMIT:
        raise TooLarge(f"more than {SIZE_LIMIT >> 20} MiB")


def save(path: Path, data: bytes) -> None:
    """Write a file and sync it to disk; blocks the calling thread."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
