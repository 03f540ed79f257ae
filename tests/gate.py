"""The gate: everything that must hold before a change is done.

``python -m tests.gate`` runs format check, lint, types, layers and tests one after the
other, all of them even if one fails, and says at the end which did not pass.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from importlib.metadata import distributions
from pathlib import Path

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
        took_s = time.monotonic() - started
        verdict = "passed" if result.returncode == 0 else "FAILED"
        print(f"=== {name} {verdict} in {took_s:.0f} s", flush=True)
        if result.returncode:
            failed.append(name)
    print(f"\ngate: {'FAILED: ' + ', '.join(failed) if failed else 'passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
