"""HTTP downloads: sessions, authentication, routing and transports.

All HTTP of downloads is here (uploads to object stores are in ``cloud``). It knows
requests, responses and limits on them; it does not know downloads, files, retries or
the user interface. Errors of sockets and libraries leave it as ``core.errors``.
"""

import sys

# If click and rich are installed, and they always are here, ``import httpx`` loads its
# own command line, and with it rich's widgets and pygments: a third of the start-up
# time of headless mode. httpx works without it if this import fails.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
