"""Snapshots, events and lists of ids as JSON values, and back.

Named tuples travel as arrays of their fields, enums as their values. What arrives is
checked against the type hints of the fields, so a peer that sends something else gets
an error and nothing of it is used.
"""

from __future__ import annotations

import base64
import sys
import zlib
from array import array
from collections.abc import Callable, Generator, Iterable, Sequence
from enum import Enum
from functools import cache
from itertools import islice
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Final, TypeAlias, Union, get_args, get_origin, get_type_hints

from tui.background.protocol import ProtocolError
from tui.core import (
    diagnosis,
    download,
    errors,
    events,
    notices,
    service,
    snapshot,
)
from tui.core.request import without_logins

Reader: TypeAlias = Callable[[Any], Any]
"""Returns the value that some JSON values stand for, or raises ``ValueError``."""

_NAMES: Final[dict[str, Any]] = {
    **vars(diagnosis),
    **vars(download),
    **vars(errors),
    **vars(notices),
    **vars(service),
}
"""The names in the annotations of snapshots and events."""
_EVENTS: Final = {
    kind.__name__: kind
    for kind in (
        events.Queued,
        events.Started,
        events.Retrying,
        events.DownloadNotice,
        events.Verified,
        events.Done,
        events.Failed,
        events.Paused,
        events.Cancelled,
        events.LimitChanged,
        events.QueuePaused,
        events.QueueResumed,
        events.RunNotice,
    )
}
_readers: Final[dict[Any, Reader]] = {}
_fields: Final[dict[type[Any], dict[str, Reader]]] = {}
"""Made when first needed: from type hints, that takes milliseconds."""
CHUNK: Final = 16_384
"""Ids that are packed together: 0.3 ms."""
_UNPACKED: Final = 100_000
"""Ids that are unpacked at once: 2 ms."""
_IDS_LIMIT: Final = 50_000_000
_STATES_LIMIT: Final = 50_000_000


# -- values ----------------------------------------------------------------------------


def encode(value: Any) -> Any:
    """Return a snapshot, or a part of one, as JSON values.

    Logins in URLs are left out: they stay in the process that downloads.
    """
    if isinstance(value, float):
        return value if isfinite(value) else 0.0
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return without_logins(value)
    if isinstance(value, tuple | list):
        return [encode(each) for each in value]
    return value


def decode(kind: type[Any], value: Any) -> Any:
    """Return the value of a type that ``encode`` wrote.

    Raises:
        ProtocolError: it is not such a value.
    """
    try:
        return _reader(kind)(value)
    except (ValueError, TypeError) as error:
        raise ProtocolError(f"not a {kind.__name__}: {error}") from None


def decode_fields(kind: type[Any], values: Any) -> dict[str, Any]:
    """Return some fields of a named tuple, from their names and values.

    Raises:
        ProtocolError: the tuple has no such field, or a value has another type.
    """
    try:
        readers = _field_readers(kind)
        return {name: readers[name](value) for name, value in values.items()}
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise ProtocolError(f"not fields of {kind.__name__}: {error}") from None


def _field_readers(kind: Any) -> dict[str, Reader]:
    readers = _fields.get(kind)
    if readers is None:
        hints = get_type_hints(kind, localns=_NAMES)
        readers = {name: _reader(hints[name]) for name in kind._fields}
        _fields[kind] = readers
    return readers


def _reader(hint: Any) -> Reader:
    """Return the reader for a type hint."""
    reader = _readers.get(hint)
    if reader is None:
        reader = _readers[hint] = _make_reader(hint)
    return reader


def _make_reader(hint: Any) -> Reader:
    if hint in (int, str, bool):
        return _exactly(hint)
    if hint is float:
        return _float
    if hint is NoneType:
        return _none
    arguments, origin = get_args(hint), get_origin(hint)
    if origin in (Union, UnionType):
        return _union([_reader(each) for each in arguments])
    if origin is tuple and arguments[-1] is Ellipsis:
        return _sequence(_reader(arguments[0]))
    if origin is tuple:
        return _row(tuple, [_reader(each) for each in arguments])
    if issubclass(hint, Enum):
        return lambda value: hint(value)
    return _row(lambda values: hint(*values), list(_field_readers(hint).values()))


def _exactly(kind: type[Any]) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{type(value).__name__} for {kind.__name__}")
        return value

    return read


def _float(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{type(value).__name__} for float")


def _none(value: Any) -> None:
    if value is not None:
        raise ValueError(f"{type(value).__name__} for nothing")


def _union(readers: list[Reader]) -> Reader:
    def read(value: Any) -> Any:
        for reader in readers:
            try:
                return reader(value)
            except (ValueError, TypeError):
                continue
        raise ValueError(f"unexpected {type(value).__name__}")

    return read


def _sequence(reader: Reader) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{type(value).__name__} for an array")
        return tuple(map(reader, value))

    return read


def _row(make: Callable[[Any], Any], readers: list[Reader]) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, list) or len(value) != len(readers):
            raise ValueError(f"not an array of {len(readers)}")
        return make([reader(each) for reader, each in zip(readers, value, strict=True)])

    return read


@cache
def schema() -> str:
    """Return a short text that differs if the other side has other fields or codes.

    Values travel without the names of their fields, so both sides need the same ones.
    """
    parts: list[str] = []
    for module in (snapshot, diagnosis, download, errors, notices, service):
        for name, kind in sorted(vars(module).items()):
            if not isinstance(kind, type) or kind.__module__ != module.__name__:
                continue
            if issubclass(kind, Enum):
                parts.append(f"{name} {[member.value for member in kind]}")
            elif hasattr(kind, "_fields"):
                parts.append(f"{name} {kind.__annotations__}")
    for name, event in _EVENTS.items():
        parts.append(f"{name} {event.__init__.__annotations__}")
    return f"{zlib.crc32(repr(parts).encode()):08x}"


# -- events ----------------------------------------------------------------------------


def _parameters(kind: type[events.Event]) -> dict[str, Reader]:
    readers = _fields.get(kind)
    if readers is None:
        hints = get_type_hints(kind.__init__, localns=_NAMES)
        del hints["return"]
        readers = {name: _reader(hint) for name, hint in hints.items()}
        _fields[kind] = readers
    return readers


def encode_event(event: events.Event) -> list[Any]:
    """Return an event as JSON values: its name and its fields."""
    kind = type(event)
    return [kind.__name__, *(encode(getattr(event, n)) for n in _parameters(kind))]


def decode_event(value: Any) -> events.Event:
    """Return the event that ``encode_event`` wrote.

    Raises:
        ProtocolError: it is not such an event.
    """
    try:
        name, *values = value
        kind = _EVENTS[name]
        readers = _parameters(kind)
        pairs = zip(readers.items(), values, strict=True)
        return kind(**{key: read(each) for (key, read), each in pairs})
    except (ValueError, TypeError, KeyError) as error:
        raise ProtocolError(f"not an event: {error}") from None


# -- ids and states --------------------------------------------------------------------


def pack_ids(ids: Iterable[int]) -> Generator[Any, None, None]:
    """Yield ids in parts: ``[first, count]`` of a run, or four bytes each as base64.

    Most lists are in the order of adding, so a million ids are a few hundred bytes.
    """
    source = iter(ids)
    run: tuple[int, int] | None = None
    while part := list(islice(source, CHUNK)):
        first, count = part[0], len(part)
        if part[-1] - first != count - 1 or part != list(range(first, first + count)):
            if run is not None:
                yield list(run)
                run = None
            yield base64.b64encode(_little_endian(array("I", part)).tobytes()).decode()
        elif run is not None and run[0] + run[1] == first:
            run = run[0], run[1] + count
        else:
            if run is not None:
                yield list(run)
            run = first, count
    if run is not None:
        yield list(run)


def unpack_ids_iter(parts: Any) -> Generator[None, None, list[int]]:
    """Return the ids that ``pack_ids`` wrote, a few milliseconds between yields.

    Raises:
        ProtocolError: they are not such parts.
    """
    ids: list[int] = []
    paused_at = 0
    try:
        for part in parts:
            if isinstance(part, str):
                found = array("I")
                found.frombytes(base64.b64decode(part, validate=True))
                ids += _little_endian(found)
                if len(ids) - paused_at >= _UNPACKED:
                    yield
                    paused_at = len(ids)
                continue
            first, count = map(_exactly(int), part)
            if first < 0 or count < 0 or len(ids) + count > _IDS_LIMIT:
                raise ValueError("a run of ids is out of range")
            end = first + count
            for start in range(first, end, _UNPACKED):
                if len(ids) - paused_at >= _UNPACKED:
                    yield
                    paused_at = len(ids)
                ids += range(start, min(start + _UNPACKED, end))
    except (ValueError, TypeError) as error:
        raise ProtocolError(f"not a list of ids: {error}") from None
    return ids


def _little_endian(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def pack_states(states: bytes) -> str:
    """Return states of all downloads as text; a million are about 2 kB."""
    return base64.b64encode(zlib.compress(states, 1)).decode()


def unpack_states(text: Any) -> bytes:
    """Return the states that ``pack_states`` wrote.

    Raises:
        ProtocolError: it is not such a text.
    """
    try:
        data = base64.b64decode(text, validate=True)
        inflated = zlib.decompressobj()
        states = inflated.decompress(data, _STATES_LIMIT)
    except (ValueError, TypeError, zlib.error) as error:
        raise ProtocolError(f"not states of downloads: {error}") from None
    if not inflated.eof:
        raise ProtocolError("not states of downloads: cut off, or too many")
    return states


def groups(states: Sequence[int], ids: Sequence[int]) -> dict[int, list[int]]:
    """Return ids by state, in the order of the ids."""
    found: dict[int, list[int]] = {}
    for id, state in zip(ids, states, strict=True):
        found.setdefault(state, []).append(id)
    return found
