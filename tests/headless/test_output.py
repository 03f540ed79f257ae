"""``AsyncOutput`` never blocks and writes as fast as the reader reads."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.support.until import until
from tui.headless.output import AsyncOutput

TEXT = "0123456789" * 50_000


def read_some(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize("is_blocking", [True, False])
async def test_more_than_a_pipe_buffer_arrives_in_order(
    is_blocking: bool,
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, is_blocking)
    os.set_blocking(reading, False)
    output = AsyncOutput(writing)
    for at in range(0, len(TEXT), 1000):
        output.write(TEXT[at : at + 1000])
    assert output.backlog == 500
    got = bytearray()

    def has_all() -> bool:
        got.extend(read_some(reading))
        return len(got) == len(TEXT)

    await until(has_all)
    await output.close(5)
    assert got.decode() == TEXT
    assert output.backlog == 0
    os.close(reading)
    os.close(writing)


async def test_close_times_out_on_a_stuck_reader() -> None:
    reading, writing = os.pipe()
    output = AsyncOutput(writing)
    output.write(TEXT)
    await output.close(0.1)
    os.close(reading)  # frees the thread, with a broken pipe
    await asyncio.wait_for(output.broken.wait(), 20)
    output.write("dropped")
    os.close(writing)


async def test_unencodable_text_is_replaced() -> None:
    reading, writing = os.pipe()
    output = AsyncOutput(writing, encoding="ascii")
    output.write("naïve\n")
    await output.close(5)
    assert os.read(reading, 100) == b"na?ve\n"
    os.close(reading)
    os.close(writing)
