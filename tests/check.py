"""Everything that must pass before a change is done: ``python -m tests.check``.

Format, lint, types and layers run beside the collection of the tests; the tests run in
three processes for each core, except those marked ``alone``, which follow one by one.
Every step runs even if another one failed. No test is run a second time: one that fails
now and then is fixed, or listed in ``tests/unsteady.py`` with the date and the reason.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
_BIN = Path(sys.executable).parent
CHECKS = {
    "format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "lint": [sys.executable, "-m", "ruff", "check", "."],
    # import-linter has no module to run; its script lies beside the interpreter.
    "layers": [str(_BIN / "lint-imports")],
    "types": [sys.executable, "-m", "mypy"],
}
_PYTEST = [sys.executable, "-m", "pytest", "-q", "--durations=15"]


_DIST = ("--dist", "loadgroup")


class Step(NamedTuple):
    """One finished step."""

    name: str
    is_good: bool
    took_s: float


def tests(processes: int) -> dict[str, list[str]]:
    """Return the commands of the two test runs, in their order.

    Args:
        processes: how many run tests side by side.
    """
    return {
        # In a new checkout, every process would rewrite the assertions of all modules;
        # after this they find them as byte code.
        "collection": [*_PYTEST, "--collect-only"],
        "tests": [*_PYTEST, "-m", "not alone", "-n", str(processes), *_DIST],
        "tests that need the machine to themselves": [
            *_PYTEST,
            "-m",
            "alone",
            *_alone(),
        ],
    }


def _alone() -> list[str]:
    """Return the modules with tests marked ``alone``, to spare reading all others."""
    modules = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(each) for each in modules if "mark.alone" in each.read_text("utf-8")]


def main() -> int:
    """Run all steps; return 0 if every one passed, else 1."""
    print(f"Python {platform.python_version()} on {platform.platform()}")
    versions = {dist.name: dist.version for dist in distributions()}
    print(*(f"{name} {versions[name]}" for name in sorted(versions)), sep=", ")
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        # One after another: mypy alone keeps a core busy, and the tests want theirs.
        beside = subprocess.Popen(
            [sys.executable, "-m", "tests.check", "--checks"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        steps = []
        # Three processes for each core: tests often wait for timers and processes.
        for name, command in tests(3 * (os.cpu_count() or 1)).items():
            steps.append(run(name, command))
            if name == "tests":
                steps.append(_joined(beside, started))
                output.seek(0)
                print(output.read(), end="", flush=True)
    failed = [step.name for step in steps if not step.is_good]
    took_s = time.monotonic() - started
    result = f"FAILED: {', '.join(failed)}" if failed else "passed"
    print(f"\ncheck: {result} in {took_s:.0f} s")
    return 1 if failed else 0


def _joined(beside: subprocess.Popen[bytes], started: float) -> Step:
    status = beside.wait()
    return Step("checks", status == 0, time.monotonic() - started)


def run(name: str, command: list[str]) -> Step:
    """Run one step and print how it ended, and how much processor time it took."""
    print(f"\n=== {name}: {' '.join(command[1:] or command)}", flush=True)
    started, spent_before_s = time.monotonic(), _spent_s()
    result = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        # A list of all tests; what cannot be collected is told by the tests again.
        stdout=subprocess.DEVNULL if name == "collection" else None,
        check=False,
    )
    took_s = time.monotonic() - started
    good = {0, pytest.ExitCode.NO_TESTS_COLLECTED} if "alone" in command else {0}
    is_good = result.returncode in good
    end = "passed" if is_good else "FAILED"
    spent_s = _spent_s() - spent_before_s
    print(f"=== {name} {end} in {took_s:.0f} s, CPU {spent_s:.0f} s", flush=True)
    return Step(name, is_good, took_s)


def _spent_s() -> float:
    """Return the processor time of all processes that have ended, in seconds."""
    times = os.times()
    return times.children_user + times.children_system


def run_checks() -> int:
    """Run what needs no tests; return 0 if every one passed, else 1."""
    steps = [run(name, command) for name, command in CHECKS.items()]
    return 0 if all(step.is_good for step in steps) else 1


def run_as_program(arguments: list[str]) -> int:
    """Run all steps, or with ``--checks`` those that need no tests.

    Other arguments are refused: a question for help is no reason to run everything.
    """
    if arguments not in ([], ["--checks"]):
        print("usage: python -m tests.check [--checks]", file=sys.stderr)
        return 2
    return run_checks() if arguments else main()


if __name__ == "__main__":
    sys.exit(run_as_program(sys.argv[1:]))
