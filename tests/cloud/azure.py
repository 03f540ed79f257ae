"""Uploads against Azurite: ``python -m tests.cloud.azure --azurite PATH``.

Outside of the check, because Azurite needs Node.js: ``npm install azurite`` anywhere,
and name its ``azurite-blob``. Uploads a file of each size class, then a large one with
kills, reads all blobs back and compares them, and looks for what is left over.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import obstore
from obstore.store import AzureStore

from tests.cloud.__main__ import _Handler, digest_of

_PORT = 10000
"""obstore expects the emulator there."""
_ACCOUNT = "devstoreaccount1"
_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoG"
    "MGw=="
)
"""The key of every Azurite, as its documentation has it."""
_SIZES = (1, 1000, 10_000_000, 16 << 20, (16 << 20) + 1, 100_000_000)
_LARGE = 400_000_000
_KILLS = 5


def _create_container() -> None:
    """Send the request that creates the container, signed with the shared key."""
    now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    named = f"x-ms-date:{now}\nx-ms-version:2021-08-06\n"
    text = (
        "PUT"
        + "\n" * 12
        + named
        + f"/{_ACCOUNT}/{_ACCOUNT}/container\nrestype:container"
    )
    digest = hmac.new(base64.b64decode(_KEY), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{_PORT}/{_ACCOUNT}/container?restype=container",
        method="PUT",
        headers={
            "x-ms-date": now,
            "x-ms-version": "2021-08-06",
            "authorization": f"SharedKey {_ACCOUNT}:{signature}",
        },
    )
    for _ in range(100):
        try:
            urllib.request.urlopen(request).close()
        except ConnectionError:
            time.sleep(0.1)
        except OSError as error:
            if not isinstance(getattr(error, "reason", None), ConnectionError):
                raise
            time.sleep(0.1)
        else:
            return
    raise SystemExit("Azurite does not start; see --azurite")


def _digest(store: Any, key: str) -> str:
    digest = hashlib.sha256()
    try:
        for chunk in obstore.get(store, key).stream():
            digest.update(chunk)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()


def _trial(folder: Path) -> int:
    """Run the trial; return 0 if nothing is torn, replaced or left over."""
    _create_container()
    env = {
        **os.environ,
        "AZURE_STORAGE_USE_EMULATOR": "true",
        "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
        "XDG_STATE_HOME": str(folder / "state"),
    }
    os.environ.update(env)
    store = AzureStore("container")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    paths = [f"/{size}/{number}.bin" for number, size in enumerate(_SIZES)]
    (folder / "list.txt").write_text("".join(f"{base}{path}\n" for path in paths))
    (folder / "large.txt").write_text(f"{base}/{_LARGE}/large.bin\n")
    obstore.put(store, "data/1.bin", b"of somebody else")
    command = [sys.executable, "-m", "tui", "--headless", "-q", "-o"]
    command.append("az://container/data")
    statuses = [subprocess.run([*command, "list.txt"], cwd=folder, env=env).returncode]
    chance = random.Random(1)
    killed = 0
    while killed < _KILLS:
        process = subprocess.Popen([*command, "large.txt"], cwd=folder, env=env)
        try:
            process.wait(chance.uniform(0.6, 1.6))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
        else:
            break
    statuses.append(
        subprocess.run([*command, "large.txt"], cwd=folder, env=env).returncode
    )
    expected = {f"data/{number}.bin": path for number, path in enumerate(paths)}
    expected["data/1 (1).bin"] = expected.pop("data/1.bin")
    expected["data/large.bin"] = f"/{_LARGE}/large.bin"
    wrong = [
        key for key, path in expected.items() if _digest(store, key) != digest_of(path)
    ]
    found = {entry["path"] for batch in obstore.list(store) for entry in batch}
    left = found - set(expected) - {"data/1.bin"}
    kept = bytes(obstore.get(store, "data/1.bin").bytes()) == b"of somebody else"
    print(
        f"status {statuses}; {len(expected)} uploads, {killed} kills, {len(wrong)}"
        f" wrong, {len(left)} objects left over; object of somebody else"
        f" {'kept' if kept else 'REPLACED'}"
    )
    return 0 if kept and not (wrong or left or any(statuses)) else 1


def main() -> int:
    """Start Azurite, and run the trial."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--azurite", default="azurite-blob")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        server = subprocess.Popen(
            [
                *(options.azurite, "--inMemoryPersistence", "--silent"),
                *("--blobPort", str(_PORT), "--skipApiVersionCheck"),
            ],
            cwd=name,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return _trial(Path(name))
        finally:
            server.kill()


if __name__ == "__main__":
    sys.exit(main())
