"""What limits the run or one download, as codes and numbers.

``tui.engine.autotune.bottleneck`` measures it and ``tui.messages`` words it.
"""

from __future__ import annotations

from enum import Enum

from tui.core.quick.named_tuple import NamedTuple


class Limit(Enum):
    """The resource that there is too little of."""

    NOTHING = "nothing"
    SERVER = "server"
    LINK = "link"
    DISK = "disk"
    CPU = "cpu"
    LIMITER = "limiter"
    CONCURRENCY = "concurrency"


class LimitCause(Enum):
    """Why a diagnosis was made; the comment names its values in their order.

    Shares run from 0 to 1, rates are in bytes per second.
    """

    NONE = "none"
    # the run
    RATE_LIMIT = "rate_limit"  # rate
    DOWNLOAD_RATE_LIMITS = "download_rate_limits"
    DISK_WAIT = "disk_wait"  # share
    DISK_WAIT_INLINE = "disk_wait_inline"  # share
    DISK_WAIT_WRITERS = "disk_wait_writers"  # share
    LOOP_BUSY = "loop_busy"  # share
    LOOP_LATE = "loop_late"  # milliseconds
    PROCESSORS_BUSY = "processors_busy"  # share
    HOSTS_REFUSE = "hosts_refuse"  # hosts
    SLOTS_BUSY = "slots_busy"  # slots, queued
    SLOTS_BUSY_AUTO = "slots_busy_auto"  # slots, queued
    NO_GAIN = "no_gain"
    NO_GAIN_ON_LINK = "no_gain_on_link"  # hosts, rate
    SERVER_WAIT = "server_wait"  # share
    # one download that runs
    PROBING = "probing"
    VERIFYING = "verifying"
    OWN_RATE_LIMIT = "own_rate_limit"  # rate
    SHARED_RATE_LIMIT = "shared_rate_limit"  # rate
    OWN_DISK_WAIT = "own_disk_wait"  # share
    NO_DATA = "no_data"  # seconds
    NO_RANGES = "no_ranges"
    CONNECTIONS = "connections"  # connections
    # one download that waits
    PAUSED = "paused"
    BACKING_OFF = "backing_off"  # seconds
    QUEUE_PAUSED = "queue_paused"
    HOST_BLOCKED = "host_blocked"  # seconds
    HOST_FULL = "host_full"  # limit
    HOST_LIMITED = "host_limited"  # limit that was learned
    SLOTS_FULL = "slots_full"  # slots
    STARTING = "starting"


class Diagnosis(NamedTuple):
    """What limits the run or a download, and the numbers that prove it."""

    limit: Limit
    cause: LimitCause
    values: tuple[int | float, ...] = ()


NO_DIAGNOSIS = Diagnosis(Limit.NOTHING, LimitCause.NONE)


class QueueBlock(Enum):
    """Why no queued download starts; the comment names the values."""

    OVER_LIMIT = "over_limit"  # downloads above the limit, limit
    PAUSED = "paused"
    HOSTS_BACK_OFF = "hosts_back_off"  # hosts, seconds
    PER_HOST = "per_host"


class QueueStatus(NamedTuple):
    """Why no queued download starts."""

    block: QueueBlock
    values: tuple[int | float, ...] = ()
