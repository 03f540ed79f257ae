"""Small files: batches, errors, syncs and atomic names."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import resource
import threading

import pytest

from tui.core.clock import SystemClock
from tui.core.errors import IntegrityError, LocalError, PermanentError
from tui.core.request import Checksum
from tui.disk import platform, scheduler, small_files
from tui.disk.folders import OutputFolders
from tui.disk.safe_dir import SafeDir
from tui.disk.scheduler import SMALL_FILES_PER_BATCH
from tui.disk.small_files import SmallFile, SmallFileBatch
from tui.disk.writer import DiskWriter


class Stores:
    """Stores files and collects the results."""

    def __init__(self, writer: DiskWriter, folder) -> None:
        self.writer = writer
        self.folder = folder
        self.results: dict[str, BaseException | None] = {}
        self.expected = 0
        self.all_done = asyncio.Event()

    def put(self, name, data=b"abc", *, folder=None, checksum=None, overwrite=False):
        buffers = data if isinstance(data, list) else [data]
        nbytes = sum(map(len, buffers))
        self.expected += 1
        self.all_done.clear()
        self.writer.store(
            SmallFile(
                folder or self.folder,
                name,
                buffers,
                nbytes,
                checksum,
                overwrite,
                self.done,
                token=self,
            )
        )

    def done(self, file: SmallFile, error: BaseException | None) -> None:
        assert file.token is self
        self.results[file.name] = error
        if len(self.results) == self.expected:
            self.all_done.set()

    async def wait(self) -> dict[str, BaseException | None]:
        await self.all_done.wait()
        return self.results


@pytest.fixture(params=["without a name", "as a temporary file"])
def stores(request, writer, folder, monkeypatch) -> Stores:
    """Both ways to create a file; some file systems support only the second."""
    if request.param == "as a temporary file":
        monkeypatch.setattr(platform, "_HAS_UNNAMED", False)
    return Stores(writer, folder)


@pytest.fixture
def named_stores(writer, folder, monkeypatch) -> Stores:
    monkeypatch.setattr(platform, "_HAS_UNNAMED", False)
    return Stores(writer, folder)


async def test_small_files_are_written_completely(tmp_path, stores):
    for number in range(10):
        stores.put(f"f{number}", [b"ab", bytearray(b"c"), memoryview(b"d" * number)])
    stores.put("empty", [])
    assert set((await stores.wait()).values()) == {None}
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "empty",
        *(f"f{number}" for number in range(10)),
    ]
    assert (tmp_path / "f3").read_bytes() == b"abcddd"
    assert (tmp_path / "empty").read_bytes() == b""


async def test_files_of_one_turn_share_a_batch(writer, stores):
    before = writer.snapshot()
    for number in range(SMALL_FILES_PER_BATCH):
        stores.put(f"f{number}")
    await stores.wait()
    after = writer.snapshot()
    assert after.batches == before.batches + 1
    assert after.operations == before.operations + SMALL_FILES_PER_BATCH
    assert writer.written == 3 * SMALL_FILES_PER_BATCH


async def test_a_batch_is_limited_in_size(writer, stores):
    before = writer.snapshot().batches
    for number in range(2 * SMALL_FILES_PER_BATCH + 1):
        stores.put(f"f{number}")
    await stores.wait()
    assert writer.snapshot().batches == before + 3


async def test_a_failed_file_does_not_affect_the_others(tmp_path, stores, folders):
    (tmp_path / "final").write_text("mine")
    (tmp_path / "part.part").write_text("mine")
    (tmp_path / "link.part").symlink_to("victim")
    (tmp_path / "trap").symlink_to("victim")
    gone = await folders.folder("gone")
    (tmp_path / "gone").rmdir()
    wrong = Checksum("sha256", "0" * 64)
    stores.put("one")
    stores.put("final")
    stores.put("part")
    stores.put("link")
    stores.put("trap")
    stores.put("bad", checksum=wrong)
    stores.put("no/name")
    stores.put("lost", folder=gone)
    stores.put("x" * 255)
    stores.put("two")
    results = await stores.wait()
    assert results["one"] is results["two"] is None
    taken = [("final", "final"), ("trap", "final")]
    # A small file cannot collide with another part file, nor does its name need space
    # for the suffix.
    assert results["part"] is results["link"] is results["x" * 255] is None
    made = ["link", "part", "x" * 255]
    for name, what in taken:
        error = results[name]
        assert isinstance(error, FileExistsError)
        assert str(error) == what
    bad = results["bad"]
    assert isinstance(bad, IntegrityError)
    assert wrong.digest in str(bad)
    assert hashlib.sha256(b"abc").hexdigest() in str(bad)
    assert results["no/name"].kind == "name"
    assert results["lost"].kind == "directory_gone"
    names = ["final", "link.part", "one", "part.part", "trap", "two", *made]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert (tmp_path / "part.part").read_text() == "mine"
    assert (tmp_path / "final").read_text() == "mine"


async def test_a_correct_checksum_passes(stores):
    stores.put("x", checksum=Checksum("md5", hashlib.md5(b"abc").hexdigest()))
    assert await stores.wait() == {"x": None}


async def test_overwriting_is_atomic(tmp_path, stores):
    (tmp_path / "x").write_text("old")
    stores.put("x", b"new", overwrite=True)
    assert await stores.wait() == {"x": None}
    assert (tmp_path / "x").read_bytes() == b"new"


@pytest.mark.parametrize("code", [28, 122, 5])
async def test_a_full_disk_leaves_nothing_of_a_small_file(
    tmp_path, stores, monkeypatch, code
):
    real = platform.write_at

    def refuse_big(fd, buffers, offset, nbytes):
        if nbytes > 3:
            real(fd, buffers, offset, nbytes)
            raise OSError(code, os.strerror(code))
        real(fd, buffers, offset, nbytes)

    monkeypatch.setattr(platform, "write_at", refuse_big)
    stores.put("small")
    stores.put("big", b"x" * 5000)
    results = await stores.wait()
    assert results["small"] is None
    assert isinstance(results["big"], LocalError)
    assert results["big"].kind == ("disk" if code == 5 else "disk_full")
    assert code == 5 or "5.00 KB more needed" in str(results["big"])
    assert [p.name for p in tmp_path.iterdir()] == ["small"]


async def test_a_failed_sync_prevents_the_rename(tmp_path, stores, monkeypatch):
    real = platform.sync_data

    def refuse_second(fd):
        if os.fstat(fd).st_size == 5:
            raise OSError(5, "Input/output error")
        real(fd)

    monkeypatch.setattr(platform, "sync_data", refuse_second)
    stores.put("one")
    stores.put("two", b"12345")
    results = await stores.wait()
    assert results["one"] is None
    assert results["two"].kind == "disk"
    assert [p.name for p in tmp_path.iterdir()] == ["one"]


async def test_all_syncs_precede_all_renames_and_the_folder_is_last(
    stores, monkeypatch
):
    steps = []
    for module, name, label in (
        (platform, "write_at", "w"),
        (os, "fdatasync", "s"),
        (platform, "rename_new", "r"),
        (platform, "link_unnamed", "r"),
        (os, "fsync", "d"),
    ):
        real = getattr(module, name)

        def spy(*args, real=real, label=label):
            steps.append(label)
            return real(*args)

        monkeypatch.setattr(module, name, spy)
    for number in range(3):
        stores.put(f"f{number}")
    await stores.wait()
    assert "".join(steps) == "wwwsssrrrd"


async def test_a_file_with_a_wrong_size_is_refused(tmp_path, stores):
    stores.expected += 1
    stores.writer.store(
        SmallFile(stores.folder, "x", [b"abc"], 4, None, False, stores.done, stores)
    )
    results = await stores.wait()
    assert isinstance(results["x"], PermanentError)
    assert results["x"].kind == "internal"
    assert list(tmp_path.iterdir()) == []


def limit_with(free: int) -> int:
    """Return the limit of descriptors that leaves so many, also between used ones."""
    limit = 0
    while free:
        try:
            os.fstat(limit)
        except OSError:
            free -= 1
        limit += 1
    return limit


async def test_it_works_with_few_descriptors(tmp_path, stores):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    await stores.writer.run("warm up", "", lambda: None)
    stores.put("first")
    await stores.wait()
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit_with(free=12), hard))
    try:
        for number in range(SMALL_FILES_PER_BATCH):
            stores.put(f"f{number}")
        results = await stores.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert set(results.values()) == {None}
    assert len(list(tmp_path.iterdir())) == SMALL_FILES_PER_BATCH + 1


async def test_a_batch_waits_for_descriptors_of_another_batch(stores, monkeypatch):
    monkeypatch.setattr(scheduler, "SLOW_SYNC_S", 0)  # two trips at once from now on
    stores.put("first")
    await stores.wait()
    synced, refused = threading.Event(), threading.Event()
    batches = []
    real_write, real_sync = SmallFileBatch._write, platform.sync_data

    def write(batch, directory, index):
        if batch not in batches:
            batches.append(batch)
            if batches[0] is not batch:
                assert synced.wait(5)
                refused.set()
                raise OSError(errno.EMFILE, "Too many open files")
        return real_write(batch, directory, index)

    def sync(fd):
        synced.set()
        assert refused.wait(5)
        real_sync(fd)

    monkeypatch.setattr(SmallFileBatch, "_write", write)
    monkeypatch.setattr(platform, "sync_data", sync)
    for number in range(SMALL_FILES_PER_BATCH):
        stores.put(f"f{number}")
    results = await stores.wait()
    assert len(batches) == 2
    assert set(results.values()) == {None}


async def test_no_file_has_a_name_before_it_is_synced(
    tmp_path, writer, folder, monkeypatch
):
    stores = Stores(writer, folder)
    seen = []
    real = os.fdatasync

    def look(fd):
        seen.append(os.listdir(tmp_path))
        real(fd)

    monkeypatch.setattr(os, "fdatasync", look)
    stores.put("x")
    stores.put("y")
    await stores.wait()
    assert seen == [[], []]
    assert sorted(os.listdir(tmp_path)) == ["x", "y"]


async def test_a_temporary_file_locked_by_another_process_is_not_used(
    tmp_path, named_stores, monkeypatch
):
    locks = [False, True]
    monkeypatch.setattr(platform, "lock", lambda fd: locks.pop(0))
    named_stores.put("x")
    assert (await named_stores.wait())["x"] is None
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


async def test_what_a_killed_run_left_is_removed_with_the_next_one(tmp_path, writer):
    abandoned = tmp_path / ".fetchtui-0123456789abcdef.part"
    abandoned.write_bytes(b"half")
    in_use = tmp_path / ".fetchtui-fedcba9876543210.part"
    foreign = {tmp_path / "x.part", tmp_path / ".fetchtui-notes"}
    for path in foreign:
        path.write_bytes(b"mine")
    with in_use.open("wb") as file:
        assert platform.lock(file.fileno())
        await OutputFolders(tmp_path, writer).folder("")
        assert set(tmp_path.iterdir()) == {in_use, *foreign}
    await OutputFolders(tmp_path, writer).folder("")
    assert set(tmp_path.iterdir()) == foreign


async def test_the_part_file_is_locked_until_the_rename(
    tmp_path, writer, named_stores, monkeypatch
):
    locked = []
    real = platform.rename_new

    def try_to_lock(old, new, dir_fd):
        fd = os.open(old, os.O_RDWR, dir_fd=dir_fd)
        locked.append(not platform.lock(fd))
        os.close(fd)
        real(old, new, dir_fd)

    monkeypatch.setattr(platform, "rename_new", try_to_lock)
    named_stores.put("x")
    await named_stores.wait()
    assert locked == [True]


async def test_an_internal_error_is_reported_for_every_file(stores, monkeypatch):
    def break_down(self, status):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(SmallFileBatch, "run", break_down)
    stores.put("one")
    stores.put("two")
    results = await stores.wait()
    assert [error.kind for error in results.values()] == ["internal", "internal"]


async def test_an_exception_in_on_done_does_not_affect_other_files(
    writer, folder, stores
):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: complaints.append(context["exception"])
    )

    def fail(file, error):
        raise ZeroDivisionError("oops")

    writer.store(SmallFile(folder, "one", [b"a"], 1, None, False, fail))
    stores.put("two")
    assert await stores.wait() == {"two": None}
    assert [type(error) for error in complaints] == [ZeroDivisionError]


async def test_without_fsync_small_files_are_not_synced(tmp_path, folder, monkeypatch):
    def refuse(*_):
        raise AssertionError("synced")

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, refuse)
    writer = DiskWriter(
        writers=1, in_flight_limit=100, fsync=False, clock=SystemClock()
    )
    stores = Stores(writer, folder)
    stores.put("x")
    assert await stores.wait() == {"x": None}
    await writer.close()


@pytest.mark.parametrize("is_in_memory", [False, True])
async def test_files_in_memory_are_not_synced(stores, monkeypatch, is_in_memory):
    synced = []
    monkeypatch.setattr(platform, "is_in_memory", lambda fd: is_in_memory)
    monkeypatch.setattr(platform, "sync_data", synced.append)
    stores.put("f")
    await stores.wait()
    assert len(synced) == (0 if is_in_memory else 1)


async def test_slow_syncs_use_all_threads(writer, stores, monkeypatch):
    """A barrier in the sync opens only if both threads reach it."""
    monkeypatch.setattr(platform, "is_in_memory", lambda fd: False)
    stores.put("first")
    await stores.wait()
    monkeypatch.setattr(scheduler, "SLOW_SYNC_S", 0.0)
    stores.put("second")
    assert set((await stores.wait()).values()) == {None}
    both = threading.Barrier(2, timeout=10)
    monkeypatch.setattr(platform, "sync_data", lambda fd: both.wait() and None)
    stores.put("third")
    stores.put("fourth")
    assert set((await stores.wait()).values()) == {None}
    assert writer.snapshot().writers == 2


async def test_slow_syncs_of_one_batch_use_several_threads(
    writer, stores, tmp_path, monkeypatch
):
    """After a slow sync, a barrier opens only if two threads reach it."""
    monkeypatch.setattr(platform, "is_in_memory", lambda fd: False)
    monkeypatch.setattr(small_files, "SLOW_SYNC_S", 0.0)
    synced: list[int] = []
    both = threading.Barrier(2, timeout=10)

    def sync_data(fd: int) -> None:
        if synced:
            both.wait()
        synced.append(fd)

    named: list[int] = []
    real = SafeDir.sync

    def sync(directory: SafeDir) -> None:
        named.append(len(synced))
        real(directory)

    monkeypatch.setattr(platform, "sync_data", sync_data)
    monkeypatch.setattr(SafeDir, "sync", sync)
    for number in range(5):
        stores.put(f"f{number}")
    assert set((await stores.wait()).values()) == {None}
    assert len(synced) == len(set(synced)) == 5
    assert named == [5], "one sync of the folder, after those of all files"
    assert len(list(tmp_path.iterdir())) == 5
