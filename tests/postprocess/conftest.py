"""An engine with a real server, as in the integration tests."""

from __future__ import annotations

from tests.integration.conftest import start

__all__ = ["start"]
