"""Parameters of calls, checked with the error texts of aria2."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

from tui.rpc.errors import RpcError

_T = TypeVar("_T")
Params: TypeAlias = list[Any]
MAX_ROWS = 10_000
"""Downloads in one response, so that none takes seconds and a gigabyte."""


def optional(params: Params, index: int, kind: type[_T]) -> _T | None:
    """Return a parameter of a type, or ``None`` if it is missing.

    Raises:
        RpcError: it has another type; a JSON boolean is not an integer.
    """
    if index >= len(params):
        return None
    value = params[index]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RpcError(f"The parameter at {index} has wrong type.")
    return value


def required(params: Params, index: int, kind: type[_T]) -> _T:
    """Return a parameter of a type.

    Raises:
        RpcError: it is missing or has another type.
    """
    value = optional(params, index, kind)
    if value is None:
        raise RpcError(f"The parameter at {index} is required but missing.")
    return value


def at_least(params: Params, index: int, least: int) -> int:
    """Return a whole number that must not be smaller than ``least``.

    Raises:
        RpcError: it is missing, smaller, or no number.
    """
    value = required(params, index, int)
    if value < least:
        raise RpcError(
            f"The integer parameter at {index} has invalid value: the value must be"
            f" greater than or equal to {least}."
        )
    return value


def position(params: Params, index: int) -> int | None:
    """Return a position in the queue, from 0, or ``None`` if it is missing.

    Raises:
        RpcError: it is negative, or no number.
    """
    value = optional(params, index, int)
    if value is not None and value < 0:
        raise RpcError("Position must be greater than or equal to 0.")
    return value


def keys(params: Params, index: int) -> list[str]:
    """Return the keys that a client wants; an empty list means all.

    Raises:
        RpcError: it is not a list.
    """
    return [key for key in optional(params, index, list) or [] if isinstance(key, str)]


def page(length: int, offset: int, number: int) -> range:
    """Return the indexes of a part of a list as aria2 counts it.

    A negative offset counts from the end, and the part is then in reverse order.
    """
    number = min(number, MAX_ROWS)
    if offset >= 0:
        return range(offset, min(offset + number, length))
    last = length + offset
    return range(last, max(-1, last - number), -1)
