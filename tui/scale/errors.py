"""Errors that end ``fetchtui scale``, or one of its shards."""

from __future__ import annotations


class ScaleError(Exception):
    """What happened, where, and what to do next: one sentence that is safe to show."""


class JobInUseError(ScaleError):
    """Another process has the lock of the job."""


class OldGenerationError(Exception):
    """The shard was leased again meanwhile, so this worker must not publish it."""


class ShardFailedError(Exception):
    """A shard cannot be done on this worker, say because its disk is full."""
