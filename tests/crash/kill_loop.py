"""Kills real downloads: ``python -m tests.crash.kill_loop --kills 200``.

Prints how often it killed, whether any file was ever wrong, and how many bytes a kill
made it fetch again. ``--small`` does it with thousands of small files.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.killing import Batch, Killer, Tally
from tui.core.text.units import format_size
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer

RATE = 24_000_000
"""Bytes per second that the server sends in all."""


def large_batch(server: ScriptedServer, chance: random.Random) -> Batch:
    """Make three files of 5-40 MB that come over four connections each."""
    bodies = {
        f"{n}.bin": Pattern(
            int(chance.uniform(5_000_000, 40_000_000)), chance.getrandbits(16)
        )
        for n in range(3)
    }
    for name, body in bodies.items():
        server.add(
            f"/{name}", ResponseScript(body=body, etag=f'"{body.seed}"', rate=RATE / 12)
        )
    return Batch(bodies, ("-s", "4", "-c", "3"))


def small_batch(server: ScriptedServer, chance: random.Random, count: int) -> Batch:
    """Make many files of 10 KiB."""
    seed = chance.getrandbits(16)
    bodies = {f"{n}.bin": Pattern(10_240, seed + n) for n in range(count)}
    for name, body in bodies.items():
        server.add(f"/{name}", ResponseScript(body=body, etag=f'"{body.seed}"'))
    return Batch(bodies, ("-c", "16"))


async def kill_many(kills: int, seed: int, small: int, per_batch: int) -> Tally:
    """Kill until ``kills`` are reached; return what was seen."""
    total = Tally()
    chance = random.Random(seed)
    while total.kills < kills:
        async with ScriptedServer() as server:
            with tempfile.TemporaryDirectory() as directory:
                if small:
                    batch = small_batch(server, chance, small)
                else:
                    batch = large_batch(server, chance)
                killer = Killer(server, Path(directory), chance)
                allowed = min(per_batch, kills - total.kills)
                add(total, await killer.run(batch, allowed, batch.size // per_batch))
    return total


def add(total: Tally, part: Tally) -> None:
    """Sum up."""
    for name in Tally.__slots__:
        setattr(total, name, getattr(total, name) + getattr(part, name))


def table(tally: Tally) -> str:
    """Return the figures for people."""
    lost = sorted(tally.lost) or [0]
    rows = {
        "kills": f"{tally.kills} in {tally.runs} runs of {tally.batches} batches",
        "wrong files": ", ".join(tally.wrong) or "none",
        "failed runs": ", ".join(tally.failures) or "none",
        "fetched again, median": format_size(int(statistics.median(lost))),
        "fetched again, p95": format_size(lost[len(lost) * 95 // 100]),
        "fetched again, worst": format_size(lost[-1]),
        "orphans at the end": f"{len(tally.orphans)} {tally.orphans[:5] or ''}",
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def main() -> int:
    """Run; 0 if nothing was ever wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", type=int, default=0, metavar="FILES")
    parser.add_argument("--per-batch", type=int, default=6, help="kills per batch")
    chosen = parser.parse_args()
    began = time.monotonic()
    tally = asyncio.run(
        kill_many(chosen.kills, chosen.seed, chosen.small, chosen.per_batch)
    )
    print(table(tally))
    print(f"took {time.monotonic() - began:.0f} s")
    return 1 if tally.wrong or tally.failures or tally.orphans else 0


if __name__ == "__main__":
    sys.exit(main())
