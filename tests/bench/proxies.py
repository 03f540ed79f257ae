"""Measure downloads through proxies: ``python -m tests.bench.proxies``.

One file from nginx on loopback, through tinyproxy (absolute form and CONNECT) and
through microsocks (SOCKS5 with a login; the proxy resolves the name), each against the
same download without a proxy. Both proxies are small programs in C, so that they, nginx
and fetchtui share the cores; Debian and Homebrew have them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.report import table
from tests.bench.server import Server, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOGIN = "user:secret"
_TINYPROXY = "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nLogLevel Critical\n"


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a proxy until the block ends.

    Raises:
        SystemExit: it is not installed, or does not listen within 5 s.
    """
    if shutil.which(command[0]) is None:
        raise SystemExit(f"{command[0]} is missing: apt install {command[0]}")
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 5
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise SystemExit(f"{command[0]} does not listen") from None
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def measure(url: str, ca_file: Path, flags: list[str], size: int) -> float:
    """Download once, in a process of its own.

    Returns:
        MB/s, with the start of the process.
    """
    # Outputs stay in memory, so that no disk is measured.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        command = [sys.executable, "-m", "tui", "--headless", "--quiet", "-o", folder]
        command += ["--ca-file", str(ca_file), *flags, url]
        began = time.monotonic()
        subprocess.run(command, check=True, env={**os.environ, "HOME": folder})
        took_s = time.monotonic() - began
        found = next(Path(folder).glob("*.bin")).stat().st_size
        assert found == size, f"{found} of {size} bytes"
    return size / took_s / 1e6


def main() -> None:
    """Read the options, start the servers, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512, help="MiB of the file")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    size = options.size << 20
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = home / "data"
        data.mkdir(mode=0o755)
        home.chmod(0o755)
        with (data / "file.bin").open("wb") as stream:
            stream.truncate(size)
        server = stack.enter_context(Server(home / "nginx", data))
        web, socks = free_ports()
        config = home / "tinyproxy.conf"
        config.write_text(_TINYPROXY.format(port=web))
        stack.enter_context(running(["tinyproxy", "-d", "-c", str(config)], web))
        user, password = _LOGIN.split(":")
        address = ["-i", "127.0.0.1", "-p", str(socks)]
        login = ["-u", user, "-P", password]
        stack.enter_context(running(["microsocks", *address, *login], socks))
        ways = {
            "none": ["--proxy", "direct"],
            "tinyproxy": ["--proxy", f"http://127.0.0.1:{web}"],
            "microsocks": ["--proxy", f"socks5h://{_LOGIN}@127.0.0.1:{socks}"],
        }
        rows = []
        for name, flags in ways.items():
            row = [name]
            for is_tls in (False, True):
                url = server.url("file.bin", is_tls=is_tls)
                speeds = [
                    measure(url, server.ca_file, flags, size)
                    for _ in range(options.runs)
                ]
                row.append(f"{statistics.median(speeds):,.0f}")
            rows.append(row)
    print(table(["proxy", "http, MB/s", "https, MB/s"], rows))


if __name__ == "__main__":
    main()
