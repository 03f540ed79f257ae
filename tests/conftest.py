"""Isolate every test: no proxies, a new HOME, loopback only."""

from __future__ import annotations

import gc
import ipaddress
import itertools
import os
import re
import signal
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.unsteady import KNOWN
from tui.demo.server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

# Tests start hundreds of processes. Without byte code on disk, each of them would
# compile Textual and fetchtui again, and start in 1 s instead of 0.4 s.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What a script starts in the background ignores Ctrl+C, and so would all processes that
# tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline, because on a busy machine it fails correct examples. For a longer search:
# HYPOTHESIS_PROFILE=thorough.
settings.register_profile("gate", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

_CLEARED = (
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NETRC",
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
    "LINES",
    "PYTHONUNBUFFERED",
    "PYTHONWARNINGS",
    "PYTHONASYNCIODEBUG",
    "XDG_RUNTIME_DIR",
)


def _loopback_only(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse connections to other machines."""
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and address and isinstance(address[0], str):
        try:
            outside = not ipaddress.ip_address(address[0]).is_loopback
        except ValueError:
            outside = address[0] != "localhost"
        if outside:
            raise PermissionError(f"a test tried to leave loopback: {address[0]}")


sys.addaudithook(_loopback_only)


# While tests are collected, nearly all that is made stays.
gc.disable()

_NUMBERS = itertools.count()
_SHARED_FIXTURES = (
    "tests/architecture/",
    "tests/lab/",
    "tests/net/test_proxies.py",
    "tests/net/test_routing.py",
    "tests/net/test_tls.py",
)
"""Tests that share something expensive, such as a whole race or all parsed modules: one
process runs all."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep tests with a shared fixture together: pytest-xdist reads the marks later."""
    for path in _SHARED_FIXTURES:
        if item.nodeid.startswith(path):
            item.add_marker(pytest.mark.xdist_group(path.replace("/", "-")))
            # The first of them waits for the fixture: a race takes 5 s on a quiet
            # machine and 40 s on one with a load of 9.
            item.add_marker(pytest.mark.timeout(400))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Let unsteady tests fail, and mix all tests if several processes run them."""
    reasons = {known.test: known for known in KNOWN}
    for item in items:
        if known := reasons.get(item.nodeid.partition("@")[0]):
            reason = f"unsteady since {known.since}: {known.reason}"
            item.add_marker(pytest.mark.xfail(strict=False, reason=reason))

    if hasattr(config, "workerinput"):
        _spread(items)


def _spread(items: list[pytest.Item]) -> None:
    """Spread the tests of each module evenly over the run.

    Tests that wait for timers and processes are neighbors. One after the other, they
    would keep all processes waiting at the same time, and then the cores are idle.
    """
    sizes = Counter(item.path for item in items)
    seen: Counter[Path] = Counter()
    at: dict[pytest.Item, float] = {}
    for item in items:
        at[item] = (seen[item.path] + 0.5) / sizes[item.path]
        seen[item.path] += 1
    items.sort(key=at.__getitem__)


def pytest_collection_finish() -> None:
    """Keep the garbage collector off what lives until the end.

    Thousands of tests and their modules would be searched again and again; that is
    every eighth second of the tests of the dashboard.
    """
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Find garbage once: at its end, pytest looks at all that is left five times."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Remove what differs between machines; yields the HOME of this test."""
    settings = [name for name in os.environ if name.startswith("FETCHTUI_")]
    for name in (*_CLEARED, *settings):
        monkeypatch.delenv(name, raising=False)
    # Not a numbered directory of pytest for each: that lists all others first.
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(_NUMBERS))
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TERM", "xterm-256color")
    time.tzset()
    yield home
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def tmp_path(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An empty directory; pytest's own one lists those of all earlier tests first.

    Its name is short, since the path of a socket has at most 104 bytes.
    """
    name = re.sub(r"\W", "_", request.node.name.removeprefix("test_"))[:12]
    path = tmp_path_factory.getbasetemp() / f"{name}{next(_NUMBERS)}"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A scripted server on loopback, stopped at the end of the test."""
    async with ScriptedServer() as running:
        yield running
