"""Answers without a wire, and what reading them gives."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tui.core.errors import ErrorKind, FetchError
from tui.net.resource import ResourceInfo, read_answer
from tui.net.session import GetRequest

URL = "http://127.0.0.1:81/x"
WHOLE = GetRequest(URL)
MIDDLE = GetRequest(URL, start=100, end=200)
REST = GetRequest(URL, start=100)
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
YOUNG = "Sun, 06 Nov 1994 08:48:38 GMT"
OLD = "Sun, 06 Nov 1994 08:48:37 GMT"


@dataclass
class Head:
    """An answer without a wire."""

    status: int = 200
    fields: dict[str, str] = field(default_factory=dict)
    content_length: int | None = None
    is_identity: bool = True
    url: str = URL
    has_login: bool = False

    @property
    def table(self) -> dict[str, str]:
        return self.fields


def read(status: int = 200, target: GetRequest = WHOLE, **fields: str) -> ResourceInfo:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return read_answer(Head(status, named), target)


def fault(status: int, target: GetRequest = WHOLE, **fields: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        read(status, target, **fields)
    assert isinstance(caught.value.kind, ErrorKind)
    assert caught.value.status == status
    assert "127.0.0.1:81" in str(caught.value)
    return caught.value
