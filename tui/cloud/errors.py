"""Errors of object stores."""

from __future__ import annotations


class CloudError(Exception):
    """What happened and what to do next: one sentence that is safe to show."""


class AlreadyThereError(CloudError):
    """An object with this key exists, and must not be replaced."""


class S3Error(CloudError):
    """A request to S3 was refused, or the store cannot be reached."""

    def __init__(self, status: int, code: str) -> None:
        """Create an error.

        Args:
            status: of the response; 0 without one.
            code: S3's name of the error, or what happened to the connection.
        """
        super().__init__(f"{status} {code}" if status else f"connect: {code}")
        self.status = status
        self.code = code
