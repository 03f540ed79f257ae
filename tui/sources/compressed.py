"""Decompress lists while they are read: gzip and Zstandard, found by their first bytes.

The name of the file does not count, because servers and browsers often remove a
compression without renaming the file. Memory is bounded: a read returns at most as many
bytes as were requested, and readers limit the bytes of a list after decompression.
"""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tui.sources.readers.lines import Readable

SUFFIXES = (".gz", ".zst")
"""Suffixes after the one that shows the format: ``list.csv.gz``."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
"""The end of a magic number of frames without data (RFC 8878, section 3.1.2), with
which pzstd starts its files; the first byte is 0x50 to 0x5f."""
_READ_SIZE = 65536
_GZIP_BITS = 31
"""zlib's window bits for a gzip header and the largest window."""


class CompressionError(ValueError):
    """Compressed data is corrupt or cut off."""


class PrefixedStream:
    """A stream that first returns the bytes already read from it."""

    def __init__(self, start: bytes, stream: Readable) -> None:
        self._start = start
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, or ``b""`` at the end."""
        start, self._start = self._start[:size], self._start[size:]
        return start or self._stream.read(size)


def decompressed(stream: Readable) -> Readable:
    """Return the stream without its compression, or as it is if it has none.

    Raises:
        OSError: the stream cannot be read.
        ValueError: no package for its compression is installed.
    """
    start = stream.read(_READ_SIZE)
    while 0 < len(start) < len(_ZSTD) and (more := stream.read(_READ_SIZE)):
        start += more
    whole = PrefixedStream(start, stream)
    if start.startswith(_GZIP):
        return _Decompressed(whole, _GzipMember, "gzip")
    if start.startswith(_ZSTD) or (
        start[:1] >= b"\x50" and start[:1] <= b"\x5f" and start[1:4] == _ZSTD_SKIPPABLE
    ):
        return _Decompressed(whole, _zstd_decompressor(), "Zstandard")
    return whole


class _Decompressor(Protocol):
    """One gzip member or Zstandard frame, as ``bz2.BZ2Decompressor`` has it."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _NewDecompressor(Protocol):
    def __call__(self) -> _Decompressor: ...


def _zstd_decompressor() -> _NewDecompressor:
    try:
        if sys.version_info >= (3, 14):
            from compression.zstd import ZstdDecompressor
        else:
            from backports.zstd import ZstdDecompressor
    except ImportError:
        raise ValueError(
            "it is compressed with Zstandard, which needs another package;"
            " pip install 'fetchtui[scale]', or unpack it with unzstd"
        ) from None
    decompressor: _NewDecompressor = ZstdDecompressor
    return decompressor


class _GzipMember:
    """A gzip member (RFC 1952), with the interface of the other decompressors."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP_BITS)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


class _Decompressed:
    """The contents of a compressed stream, which may have several members or frames."""

    def __init__(self, stream: Readable, new: _NewDecompressor, name: str) -> None:
        self._stream = stream
        self._new = new
        self._name = name
        self._member: _Decompressor | None = None
        self._pending = b""
        """Compressed bytes that belong to the next member."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, or ``b""`` at the end.

        Raises:
            OSError: the stream cannot be read.
            CompressionError: its data is corrupt or cut off.
        """
        while True:
            data, self._pending = self._pending, b""
            if not data and (self._member is None or self._member.needs_input):
                data = self._stream.read(_READ_SIZE)
                if not data:
                    if self._member is not None:
                        raise CompressionError(f"its {self._name} data is cut off")
                    return b""
            if self._member is None:
                # Padding with zeros after the last member is common on tapes.
                data = data.lstrip(b"\0")
                if not data:
                    continue
                self._member = self._new()
            found = self._decompress(self._member, data, size)
            if self._member.eof:
                self._pending = self._member.unused_data
                self._member = None
            if found:
                return found

    def _decompress(self, member: _Decompressor, data: bytes, size: int) -> bytes:
        try:
            return member.decompress(data, size)
        except Exception as error:
            # The Zstandard packages have error classes of their own.
            if isinstance(error, MemoryError):
                raise
            raise CompressionError(f"its {self._name} data is corrupt") from None
