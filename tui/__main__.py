"""Where the program starts, as ``fetchtui`` or as ``python -m tui``."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Load the command line and run it, with collections only where they find any.

    What is loaded at the start stays to the end: walking over it again and again took
    a tenth of the time of a small download.
    """
    if sys.argv[1:] == ["--version"] and _has_shown_version():
        return
    gc.disable()
    try:
        from tui.cli.main import main as run

        run(prog_name="fetchtui")
    except KeyboardInterrupt:
        # While it was still being loaded.
        sys.exit(130)
    finally:
        # The process ends: what is left goes with it.
        gc.freeze()
        gc.disable()


def _has_shown_version() -> bool:
    """Show the version without loading the command line, which takes 30 ms.

    Returns:
        False if it could not be written; the command line says why.
    """
    from tui import __version__

    if sys.stdout is None:
        return False
    try:
        sys.stdout.write(f"fetchtui {__version__}\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True


if __name__ == "__main__":
    main()
