"""TLS without a socket: whatever pieces the bytes arrive in, the data is the same."""

from __future__ import annotations

import itertools
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from tui.net.transports.http1.tls_stream import TlsStream

if TYPE_CHECKING:
    from collections.abc import Iterable

ALL = 1 << 30
AUTHORITY = trustme.CA()
VERSIONS = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class Server:
    """The other side of a ``TlsStream``, after the handshake."""

    def __init__(
        self,
        version: ssl.TLSVersion,
        below: Server | None = None,
        greeting: bytes = b"",
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = version
        AUTHORITY.issue_cert("localhost").configure_cert(context)
        trust = ssl.create_default_context()
        AUTHORITY.configure_trust(trust)
        stream_below = None if below is None else below.stream
        self.stream: TlsStream = TlsStream(trust, "localhost", below=stream_below)
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, True)
        is_done = False
        while not self.stream.handshake() or not is_done:
            sent = self.stream.take_outgoing()
            self._incoming.write(sent if below is None else below.decrypt(sent))
            if not is_done and self._handshake():
                is_done = True
                if greeting:
                    self._object.write(greeting)
            self.stream.feed(self._take_outgoing())

    def _handshake(self) -> bool:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _take_outgoing(self) -> bytes:
        data = self._outgoing.read()
        return data if self._below is None else self._below.encrypt([data])

    def encrypt(self, pieces: Iterable[bytes]) -> bytes:
        """Return what it sends, with its session tickets."""
        for piece in pieces:
            if piece:
                self._object.write(piece)
        return self._take_outgoing()

    def decrypt(self, data: bytes) -> bytes:
        """Return what it receives."""
        found = b""
        self._incoming.write(data)
        with suppress(ssl.SSLWantReadError):
            while True:
                found += self._object.read(ALL)
        return found

    def close(self) -> bytes:
        """Return the announcement of the end."""
        with pytest.raises(ssl.SSLWantReadError):
            self._object.unwrap()
        return self._take_outgoing()


def received(
    stream: TlsStream, encrypted: bytes, cuts: Iterable[int], space: int, records: int
) -> bytes:
    """Return the data of bytes that arrive in pieces and are read in others."""
    buffer = memoryview(bytearray(space))
    found = b""
    places = sorted({0, len(encrypted), *(cut % (len(encrypted) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(places):
        piece: bytes | memoryview = encrypted[start:end]
        while piece or stream.has_more:
            found += buffer[: stream.decrypt_into(buffer, piece, records)]
            piece = b""
    return found


def _state(stream: TlsStream) -> tuple[bool, bool]:
    return stream.has_more, stream.is_closed


@given(
    st.sampled_from(VERSIONS),
    st.lists(st.integers(1, 40_000), min_size=1, max_size=4),
    st.lists(st.integers(0, 200_000), max_size=12),
    st.sampled_from((300, 16_384, 30_000, 1 << 20)),
    st.sampled_from((1, 2, ALL)),
    st.booleans(),
)
def test_the_data_is_complete_however_it_arrives(
    version: ssl.TLSVersion,
    sizes: list[int],
    cuts: list[int],
    space: int,
    records: int,
    is_tunneled: bool,
) -> None:
    server = Server(version, Server(version) if is_tunneled else None)
    sent = [bytes((index + 1,)) * size for index, size in enumerate(sizes)]

    encrypted = server.encrypt(sent)
    found = received(server.stream, encrypted, cuts, space, records)

    assert found == b"".join(sent)
    assert server.stream.error is None
    assert not server.stream.is_closed


@pytest.mark.parametrize("version", VERSIONS)
def test_the_end_is_found_behind_data_that_fills_the_space(
    version: ssl.TLSVersion,
) -> None:
    server = Server(version)
    encrypted = server.encrypt([b"x" * 1000]) + server.close()
    buffer = memoryview(bytearray(1000))

    assert server.stream.decrypt_into(buffer, encrypted, ALL) == 1000
    assert _state(server.stream) == (True, False)
    assert server.stream.decrypt_into(buffer, b"", ALL) == 0
    assert _state(server.stream) == (False, True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_record_that_cannot_be_as_long_as_it_says_is_an_error_at_once(
    version: ssl.TLSVersion,
) -> None:
    server = Server(version)
    encrypted = server.encrypt([b"data"]) + b"\x17\x03\x03\xff\xff" + b"x" * 100
    stream = server.stream

    assert bytes(stream.decrypt(encrypted)) == b"data"
    assert _state(stream) == (True, False)
    assert not stream.decrypt()
    assert stream.error is not None
    assert _state(stream) == (False, False)


@pytest.mark.parametrize("version", VERSIONS)
def test_changed_bytes_are_an_error_after_the_data_before_them(
    version: ssl.TLSVersion,
) -> None:
    server = Server(version)
    good, bad = server.encrypt([b"good"]), bytearray(server.encrypt([b"evil"]))
    bad[-1] ^= 1

    assert bytes(server.stream.decrypt(good + bad + good)) == b"good"
    assert server.stream.error is not None
    assert not server.stream.has_more


def test_data_behind_the_handshake_is_not_lost() -> None:
    greeting = bytes(range(256)) * 100
    stream = Server(ssl.TLSVersion.TLSv1_2, greeting=greeting).stream

    assert _state(stream) == (True, False)
    found = bytearray()
    buffer = memoryview(bytearray(16_384))  # a record
    while stream.has_more:
        found += buffer[: stream.decrypt_into(buffer, b"", ALL)]
    assert found == greeting
