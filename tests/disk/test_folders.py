from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tui.core.errors import LocalError
from tui.disk.folders import OutputFolders, numbered
from tui.disk.safe_dir import OpenDirs, SafeDir


async def test_a_free_name_is_claimed_as_it_is(folder):
    assert folder.reserve("a.bin") == "a.bin"
    assert not folder.try_reserve("a.bin")
    assert folder.try_reserve("b.bin")


async def test_a_taken_name_gets_a_number_before_its_extension(folder):
    names = [folder.reserve("a.tar.gz") for _ in range(3)]
    assert names == ["a.tar.gz", "a (1).tar.gz", "a (2).tar.gz"]
    assert [folder.reserve("read.me.first") for _ in range(2)] == [
        "read.me.first",
        "read.me (1).first",
    ]
    assert [folder.reserve(".profile") for _ in range(2)] == [
        ".profile",
        ".profile (1)",
    ]


async def test_names_that_differ_by_case_or_unicode_form_are_the_same(folder):
    assert folder.reserve("Fuß.BIN") == "Fuß.BIN"
    assert folder.reserve("FUSS.bin") == "FUSS (1).bin"
    assert folder.reserve("e\u0301.bin") == "e\u0301.bin"
    assert not folder.try_reserve("\u00e9.bin")
    assert not folder.try_reserve("\u00c9.BIN")
    assert not folder.try_reserve("e\u200d\u0301.bin"), "HFS+ ignores joiners"


async def test_nobody_gets_the_name_of_another_downloads_part_or_record(folder):
    folder.reserve("a")
    assert folder.reserve("a.part") == "a (1).part"
    assert not folder.try_reserve("A.PART.JSON")
    assert folder.reserve("b.part.json") == "b.part.json"
    assert not folder.try_reserve("b")


async def test_a_name_is_taken_if_a_part_of_it_lies_there(tmp_path, folders):
    (tmp_path / "a.bin.part").touch()
    (tmp_path / "B.bin").touch()
    folder = await folders.folder("")
    assert folder.reserve("a.bin") == "a (1).bin"
    assert folder.reserve("b.bin") == "b (1).bin"
    assert folder.try_reserve("a.bin"), "it may be wanted in order to continue it"
    assert not folder.try_reserve("a.bin")


async def test_a_released_name_is_free_again(folder):
    folder.reserve("a")
    folder.release("a")
    assert folder.try_reserve("a")


async def test_ten_thousand_of_one_name_take_no_quadratic_time(folder):
    names = {folder.reserve("index.html") for _ in range(10_000)}
    assert len(names) == 10_000
    assert "index (9999).html" in names


@pytest.mark.parametrize("stem", ["x" * 300, "é" * 150, "\U0001f600" * 70])
async def test_long_names_leave_room_for_the_records_suffix(folder, stem):
    for number in range(3):
        name = folder.reserve(f"{stem}.bin")
        assert len(os.fsencode(f"{name}.part.json")) <= 255
        assert name.endswith(".bin")
        assert not number or f" ({number})" in name
        assert not number or name == numbered(f"{stem}.bin", number)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "/"])
async def test_only_a_single_component_can_be_reserved(folder, name):
    for reserve in (folder.reserve, folder.try_reserve):
        with pytest.raises(LocalError) as caught:
            reserve(name)
        assert caught.value.kind == "name"


async def test_folders_are_created_and_cached(tmp_path, folders):
    assert folders.cached("a/b") is None
    folder = await folders.folder("a/b")
    assert (tmp_path / "a/b").is_dir()
    assert folders.cached("a/b") is folder
    assert folder.path == str(tmp_path / "a/b")


async def test_the_output_directory_is_created_too(tmp_path, writer):
    folders = OutputFolders(tmp_path / "new" / "deep", writer)
    await folders.folder("")
    assert (tmp_path / "new" / "deep").is_dir()
    await folders.close()


async def test_concurrent_callers_get_the_same_folder(folders):
    folders = await asyncio.gather(*(folders.folder("a") for _ in range(8)))
    assert len(set(map(id, folders))) == 1


async def test_two_spellings_are_one_folder(tmp_path, folders):
    folder = await folders.folder("a")
    assert await folders.folder("a/") is folder


@pytest.mark.parametrize(
    "directory", ["..", "a/../../b", "/etc", "a//b", "./a", "a\0b", "a/.."]
)
async def test_folders_outside_the_output_directory_are_refused(
    tmp_path, folders, directory
):
    with pytest.raises(LocalError) as caught:
        await folders.folder(directory)
    assert caught.value.kind == "name"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("directory", ["link", "link/below", "a/link"])
async def test_folders_behind_a_link_are_refused(tmp_path, writer, directory):
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    (root / "a" / "link").symlink_to(outside)
    folders = OutputFolders(root, writer)
    with pytest.raises(LocalError) as caught:
        await folders.folder(directory)
    assert caught.value.kind == "not_writable"
    assert list(outside.iterdir()) == []
    await folders.close()


async def test_the_output_directory_itself_may_be_a_link(tmp_path, writer):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    folders = OutputFolders(tmp_path / "link", writer)
    folder = await folders.folder("a")
    assert (tmp_path / "real" / "a").is_dir()
    await folders.close()  # as if 64 others had been opened since
    part = await writer.open_part(folder, "x", size=None)
    assert (tmp_path / "real" / "a" / "x.part").exists()
    await writer.discard(part)
    await folders.close()


async def test_a_file_with_the_folders_name_is_an_error(tmp_path, folders):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(LocalError, match="a file with this name") as caught:
        await folders.folder("a/b")
    assert caught.value.kind == "not_writable"
    assert (tmp_path / "a").read_text() == "mine"


async def test_an_unwritable_location_is_an_error(writer):
    # sysfs allows nobody to create directories, not even root.
    folders = OutputFolders(Path("/sys/fetchtui-test"), writer)
    with pytest.raises(LocalError) as caught:
        await folders.folder("")
    assert caught.value.kind == "not_writable"
    await folders.close()


async def test_a_folder_without_write_permission_is_an_error(
    tmp_path, folders, monkeypatch
):
    # Root may write anywhere, so simulate it.
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(LocalError, match="permission denied or") as caught:
        await folders.folder("")
    assert caught.value.kind == "not_writable"


async def test_a_removed_folder_is_an_error_until_it_is_back(tmp_path, writer, folders):
    folder = await folders.folder("a")
    part = await writer.open_part(folder, "one", size=None)
    await writer.discard(part)
    (tmp_path / "a").rmdir()
    for _ in range(2):
        with pytest.raises(LocalError) as caught:
            await writer.open_part(folder, "x", size=None)
        assert caught.value.kind == "directory_gone"
        assert not (tmp_path / "a").exists(), (
            "it may be the mount point of an unmounted disk"
        )
    (tmp_path / "a").mkdir()
    await writer.discard(await writer.open_part(folder, "x", size=None))


async def test_a_failed_open_is_retried_by_the_next_caller(tmp_path, folders):
    (tmp_path / "a").touch()
    with pytest.raises(LocalError):
        await folders.folder("a")
    (tmp_path / "a").unlink()
    await folders.folder("a")


def test_unused_descriptors_above_the_limit_are_closed():
    open_dirs = OpenDirs(limit=2)
    closed: list[str] = []

    class Watched(SafeDir):
        def close(self) -> None:
            closed.append(self.path)

    used = open_dirs.acquire("used", lambda: Watched("used", -1))
    for key in "abc":
        open_dirs.release(key, open_dirs.acquire(key, lambda key=key: Watched(key, -1)))
    assert closed == ["a", "b"]
    again = open_dirs.acquire("used", lambda: pytest.fail("already open"))
    assert again is used
    open_dirs.release("used", used, is_stale=True)
    assert closed == ["a", "b"], "still in use"
    open_dirs.release("used", used)
    assert closed == ["a", "b", "used"]
    open_dirs.close()
    assert closed == ["a", "b", "used", "c"]


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


async def test_many_folders_work_with_few_descriptors(tmp_path, writer):
    folders = OutputFolders(tmp_path, writer)
    opened = [await folders.folder(f"d{i}") for i in range(100)]
    before = open_descriptors()
    for folder in opened:
        part = await writer.open_part(folder, "x", size=None)
        await writer.finish(part, "x", overwrite=False)
    assert open_descriptors() <= before + 64 + 2
    assert all((tmp_path / f"d{i}" / "x").exists() for i in range(100))
    await folders.close()


@pytest.mark.parametrize("is_link", [False, True], ids=["directory", "link"])
@pytest.mark.parametrize("below", ["", "a", "new"])
async def test_a_link_in_place_of_the_output_directory_is_not_followed(
    tmp_path, writer, is_link, below
):
    """Somebody swaps it once its descriptor was closed because of many others."""
    (tmp_path / "real").mkdir()
    named = tmp_path / ("named" if is_link else "real")
    if is_link:
        named.symlink_to("real")
    folders = OutputFolders(named, writer)
    folder = await folders.folder("" if below == "new" else below)
    await folders.close()  # as if 64 others had been opened since
    victim = tmp_path / "victim"
    (victim / "a").mkdir(parents=True)
    (tmp_path / "real").rename(tmp_path / "moved")
    (tmp_path / "real").symlink_to("victim")
    with pytest.raises(LocalError):
        await writer.open_part(folder, "x", size=None)
    if below == "new":
        with pytest.raises(LocalError, match="symbolic link"):
            await folders.folder(below)
    assert [path.name for path in victim.rglob("*")] == ["a"]
    await folders.close()
