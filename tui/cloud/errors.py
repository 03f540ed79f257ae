"""Errors of object stores."""

from __future__ import annotations


class CloudError(Exception):
    """What happened and what to do next: one sentence that is safe to show."""


class AlreadyThereError(CloudError):
    """An object with this key exists, and must not be replaced."""
