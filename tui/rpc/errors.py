"""Errors of the RPC, with the codes and texts of aria2.

The texts are part of the protocol: clients compare them. They are those of aria2 1.37
(``src/RpcMethodImpl.cc``).
"""

from __future__ import annotations

METHOD_ERROR = 1
"""The method failed; HTTP status 400."""
INVALID_REQUEST = -32600
PARSE_ERROR = -32700
INVALID_PARAMS = -32602

STATUS_OF_CODE = {METHOD_ERROR: 400, INVALID_REQUEST: 400}
"""HTTP status of a single response by error code; 500 for all others."""


class RpcError(Exception):
    """A call failed; ``str()`` is the text of the response."""

    def __init__(self, message: str, code: int = METHOD_ERROR) -> None:
        super().__init__(message)
        self.code = code


class Refused(RpcError):
    """A call asked for something that the RPC does not allow; it is logged."""


class Unauthorized(Refused):
    """The token is missing or wrong."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def bad_option(name: str) -> RpcError:
    """Return the error for an option value that cannot be parsed."""
    return RpcError(f"We encountered a problem while processing the option '--{name}'.")
