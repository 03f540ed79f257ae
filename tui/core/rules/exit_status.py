"""Exit statuses other than 0 and 1; users read of them in ``exit-status``."""

from __future__ import annotations

from typing import Final

USAGE_ERROR: Final = 2
"""Nothing was started: wrong options, settings or lists."""
INTERRUPTED: Final = 130
"""A signal or the user ended it first; as shells report SIGINT (128 + 2)."""
