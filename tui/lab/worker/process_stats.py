"""CPU time and peak memory of the current process."""

from __future__ import annotations

import resource
import sys


def cpu_s() -> float:
    """Return CPU seconds used by this process and its finished children."""
    used = (resource.getrusage(who) for who in _BOTH)
    return sum(one.ru_utime + one.ru_stime for one in used)


_BOTH = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def peak_memory() -> int:
    """Return the peak memory of this process in bytes.

    On Linux this is ``VmHWM``: there, ``ru_maxrss`` includes the memory of the parent
    from before the exec.
    """
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) << 10
    except OSError:
        pass  # not Linux
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
