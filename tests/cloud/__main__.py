"""Uploads against moto's S3 server: ``python -m tests.cloud [--size 5G] [--kills 10]``.

Outside of the check, because moto needs 180 MB of packages: install it anywhere and
name its server with ``--moto PATH`` (``pip install 'moto[s3,server]'``). Downloads 500
files and a large one to a bucket, kills the command again and again, reads all objects
back and compares them, and looks for what is left over. moto joins the parts of an
object in memory: 5 GiB take 12 GB.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import obstore
from obstore.store import S3Store

from tui.core.text.units import parse_size

_BLOCK = hashlib.sha512(b"block").digest() * 16384
_PORT = 5555
SENT: Counter[str] = Counter()
"""Bytes that were sent of each path."""


def body_of(path: str) -> tuple[int, bytes]:
    """Return the size of a path, and the block that its content repeats."""
    size = int(path.split("/")[1])
    start = int(hashlib.md5(path.encode()).hexdigest(), 16) % 1000
    return size, _BLOCK[start:] + _BLOCK[:start]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        size, block = body_of(self.path)
        start, end = 0, size
        wanted = self.headers.get("Range")
        if wanted:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), int(last) + 1 if last else size
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("ETag", f'"{size}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        at = start
        try:
            while at < end:
                SENT[self.path] += min(end - at, len(block) - at % len(block))
                offset = at % len(block)
                piece = block[offset : offset + min(end - at, len(block) - offset)]
                self.wfile.write(piece)
                at += len(piece)
        except ConnectionError:
            self.close_connection = True

    def handle(self) -> None:
        """Ignore clients that were killed."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


def digest_of(path: str) -> str:
    """Return the SHA-256 of a path's content."""
    size, block = body_of(path)
    digest = hashlib.sha256()
    for at in range(0, size, len(block)):
        digest.update(block[: min(len(block), size - at)])
    return digest.hexdigest()


def multiparts(endpoint: str, bucket: str) -> int:
    """Return how many multipart uploads a bucket has that were not completed."""
    with urllib.request.urlopen(f"{endpoint}/{bucket}?uploads") as reply:
        return reply.read().count(b"<UploadId>")


def main() -> int:
    """Run the trial; return 0 if nothing is torn, replaced or left over."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--moto", default="moto_server")
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--size", default="200M")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--longest", type=float, default=6.0, help="s until a kill")
    options = parser.parse_args()
    moto = subprocess.Popen(
        [options.moto, "-p", str(_PORT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _trial(Path(folder), options)
    finally:
        moto.kill()


def _trial(folder: Path, options: argparse.Namespace) -> int:
    endpoint = f"http://127.0.0.1:{_PORT}"
    _wait_for(endpoint)
    request = urllib.request.Request(f"{endpoint}/trial", method="PUT")
    urllib.request.urlopen(request).close()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    large = parse_size(options.size)
    paths = [f"/{10_000 + 37 * n}/{n}.bin" for n in range(options.files)]
    paths.insert(options.files // 2, f"/{large}/large.bin")
    base = f"http://127.0.0.1:{server.server_port}"
    (folder / "list.txt").write_text("".join(f"{base}{path}\n" for path in paths))
    env = {
        **os.environ,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "XDG_STATE_HOME": str(folder / "state"),
    }
    store = S3Store(
        "trial",
        config={
            "endpoint": endpoint,
            "access_key_id": "test",
            "secret_access_key": "test",
            "region": "us-east-1",
        },
        client_options={"allow_http": True},
    )
    obstore.put(store, "data/7.bin", b"of somebody else")
    command = [sys.executable, "-m", "tui", "--headless", "-q", "list.txt"]
    started = time.monotonic()
    chance = random.Random(1)
    killed = 0
    while killed < options.kills:
        process = subprocess.Popen(
            [*command, "-o", "s3://trial/data"], cwd=folder, env=env
        )
        try:
            process.wait(chance.uniform(1.0, options.longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        else:
            break
    left = multiparts(endpoint, "trial")
    status = subprocess.run(
        [*command, "-o", "s3://trial/data"], cwd=folder, env=env, check=False
    ).returncode
    elapsed = time.monotonic() - started
    fetched = SENT.total()
    started = time.monotonic()
    plain = subprocess.run([*command, "-o", "disk"], cwd=folder, env=env, check=False)
    on_disk = time.monotonic() - started
    found = {
        entry["path"]: entry["size"]
        for batch in obstore.list(store, prefix="data/")
        for entry in batch
    }
    wrong = 0
    for path in paths:
        key = f"data/{path.rpartition('/')[2]}"
        if path.endswith("/7.bin"):
            key = "data/7 (1).bin"
        wrong += key not in found or _digest(store, key) != digest_of(path)
    kept = bytes(obstore.get(store, "data/7.bin").bytes()) == b"of somebody else"
    listed = sum(body_of(path)[0] for path in paths)
    print(
        f"{fetched / 1e6:,.0f} MB were fetched of {listed / 1e6:,.0f} MB in the list;"
    )
    print(
        f"status {status}; {len(paths)} downloads, {len(found)} objects, {wrong} wrong;"
        f" object of somebody else {'kept' if kept else 'REPLACED'}; multipart uploads"
        f" left after {killed} kills {left}, after the last run"
        f" {multiparts(endpoint, 'trial')}; {elapsed:.0f} s with the kills; the same to"
        f" disk {on_disk:.1f} s (status {plain.returncode})"
    )
    is_fine = not wrong and kept and len(found) == len(paths) + 1 and not status
    return 0 if is_fine and not multiparts(endpoint, "trial") else 1


def _digest(store: S3Store, key: str) -> str:
    digest = hashlib.sha256()
    for chunk in obstore.get(store, key).stream():
        digest.update(chunk)
    return digest.hexdigest()


def _wait_for(endpoint: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(endpoint).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("moto does not start; see --moto")


if __name__ == "__main__":
    sys.exit(main())
