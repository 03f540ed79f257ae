"""Archives for tests: valid ones, and malicious ones."""

from __future__ import annotations

import gzip
import io
import struct
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


def zip_directory(
    entries: int, *, total: int | None = None, is_zip64: bool = False
) -> bytes:
    """Make a zip of empty files, all with one local header; fast to create.

    Args:
        entries: number of files.
        total: the number that the end record gives; the right one by default.
        is_zip64: give the numbers in a zip64 record.
    """
    body = b"PK\3\4" + struct.pack("<HHHLLLLHH", 20, 0, 0, 0x21, 0, 0, 0, 7, 0)
    body += b"0000000"
    head = b"PK\1\2" + struct.pack("<HHHHLLLL", 20, 20, 0, 0, 0x21, 0, 0, 0)
    head += struct.pack("<HHHHHLL", 7, 0, 0, 0, 0, 0, 0)
    directory = b"".join([head + b"%07d" % number for number in range(entries)])
    total = entries if total is None else total
    size, start = len(directory), len(body)
    end = b""
    if is_zip64:
        end = b"PK\6\6" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 0, 0, 0, 0)
        end = end[:24] + struct.pack("<QQQQ", total, total, size, start)
        end += b"PK\6\7" + struct.pack("<LQL", 0, start + size, 1)
        total, size, start = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
    counts = min(total, 0xFFFF)
    end += b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, counts, counts, size, start, 0)
    return body + directory + end
