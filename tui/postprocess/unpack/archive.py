"""Unpacking one archive, in a process of its own: whole, or not at all.

The archive is read by what it holds and not by its name. Compressed ones are read to
their very end, since only there their check sums stand.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import os
import shutil
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from contextlib import closing, suppress
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from tui.core.text.plain_text import plain
from tui.postprocess.unpack.extract_dir import ExtractDir
from tui.postprocess.unpack.names import UnpackError, parts_of, shown

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOCK = 1 << 20
_LINK_BYTES = 4096
_UNIX = 3
"""Who made a zip entry: its upper attribute bits are those of Unix."""
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    gzip.BadGzipFile,
    struct.error,
    ValueError,
    OverflowError,
)


class Unpacked(NamedTuple):
    """What became of an archive."""

    directory: str
    """Path of the folder that it is in now."""
    entries: int
    nbytes: int


class Stopped(Exception):
    """Nobody wants the result any more."""


def unpack(
    path: str,
    stem: str,
    temporary: str,
    *,
    is_synced: bool,
    go_on: Callable[[float], None],
) -> Unpacked:
    """Unpack an archive into a folder beside it.

    Args:
        path: the archive; it stays.
        stem: name of the folder; another number is put behind it if it is taken.
        temporary: path of the folder until it is whole; it must not be there.
        is_synced: write everything to the disk before the folder gets its name.
        go_on: told the part (0 to 1) of the archive that was read; raises ``Stopped``.

    Raises:
        UnpackError: it is damaged, refused or too much; nothing is left behind.
        Stopped: as ``go_on`` wanted; nothing is left behind.
    """
    try:
        size = os.path.getsize(path)
        share = _Share(go_on)
        tree = ExtractDir(temporary, size, share.tell)
        try:
            with open(path, "rb") as raw:
                fill(tree, raw, size, share)
            tree.finish()
            if is_synced:
                # Once for all of it; a sync each would take minutes for many files.
                os.sync()
            directory = _name(tree, temporary, os.path.dirname(path), stem)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        return Unpacked(directory, tree.entries, tree.nbytes)
    except _DAMAGE as error:
        raise UnpackError(f"it is damaged: {_told(error)}") from None
    except (NotImplementedError, RuntimeError, MemoryError) as error:
        told = "it takes too much memory" if not str(error) else _told(error)
        raise UnpackError(f"it cannot be read: {told}") from None
    except OSError as error:
        # Decompressors raise it as well, without a number.
        damage = "it is damaged: " if error.errno is None else ""
        raise UnpackError(damage + plain(error.strerror or str(error))) from None


class _Share:
    """How far the work is; asks whether to go on."""

    def __init__(self, go_on: Callable[[float], None]) -> None:
        self._go_on = go_on
        self.at = 0.0

    def tell(self) -> None:
        self._go_on(self.at)


def fill(tree: ExtractDir, raw: IO[bytes], size: int, share: _Share) -> None:
    """Read an archive, of whatever kind it is, into a tree."""
    if raw.read(4)[:2] == b"PK":
        _fill_from_zip(tree, raw, size, share)
        return
    raw.seek(0)
    with closing(_decompressed(raw)) as plain_bytes:
        _fill_from_tar(tree, plain_bytes, raw, size, share)
        # What follows the last entry is padding, and the check sum behind it.
        while block := plain_bytes.read(_BLOCK):
            tree.count(len(block))


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    magic = raw.read(6)
    raw.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if magic.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(raw))
    if magic == b"\xfd7zXZ\x00":
        return cast("IO[bytes]", lzma.LZMAFile(raw))
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            zstd = importlib.import_module("compression.zstd")
        except ImportError:
            raise UnpackError(".zst needs Python 3.14 or later") from None
        return cast("IO[bytes]", zstd.ZstdFile(raw))
    return raw


def _fill_from_tar(
    tree: ExtractDir, source: IO[bytes], raw: IO[bytes], size: int, share: _Share
) -> None:
    with tarfile.open(fileobj=source, mode="r|", bufsize=_BLOCK) as archive:
        while (entry := archive.next()) is not None:
            # Its list of members grows with the archive, and nobody asks for it.
            archive.members = []  # type: ignore[attr-defined]
            share.at = raw.tell() / max(1, size)
            if entry.isdir():
                tree.folder(entry.name)
            elif entry.isreg():
                body = archive.extractfile(entry)
                assert body is not None
                is_program = bool(entry.mode & stat.S_IXUSR)
                mtime = float(entry.mtime)
                tree.file(entry.name, body, is_program=is_program, mtime=mtime)
            elif entry.islnk():
                tree.same_file(entry.name, entry.linkname)
            elif entry.issym():
                tree.link(entry.name, entry.linkname)
            else:
                raise _odd(entry.name)


def _fill_from_zip(tree: ExtractDir, raw: IO[bytes], size: int, share: _Share) -> None:
    with zipfile.ZipFile(raw) as archive:
        read = 0
        for entry in archive.infolist():
            share.at = read / max(1, size)
            read += entry.compress_size
            # The module cuts the name at a NUL; what was behind it meant harm.
            name = entry.filename
            if "\0" in entry.orig_filename:
                parts_of(entry.orig_filename)
            if "\\" in name and "/" not in name:
                name = name.replace("\\", "/")  # some writers on Windows
            if entry.flag_bits & 1:
                raise UnpackError("it needs a password; unpack it by hand")
            mode = entry.external_attr >> 16 if entry.create_system == _UNIX else 0
            if stat.S_ISLNK(mode):
                with archive.open(entry) as body:
                    target = body.read(_LINK_BYTES)
                tree.link(name, target.decode(errors="surrogateescape"))
            elif name.endswith("/") or stat.S_ISDIR(mode):
                tree.folder(name)
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise _odd(name)
            else:
                with archive.open(entry) as body:
                    is_program = bool(mode & stat.S_IXUSR)
                    mtime = _zip_time(entry)
                    tree.file(name, body, is_program=is_program, mtime=mtime)


def _odd(name: str) -> UnpackError:
    return UnpackError(f"{shown(name)} in it is a device or a pipe; unpack it by hand")


def _zip_time(entry: zipfile.ZipInfo) -> float | None:
    with suppress(ValueError, OverflowError):
        return time.mktime((*entry.date_time, 0, 0, -1))
    return None


def _name(tree: ExtractDir, temporary: str, parent: str, stem: str) -> str:
    """Give a whole tree its name, in one step.

    An archive often holds one folder that is named like itself; that one is meant.
    """
    whole = temporary
    if not tree.is_one and os.listdir(temporary) == [stem]:
        inner = os.path.join(temporary, stem)
        if stat.S_ISDIR(os.lstat(inner).st_mode):
            whole = inner
    for number in range(1000):
        name = f"{stem} ({number})" if number else stem
        directory = os.path.join(parent, name)
        if os.path.lexists(directory):
            continue
        try:
            os.rename(whole, directory)
        except (FileExistsError, NotADirectoryError):
            continue
        except OSError as error:
            # A folder that came in between, with something in it.
            if os.path.lexists(directory):
                continue
            raise UnpackError(plain(error.strerror or str(error))) from None
        if whole is not temporary:
            os.rmdir(temporary)
        return directory
    raise UnpackError(f"there are a thousand folders named {shown(stem)}")


def _told(error: BaseException) -> str:
    return plain(str(error) or type(error).__name__, 200)
