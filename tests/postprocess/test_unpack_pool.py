"""The pool of unpacking processes: how they stop, and that they clean up."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from tests.postprocess.archives import large_tar, tar_of, zip_of
from tests.support.until import until
from tui.postprocess.unpack.extract_dir import UnpackError
from tui.postprocess.unpack.pool import UnpackPool
from tui.postprocess.unpack.worker_process import Archive, OpenFolder

ROOT = Path(__file__).parents[2]
LARGE = large_tar()
"""600 MB to write: long enough to be caught in the middle."""


def children() -> set[int]:
    found = set()
    for name in os.listdir("/proc"):
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            stat = Path(f"/proc/{int(name)}/stat").read_text().rpartition(")")[2]
            if int(stat.split()[1]) == os.getpid():
                line = Path(f"/proc/{name}/cmdline").read_text()
                if "spawn_main" in line:
                    found.add(int(name))
    return found


@pytest.fixture
async def unpacker():
    made = UnpackPool(is_synced=False)
    yield made
    await made.close()
    assert children() == set()


async def unpack_with(unpacker, path, stem, on_progress):
    """Unpack an archive in the folder where it is now."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        return await unpacker.unpack(path, folder, stem, on_progress)
    finally:
        os.close(folder)


def nothing(_: float) -> None:
    """Ignore the progress."""


async def test_two_archives_are_unpacked_concurrently_in_processes(tmp_path, unpacker):
    for n in range(2):
        (tmp_path / f"{n}.zip").write_bytes(zip_of([("a", b"1"), ("b", b"2")]))
    jobs = [
        unpack_with(unpacker, f"{tmp_path}/{n}.zip", f"{n}", nothing) for n in range(2)
    ]
    done = await asyncio.gather(*jobs)
    assert [d.directory for d in done] == [f"{tmp_path}/0", f"{tmp_path}/1"]
    with pytest.raises(UnpackError, match="No such file"):
        await unpack_with(unpacker, f"{tmp_path}/gone.zip", "gone", nothing)
    assert sorted(os.listdir(tmp_path)) == ["0", "0.zip", "1", "1.zip"]


async def test_processes_import_nothing_from_the_working_directory(
    tmp_path, monkeypatch, unpacker
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "multiprocessing.py").write_text("open('ran', 'w')")
    (tmp_path / "a.zip").write_bytes(zip_of([("a", b"1")]))
    done = await unpack_with(unpacker, f"{tmp_path}/a.zip", "a", nothing)
    assert done.directory == f"{tmp_path}/a"
    assert sorted(os.listdir(tmp_path)) == ["a", "a.zip", "multiprocessing.py"]


async def test_memory_of_a_process_is_limited(tmp_path, unpacker):
    data = bytearray(tar_of([("a", b"x" * 5000)], "xz"))
    # The block header of the xz format: size, flags, filter, its properties, CRC.
    size = (data[12] + 1) * 4
    assert data[14:16] == b"\x21\x01", "LZMA2 with one byte of properties"
    data[16] = 40  # a dictionary of 4 GiB
    data[12 + size - 4 : 12 + size] = zlib.crc32(data[12 : 8 + size]).to_bytes(
        4, "little"
    )
    (tmp_path / "a.tar.xz").write_bytes(data)
    with pytest.raises(UnpackError, match="too much memory"):
        await unpack_with(unpacker, f"{tmp_path}/a.tar.xz", "a", nothing)
    assert os.listdir(tmp_path) == ["a.tar.xz"]


async def test_killed_process_fails_only_its_archive(tmp_path, unpacker):
    (tmp_path / "large.tar.gz").write_bytes(LARGE)
    (tmp_path / "small.zip").write_bytes(zip_of([("a", b"1")]))
    job = unpack_with(unpacker, f"{tmp_path}/large.tar.gz", "large", nothing)
    task = asyncio.ensure_future(job)
    await until(lambda: len(os.listdir(tmp_path)) == 3, 20)
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(UnpackError, match="process was killed"):
        await task
    done = await unpack_with(unpacker, f"{tmp_path}/small.zip", "small", nothing)
    assert done.directory == f"{tmp_path}/small"
    assert sorted(os.listdir(tmp_path)) == ["large.tar.gz", "small", "small.zip"]


async def test_close_stops_work_and_cleans_up(tmp_path, unpacker):
    (tmp_path / "large.tar.gz").write_bytes(LARGE)
    job = unpack_with(unpacker, f"{tmp_path}/large.tar.gz", "large", nothing)
    task = asyncio.ensure_future(job)
    await until(lambda: len(os.listdir(tmp_path)) == 2, 20)
    task.cancel()
    async with asyncio.timeout(20):
        await unpacker.close()
    await asyncio.gather(task, return_exceptions=True)
    assert os.listdir(tmp_path) == ["large.tar.gz"]
    assert children() == set()


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_close_before_a_process_starts_leaves_none(tmp_path, turns):
    (tmp_path / "large.tar.gz").write_bytes(LARGE)
    unpacker = UnpackPool(is_synced=False)
    job = unpack_with(unpacker, f"{tmp_path}/large.tar.gz", "large", nothing)
    task = asyncio.ensure_future(job)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(20):
        await asyncio.gather(task, unpacker.close(), return_exceptions=True)
    assert children() == set()
    assert os.listdir(tmp_path) == ["large.tar.gz"]


_PARENT = """
import asyncio, os, sys
from tui.postprocess.unpack.pool import UnpackPool

async def main():
    folder = os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY)
    pool = UnpackPool(is_synced=False)
    await pool.unpack(sys.argv[1], folder, "large", lambda _: None)

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_processes_exit_with_a_killed_parent_and_clean_up(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    folder = tmp_path / "folder"
    folder.mkdir()
    archive = folder / "large.tar.gz"
    archive.write_bytes(LARGE)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), str(archive)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.PIPE,
    )
    await until(lambda: len(os.listdir(folder)) == 2, 20)
    process.kill()
    await until(lambda: os.listdir(folder) == ["large.tar.gz"])
    assert process.stderr is not None
    # The pipe ends when the last process that could write to it has ended.
    async with asyncio.timeout(20):
        assert b"Traceback" not in await process.stderr.read()
    await process.wait()


@pytest.mark.parametrize("has_proc", [True, False])
async def test_a_folder_that_was_replaced_by_a_link_is_not_left(
    tmp_path, unpacker, has_proc
):
    inside, moved, outside = (tmp_path / name for name in ("in", "moved", "out"))
    inside.mkdir()
    outside.mkdir()
    for folder in (inside, outside):
        (folder / "a.zip").write_bytes(zip_of([(folder.name, b"1")]))
    folder = os.open(inside, os.O_RDONLY)
    inside.rename(moved)
    inside.symlink_to(outside)
    real = OpenFolder.of(str(inside), folder)
    entered = real if has_proc else real._replace(fd=1_000_000)
    try:
        job = unpacker._submit(Archive("a.zip", entered, "a", ".a"), 0)
        done = asyncio.wrap_future(job)
        if has_proc:
            await done
            assert os.listdir(moved / "a") == ["in"]
        else:
            with pytest.raises(UnpackError, match="moved or replaced"):
                await done
    finally:
        os.close(folder)
    assert os.listdir(outside) == ["a.zip"]
