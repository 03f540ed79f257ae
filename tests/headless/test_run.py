"""A run without a dashboard prints what happens and has the right exit status."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import signal
import struct
import termios
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_service import FakeService
from tests.support.until import until
from tui.core.download import DownloadState
from tui.core.errors import ErrorKind
from tui.core.events import (
    Cancelled,
    Retrying,
    Verified,
)
from tui.core.listing.query import FailureGroup
from tui.core.notices import ALREADY_PRESENT, Notice, NoticeCode, PauseReason
from tui.core.request import DownloadRequest
from tui.headless import run
from tui.headless.output import AsyncOutput
from tui.headless.run import run_headless
from tui.headless.summary import RESUME_HINT, RunResult, summary_lines
from tui.messages import remedy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

KEYS = ["event", "id", "url", "path", "bytes", "size", "error", "error_kind"]


def requests(count: int, source: str = "list.txt:3") -> list[DownloadRequest]:
    return [
        DownloadRequest((f"https://user:secret@example.org/f{n}.bin",), source=source)
        for n in range(count)
    ]


class Pipe:
    """Records what is written to a descriptor."""

    def __init__(self, reading: int, writing: int) -> None:
        self.reading, self.writing = reading, writing
        self.data = b""

    def hang_up(self) -> None:
        """Close the reading end, once."""
        if self.reading >= 0:
            os.close(self.reading)
        self.reading = -1

    def read(self) -> str:
        """Return everything written and flushed so far."""
        os.set_blocking(self.reading, False)
        try:
            while piece := os.read(self.reading, 1 << 16):
                self.data += piece
        except OSError:  # nothing more; EIO on a terminal
            pass
        return self.data.decode()


@contextmanager
def pipe() -> Iterator[Pipe]:
    kept = Pipe(*os.pipe())
    yield kept
    os.close(kept.writing)
    kept.hang_up()


@contextmanager
def terminal() -> Iterator[Pipe]:
    master, slave = os.openpty()
    yield Pipe(master, slave)
    os.close(master)
    os.close(slave)


class HeadlessRun:
    """A run in the background, on a fake engine that the test controls."""

    def __init__(self, service: FakeService, out: Pipe, err: Pipe) -> None:
        self.service, self.out, self.err = service, out, err
        self.task: asyncio.Task[int]

    async def added(self, count: int) -> None:
        await until(lambda: len(self.service.downloads) == count)

    async def status(self) -> int:
        async with asyncio.timeout(20):
            return await self.task

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read().splitlines()]


@asynccontextmanager
async def running(
    asked: list[DownloadRequest], *, err: Pipe | None = None, is_json: bool = False
) -> AsyncIterator[HeadlessRun]:
    service = FakeService()
    with pipe() as out, pipe() as plain_err:
        headless = HeadlessRun(service, out, err or plain_err)
        headless.task = asyncio.ensure_future(
            run_headless(
                service,
                asked,
                is_json=is_json,
                stdout_fd=out.writing,
                stderr_fd=headless.err.writing,
            )
        )
        await headless.added(len(asked))
        yield headless
        if not headless.task.done():
            headless.task.cancel()
            await asyncio.wait([headless.task])


# -- json ------------------------------------------------------------------------------


async def test_json_has_stable_keys_and_a_summary() -> None:
    async with running(requests(2), is_json=True) as headless:
        service = headless.service
        service.start(0, size=1000, speed=100.0)
        service.push(Retrying(1, service.now, 1, 2.0, "http_5xx", "503 Busy"))
        service.advance(4.0)
        service.push(Verified(0, service.now, "sha256=00"))
        service.finish(0)
        service.fail(1, "not_found", "404 \x1b[31mNot Found")
        assert await headless.status() == 1
        *events, summary = headless.objects()
        assert [list(event) for event in events] == [KEYS] * len(events)
        assert [(event["event"], event["id"]) for event in events] == [
            ("queued", 0),
            ("queued", 1),
            ("started", 0),
            ("retry", 1),
            ("verified", 0),
            ("done", 0),
            ("failed", 1),
        ]
        queued = events[0]
        assert (queued["bytes"], queued["size"]) == (0, None), "as it was then"
        done, failed = events[-2:]
        assert done["url"] == "https://example.org/f0.bin"
        assert done["path"] == "/home/ada/downloads/f0.bin"
        assert (done["bytes"], done["size"]) == (1000, 1000)
        assert (done["error"], done["error_kind"]) == (None, None)
        assert failed["error"] == "404 \N{REPLACEMENT CHARACTER}[31mNot Found"
        assert (failed["error_kind"], failed["size"]) == ("not_found", None)
        assert summary == {
            "event": "summary",
            "done": 1,
            "failed": 1,
            "cancelled": 0,
            "unfinished": 0,
            "bytes": 400,
            "elapsed_s": 4.0,
        }
        assert headless.err.read() == ""


async def test_json_has_the_whole_url_of_a_signed_link() -> None:
    url = f"https://example.org/f.bin?Policy={'p' * 5000}&Signature=s"
    async with running([DownloadRequest((url,))], is_json=True) as headless:
        headless.service.fail(0, "forbidden", "403")
        assert await headless.status() == 1
        assert {event.get("url", url) for event in headless.objects()} == {url}


async def test_json_progress_is_limited_and_only_on_change() -> None:
    began = asyncio.get_running_loop().time()
    async with running(requests(2), is_json=True) as headless:
        headless.service.start(0, size=1000)
        headless.service.start(1, size=1000)

        def progress() -> list[dict[str, Any]]:
            return [o for o in headless.objects() if o["event"] == "progress"]

        async with asyncio.timeout(20):
            while not progress():
                headless.service.downloads[0].received += 1
                await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - began >= 0.4
        assert [line["id"] for line in progress()] == [0, 1]
        async with asyncio.timeout(20):
            while len(progress()) < 3:
                headless.service.downloads[0].received += 1
                await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - began >= 0.9
        assert [line["id"] for line in progress()] == [0, 1, 0]


async def test_all_done_exits_with_0() -> None:
    async with running(requests(3), is_json=True) as headless:
        for id in range(3):
            headless.service.start(id, size=0)
            headless.service.finish(id)
        assert await headless.status() == 0
        assert headless.objects()[-1]["done"] == 3
        assert headless.service.closed == 0


async def test_cancelled_download_is_reported_and_exits_with_1() -> None:
    async with running(requests(1), is_json=True) as headless:
        headless.service.cancel([0])
        assert await headless.status() == 1
        assert [o["event"] for o in headless.objects()] == [
            "queued",
            "cancelled",
            "summary",
        ]


async def test_closed_pipe_stops_the_run_and_keeps_state() -> None:
    async with running(requests(1), is_json=True) as headless:
        headless.service.start(0, size=1000)
        headless.out.hang_up()
        headless.service.push(Cancelled(0, 0.0))
        assert await headless.status() == 130
        assert headless.service.closed == 1
        assert headless.err.read() == ""


async def test_unwritable_stdout_is_reported_and_exits_with_1() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    service = FakeService()
    with pipe() as err:
        run = run_headless(
            service, [], is_json=True, stdout_fd=full, stderr_fd=err.writing
        )
        async with asyncio.timeout(20):
            assert await run == 1
        assert err.read() == "cannot write to stdout: No space left on device\n"
    os.close(full)


async def test_stuck_reader_does_not_block_the_run() -> None:
    async with running(requests(2000), is_json=True) as headless:
        for id in range(2000):
            headless.service.start(id, size=10)
            headless.service.finish(id)
        # Far more than the pipe buffer: the run is over, only output is pending.
        assert headless.service.is_idle
        lines = 0
        while not headless.task.done():
            lines = headless.out.read().count("\n")
            await asyncio.sleep(0.001)
        lines = headless.out.read().count("\n")
        assert await headless.status() == 0
        assert lines == 3 * 2000 + 1


# -- plain lines -----------------------------------------------------------------------


async def test_plain_lines_show_results_and_retries() -> None:
    async with running(requests(3)) as headless:
        service = headless.service
        service.start(0, size=1_200_000)
        service.push(Retrying(1, service.now, 1, 2.0, "http_5xx", "503 Busy"))
        service.notice(0, Notice(NoticeCode.CHANGED_ON_SERVER))
        service.finish(0)
        service.fail(1, "not_found", "404 Not Found")
        service.start(2, size=5)
        service.finish(2)
        assert await headless.status() == 1
        assert headless.out.read() == ""
        assert headless.err.read().splitlines() == [
            "retry   f1.bin: 503 Busy; attempt 2 of 6 in 2.0s",
            "note    f0.bin: changed on the server; started over",
            "done    f0.bin  1.20 MB",
            "failed  f1.bin (list.txt:3): 404 Not Found;"
            " the server has no such file; check the URL <https://example.org/f1.bin>",
            "done    f2.bin  5 B",
            "2 done, 1 failed · 0 B in 0s (0 B/s)",
            "  1 × not found: the server has no such file; check the URL",
        ]


async def test_already_present_file_is_one_line_and_counted() -> None:
    async with running(requests(2)) as headless:
        headless.service.elapsed_s = 0.25
        headless.service.downloads[0].note = ALREADY_PRESENT
        headless.service.notice(0, ALREADY_PRESENT)
        for id in (0, 1):
            headless.service.start(id, size=5)
            headless.service.finish(id)
        assert await headless.status() == 0
        assert headless.err.read().splitlines() == [
            "done    f0.bin  5 B, already present",
            "done    f1.bin  5 B",
            "2 done (1 already present) · 0 B in 0.25s (0 B/s)",
        ]


async def test_summary_lists_causes_with_suggestions() -> None:
    kinds = ("not_found", "auth", "reset", "tls", "stalled", "size", "refused")
    async with running(requests(len(kinds))) as headless:
        for id, kind in enumerate(kinds):
            headless.service.fail(id, kind, "so it was")
        assert await headless.status() == 1
        tail = headless.err.read().splitlines()[-len(kinds) :]
        assert sorted(line.partition(":")[0] for line in tail) == [
            f"  1 × {kind.replace('_', ' ')}" for kind in sorted(kinds)
        ]


def test_no_advice_is_cut() -> None:
    causes = (FailureGroup(ErrorKind.AUTH, 0, [*range(1234)]),)
    last = summary_lines(RunResult(FakeService().snapshot(), causes=causes), "")[-1]
    assert last == f"  1,234 × auth: {remedy(ErrorKind.AUTH)}"
    assert len(last) > 80


async def test_text_from_servers_is_sanitized() -> None:
    async with running(requests(1)) as headless:
        headless.service.downloads[0].name = "a\x1b]0;gone\x07\u202e[red].bin"
        headless.service.fail(0, "bad_reply", "\x1b[2Jhello")
        assert await headless.status() == 1
        text = headless.err.read()
        assert "[red].bin" in text
        assert not set(text) & set("\x1b\x07\u202e")


async def test_closed_terminal_does_not_stop_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outputs: dict[int, AsyncOutput] = {}

    def opened(fd: int) -> AsyncOutput:
        outputs[fd] = AsyncOutput(fd)
        return outputs[fd]

    monkeypatch.setattr(run, "AsyncOutput", opened)
    async with running(requests(1)) as headless:
        headless.err.hang_up()
        headless.service.notice(0, Notice(NoticeCode.NOT_RESUMABLE))
        await until(outputs[headless.err.writing].broken.is_set)
        headless.service.start(0, size=1)
        headless.service.finish(0)
        assert await headless.status() == 0


async def test_stopped_engine_ends_the_run_with_the_reason() -> None:
    """But not before what runs has ended."""
    async with running(requests(2)) as headless:
        headless.service.start(1, size=1000)
        reason = PauseReason(ErrorKind.DISK_FULL, "disk full: 2 GB more")
        headless.service.pause_for(reason)
        await until(lambda: "queue paused" in headless.err.read())
        headless.service.finish(1)
        assert await headless.status() == 1
        lines = headless.err.read().splitlines()
        assert lines[0] == "queue paused: disk full: 2 GB more"
        assert "done    f1.bin" in lines[1]
        assert lines[-2:] == [
            "stopped: disk full: 2 GB more",
            RESUME_HINT,
        ]


async def test_live_progress_fits_the_terminal_and_leaves_a_summary() -> None:
    with terminal() as err:
        async with running(requests(40), err=err) as headless:
            for id in range(30):
                headless.service.start(id, size=1000, speed=10.0)
            headless.service.advance(1.0)
            await until(lambda: "more active" in err.read())
            frame = err.read().rpartition("0 of 40 done")[2]
            assert "f0.bin" in frame
            assert "10 B/1000 B" in frame.replace("1.00 KB", "1000 B")
            assert "f29.bin" not in frame
            for id in range(40):
                if headless.service.downloads[id].state is not DownloadState.DONE:
                    headless.service.finish(id)
            assert await headless.status() == 0
            text = err.read()
            assert (
                text.rstrip()
                .splitlines()[-1]
                .endswith("40 done · 300 B in 1.0s (0 B/s)")
            )
            assert "\x1b[?25h" in text, "the cursor is visible again"


async def test_the_bar_of_the_run_counts_bytes_once_all_sizes_are_known() -> None:
    with terminal() as err:
        fcntl.ioctl(err.writing, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        async with running(requests(4), err=err) as headless:

            def halves() -> int:
                """Return the half cells that the bar of the run fills, of 20."""
                line = re.findall(r"[^\r\n]*0 of 4 done", err.read())[-1]
                filled = "".join(re.findall(r"\x1b\[32m([━╸]*)", line))
                return 2 * filled.count("━") + filled.count("╸")

            for id in range(4):
                headless.service.start(id, size=1000 if id else 5000, speed=500.0)
            headless.service.advance(1.0)
            await until(lambda: "0 of 4 done" in err.read() and halves() == 5)
            headless.service.advance(0.9)
            await until(lambda: halves() == 9)
            headless.service.cancel(range(4))
            assert await headless.status() == 1


async def test_live_progress_leaves_room_for_ctrl_c_echo() -> None:
    """A ``^C`` that wraps would leave a line of the display behind."""
    with terminal() as err:
        fcntl.ioctl(err.writing, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        async with running(requests(9), err=err) as headless:
            for id in range(9):
                headless.service.start(id, size=1_000_000, speed=100_000.0)
            await until(lambda: "f8.bin" in err.read())
            frame = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err.read())
            # A picture begins with a return: there may be more than one by now.
            lines = re.split(r"[\r\n]+", frame)
            assert max(map(len, lines)) == 78
            assert " to go" in frame
            headless.service.cancel(range(9))
            assert await headless.status() == 1


async def test_live_progress_lists_the_first_failures() -> None:
    with terminal() as err:
        async with running(requests(14), err=err) as headless:
            for id in range(14):
                headless.service.fail(id, "not_found", "404 Not Found")
            assert await headless.status() == 1
            tail = err.read()
            assert tail.count("failed  f") == 10
            assert "and 4 more failures" in tail


# -- signals ---------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_closes_the_engine_and_prints_the_resume_hint(
    number: signal.Signals,
) -> None:
    async with running(requests(2)) as headless:
        headless.service.start(0, size=1000)
        headless.service.start(1, size=10)
        headless.service.finish(1)
        os.kill(os.getpid(), number)
        assert await headless.status() == 130
        assert headless.service.closed == 1
        lines = headless.err.read().splitlines()
        assert lines[-2].startswith("interrupted: 1 done, 1 unfinished")
        assert lines[-1] == RESUME_HINT


async def test_interrupted_json_run_has_a_summary() -> None:
    async with running(requests(1), is_json=True) as headless:
        os.kill(os.getpid(), signal.SIGTERM)
        assert await headless.status() == 130
        assert headless.objects()[-1]["event"] == "summary"
        assert RESUME_HINT in headless.err.read()


async def test_sighup_does_not_stop_the_run() -> None:
    async with running(requests(1)) as headless:
        heard: list[bool] = []
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, heard.append, True)
        os.kill(os.getpid(), signal.SIGHUP)
        # Signals are handled in their order.
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: heard)
        loop.remove_signal_handler(signal.SIGUSR1)
        assert not headless.task.done()
        headless.service.start(0, size=1)
        headless.service.finish(0)
        assert await headless.status() == 0


async def test_signal_handlers_and_subscription_are_removed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with running(requests(1)) as headless:
        headless.service.start(0, size=1)
        headless.service.finish(0)
        await headless.status()
        assert headless.service.subscriptions == set()
    assert signal.getsignal(signal.SIGTERM) == before
