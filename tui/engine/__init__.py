"""Decides which download runs, when, and with how many connections.

The engine composes the queue, the worker pool, the stages of an attempt, limits, meters
and snapshots into the :class:`~tui.core.service.DownloadService` that front ends use.
``open_engine`` builds one. Sockets belong in ``tui.net``, files in ``tui.disk``, and
sentences for users in ``tui.messages``.
"""

from __future__ import annotations

from tui.engine.factory import open_engine

__all__ = ["open_engine"]
