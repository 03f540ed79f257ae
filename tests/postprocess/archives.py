"""Archives for tests: valid ones, and malicious ones."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Entry = tuple[str, bytes | str]
"""A name, and bytes for a file or a target for a symbolic link; a name that ends in a
slash is a folder."""


def tar_of(entries: Iterable[Entry], kind: str = "") -> bytes:
    """Make a tar, compressed as ``gz``, ``bz2`` or ``xz`` if asked."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{kind}") as archive:
        for name, what in entries:
            info = tarfile.TarInfo(name)
            info.mtime = 1_445_412_480
            if isinstance(what, str):
                info.type, info.linkname = tarfile.SYMTYPE, what
                archive.addfile(info)
            elif name.endswith("/"):
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(what)
                archive.addfile(info, io.BytesIO(what))
    return out.getvalue()


def odd_tar(name: str, **fields: object) -> bytes:
    """Make a tar of one entry with the given fields."""
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(info.size) + bytes(10240)


def zip_of(entries: Iterable[Entry], system: int = 3) -> bytes:
    """Make a zip as Unix programs do."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, what in entries:
            info = zipfile.ZipInfo(name, (2015, 10, 21, 7, 28, 0))
            info.create_system = system
            info.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o100644
            if isinstance(what, str):
                mode, what = 0o120777, what.encode()
            info.external_attr = mode << 16
            archive.writestr(info, what)
    return out.getvalue()


def large_tar(files: int = 300, size: int = 2_000_000) -> bytes:
    """Make a .tar.gz that is slow to unpack and fast to create.

    Compressed members may follow each other (RFC 1952, section 2.2), so all files
    share one compressed body.
    """
    body = gzip.compress(b"x" * size + bytes(-size % 512), 1)
    parts = []
    for number in range(files):
        info = tarfile.TarInfo(f"{number}")
        info.size = size
        parts += [gzip.compress(info.tobuf(), 1), body]
    return b"".join([*parts, gzip.compress(bytes(10240))])
