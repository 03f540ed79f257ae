"""The machine that measures: what it is, and where it has space."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

_SPARE = 1 << 30
"""Bytes to leave free for other programs."""


def describe(base: Path) -> str:
    """Return a description of the machine that ends with a space."""
    where = "in memory (tmpfs)" if is_memory(base) else "on disk"
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}"
        f" {platform.machine()}, output {where}, load {load:.1f} at the start. "
    )


def is_memory(path: Path) -> bool:
    """Return whether a path is on a tmpfs."""
    here = path.resolve()
    best, kind = "", ""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, found, *_ = line.split()
        if here.is_relative_to(place) and len(place) >= len(best):
            best, kind = place, found
    return kind == "tmpfs"


def scratch(wanted: Path | None, needed: int) -> Path:
    """Return the folder for data and output: the requested one, else memory if it fits.

    Args:
        wanted: the requested folder.
        needed: maximum bytes.
    """
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        places = [wanted]
    else:
        places = [Path("/dev/shm"), Path(tempfile.gettempdir())]
    for place in places:
        if place.is_dir() and shutil.disk_usage(place).free > needed + _SPARE:
            return place
    sys.exit(
        f"no room: {needed / 1e9:.1f} GB and 1 GB to spare are needed in {places[-1]};"
        " choose with --dir, or take less with --work or --quick"
    )
