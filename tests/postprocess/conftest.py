"""An engine over a real server, as the journeys have it."""

from __future__ import annotations

from tests.integration.conftest import start

__all__ = ["start"]
