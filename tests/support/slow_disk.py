"""A disk that takes its time for each write."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tui.disk import platform

if TYPE_CHECKING:
    import pytest


def slow_down_writes(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let each write of a part file take that much longer, in its own thread."""
    real = platform.write_at
    never = threading.Event()

    def write_at(*args: Any) -> None:
        never.wait(seconds)
        real(*args)

    monkeypatch.setattr(platform, "write_at", write_at)
