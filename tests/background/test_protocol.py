"""Messages as lines, and lines that are no messages."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.background.protocol import (
    Code,
    Failure,
    Notification,
    ProtocolError,
    Request,
    RequestError,
    Result,
    decode,
    encode,
)

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.integers(0, 1 << 50) | st.text(max_size=30), st.text(), _VALUES)
def test_messages_survive_the_way_over_a_socket(id, method, value):
    for message in (
        Request(id, method, {"x": value}),
        Notification(method, {"x": value}),
        Result(id, value),
    ):
        line = encode(message)
        assert line.count(b"\n") == 1
        assert line.isascii()
        assert decode(line) == message


def test_an_error_keeps_its_code_text_and_data():
    error = RequestError(Code.VERSION, "another", {"version": "9", "pid": 1})
    message = decode(encode(Failure(3, error)))
    assert isinstance(message, Failure)
    assert message.id == 3
    assert (message.error.code, str(message.error)) == (Code.VERSION, "another")
    assert message.error.data == {"version": "9", "pid": 1}


def test_an_error_of_a_newer_version_is_internal():
    line = b'{"jsonrpc":"2.0","id":1,"error":{"message":"m","data":{"kind":"new"}}}'
    message = decode(line)
    assert isinstance(message, Failure)
    assert message.error.code is Code.INTERNAL


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET / HTTP/1.1",
        b"\xff\xfe",
        b"[]",
        b"1",
        b"{}",
        b'{"jsonrpc":"2.0"}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":[1],"method":"x"}',
        b'{"jsonrpc":"2.0","id":true,"method":"x"}',
        b'{"jsonrpc":"2.0","id":null,"method":"x"}',
        b'{"jsonrpc":"2.0","id":1,"method":7}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}',
        b'{"jsonrpc":"2.0","id":1,"result":NaN}',
        b'{"jsonrpc":"2.0","id":1,"result":Infinity}',
        b'{"jsonrpc":"2.0","id":{},"error":{}}',
        b'{"jsonrpc":"2.0","id":1,"error":"text"}',
        b'{"jsonrpc":"2.0","id":1,"result":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
)
def test_other_lines_are_refused(line):
    with pytest.raises(ProtocolError):
        decode(line)


@given(st.binary(max_size=200))
def test_no_line_causes_another_error(line):
    with suppress(ProtocolError):
        decode(line)
