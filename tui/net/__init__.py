"""Bytes off the wire; the only importer of httpx and pyreqwest."""

import sys

# Where click and rich are installed, which they are beside us, ``import httpx`` brings
# its own command line along, and with it rich's widgets and pygments: a third of the
# start-up of the headless face. httpx does without where this import fails.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
