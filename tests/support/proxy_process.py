"""A real HTTP proxy (proxy.py) in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_LIMIT_S = 20.0


@contextmanager
def running_proxy(folder: Path, *arguments: str) -> Iterator[int]:
    """Run proxy.py on loopback for the duration of the block, and yield its port.

    Args:
        folder: an empty folder for its files.
        arguments: for its command line, such as ``--basic-auth``.
    """
    port_file = folder / "port"
    command = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0"]
    command += ["--port-file", str(port_file), "--data-dir", str(folder / "data")]
    # One process: correctness matters here, not speed.
    command += ["--num-workers", "1", "--num-acceptors", "1", "--log-level", "ERROR"]
    process = subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        start_new_session=True,
    )
    try:
        yield _wait_for_port(port_file, process)
    finally:
        # Kills its child processes, too, and saves the second that a clean exit takes.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for_port(port_file: Path, process: subprocess.Popen[bytes]) -> int:
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        if process.poll() is not None:
            raise RuntimeError(f"the proxy exited with status {process.returncode}")
        text = port_file.read_text() if port_file.exists() else ""
        if text.strip():
            return int(text.split()[0])
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    raise TimeoutError("the proxy did not start in time")
