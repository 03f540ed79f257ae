"""Clients of aria2 from the package index, against fetchtui in a process of its own.

``python -m tests.rpc.clients`` installs aria2p, aioaria2 and aria2tui in a temporary
environment, which needs the package index; ``--python PATH`` uses one that has them.
Each client adds, watches, pauses, resumes and removes downloads of a scripted server.
It prints what each of them did, and fails if one of them saw something else.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.support.until import until
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer

PACKAGES = ("aria2p", "aioaria2", "aria2tui")
SIZE = 3 << 20
BODY = Pattern(SIZE, 5)

ARIA2P = """
import sys, time, aria2p
port, secret, base = int(sys.argv[1]), sys.argv[2], sys.argv[3]
client = aria2p.Client(host="http://127.0.0.1", port=port, secret=secret)
api = aria2p.API(client)
def until(check, seconds=20):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, check
        time.sleep(0.05)
print("version", client.get_version()["version"])
one = api.add_uris([base + "/p.bin"], options={"out": "p.bin", "split": "2"})
until(lambda: api.get_download(one.gid).is_complete)
done = api.get_download(one.gid)
print("complete", done.name, done.total_length, done.progress_string())
two = api.add_uris([base + "/stalls-p.bin"])
until(lambda: api.get_download(two.gid).completed_length > 0)
assert two.pause(); until(lambda: api.get_download(two.gid).is_paused)
assert two.resume(); until(lambda: api.get_download(two.gid).is_complete)
print("paused and resumed", api.get_download(two.gid).name)
bad = api.add_uris([base + "/missing.bin"])
until(lambda: api.get_download(bad.gid).has_failed)
bad.update(); print("failed", bad.error_code, bad.error_message)
queue = [api.add_uris([base + "/p.bin"], options={"pause": "true", "out": f"q{n}"})
         for n in range(3)]
print("positions", api.move_to_top(queue[2]), api.move_down(queue[2]))
api.set_options({"max-download-limit": "5M"}, [queue[0]])
print("options", api.get_options([queue[0]])[0].max_download_limit)
limits = api.get_global_options()
print("global", limits.max_concurrent_downloads, api.get_stats().num_waiting)
api.pause_all(); api.resume_all()
until(lambda: all(api.get_download(d.gid).is_complete for d in queue))
print("listed", len(api.get_downloads()))
assert api.retry_downloads([api.get_download(bad.gid)]) is not None
assert api.remove([api.get_download(queue[0].gid)])[0]
assert api.purge(); print("left", len(api.get_downloads()))
"""
AIOARIA2 = """
import asyncio, sys, aioaria2
port, secret, base = sys.argv[1:4]
async def main():
    url = f"ws://127.0.0.1:{port}/jsonrpc"
    client = await aioaria2.Aria2WebsocketClient.new(url, token=secret)
    seen = []
    complete = asyncio.Event()
    @client.onDownloadStart
    async def started(trigger, future):
        seen.append("start")
    @client.onDownloadComplete
    async def completed(trigger, future):
        seen.append("complete"); complete.set()
    gid = await client.addUri([base + "/a.bin"], {"out": "aio.bin"})
    await asyncio.wait_for(complete.wait(), 20)
    status = await client.tellStatus(gid, ["status", "totalLength"])
    print("websocket", seen, status)
    assert status == {"status": "complete", "totalLength": str(3 << 20)}, status
    print("version", (await client.getVersion())["version"])
    print("methods", len(await client.listMethods()))
    await client.close()
    url = f"http://127.0.0.1:{port}/jsonrpc"
    async with aioaria2.Aria2HttpClient(url, token=secret) as http:
        print("http", await http.getGlobalStat())
        paused = await http.addUri([base + "/a.bin"], {"pause": "true"})
        print("position", await http.changePosition(paused, 0, "POS_SET"))
        await http.changeOption(paused, {"max-download-limit": "1M"})
        print("option", (await http.getOption(paused))["max-download-limit"])
        await http.remove(paused)
        print("stopped", len(await http.tellStopped(0, 100)))
asyncio.run(main())
"""


class Failed(Exception):
    """A client did not do what it should."""


async def run(python: Path, program: str, *arguments: str, name: str) -> str:
    """Run a program with the clients' Python; return its output."""
    process = await asyncio.create_subprocess_exec(
        *(str(python), "-c", program, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    text = output.decode(errors="replace")
    print(f"== {name}\n{text.rstrip()}")
    if process.returncode:
        raise Failed(name)
    return text


async def aria2tui(python: Path, port: str, secret: str, base: str, work: Path) -> None:
    """Use the commands of aria2tui, which reads address and token from a file."""
    config = work / "aria2tui.toml"
    config.write_text(
        f'[general]\nport = {port}\ntoken = "{secret}"\nurl = "http://127.0.0.1"\n'
    )
    print("== aria2tui")
    for arguments in (
        ("--add_download", f"{base}/t.bin"),
        ("--pause_all",),
        ("--resume_all",),
    ):
        process = await asyncio.create_subprocess_exec(
            *(str(python), "-m", "aria2tui", *arguments),
            env={**os.environ, "ARIA2TUI_CONFIG_PATH": str(config), "TERM": "xterm"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        print(*arguments, "->", process.returncode, output.decode()[-300:].strip())
        if process.returncode:
            raise Failed("aria2tui")
    await until((work / "out" / "t.bin").exists, 20)


def check_files(out: Path) -> None:
    """Compare all downloaded files with what the server has.

    Raises:
        Failed: one of them differs.
    """
    files = sorted(path for path in out.iterdir() if path.suffix != ".part")
    for path in files:
        if hashlib.sha256(path.read_bytes()).hexdigest() != BODY.sha256():
            raise Failed(f"{path.name} differs")
    print(f"== {len(files)} files, all with the right digest")


async def compare(python: Path, work: Path) -> None:
    """Start fetchtui and run all clients."""
    async with ScriptedServer() as server:
        whole = ResponseScript(BODY, etag='"1"')
        half = ResponseScript(BODY, etag='"1"', stall_after=1 << 20)
        for name in ("p", "a", "t"):
            server.add(f"/{name}.bin", whole)
        stalls = ResponseScript(BODY, etag='"1"', first=[half])
        server.add("/stalls-p.bin", stalls)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tui", "--rpc", "0", "--headless"),
            *("-o", str(work / "out")),
            env={**os.environ, "FETCHTUI_STATE_DIR": str(work / "state")},
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            line = (await process.stderr.readline()).decode()
            match = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert match is not None, line
            secret = (work / "state" / "rpc-secret").read_text().strip()
            base = server.url("")
            given = (match[1], secret, base)
            await run(python, ARIA2P, *given, name="aria2p")
            await run(python, AIOARIA2, *given, name="aioaria2")
            await aria2tui(python, *given, work)
        finally:
            process.terminate()
            await process.wait()
    check_files(work / "out")


def main() -> int:
    """Run all clients; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, help="has the clients installed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        python = options.python
        if python is None:
            venv.create(work / "venv", with_pip=True)
            python = work / "venv" / "bin" / "python"
            pip = [str(python), "-m", "pip", "install", "-q", *PACKAGES]
            subprocess.run(pip, check=True)
        try:
            asyncio.run(compare(python, work))
        except Failed as error:
            print(f"FAILED: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
