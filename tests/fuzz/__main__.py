"""``python -m tests.fuzz TARGET [--minutes N] [--corpus DIR]``: search with atheris.

``python -m tests.fuzz attacks`` runs the known attacks at full size, without atheris.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

try:
    import atheris
except ImportError:
    from tests.fuzz.targets import TARGETS
else:
    with atheris.instrument_imports(include=["tui"]):
        from tests.fuzz.targets import TARGETS

MEGABYTES = 1024
"""Memory at which an input counts as a failure."""
SECONDS = 10
"""Time after which an input counts as a hang."""
LENGTH = 4096


def main() -> None:
    """Fuzz one target; exits with status 0 if the time is up without a failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=[*TARGETS, "attacks"])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--corpus", type=Path, help="kept between runs")
    options = parser.parse_args()
    if options.target == "attacks":
        from tests.fuzz import attacks

        sys.exit(attacks.main())
    target = TARGETS[options.target]
    with tempfile.TemporaryDirectory() as home:
        corpus = options.corpus or Path(home)
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(target.seeds):
            (corpus / f"seed-{number}").write_bytes(seed[:LENGTH])
        limits = {
            "max_total_time": int(options.minutes * 60),
            "timeout": SECONDS,
            "rss_limit_mb": MEGABYTES,
            "max_len": LENGTH,
            "print_final_stats": 1,
        }
        switches = [f"-{name}={value}" for name, value in limits.items()]
        atheris.Setup([sys.argv[0], *switches, str(corpus)], target.run)
        # Does not return: libFuzzer exits the process.
        atheris.Fuzz()


if __name__ == "__main__":
    main()
