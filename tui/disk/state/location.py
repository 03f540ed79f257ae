"""Where state that outlives a run is stored."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def state_dir() -> Path:
    """Return the directory for state that outlives a run.

    This is ``FETCHTUI_STATE_DIR`` if set, else the platform's usual place (on Linux
    ``~/.local/state/fetchtui``).
    """
    chosen = os.environ.get("FETCHTUI_STATE_DIR")
    if chosen:
        return Path(chosen).absolute()
    if "linux" in sys.platform:
        # The same path as from platformdirs, which takes 6 ms to import.
        home = os.environ.get("XDG_STATE_HOME", "").strip() or "~/.local/state"
        return Path(home).expanduser() / "fetchtui"
    from platformdirs import user_state_path

    return user_state_path("fetchtui", appauthor=False)
