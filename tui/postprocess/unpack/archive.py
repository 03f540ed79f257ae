"""Unpack one archive, in a separate process: completely, or not at all.

The format is detected from the contents, not from the name. Compressed archives are
read to the very end, because their checksums are there.
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

from tui.core.text.sanitize import sanitize
from tui.postprocess.unpack.extract_dir import (
    ExtractDir,
    UnpackError,
    check_entries,
    parts_of,
    quoted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOCK = 1 << 20
_LINK_BYTES = 4096
_OPEN = (
    os.O_RDONLY
    | os.O_NONBLOCK  # a pipe would make it wait
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_ZIP_HEADER = 46
_ZIP_HEADER_MOST = 512
"""Bytes of an entry in the directory, for the limit of the whole directory."""
_ZIP_END = 22
_ZIP64_END = 76
"""The record of zip64 and its locator, in front of the other record."""
_UNIX = 3
"""A zip entry's ``create_system`` for Unix; its attributes then contain the mode."""
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
    """The result of unpacking an archive."""

    directory: str
    """Path of the folder."""
    entries: int
    nbytes: int


class Stopped(Exception):
    """Unpacking was cancelled."""


def unpack(
    path: str,
    stem: str,
    temporary: str,
    *,
    is_synced: bool,
    on_progress: Callable[[float], None],
) -> Unpacked:
    """Unpack an archive into a folder next to it.

    Args:
        path: the archive, which is kept.
        stem: name of the folder; a number is added if it is taken.
        temporary: path of the folder until it is complete; must not exist.
        is_synced: sync everything to disk before the folder is renamed.
        on_progress: called with the fraction (0 to 1) of the archive that was read; may
            raise ``Stopped``.

    Raises:
        UnpackError: the archive is damaged or refused; nothing is left behind.
        Stopped: from ``on_progress``; nothing is left behind.
    """
    try:
        with _open_archive(path) as raw:
            size = os.fstat(raw.fileno()).st_size
            progress = _Progress(on_progress)
            tree = ExtractDir(temporary, size, progress.report)
            try:
                fill(tree, raw, size, progress)
                tree.finish()
                if is_synced:
                    # Once for the whole archive: an fsync per file could take minutes.
                    os.sync()
                parent = os.path.dirname(path)
                directory = _rename_to_final(tree, temporary, parent, stem)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        return Unpacked(directory, tree.entries, tree.nbytes)
    except _DAMAGE as error:
        raise UnpackError(f"damaged archive: {_message(error)}") from None
    except (NotImplementedError, RuntimeError, MemoryError) as error:
        reason = "needs too much memory" if not str(error) else _message(error)
        raise UnpackError(f"cannot read the archive: {reason}") from None
    except OSError as error:
        # Decompressors raise OSError too, without an errno.
        damage = "damaged archive: " if error.errno is None else ""
        raise UnpackError(damage + sanitize(error.strerror or str(error))) from None


def _open_archive(path: str) -> IO[bytes]:
    fd = os.open(path, _OPEN)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UnpackError("it is not a regular file any more")
    return open(fd, "rb")


class _Progress:
    """Tracks the progress and checks for cancellation."""

    def __init__(self, on_progress: Callable[[float], None]) -> None:
        self._go_on = on_progress
        self.at = 0.0

    def report(self) -> None:
        self._go_on(self.at)


def fill(tree: ExtractDir, raw: IO[bytes], size: int, progress: _Progress) -> None:
    """Read an archive of any supported format into ``tree``."""
    if raw.read(4)[:2] == b"PK":
        _fill_from_zip(tree, raw, size, progress)
        return
    raw.seek(0)
    with closing(_decompressed(raw)) as plain_bytes:
        try:
            archive = _open_tar(plain_bytes)
        except tarfile.ReadError as error:
            # A zip that extracts itself begins with a program.
            if plain_bytes is raw and zipfile.is_zipfile(raw):
                _fill_from_zip(tree, raw, size, progress)
                return
            reason = f"not an archive, or damaged: {_message(error)}"
            raise UnpackError(reason) from None
        with archive:
            _fill_from_tar(tree, archive, raw, size, progress)
        # The last entry is followed by padding and the checksum.
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


def _open_tar(source: IO[bytes]) -> tarfile.TarFile:
    """Read the first header of a tar.

    Raises:
        tarfile.ReadError: there is none.
    """
    return tarfile.open(fileobj=source, mode="r|", bufsize=_BLOCK)


def _fill_from_tar(
    tree: ExtractDir,
    archive: tarfile.TarFile,
    raw: IO[bytes],
    size: int,
    progress: _Progress,
) -> None:
    while (entry := archive.next()) is not None:
        # Its list of members grows with the archive and is not needed.
        archive.members = []  # type: ignore[attr-defined]
        progress.at = raw.tell() / max(1, size)
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
            raise _special_file(entry.name)


def _fill_from_zip(
    tree: ExtractDir, raw: IO[bytes], size: int, progress: _Progress
) -> None:
    _check_zip_entries(raw, size)
    with zipfile.ZipFile(raw) as archive:
        read = 0
        for entry in archive.infolist():
            progress.at = read / max(1, size)
            read += entry.compress_size
            # zipfile cuts names at a NUL; such an archive is malicious.
            name = entry.filename
            if "\0" in entry.orig_filename:
                parts_of(entry.orig_filename)
            if "\\" in name and "/" not in name:
                name = name.replace("\\", "/")  # some writers on Windows
            if entry.flag_bits & 1:
                raise UnpackError("password-protected; unpack it by hand")
            mode = entry.external_attr >> 16 if entry.create_system == _UNIX else 0
            if stat.S_ISLNK(mode):
                with archive.open(entry) as body:
                    target = body.read(_LINK_BYTES)
                tree.link(name, target.decode(errors="surrogateescape"))
            elif name.endswith("/") or stat.S_ISDIR(mode):
                tree.folder(name)
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise _special_file(name)
            else:
                with archive.open(entry) as body:
                    is_program = bool(mode & stat.S_IXUSR)
                    mtime = _zip_time(entry)
                    tree.file(name, body, is_program=is_program, mtime=mtime)


def _check_zip_entries(raw: IO[bytes], size: int) -> None:
    """Refuse too many entries before ``zipfile`` makes an object of each.

    The number at the end of the file (APPNOTE.TXT, sections 4.3.14 to 4.3.16) may lie,
    so the headers in the directory are counted as well. Whatever is damaged is left to
    ``zipfile``, which reads the same bytes.
    """
    start = max(0, size - _ZIP_END - 0xFFFF)
    raw.seek(start)
    tail = raw.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _ZIP_END:
        return
    total, nbytes = struct.unpack_from("<HL", tail, at + 10)
    end = start + at
    raw.seek(max(0, end - _ZIP64_END))
    record = raw.read(min(_ZIP64_END, end))
    if record[:4] == b"PK\6\6" and record[56:60] == b"PK\6\7":
        total, nbytes = struct.unpack_from("<QQ", record, 32)
        end -= _ZIP64_END
    check_entries(max(total, nbytes // _ZIP_HEADER_MOST))
    raw.seek(max(0, end - nbytes))
    directory = raw.read(min(nbytes, end))
    number = position = 0
    while position + _ZIP_HEADER <= len(directory):
        # Lengths of the name, the extra fields and the comment.
        lengths = struct.unpack_from("<HHH", directory, position + 28)
        position += _ZIP_HEADER + sum(lengths)
        number += 1
    check_entries(number)


def _special_file(name: str) -> UnpackError:
    return UnpackError(f"{quoted(name)} in it is a device or a pipe; unpack it by hand")


def _zip_time(entry: zipfile.ZipInfo) -> float | None:
    with suppress(ValueError, OverflowError):
        return time.mktime((*entry.date_time, 0, 0, -1))
    return None


def _rename_to_final(tree: ExtractDir, temporary: str, parent: str, stem: str) -> str:
    """Rename the complete folder atomically.

    Many archives contain a single folder with their own name; then that one is used.
    """
    whole = temporary
    if not tree.needs_top and os.listdir(temporary) == [stem]:
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
            # Another program created a non-empty folder in the meantime.
            if os.path.lexists(directory):
                continue
            raise UnpackError(sanitize(error.strerror or str(error))) from None
        if whole is not temporary:
            os.rmdir(temporary)
        return directory
    raise UnpackError(f"a thousand folders named {quoted(stem)} already exist")


def _message(error: BaseException) -> str:
    return sanitize(str(error) or type(error).__name__, 200)
