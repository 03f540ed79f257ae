"""A few kills of a real process; ``kill_loop`` does many."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.crash.kill_loop import small_batch
from tests.crash.killing import Batch, Killer
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript

if TYPE_CHECKING:
    from pathlib import Path

    from tui.demo.server import ScriptedServer

RATE = 5_000_000
"""Total bytes per second over all connections."""
BODY = Pattern(4 * RATE, 1)


async def test_a_kill_corrupts_nothing_and_loses_about_a_second(
    server: ScriptedServer, tmp_path: Path
) -> None:
    bodies = {f"{n}.bin": Pattern(8_000_000 + n, n) for n in range(2)}
    for name, body in bodies.items():
        server.add(f"/{name}", ResponseScript(body, etag='"1"', rate=RATE / 8))
    batch = Batch(bodies, ("-s", "4", "-c", "2"))
    killer = Killer(server, tmp_path / "out", random.Random(1))
    tally = await killer.run(batch, kills=3, mean_bytes=6_000_000)
    assert (tally.wrong, tally.failures, tally.leftovers) == ([], [], [])
    assert tally.kills > 0
    # One checkpoint per second, checked four times a second, one that may be in
    # progress on a busy disk, and the buffers of the connections.
    assert max(tally.lost) < 2 * RATE + 8 * 256_000


async def test_a_checksum_of_the_list_proves_as_much_as_a_validator(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """The server states neither ETag nor Last-Modified."""
    server.add("/x.bin", ResponseScript(BODY, rate=RATE))
    batch = Batch({"x.bin": BODY}, ("-s", "1"), has_checksums=True)
    killer = Killer(server, tmp_path / "out", random.Random(1))
    assert await killer.once(batch, kill_at=3 * RATE) == -9
    assert killer.kept(batch) > RATE // 2
    assert await killer.once(batch, kill_at=None) == 0
    assert batch.is_correct(tmp_path / "out/x.bin")
    last = server.requests[-1]
    assert last.range is not None
    assert last.range[0] > RATE // 2


async def test_kills_of_the_dashboard_leave_nothing(
    server: ScriptedServer, tmp_path: Path
) -> None:
    rng = random.Random(5)
    batch = small_batch(server, rng, 300)
    (tmp_path / "out").mkdir()
    killer = Killer(server, tmp_path / "out", rng, has_dashboard=True)
    tally = await killer.run(batch, kills=2, mean_bytes=1_000_000)
    assert (tally.wrong, tally.failures, tally.leftovers) == ([], [], [])


async def test_small_files_are_complete_or_absent(
    server: ScriptedServer, tmp_path: Path
) -> None:
    rng = random.Random(3)
    batch = small_batch(server, rng, 1500)
    killer = Killer(server, tmp_path / "out", rng)
    tally = await killer.run(batch, kills=3, mean_bytes=4_000_000)
    assert (tally.wrong, tally.failures, tally.leftovers) == ([], [], [])
    assert tally.kills > 0
