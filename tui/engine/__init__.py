"""Who fetches what, when.

``open_engine`` builds a :class:`~tui.engine.engine.Engine`, which is the
:class:`~tui.core.service.DownloadService` that the faces are handed.
"""

from __future__ import annotations

from tui.engine.factory import open_engine

__all__ = ["open_engine"]
