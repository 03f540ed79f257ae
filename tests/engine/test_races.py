"""Every verb at any moment: nothing is lost and nothing hangs."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tui.core.download import ENDED
from tui.core.download import DownloadState as S
from tui.core.listing.slices import run_at_once
from tui.core.request import Checksum, DownloadRequest
from tui.core.service import Move
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.engine import open_engine

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.engine.registry import DownloadRegistry

    Step = tuple[str, int, int]

BODIES = [
    Pattern(2_500_000, 1),
    Pattern(3_500_000, 2),
    Pattern(10_000, 3),
    Pattern(1_500_000, 4),
    Pattern(0, 5),
    Pattern(400_000, 6),
    Pattern(200_000, 7),
    Pattern(2_000_000, 8),
]
CHECKSUMS = {n: Checksum("sha256", BODIES[n].sha256()) for n in (0, 2, 3)}
VERBS = (
    *("cancel", "pause", "resume", "retry", "undo_retry"),
    *("cancel all", "pause all", "resume all", "cancel and resume", "pause and resume"),
    *("concurrency", "segments", "own segments", "per host", "reorder"),
    *(
        "pause_all",
        "resume_all",
        "pause and resume the queue",
        "url",
        "request",
        "rate",
        "writers",
        "inline",
        "wait",
    ),
)


class Wanted(NamedTuple):
    """What a download is to fetch after all changes."""

    url: str
    headers: tuple[tuple[str, str], ...]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(VERBS),
        st.integers(0, len(BODIES) - 1),
        st.integers(0, 6),
    ),
    min_size=4,
    max_size=40,
)


def script_for(number: int) -> ResponseScript:
    """Files of all kinds, some of which break off, stall or are refused at first."""
    body = BODIES[number]
    common: dict[str, Any] = {"etag": f'"{number}"', "rate": 25_000_000}
    if number == 3:
        reset = ResponseScript(body, cut_after=700_000, cut="reset", **common)
        broken: list[ResponseScript | int] = [503, reset]
        return ResponseScript(body, first=broken, **common)
    if number == 5:
        return ResponseScript(body, length="chunked", rate=5_000_000)
    if number == 7:
        return ResponseScript(
            body, first=[ResponseScript(body, cut_after=900_000, **common)], **common
        )
    return ResponseScript(body, **common)


def press(
    engine: Engine, server: ScriptedServer, step: Step, wanted: dict[int, Wanted]
) -> None:
    """Do what one key does; ``wanted`` is what the downloads are to fetch."""
    verb, id, amount = step
    ids = range(len(BODIES))
    if verb == "concurrency":
        engine.set_concurrency(amount)
    elif verb == "segments":
        engine.set_segments(amount)
    elif verb == "own segments":
        engine.set_segments(amount, id)
    elif verb == "per host":
        engine.set_per_host(amount)
    elif verb == "reorder":
        run_at_once(engine.reorder_iter([id, amount], list(Move)[amount % 4]))
    elif verb in ("url", "request"):
        change(engine, server, step, wanted)
    elif verb == "rate":
        engine.set_rate_limit((None, 1_000_000, 50_000_000)[amount % 3])
    elif verb == "writers":
        engine.set_writers(amount)
    elif verb == "inline":
        engine.set_inline_writes(bool(amount % 2))
    elif verb in ("pause_all", "resume_all"):
        getattr(engine, verb)()
    elif verb == "pause and resume the queue":
        engine.pause_all()
        engine.resume_all()
    elif verb != "wait":
        words = verb.split()
        chosen = ids if "all" in words else [id]
        for word in words:
            if word not in ("all", "and"):
                getattr(engine, word)(chosen)


def change(
    engine: Engine, server: ScriptedServer, step: Step, wanted: dict[int, Wanted]
) -> None:
    """Change the URL or the headers of a download that is not done."""
    verb, id, amount = step
    is_late = is_at_its_end(engine, id)
    if verb == "url":
        url = server.url(f"/{'b' if amount % 2 else 'a'}/{id}.bin")
        engine.set_url(id, url)
        if not is_late:
            wanted[id] = wanted[id]._replace(url=url)
        return
    headers = (("X-Test", str(amount)),)
    request = engine.request(id)._replace(headers=headers)
    if is_late:
        with pytest.raises(ValueError, match="done"):
            engine.change_request(id, request)
        return
    engine.change_request(id, request)
    wanted[id] = wanted[id]._replace(headers=headers)


def is_at_its_end(engine: Engine, id: int) -> bool:
    download = engine._context.registry.downloads[id]
    return download.state is S.DONE or engine._is_finishing(download)


def recount(registry: DownloadRegistry) -> dict[str, object]:
    """Add up from scratch what the registry keeps up to date."""
    all_of = registry.downloads
    counted = [d for d in all_of if d.state not in (S.FAILED, S.CANCELLED)]
    return {
        "counts": [sum(d.state is state for d in all_of) for state in S],
        "received": sum(d.received for d in all_of),
        "known_size": sum(d.size for d in counted if d.size is not None),
        "known_received": sum(d.received for d in counted if d.size is not None),
        "unknown": sum(d.size is None and d.state not in ENDED for d in all_of),
    }


def check_totals(registry: DownloadRegistry) -> None:
    kept = {name: getattr(registry, name) for name in recount(registry)}
    assert kept == recount(registry)


async def play(steps: list[Step], directory: Path, complaints: list[str]) -> None:
    """Press keys while it runs; then let everything run to its end."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(str(context)))
    before = asyncio.all_tasks()
    async with ScriptedServer() as server:
        for number in range(len(BODIES)):
            for alias in "ab":
                server.add(f"/{alias}/{number}.bin", script_for(number))
        engine = await open_engine(
            Settings(output_dir=directory, in_flight_limit=300_000, concurrency=3),
            chance=lambda: 0.01,
        )
        try:
            urls = [server.url(f"/a/{n}.bin") for n in range(len(BODIES))]
            engine.add(
                DownloadRequest((url,), checksum=CHECKSUMS.get(n))
                for n, url in enumerate(urls)
            )
            registry = engine._context.registry
            wanted = {n: Wanted(url, ()) for n, url in enumerate(urls)}
            for step in steps:
                press(engine, server, step, wanted)
                check_totals(registry)
                # As short as one turn of the loop, or as long as some chunks take.
                await asyncio.sleep((0, 0, 0, 0.002, 0.01, 0.03, 0.06)[step[2]])
                check_totals(registry)
            engine.set_rate_limit(None)
            engine.set_concurrency(4)
            engine.resume_all()
            engine.resume(range(len(BODIES)))
            engine.retry(range(len(BODIES)))
            async with asyncio.timeout(20):
                await engine.wait_idle()
            check_totals(registry)
            rows = engine.rows(range(len(BODIES)))
            wrong = [row for row in rows if row.state is not S.DONE]
            assert not wrong, wrong
            assert {
                row.id: Wanted(row.url, engine.request(row.id).headers) for row in rows
            } == wanted
            assert engine._context.registry.open_connections == 0
            assert engine.snapshot().active == 0
            assert engine.snapshot().disk.in_flight == 0
            assert all(
                lane.active == 0 for lane in engine._context.queue.origins.values()
            )
        finally:
            await engine.close()
    assert asyncio.all_tasks() == before


class Complaints(logging.Handler):
    """Return what was logged: a bug in a worker shows only there."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(self.format(record))


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@cache
def open_what_stays_open() -> None:
    """Run once without keys: what a first run opens may stay open for the next ones."""
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(play([], Path(directory), []))


@pytest.mark.timeout(180 + settings().max_examples)
@settings(
    max_examples=max(12, settings().max_examples // 4),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps=STEPS)
@example(steps=[("wait", 0, 6), *[("segments", 0, n % 7) for n in range(30)]])
@example(
    steps=[("wait", 0, 5), ("pause_all", 0, 0), ("url", 0, 1), ("resume_all", 0, 3)]
)
@example(steps=[("wait", 0, 5), ("pause", 0, 0), ("url", 0, 1), ("resume", 0, 0)] * 4)
@example(steps=[("cancel and resume", n % 8, n % 5) for n in range(40)])
@example(steps=[("cancel all", 0, 0), ("resume all", 0, 0)] * 3)
@example(steps=[("url", n % 8, n % 7) for n in range(40)])
@example(steps=[("wait", 0, 5), ("url", 0, 1), ("pause and resume", 0, 0)] * 4)
@example(steps=[("wait", 0, 5), ("request", 0, 1), ("cancel and resume", 0, 0)] * 4)
@example(
    steps=[("wait", 0, 5), ("url", 0, 1), ("pause and resume the queue", 0, 0)] * 4
)
def test_everything_is_complete_whatever_is_pressed(steps: list[Step]) -> None:
    complaints: list[str] = []
    handler = Complaints(complaints)
    logging.getLogger("tui").addHandler(handler)
    open_what_stays_open()
    before = open_files()
    try:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(play(steps, Path(directory), complaints))
            found = {path.name: path.read_bytes() for path in Path(directory).iterdir()}
    finally:
        logging.getLogger("tui").removeHandler(handler)
    assert complaints == []
    assert sorted(found) == [f"{n}.bin" for n in range(len(BODIES))]
    assert all(found[f"{n}.bin"] == body.read() for n, body in enumerate(BODIES))
    # What another test of this process left open may be closed meanwhile.
    assert open_files() <= before
