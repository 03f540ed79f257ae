"""Addresses of object stores: ``s3://bucket/prefix``, ``gs://...``, ``az://...``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

SCHEMES = ("s3", "gs", "az")
_ADDRESS = re.compile(r"(s3|gs|az)://([^/?#]*)(?:/([^?#]*))?", re.IGNORECASE)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


class Address(NamedTuple):
    """A bucket and a prefix in it."""

    scheme: str
    bucket: str
    """Bucket, or container of Azure."""
    prefix: str
    """Without slashes at its ends; "" for the bucket itself."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (
            f"/{self.prefix}" if self.prefix else ""
        )

    def key(self, name: str) -> str:
        """Return the key of an object below the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name


def is_address(text: str) -> bool:
    """Return True if a destination names an object store and not a directory."""
    return text.partition("://")[0].lower() in SCHEMES and "://" in text


def parse_address(text: str) -> Address:
    """Parse an address.

    Raises:
        ValueError: it is not one; the message says what is allowed.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or not text.isprintable():
        raise ValueError("write an object store as s3://BUCKET/PREFIX, gs:// or az://")
    scheme, bucket, prefix = match.groups(default="")
    if "@" in bucket:
        # It would be shown in messages.
        raise ValueError(
            "credentials do not belong in the address; set them in the environment"
        )
    if _BUCKET.fullmatch(bucket) is None:
        raise ValueError(
            "the name of the bucket must be lower-case letters, digits, dots and"
            " hyphens, at least three of them"
        )
    parts = [part for part in prefix.split("/") if part]
    if any(part in (".", "..") for part in parts):
        raise ValueError("the prefix must not have . or .. as a part")
    return Address(scheme.lower(), bucket, "/".join(parts))


def from_path(path: Path) -> Address | None:
    """Return the address that a path was made from, or ``None`` for a directory.

    Settings have the destination as a path, which has one slash less.

    Raises:
        ValueError: it is an address that is not valid.
    """
    scheme, colon, rest = str(path).partition(":/")
    if not colon or scheme.lower() not in SCHEMES:
        return None
    return parse_address(f"{scheme}://{rest.lstrip('/')}")
