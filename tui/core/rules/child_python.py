"""Child processes import nothing from the working directory.

People start fetchtui where they download. Python would import a downloaded
``asyncio.py`` there in place of its own, and so run what a server sent; ``-P`` (Python
3.11) keeps the working directory out of ``sys.path``.
"""

from __future__ import annotations

import os
import sys

import tui

ISOLATED = "-P"


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this program in another process."""
    return [sys.executable, ISOLATED, "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """Return the environment; a program that is not installed is found by its path."""
    environment = dict(os.environ)
    root = os.path.dirname(os.path.dirname(os.path.abspath(tui.__file__)))
    if root not in sys.path[1:]:
        paths = [root, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


def isolate_multiprocessing() -> None:
    """Let the processes that ``multiprocessing`` starts import nothing from there.

    They run ``python -c``, which searches the working directory first, and there is no
    public way to give them ``-P`` or an environment. ``sys.path`` is not affected: they
    get it from this process.
    """
    from multiprocessing import util

    arguments = util._args_from_interpreter_flags  # type: ignore[attr-defined]
    if ISOLATED not in arguments():
        util._args_from_interpreter_flags = lambda: [  # type: ignore[attr-defined]
            *arguments(),
            ISOLATED,
        ]
