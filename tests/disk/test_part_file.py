"""Part files through the writer: each verb, and what each of them can meet."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import threading
from types import SimpleNamespace

import pytest

from tui.core.clock import SystemClock
from tui.core.errors import FetchError, IntegrityError, LocalError, PermanentError
from tui.core.segment import RangeSet
from tui.disk import part_file, platform
from tui.disk import writer as writer_module
from tui.disk.errors import ChangedOnDiskError
from tui.disk.resume_record import (
    ExistingFiles,
    ResumeRecord,
    find_existing,
    load_record,
    save_record,
)
from tui.disk.safe_dir import SafeDir
from tui.disk.writer import DiskWriter

MIB = 1 << 20


def record(size=None):
    return ResumeRecord(url="https://example.org/x", validator='"e"', size=size)


def exists(path):
    return os.path.lexists(path)


def redirect(part, path):
    """Redirect the part's descriptor to a device, to get real errors."""
    fd = os.open(path, os.O_RDWR)
    os.dup2(fd, part.fd)
    os.close(fd)


async def test_data_is_written_at_its_offset_and_renamed(tmp_path, writer, folder):
    part = await writer.open_part(folder, "x", size=6)
    assert part.created_here
    await writer.write(part, 3, [b"de", memoryview(b"f")], 3)
    await writer.write(part, 0, [bytearray(b"abc")], 3)
    await writer.flush(part, sync=True)
    assert part.flushed == RangeSet([(0, 6)])
    assert (tmp_path / "x.part").read_bytes() == b"abcdef"
    await writer.finish(part, "x", overwrite=False)
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() == b"abcdef"
    assert repr(part) == "<PartFile x.part closed <RangeSet 0-6>>"


async def test_a_closed_part_file_keeps_its_data(tmp_path, writer, folder):
    part = await writer.open_part(folder, "x", size=None)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.close_part(part)
    assert (tmp_path / "x.part").read_bytes() == b"abc"
    with pytest.raises(FetchError, match="closed"):
        await writer.write(part, 3, [b"d"], 1)
    with pytest.raises(FetchError, match="closed"):
        await writer.finish(part, "x", overwrite=False)
    await writer.close_part(part)


async def test_a_part_file_can_be_resumed(tmp_path, writer, folder):
    part = await writer.open_part(folder, "x", size=None)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.close_part(part)
    seen = find_existing(folder, "x")
    part = await writer.open_part(folder, "x", size=6, existing=seen)
    assert not part.created_here
    part.flushed.add(0, 3)
    await writer.write(part, 3, [b"def"], 3)
    await writer.finish(part, "x", overwrite=False)
    assert (tmp_path / "x").read_bytes() == b"abcdef"


NO_BYTES = ExistingFiles(None, 0, None)


async def test_a_part_file_that_is_gone_is_not_continued(tmp_path, writer, folder):
    (tmp_path / "x.part").touch()
    seen = find_existing(folder, "x")
    (tmp_path / "x.part").unlink()
    with pytest.raises(ChangedOnDiskError):
        await writer.open_part(folder, "x", size=None, existing=seen)
    assert not list(tmp_path.iterdir())


async def test_a_part_file_is_continued_only_with_the_record_that_was_seen(
    tmp_path, writer, folder
):
    part = await writer.open_part(folder, "x", size=6, record=record(6))
    seen = find_existing(folder, "x")
    await writer.close_part(part)
    # Another run begins again from zero, and is interrupted at once.
    other = ResumeRecord(url="https://example.org/x", validator='"new"', size=6)
    save_record(folder, "x", other)
    with pytest.raises(ChangedOnDiskError):
        await writer.open_part(folder, "x", size=6, existing=seen)
    assert load_record(folder, "x") == other


async def test_an_existing_part_file_is_not_used_without_resume(
    tmp_path, writer, folder
):
    (tmp_path / "x.part").write_text("somebody's")
    with pytest.raises(ChangedOnDiskError):
        await writer.open_part(folder, "x", size=None)
    assert (tmp_path / "x.part").read_text() == "somebody's"


@pytest.mark.parametrize("existing", [NO_BYTES, None])
@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "dir", "pipe"])
async def test_only_a_regular_file_without_hard_links_is_written(
    tmp_path, writer, folder, kind, existing
):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    trap = tmp_path / "x.part"
    {
        "link": lambda: trap.symlink_to("victim"),
        "dangling link": lambda: trap.symlink_to("new"),
        "hard link": lambda: trap.hardlink_to(victim),
        "dir": trap.mkdir,
        "pipe": lambda: os.mkfifo(trap),
    }[kind]()
    with pytest.raises((FileExistsError, ChangedOnDiskError)):
        await writer.open_part(folder, "x", size=None, existing=existing)
    assert victim.read_text() == "mine"
    assert not (tmp_path / "new").exists()
    assert exists(trap)


async def test_a_part_file_is_locked_against_a_second_writer(writer, folder):
    part = await writer.open_part(folder, "x", size=None)
    with pytest.raises(ChangedOnDiskError):
        await writer.open_part(folder, "x", size=None)
    with pytest.raises(LocalError) as caught:
        await writer.open_part(folder, "x", size=None, existing=NO_BYTES)
    assert caught.value.kind == "in_use"
    with pytest.raises(LocalError) as caught:
        find_existing(folder, "x")
    assert caught.value.kind == "in_use"
    await writer.close_part(part)
    part = await writer.open_part(folder, "x", size=None, existing=NO_BYTES)
    await writer.discard(part)


async def test_a_part_file_finished_before_the_lock_is_not_resumed(
    tmp_path, writer, folder, monkeypatch
):
    (tmp_path / "x.part").write_bytes(b"whole")
    real = platform.lock

    def finished_just_now(fd):
        if not (tmp_path / "x").exists():
            (tmp_path / "x.part").rename(tmp_path / "x")
        return real(fd)

    monkeypatch.setattr(platform, "lock", finished_just_now)
    with pytest.raises(ChangedOnDiskError):
        await writer.open_part(folder, "x", size=None, existing=NO_BYTES)
    assert (tmp_path / "x").read_bytes() == b"whole"
    assert not (tmp_path / "x.part").exists()


async def test_a_part_file_finished_before_the_lock_is_not_deleted(
    tmp_path, folder, monkeypatch
):
    (tmp_path / "x.part").write_bytes(b"whole")
    real = platform.lock

    def finished_just_now(fd):
        (tmp_path / "x.part").rename(tmp_path / "x")
        return real(fd)

    monkeypatch.setattr(platform, "lock", finished_just_now)
    assert not part_file.delete_part(folder, "x")
    assert (tmp_path / "x").read_bytes() == b"whole"


async def test_a_stale_record_is_removed_before_a_new_part_file(
    tmp_path, writer, folder
):
    (tmp_path / "x.part").write_bytes(bytes(10))
    save_record(
        folder,
        "x",
        ResumeRecord(
            url="https://example.org/x", validator="", size=10, ranges=((0, 10),)
        ),
    )
    (tmp_path / "x.part").unlink()
    part = await writer.open_part(folder, "x", size=10)
    await writer.write(part, 9, [b"z"], 1)
    await writer.close_part(part)
    assert (tmp_path / "x.part").stat().st_size == 10
    assert load_record(folder, "x") is None


async def test_a_foreign_file_with_the_record_name_is_left_alone(
    tmp_path, writer, folder
):
    (tmp_path / "x.part.json").write_text("{}")
    with pytest.raises(FileExistsError, match="part"):
        await writer.open_part(folder, "x", size=None)
    assert (tmp_path / "x.part.json").read_text() == "{}"
    assert not (tmp_path / "x.part").exists()


async def test_a_name_with_a_separator_is_refused(tmp_path, writer, folder):
    with pytest.raises(LocalError) as caught:
        await writer.open_part(folder, "../x", size=None)
    assert caught.value.kind == "name"
    part = await writer.open_part(folder, "x", size=None)
    with pytest.raises(LocalError) as caught:
        await writer.finish(part, "../x", overwrite=True)
    assert caught.value.kind == "name"
    assert not (tmp_path.parent / "x").exists()
    await writer.discard(part)


# -- room ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ample", "kind", "words"),
    [
        (1 << 62, "disk_full", r"disk is full.*1\.15 EB more"),
        (0, "too_large", r"'x' has 1\.15 EB, more than the whole disk"),
    ],
)
async def test_a_file_that_cannot_fit_is_refused_at_the_start(
    tmp_path, writer, folder, monkeypatch, ample, kind, words
):
    monkeypatch.setattr(platform, "_AMPLE_BYTES", ample)
    with pytest.raises(LocalError, match=words) as caught:
        await writer.open_part(folder, "x", size=1 << 60)
    assert caught.value.kind == kind
    assert list(tmp_path.iterdir()) == []


async def test_a_resumed_part_file_stays_if_the_rest_does_not_fit(
    tmp_path, writer, folder
):
    (tmp_path / "x.part").write_bytes(b"abc")
    seen = find_existing(folder, "x")
    with pytest.raises(LocalError):
        await writer.open_part(folder, "x", size=1 << 60, existing=seen)
    assert (tmp_path / "x.part").read_bytes() == b"abc"


async def test_preallocation_does_not_change_the_length(tmp_path, writer, folder):
    part = await writer.open_part(folder, "x", size=4 * MIB)
    assert (tmp_path / "x.part").stat().st_size == 0
    await writer.write(part, 0, [b"abc"], 3)
    await writer.flush(part, sync=False)
    assert (tmp_path / "x.part").stat().st_size == 3
    await writer.discard(part)


async def test_preallocated_blocks_behind_the_end_are_freed(tmp_path, writer, folder):
    part = await writer.open_part(folder, "x", size=4 * MIB)
    part.size = 3  # the server corrects itself
    await writer.write(part, 0, [b"abc"], 3)
    await writer.finish(part, "x", overwrite=False)
    found = (tmp_path / "x").stat()
    assert found.st_size == 3
    assert found.st_blocks * 512 < MIB


@pytest.mark.parametrize(("size", "is_in_memory"), [(2 * MIB, False), (9 * MIB, True)])
async def test_where_nothing_is_allocated_the_free_space_is_checked(
    tmp_path, writer, folder, monkeypatch, size, is_in_memory
):
    monkeypatch.setattr(platform, "is_in_memory", lambda _: is_in_memory)
    part = await writer.open_part(folder, "x", size=size)
    assert not part.is_preallocated
    await writer.discard(part)
    monkeypatch.setattr(
        os, "fstatvfs", lambda _: SimpleNamespace(f_blocks=9, f_bavail=1, f_frsize=MIB)
    )
    with pytest.raises(LocalError, match="disk is full"):
        await writer.open_part(folder, "y", size=size)
    assert list(tmp_path.iterdir()) == []


async def test_closing_a_finished_file_takes_no_thread(writer, folder):
    part = await writer.open_part(folder, "x", size=3)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.finish(part, "x", overwrite=False)
    batches = writer.snapshot().batches
    await writer.close_part(part)
    assert writer.snapshot().batches == batches
    with pytest.raises(PermanentError, match="closed"):
        await writer.write(part, 0, [b"abc"], 3)


async def test_a_file_system_without_preallocation_works(writer, folder, monkeypatch):
    monkeypatch.setattr(platform, "_fallocate", lambda *_: 95)  # EOPNOTSUPP
    part = await writer.open_part(folder, "x", size=4 * MIB)
    assert not part.is_preallocated
    await writer.discard(part)


@pytest.mark.parametrize(("code", "message"), [(28, "disk is full"), (122, "quota")])
async def test_a_failed_preallocation_leaves_nothing(
    tmp_path, writer, folder, monkeypatch, code, message
):
    # Wherever pytest keeps its folders.
    monkeypatch.setattr(platform, "is_in_memory", lambda _: False)
    codes = iter([0, 0, code])
    monkeypatch.setattr(platform, "_fallocate", lambda *_: next(codes))
    with pytest.raises(LocalError, match=message) as caught:
        await writer.open_part(folder, "x", size=MIB << 10)
    assert caught.value.kind == "disk_full"
    assert list(tmp_path.iterdir()) == []


def test_preallocation_is_limited_in_time(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        platform, "_fallocate", lambda fd, mode, start, n: asked.append((start, n)) or 0
    )
    times = iter([0.0, 0.0, 0.02, 0.06])
    with open(tmp_path / "x", "wb") as file:
        assert platform.preallocate(file.fileno(), MIB << 10, now=lambda: next(times))
    assert asked == [(0, 64 * MIB), (64 * MIB, 128 * MIB)]


# -- errors of the disk --------------------------------------------------------------


async def test_a_full_disk_fails_only_the_part(tmp_path, writer, folder):
    full = await writer.open_part(folder, "full", size=9)
    fine = await writer.open_part(folder, "fine", size=None)
    await writer.write(full, 0, [b"abc"], 3)
    await writer.checkpoint(full, record(9))
    redirect(full, "/dev/full")
    await asyncio.gather(
        writer.write(full, 3, [b"def"], 3), writer.write(fine, 0, [b"abc"], 3)
    )
    with pytest.raises(LocalError, match=r"disk is full.*6 B more") as caught:
        await writer.flush(full, sync=False)
    assert caught.value.kind == "disk_full"
    for again in (
        writer.write(full, 6, [b"x"], 1),
        writer.finish(full, "full", overwrite=False),
    ):
        with pytest.raises(LocalError) as caught:
            await again
        assert caught.value.kind == "disk_full"
    await writer.close_part(full)
    await writer.finish(fine, "fine", overwrite=False)
    assert (tmp_path / "fine").read_bytes() == b"abc"
    assert (tmp_path / "full.part").read_bytes() == b"abc"
    loaded = load_record(folder, "full")
    assert loaded is not None
    assert loaded.ranges == ((0, 3),)


async def test_the_part_of_a_merged_write_that_fits_is_counted(
    writer, folder, monkeypatch
):
    part = await writer.open_part(folder, "x", size=None)
    real = platform.write_at

    def write_six(fd, buffers, offset, nbytes):
        if offset + nbytes > 6:
            raise OSError(28, "No space left on device")
        real(fd, buffers, offset, nbytes)

    monkeypatch.setattr(platform, "write_at", write_six)
    for offset in (0, 3, 6):
        await writer.write(part, offset, [b"abc"], 3)
    with pytest.raises(LocalError):
        await writer.flush(part, sync=False)
    assert part.flushed == RangeSet([(0, 6)])
    await writer.discard(part)


async def test_after_a_failed_sync_only_earlier_syncs_count(writer, folder):
    part = await writer.open_part(folder, "x", size=None)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.checkpoint(part, record())
    kept = os.dup(part.fd)
    redirect(part, "/dev/null")  # takes bytes, but cannot sync them
    await writer.write(part, 3, [b"def"], 3)
    with pytest.raises(LocalError) as caught:
        await writer.checkpoint(part, record())
    assert caught.value.kind == "disk"
    assert part.flushed == RangeSet([(0, 3)])
    assert part.error is caught.value
    os.dup2(kept, part.fd)
    os.close(kept)
    await writer.checkpoint(part, record())
    loaded = load_record(folder, "x")
    assert loaded is not None
    assert loaded.ranges == ((0, 3),)
    await writer.close_part(part)


async def test_a_failed_sync_prevents_the_rename(tmp_path, writer, folder):
    part = await writer.open_part(folder, "x", size=3)
    redirect(part, "/dev/null")
    await writer.write(part, 0, [b"abc"], 3)
    part.size = 0  # a device has no length
    with pytest.raises(LocalError) as caught:
        await writer.finish(part, "x", overwrite=False)
    assert caught.value.kind == "disk"
    assert not (tmp_path / "x").exists()
    await writer.close_part(part)


# -- the resume record ---------------------------------------------------------------


async def test_a_checkpoint_records_the_flushed_ranges_and_time(
    tmp_path, writer, folder
):
    part = await writer.open_part(folder, "x", size=9)
    await writer.write(part, 6, [b"ghi"], 3)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.checkpoint(part, record(9))
    loaded = load_record(folder, "x")
    assert loaded is not None
    assert loaded.ranges == ((0, 3), (6, 9))
    assert loaded.saved_at > 1.6e9
    await writer.close_part(part)
    assert load_record(folder, "x") == loaded


async def test_a_checkpoint_never_claims_writes_after_its_sync(
    writer, folder, monkeypatch
):
    part = await writer.open_part(folder, "x", size=None)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.flush(part, sync=False)
    loop = asyncio.get_running_loop()
    late = asyncio.Event()
    real = platform.sync_data
    syncing = []

    def write_meanwhile(fd):
        real(fd)
        if fd == part.fd and not syncing:
            syncing.append(fd)
            coroutine = writer.write(part, 3, [b"def"], 3)
            asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)
            loop.call_soon_threadsafe(late.set)

    monkeypatch.setattr(platform, "sync_data", write_meanwhile)
    monkeypatch.setattr(part_file.platform, "sync_data", write_meanwhile)
    await writer.checkpoint(part, record())
    await late.wait()
    loaded = load_record(folder, "x")
    assert loaded is not None
    assert loaded.ranges == ((0, 3),)
    await writer.flush(part, sync=False)
    assert part.flushed == RangeSet([(0, 6)])
    await writer.discard(part)


async def test_finishing_right_after_a_checkpoint_removes_the_record(
    tmp_path, writer, folder
):
    part = await writer.open_part(folder, "x", size=3)
    await writer.write(part, 0, [b"abc"], 3)
    await asyncio.gather(
        writer.checkpoint(part, record(3)),
        writer.checkpoint(part, record(3)),
        writer.finish(part, "x", overwrite=False),
    )
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


async def test_a_rename_waits_for_a_checkpoint_that_is_being_saved(
    tmp_path, folder, event, monkeypatch
):
    """Its record would otherwise stay beside the finished file."""
    writer = DiskWriter(writers=4, in_flight_limit=99, fsync=True, clock=SystemClock())
    real, begun = part_file.save_checkpoint, threading.Event()

    def save(*args):
        begun.set()
        event.wait(30)
        real(*args)

    monkeypatch.setattr(writer_module, "save_checkpoint", save)
    part = await writer.open_part(folder, "x", size=3)
    await writer.write(part, 0, [b"abc"], 3)
    saving = asyncio.create_task(writer.checkpoint(part, record(3)))
    await asyncio.to_thread(begun.wait, 30)
    finishing = asyncio.create_task(writer.finish(part, "x", overwrite=False))
    await asyncio.sleep(0)  # it is handed over
    await writer.run("look", "x", lambda: None)  # another thread is free
    assert not exists(tmp_path / "x")
    event.set()
    await asyncio.gather(saving, finishing)
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    await writer.close()


async def test_a_failed_checkpoint_is_reported(tmp_path, writer, folder, monkeypatch):
    part = await writer.open_part(folder, "x", size=None)

    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(LocalError) as caught:
        await writer.checkpoint(part, record())
    assert caught.value.kind == "disk_full"
    assert part.error is None, "the bytes themselves are fine"
    await writer.discard(part)


# -- the end -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
async def test_a_final_name_created_meanwhile_is_not_replaced(
    tmp_path, writer, folder, kind
):
    part = await writer.open_part(folder, "x", size=3)
    await writer.write(part, 0, [b"abc"], 3)
    final = tmp_path / "x"
    if kind == "file":
        final.write_text("mine")
    elif kind == "link":
        final.symlink_to("victim")
    else:
        final.mkdir()
    with pytest.raises(FileExistsError, match="final"):
        await writer.finish(part, "x", overwrite=False)
    assert part.is_open
    await writer.finish(part, "x (1)", overwrite=False)
    assert (tmp_path / "x (1)").read_bytes() == b"abc"
    assert kind != "file" or final.read_text() == "mine"
    assert not (tmp_path / "victim").exists()


async def test_overwriting_replaces_a_file_and_a_link_but_no_directory(
    tmp_path, writer, folder
):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "link").symlink_to("victim")
    (tmp_path / "file").write_text("old")
    (tmp_path / "dir").mkdir()
    for name in ("link", "file"):
        part = await writer.open_part(folder, name, size=3)
        await writer.write(part, 0, [b"new"], 3)
        await writer.finish(part, name, overwrite=True)
        assert (tmp_path / name).read_text() == "new"
        assert not (tmp_path / name).is_symlink()
    assert (tmp_path / "victim").read_text() == "mine"
    part = await writer.open_part(folder, "dir", size=None)
    with pytest.raises(LocalError) as caught:
        await writer.finish(part, "dir", overwrite=True)
    assert caught.value.kind == "directory_exists"
    await writer.discard(part)


async def test_a_file_with_missing_bytes_is_not_renamed(tmp_path, writer, folder):
    part = await writer.open_part(folder, "x", size=9)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.write(part, 6, [b"ghi"], 3)
    with pytest.raises(IntegrityError, match="3 B of 'x' are missing"):
        await writer.finish(part, "x", overwrite=False)
    assert not (tmp_path / "x").exists()
    await writer.write(part, 3, [b"def"], 3)
    await writer.finish(part, "x", overwrite=False)
    assert (tmp_path / "x").read_bytes() == b"abcdefghi"


async def test_bytes_behind_the_end_are_truncated(tmp_path, writer, folder):
    (tmp_path / "x.part").write_bytes(b"abcXXXXXX")
    seen = find_existing(folder, "x")
    part = await writer.open_part(folder, "x", size=3, existing=seen)
    part.flushed.add(0, 3)
    await writer.finish(part, "x", overwrite=False)
    assert (tmp_path / "x").read_bytes() == b"abc"


@pytest.mark.parametrize("what", ["removed", "replaced", "linked"])
async def test_a_replaced_part_file_is_not_renamed(tmp_path, writer, folder, what):
    part = await writer.open_part(folder, "x", size=None)
    (tmp_path / "x.part").rename(tmp_path / "moved")
    if what == "replaced":
        (tmp_path / "x.part").write_text("theirs")
    elif what == "linked":
        (tmp_path / "x.part").symlink_to("moved")
    with pytest.raises(LocalError, match="moved or removed") as caught:
        await writer.finish(part, "x", overwrite=True)
    assert caught.value.kind == "disk"
    assert not exists(tmp_path / "x")
    await writer.discard(part)
    assert (what == "removed") != exists(tmp_path / "x.part")


async def test_finishing_in_a_removed_folder_is_an_error(tmp_path, writer, folders):
    folder = await folders.folder("a")
    part = await writer.open_part(folder, "x", size=None)
    (tmp_path / "a" / "x.part").unlink()
    (tmp_path / "a").rmdir()
    with pytest.raises(LocalError) as caught:
        await writer.finish(part, "x", overwrite=False)
    assert caught.value.kind == "directory_gone"
    await writer.discard(part)


async def test_discarding_removes_part_and_record(tmp_path, writer, folder):
    part = await writer.open_part(folder, "x", size=None)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.checkpoint(part, record())
    await writer.discard(part)
    assert list(tmp_path.iterdir()) == []
    assert not part.is_open


async def test_a_removal_that_breaks_off_leaves_no_bytes_without_a_record(
    tmp_path, writer, folder, monkeypatch
):
    """Such a part file could be anybody's, and would have to stay."""
    real = SafeDir.unlink

    def unlink(directory, name):
        if name == "x.part":
            raise OSError(errno.EIO, "the disk is broken")
        real(directory, name)

    part = await writer.open_part(folder, "x", size=None)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.checkpoint(part, record())
    monkeypatch.setattr(SafeDir, "unlink", unlink)
    with pytest.raises(LocalError):
        await writer.discard(part)
    assert not exists(tmp_path / "x.part.json")
    assert (tmp_path / "x.part").read_bytes() == b""


async def test_wrong_data_is_kept_under_a_free_name(tmp_path, writer, folder):
    (tmp_path / "x.bad").write_text("came after the folder was looked at")
    part = await writer.open_part(folder, "x", size=None)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.checkpoint(part, record())
    assert await writer.keep_as(part, "x.bad") == "x (1).bad"
    assert (tmp_path / "x (1).bad").read_bytes() == b"abc"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x (1).bad", "x.bad"]
    assert not part.is_open


async def test_a_failed_keep_as_releases_the_name(tmp_path, writer, folder):
    part = await writer.open_part(folder, "x", size=None)
    (tmp_path / "x.part").unlink()
    with pytest.raises(LocalError):
        await writer.keep_as(part, "x.bad")
    assert folder.try_reserve("x.bad")
    await writer.close_part(part)


@pytest.mark.parametrize("length", [0, 5, 3 * MIB + 1])
async def test_the_digest_is_that_of_hashlib(writer, folder, length, monkeypatch):
    from tui.disk import writer as module

    monkeypatch.setattr(module, "_HASH_SLICE", MIB + 7)
    data = bytes(range(256)) * (length // 256 + 1)
    part = await writer.open_part(folder, "x", size=None)
    await writer.write(part, 0, [data], len(data))
    for algorithm in ("sha256", "md5", "blake2b"):
        expected = hashlib.new(algorithm, data[:length]).hexdigest()
        assert await writer.digest(part, algorithm, length) == expected
    await writer.discard(part)


async def test_a_digest_beyond_the_end_is_an_error(writer, folder):
    part = await writer.open_part(folder, "x", size=None)
    await writer.write(part, 0, [b"abc"], 3)
    with pytest.raises(LocalError, match="ends at byte 3") as caught:
        await writer.digest(part, "sha256", 4)
    assert caught.value.kind == "disk"
    await writer.discard(part)


async def test_without_fsync_nothing_is_synced(tmp_path, folder, monkeypatch):
    def refuse(*_):
        raise AssertionError("synced")

    writer = DiskWriter(
        writers=1, in_flight_limit=MIB, fsync=False, clock=SystemClock()
    )
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, refuse)
    part = await writer.open_part(folder, "x", size=3)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.checkpoint(part, record(3))
    await writer.finish(part, "x", overwrite=False)
    assert (tmp_path / "x").read_bytes() == b"abc"
    assert writer.snapshot().sync_p99_s == 0
    await writer.close()


async def test_data_is_synced_before_the_record_and_before_the_rename(
    tmp_path, writer, folder, monkeypatch
):
    part = await writer.open_part(folder, "x", size=3)
    inode = os.fstat(part.fd).st_ino
    steps = []
    for name in ("fdatasync", "fsync"):
        real = getattr(os, name)

        def spy(fd, real=real):
            found = os.fstat(fd)
            is_folder = found.st_ino == tmp_path.stat().st_ino
            steps.append(
                "folder" if is_folder else "data" if found.st_ino == inode else "record"
            )
            real(fd)

        monkeypatch.setattr(os, name, spy)
    for module, name, label in (
        (os, "replace", "record named"),
        (platform, "rename_new", "final"),
    ):
        real_rename = getattr(module, name)

        def spy_rename(*args, real=real_rename, label=label, **more):
            steps.append(label)
            real(*args, **more)

        monkeypatch.setattr(module, name, spy_rename)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.checkpoint(part, record(3))
    assert steps == ["data", "record", "record named"]
    steps.clear()
    await writer.finish(part, "x", overwrite=False)
    assert steps == ["data", "final", "folder"]


@pytest.mark.parametrize("sync", [True, False])
async def test_a_checkpoint_behind_the_rename_saves_nothing(
    tmp_path, writer, folder, sync
):
    part = await writer.open_part(folder, "x", size=3)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.finish(part, "x", overwrite=False)
    record = ResumeRecord(url="http://a/x", validator="", size=3)
    part_file.save_checkpoint(part, record, sync)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
