"""The gate: everything that must hold before a change is done.

``python -m tests.check`` runs format check, lint, types, layers and tests one after the
other, all of them even if one fails, and says at the end which did not pass.

Tests drive real processes, sockets and terminals, on machines that others use too. If
very few fail, those alone are run again: what passes then is named as unsteady, so that
it gets mended; what fails twice has failed.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_BIN = Path(sys.executable).parent
STEPS = {
    "format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "lint": [sys.executable, "-m", "ruff", "check", "."],
    "types": [sys.executable, "-m", "mypy"],
    # import-linter has no module to run; its script lies beside the interpreter.
    "layers": [str(_BIN / "lint-imports")],
    "tests": [sys.executable, "-m", "pytest", "-q"],
}


FEW = 3
"""Failed tests that are run again."""


def run_unsteady(command: list[str]) -> bool:
    """Run the few tests that failed once more; return whether they pass now."""
    cache = ROOT / ".pytest_cache/v/cache/lastfailed"
    failed = json.loads(cache.read_text()) if cache.exists() else {}
    if not 0 < len(failed) <= FEW:
        return False
    print("\n=== tests again:", *failed, flush=True)
    again = [*command, "--last-failed", "--last-failed-no-failures=none"]
    result = subprocess.run(again, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    if result.returncode == 0:
        print("=== unsteady, to be mended:", *failed, flush=True)
    return result.returncode == 0


def main() -> int:
    """Run all steps; return 0 if every one passed, else 1."""
    print(f"Python {platform.python_version()} on {platform.platform()}")
    versions = {dist.name: dist.version for dist in distributions()}
    print(*(f"{name} {versions[name]}" for name in sorted(versions)), sep=", ")
    failed = []
    for name, command in STEPS.items():
        print(f"\n=== {name}: {' '.join(command[1:] or command)}", flush=True)
        started = time.monotonic()
        result = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False
        )
        is_good = result.returncode == 0
        if name == "tests" and result.returncode == pytest.ExitCode.TESTS_FAILED:
            is_good = run_unsteady(command)
        took_s = time.monotonic() - started
        verdict = "passed" if is_good else "FAILED"
        print(f"=== {name} {verdict} in {took_s:.0f} s", flush=True)
        if not is_good:
            failed.append(name)
    print(f"\ngate: {'FAILED: ' + ', '.join(failed) if failed else 'passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
