"""Measures the time from a key press to the screen, through a real terminal (a pty).

``python -m tests.ui.latency`` starts a server and the real program on a list of many
files, saturates the loopback, presses keys and waits for the cell that each changes::

    --at-once N     concurrency (64)
    --seconds S     duration of the key presses (20)
    --size BYTES    of each file (8M)
    --lines N       lines of the list (100000)
    --tls           over https, from nginx instead of a server that sends zeros
    --attached      the downloads run in a background process, and the program is
                    attached to it

Prints milliseconds from the key to the first output with the changed cell, the loop
lag that the dashboard itself shows, speed, processor time and time to first paint.
Unix only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median

from tests.bench.server import NoServer, Server
from tests.support.on_terminal import start_on_terminal
from tui.core.text.units import format_size, parse_size

WIDTH, HEIGHT = 120, 36
_FIRST_ROW = 5
"""Line of the terminal with the list's first row, counted from 1."""
_ESCAPE = re.compile(r"\x1b\[[0-9;:?<>=]*[a-zA-Z]")
_LAG = re.compile(r"loop p50 +([\d.]+) ms +p99 +([\d.]+) ms")
_SPEED = re.compile(r"([\d.]+ [KMG]B/s) +ETA")
_ANSWER_SYNC = b"\x1b[?2026;2$y"


# -- the server: one process that sends zeros as fast as it can ----------------------


async def serve(size: int) -> None:
    """Answer every GET with ``size`` zeros; print the port first."""
    chunk = bytes(1 << 18)
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n"
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(head)
                left = size
                while left:
                    part = chunk[: min(left, len(chunk))]
                    writer.write(part)
                    await writer.drain()
                    left -= len(part)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# -- the terminal --------------------------------------------------------------------


class Terminal:
    """A program behind a pty, with its output and times."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.started = time.perf_counter()
        self.process, self.master = start_on_terminal(
            command, environment, WIDTH, HEIGHT
        )
        self.bytes = 0
        self.text = ""
        self.report: Path | None = None
        """Where the program writes what it measured, if it does."""

    def wait_for(self, pattern: re.Pattern[str], timeout_s: float) -> float | None:
        """Return the seconds until new output matches, or ``None``."""
        self.text = ""
        start = time.perf_counter()
        while (left := start + timeout_s - time.perf_counter()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:  # the program ended and closed its side of the pty
                break
            now = time.perf_counter()
            self.bytes += len(data)
            if b"?2026$p" in data:
                os.write(self.master, _ANSWER_SYNC)
            self.text += data.decode("utf-8", "replace")
            if pattern.search(self.text):
                return now - start
        return None

    def drain(self, seconds: float) -> str:
        """Read for a while; return the output without escape sequences."""
        self.wait_for(re.compile(r"(?!)"), seconds)
        return _ESCAPE.sub("", self.text)

    @staticmethod
    def pattern(text: str) -> re.Pattern[str]:
        """Return a pattern for a literal text."""
        return re.compile(re.escape(text))

    def close(self) -> None:
        """Close the terminal while the program runs."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def press(self, key: str) -> None:
        """Send a key."""
        os.write(self.master, key.encode())

    def loop_gaps(self) -> tuple[float, float]:
        """Return the longest time the loop was blocked, and busy; in seconds."""
        assert self.report is not None
        blocked, busy = self.report.read_text().split()
        return float(blocked), float(busy)

    def processor_s(self) -> float:
        """Return the processor time that the program has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def cursor_on(line: int) -> re.Pattern[str]:
    """Return a pattern for the cursor on a line of the list."""
    at = _FIRST_ROW + line
    return re.compile(rf"\x1b\[{at};1H(?:\x1b\[[\d;]*m)*▌")


def keys_and_signs(at_once: int) -> list[tuple[str, re.Pattern[str]]]:
    """Return keys that undo each other, and what each must draw."""
    return [
        ("j", cursor_on(1)),
        ("+", re.compile(rf"/{at_once + 1}\b")),
        ("k", cursor_on(0)),
        ("-", re.compile(rf"/{at_once}\b")),
    ]


# -- the measurement -----------------------------------------------------------------


class Sweeper(threading.Thread):
    """Deletes finished files, so that only active downloads use disk space."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.swept = 0

    def run(self) -> None:
        while self.folder.exists():
            time.sleep(0.25)
            with suppress(FileNotFoundError):  # everything is deleted at the end
                for entry in [*os.scandir(self.folder)]:
                    if entry.name.endswith(".bin"):
                        os.unlink(entry.path)
                        self.swept += 1


def at(times: list[float], part: float) -> float:
    """Return a quantile in milliseconds."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


def measure(
    options: argparse.Namespace, base_url: str, flags: list[str], folder: Path
) -> None:
    """Run the program and print the measurements.

    Args:
        options: of the command line.
        base_url: of the server, which has every ``file-NUMBER.bin`` below it.
        flags: options of fetchtui that the server needs.
        folder: an empty folder.
    """
    wanted = folder / "list.txt"
    with wanted.open("w") as file:
        for number in range(options.lines):
            file.write(f"{base_url}/file-{number:06d}.bin\n")
    output = folder / "out"
    output.mkdir()
    sweeper = Sweeper(output)
    sweeper.start()
    program = [sys.executable, "-m", "tui"]
    command = [*program, str(wanted), "-o", str(output)]
    command += ["-c", str(options.at_once), "--fsync", "off", *flags]
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "FETCHTUI_STATE_DIR": str(folder / "state"),
    }
    if options.attached:
        start = [*command, "--detach", "--quiet"]
        subprocess.run(start, env=environment, check=True)
        command = [*program, "attach"]
    terminal = Terminal(command, environment)
    try:
        painted = terminal.wait_for(re.compile("fetchtui|Reading|main"), 20)
        # In the background, the first files may have ended by now.
        filled = terminal.wait_for(re.compile(r"file-00"), 20)
        if filled is None:
            sys.exit(f"it shows no rows:\n{_ESCAPE.sub('', terminal.text)[-5000:]}")
        print(f"first paint {_ms(painted)}; first rows {_ms(filled)} later")
        terminal.drain(3)
        _press_keys(terminal, options, sweeper)
    finally:
        terminal.process.send_signal(signal.SIGTERM)
        terminal.drain(2)
        print(f"exit status after SIGTERM: {terminal.process.wait(10)}")
        if options.attached:
            subprocess.run([*program, "stop"], env=environment, check=True)


def _press_keys(
    terminal: Terminal, options: argparse.Namespace, sweeper: Sweeper
) -> None:
    times: dict[str, list[float]] = {}
    missed = 0
    speeds = []
    lags: list[tuple[float, float]] = []
    start, spent, swept = time.perf_counter(), terminal.processor_s(), sweeper.swept
    written = terminal.bytes
    keys = keys_and_signs(options.at_once)
    while time.perf_counter() - start < options.seconds:
        for key, sign in keys:
            terminal.press(key)
            taken = terminal.wait_for(sign, 2.0)
            if taken is None:
                missed += 1
            else:
                times.setdefault(key, []).append(taken)
            text = terminal.drain(0.13)
            lags += [(float(a), float(b)) for a, b in _LAG.findall(text)]
            speeds += _SPEED.findall(text)
    seconds = time.perf_counter() - start
    moved = [*times.get("j", []), *times.get("k", [])]
    changed = [*times.get("+", []), *times.get("-", [])]
    for name, some in (("cursor j k", moved), ("at once + -", changed)):
        if some:
            print(
                f"{name}: p50 {at(some, 0.5):.1f}  p95 {at(some, 0.95):.1f}"
                f"  p99 {at(some, 0.99):.1f}  worst {max(some) * 1000:.1f} ms"
                f"  (n = {len(some)})"
            )
    print(f"keys without an answer within 2 s: {missed}")
    if lags:
        print(
            f"loop lag as shown: p50 {median(a for a, _ in lags)} ms,"
            f" p99 {median(b for _, b in lags)} ms, at most {max(b for _, b in lags)}"
        )
    files = sweeper.swept - swept
    rate = files * options.size / seconds
    share = (terminal.processor_s() - spent) / seconds
    frames = (terminal.bytes - written) / seconds
    print(
        f"{files} files, {format_size(rate)}/s"
        f" (shown: {speeds[-1] if speeds else 'nothing'});"
        f" processor {share:.0%} of one core; terminal {format_size(frames)}/s"
    )


def _ms(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds * 1000:.0f} ms"


def zeros_server(stack: ExitStack, size: int) -> str:
    """Start the server that sends zeros; return its URL."""
    command = [sys.executable, "-m", "tests.ui.latency", "--serve"]
    command += ["--size", str(size)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    stack.callback(server.wait)
    stack.callback(server.kill)
    assert server.stdout is not None
    return f"http://127.0.0.1:{int(server.stdout.readline())}"


def tls_server(stack: ExitStack, size: int, folder: Path) -> tuple[str, Path]:
    """Start nginx with one file of zeros; return the URL and the CA's certificate."""
    path = folder / "data" / "one" / f"{size}.bin"
    path.parent.mkdir(parents=True)
    path.touch()
    os.truncate(path, size)
    server = stack.enter_context(Server(folder / "server", folder / "data"))
    return server.url(f"same/{size}", is_tls=True), server.ca_file


def main() -> None:
    """Parse the options, start the server, measure and clean up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--size", type=parse_size, default=parse_size("8M"))
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--attached", action="store_true")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.size))
        return
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="fetchtui-latency-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        flags: list[str] = []
        try:
            if options.tls:
                url, ca_file = tls_server(stack, options.size, folder)
                flags = ["--ca-file", str(ca_file)]
            else:
                url = zeros_server(stack, options.size)
        except NoServer as reason:
            sys.exit(str(reason))
        measure(options, url, flags, folder)


if __name__ == "__main__":
    main()
