"""Where the program starts, as ``fetchtui`` or as ``python -m tui``."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Load the command line and run it, with collections only where they find any.

    What is loaded at the start stays to the end: walking over it again and again took
    a tenth of the time of a small download.
    """
    if sys.argv[1:] == ["--version"] and _has_shown_version():
        return
    gc.disable()
    import signal  # late: the version needs none of what it loads

    try:
        before = signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler:
            # An exception could come anywhere in the import system, which swallows it
            # in some places and wraps it in another one elsewhere.
            signal.signal(signal.SIGINT, lambda *_: os._exit(130))
        from tui.cli.main import main as run

        signal.signal(signal.SIGINT, before)
        run(prog_name="fetchtui")
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as end:
        _exit_at_once(end.code)
        raise
    finally:
        # The process ends: what is left goes with it.
        gc.freeze()
        gc.disable()


def _exit_at_once(status: object) -> None:
    """End the process without freeing all objects one by one, which takes 7 ms.

    Does nothing if Python has more to do at its end than that: other threads, output
    that cannot be written, a profiler. Files must be closed before: one that is still
    open is not flushed.
    """
    import atexit
    import threading

    is_watched = sys.getprofile() is not None or sys.gettrace() is not None
    if not isinstance(status, int) or is_watched or threading.active_count() > 1:
        return
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            return  # Python reports it
    os._exit(status & 0xFF)


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
