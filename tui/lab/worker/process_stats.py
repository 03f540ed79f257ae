"""What a process knows about itself: CPU time and peak memory."""

from __future__ import annotations

import resource
import sys


def cpu_s() -> float:
    """Return seconds of CPU that this process and its ended children have used."""
    used = (resource.getrusage(who) for who in _BOTH)
    return sum(one.ru_utime + one.ru_stime for one in used)


_BOTH = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def peak_memory() -> int:
    """Return the most memory that this process has had, in bytes.

    On Linux from ``VmHWM``: ``ru_maxrss`` there begins with what the parent had before
    it became this program.
    """
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) << 10
    except OSError:
        pass  # no Linux
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10
