"""Kill real downloads many times: ``python -m tests.crash.kill_loop --kills 200``.

Prints the number of kills, any wrong files, and how many bytes had to be downloaded
again after a kill. ``--small`` uses thousands of small files, ``--dashboard`` runs the
dashboard on a pseudo-terminal instead of a headless run.
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
"""Total bytes per second sent by the server."""


def large_batch(server: ScriptedServer, rng: random.Random) -> Batch:
    """Return three files of 5-40 MB with four connections each."""
    bodies = {
        f"{n}.bin": Pattern(
            int(rng.uniform(5_000_000, 40_000_000)), rng.getrandbits(16)
        )
        for n in range(3)
    }
    for name, body in bodies.items():
        server.add(
            f"/{name}", ResponseScript(body=body, etag=f'"{body.seed}"', rate=RATE / 12)
        )
    return Batch(bodies, ("-s", "4", "-c", "3"))


def small_batch(server: ScriptedServer, rng: random.Random, count: int) -> Batch:
    """Return many files of 10 KiB."""
    seed = rng.getrandbits(16)
    bodies = {f"{n}.bin": Pattern(10_240, seed + n) for n in range(count)}
    for name, body in bodies.items():
        server.add(f"/{name}", ResponseScript(body=body, etag=f'"{body.seed}"'))
    return Batch(bodies, ("-c", "16"))


async def kill_many(
    kills: int, seed: int, small: int, per_batch: int, *, has_dashboard: bool
) -> Tally:
    """Kill ``kills`` times; return the totals."""
    total = Tally()
    rng = random.Random(seed)
    while total.kills < kills:
        async with ScriptedServer() as server:
            with tempfile.TemporaryDirectory() as directory:
                if small:
                    batch = small_batch(server, rng, small)
                else:
                    batch = large_batch(server, rng)
                out = Path(directory) / "out"
                out.mkdir()
                killer = Killer(server, out, rng, has_dashboard=has_dashboard)
                allowed = min(per_batch, kills - total.kills)
                add(total, await killer.run(batch, allowed, batch.size // per_batch))
    return total


def add(total: Tally, part: Tally) -> None:
    """Add ``part`` to ``total``."""
    for name in Tally.__slots__:
        setattr(total, name, getattr(total, name) + getattr(part, name))


def table(tally: Tally) -> str:
    """Return the figures as a table."""
    lost = sorted(tally.lost) or [0]
    rows = {
        "kills": f"{tally.kills} in {tally.runs} runs of {tally.batches} batches",
        "wrong files": ", ".join(tally.wrong) or "none",
        "failed runs": ", ".join(tally.failures) or "none",
        "downloaded again, median": format_size(int(statistics.median(lost))),
        "downloaded again, p95": format_size(lost[len(lost) * 95 // 100]),
        "downloaded again, worst": format_size(lost[-1]),
        "leftover files": f"{len(tally.leftovers)} {tally.leftovers[:5] or ''}",
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def main() -> int:
    """Run; return 0 if nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", type=int, default=0, metavar="FILES")
    parser.add_argument("--per-batch", type=int, default=6, help="kills per batch")
    parser.add_argument("--dashboard", action="store_true")
    options = parser.parse_args()
    started = time.monotonic()
    tally = asyncio.run(
        kill_many(
            options.kills,
            options.seed,
            options.small,
            options.per_batch,
            has_dashboard=options.dashboard,
        )
    )
    print(table(tally))
    print(f"took {time.monotonic() - started:.0f} s")
    return 1 if tally.wrong or tally.failures or tally.leftovers else 0


if __name__ == "__main__":
    sys.exit(main())
