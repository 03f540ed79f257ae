from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tui.core.errors import LocalError
from tui.disk import platform
from tui.disk.folders import OutputFolders, numbered
from tui.disk.safe_dir import OpenDirs, SafeDir
from tui.disk.writer import DiskWriter


async def test_a_free_name_is_claimed_as_it_is(folder):
    assert folder.claim("a.bin") == "a.bin"
    assert not folder.claim_exactly("a.bin")
    assert folder.claim_exactly("b.bin")


async def test_a_taken_name_gets_a_number_before_its_extension(folder):
    names = [folder.claim("a.tar.gz") for _ in range(3)]
    assert names == ["a.tar.gz", "a (1).tar.gz", "a (2).tar.gz"]
    assert [folder.claim("read.me.first") for _ in range(2)] == [
        "read.me.first",
        "read.me (1).first",
    ]
    assert [folder.claim(".profile") for _ in range(2)] == [".profile", ".profile (1)"]


async def test_names_that_differ_by_case_or_unicode_form_are_the_same(folder):
    assert folder.claim("Fuß.BIN") == "Fuß.BIN"
    assert folder.claim("FUSS.bin") == "FUSS (1).bin"
    assert folder.claim("e\u0301.bin") == "e\u0301.bin"
    assert not folder.claim_exactly("\u00e9.bin")
    assert not folder.claim_exactly("\u00c9.BIN")


async def test_nobody_gets_the_name_of_another_downloads_part_or_record(folder):
    folder.claim("a")
    assert folder.claim("a.part") == "a (1).part"
    assert not folder.claim_exactly("A.PART.JSON")
    assert folder.claim("b.part.json") == "b.part.json"
    assert not folder.claim_exactly("b")


async def test_a_name_is_taken_if_a_part_of_it_lies_there(tmp_path, destination):
    (tmp_path / "a.bin.part").touch()
    (tmp_path / "B.bin").touch()
    folder = await destination.folder("")
    assert folder.claim("a.bin") == "a (1).bin"
    assert folder.claim("b.bin") == "b (1).bin"
    assert folder.claim_exactly("a.bin"), "it may be wanted in order to continue it"
    assert not folder.claim_exactly("a.bin")


async def test_a_released_name_is_free_again(folder):
    folder.claim("a")
    folder.release("a")
    assert folder.claim_exactly("a")


async def test_ten_thousand_of_one_name_take_no_quadratic_time(folder):
    names = {folder.claim("index.html") for _ in range(10_000)}
    assert len(names) == 10_000
    assert "index (9999).html" in names


@pytest.mark.parametrize("stem", ["x" * 300, "é" * 150, "\U0001f600" * 70])
async def test_long_names_leave_room_for_the_records_suffix(folder, stem):
    for number in range(3):
        name = folder.claim(f"{stem}.bin")
        assert len(os.fsencode(f"{name}.part.json")) <= 255
        assert name.endswith(".bin")
        assert not number or f" ({number})" in name
        assert not number or name == numbered(f"{stem}.bin", number)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "/"])
async def test_what_is_no_single_component_cannot_be_claimed(folder, name):
    for claim in (folder.claim, folder.claim_exactly):
        with pytest.raises(LocalError) as caught:
            claim(name)
        assert caught.value.kind == "name"


async def test_folders_are_made_and_remembered(tmp_path, destination):
    assert destination.cached("a/b") is None
    folder = await destination.folder("a/b")
    assert (tmp_path / "a/b").is_dir()
    assert destination.cached("a/b") is folder
    assert folder.path == str(tmp_path / "a/b")


async def test_the_output_directory_is_made_too(tmp_path, writer):
    destination = OutputFolders(tmp_path / "new" / "deep", writer)
    await destination.folder("")
    assert (tmp_path / "new" / "deep").is_dir()
    await destination.close()


async def test_all_who_ask_at_once_get_the_same_folder(destination):
    folders = await asyncio.gather(*(destination.folder("a") for _ in range(8)))
    assert len(set(map(id, folders))) == 1


async def test_two_spellings_of_one_place_are_one_folder(tmp_path, destination):
    folder = await destination.folder("a")
    assert await destination.folder("a/") is folder


@pytest.mark.parametrize(
    "directory", ["..", "a/../../b", "/etc", "a//b", "./a", "a\0b", "a/.."]
)
async def test_no_folder_outside_the_output_directory(tmp_path, destination, directory):
    with pytest.raises(LocalError) as caught:
        await destination.folder(directory)
    assert caught.value.kind == "name"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("directory", ["link", "link/below", "a/link"])
@pytest.mark.parametrize("has_dir_fd", [True, False])
async def test_no_folder_is_reached_through_a_link(
    tmp_path, writer, monkeypatch, directory, has_dir_fd
):
    monkeypatch.setattr(platform, "HAS_DIR_FD", has_dir_fd)
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    (root / "a" / "link").symlink_to(outside)
    destination = OutputFolders(root, writer)
    with pytest.raises(LocalError) as caught:
        await destination.folder(directory)
    assert caught.value.kind == "not_writable"
    assert list(outside.iterdir()) == []
    await destination.close()


async def test_the_output_directory_itself_may_be_a_link(tmp_path, writer):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    destination = OutputFolders(tmp_path / "link", writer)
    await destination.folder("a")
    assert (tmp_path / "real" / "a").is_dir()
    await destination.close()


async def test_a_file_in_the_way_is_told(tmp_path, destination):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(LocalError, match="in the way") as caught:
        await destination.folder("a/b")
    assert caught.value.kind == "not_writable"
    assert (tmp_path / "a").read_text() == "mine"


async def test_a_place_where_nobody_may_write_is_told(writer):
    # sysfs refuses new directories to everybody, root included.
    destination = OutputFolders(Path("/sys/fetchtui-test"), writer)
    with pytest.raises(LocalError) as caught:
        await destination.folder("")
    assert caught.value.kind == "not_writable"
    await destination.close()


async def test_a_folder_without_permission_to_write_is_told(
    tmp_path, destination, monkeypatch
):
    # Root may write anywhere, so the answer has to be made up.
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(LocalError, match="no permission, or") as caught:
        await destination.folder("")
    assert caught.value.kind == "not_writable"


async def test_a_folder_that_vanished_is_told_and_works_when_it_is_back(
    tmp_path, writer, destination
):
    folder = await destination.folder("a")
    part = await writer.open_part(folder, "one", size=None, resume=False)
    await writer.discard(part)
    (tmp_path / "a").rmdir()
    for _ in range(2):
        with pytest.raises(LocalError) as caught:
            await writer.open_part(folder, "x", size=None, resume=False)
        assert caught.value.kind == "directory_gone"
        assert not (tmp_path / "a").exists(), "it may be the place of an unmounted disk"
    (tmp_path / "a").mkdir()
    await writer.discard(await writer.open_part(folder, "x", size=None, resume=False))


async def test_a_failed_opening_is_tried_again_by_the_next_who_asks(
    tmp_path, destination
):
    (tmp_path / "a").touch()
    with pytest.raises(LocalError):
        await destination.folder("a")
    (tmp_path / "a").unlink()
    await destination.folder("a")


def test_descriptors_that_nobody_uses_are_closed_beyond_the_limit():
    open_ones = OpenDirs(limit=2)
    closed: list[str] = []

    class Watched(SafeDir):
        def close(self) -> None:
            closed.append(self.path)

    used = open_ones.enter("used", lambda: Watched("used", None))
    for key in "abc":
        open_ones.leave(key, open_ones.enter(key, lambda key=key: Watched(key, None)))
    assert closed == ["a", "b"]
    again = open_ones.enter("used", lambda: pytest.fail("it was open"))
    assert again is used
    open_ones.leave("used", used, is_stale=True)
    assert closed == ["a", "b"], "somebody still uses it"
    open_ones.leave("used", used)
    assert closed == ["a", "b", "used"]
    open_ones.close()
    assert closed == ["a", "b", "used", "c"]


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))


async def test_many_folders_work_with_few_descriptors(tmp_path, writer):
    destination = OutputFolders(tmp_path, writer)
    folders = [await destination.folder(f"d{i}") for i in range(100)]
    before = open_descriptors()
    for folder in folders:
        part = await writer.open_part(folder, "x", size=None, resume=False)
        await writer.finish(part, "x", overwrite=False)
    assert open_descriptors() <= before + 64 + 2
    assert all((tmp_path / f"d{i}" / "x").exists() for i in range(100))
    await destination.close()


async def test_everything_works_without_calls_relative_to_a_directory(
    tmp_path, monkeypatch
):
    from tui.core.clock import SystemClock

    monkeypatch.setattr(platform, "HAS_DIR_FD", False)
    writer = DiskWriter(
        writers=2, in_flight_limit=1 << 20, fsync=True, clock=SystemClock()
    )
    destination = OutputFolders(tmp_path, writer)
    folder = await destination.folder("a/b")
    part = await writer.open_part(folder, "x", size=3, resume=False)
    await writer.write(part, 0, [b"abc"], 3)
    await writer.finish(part, "x", overwrite=False)
    part = await writer.open_part(folder, "y", size=None, resume=False)
    with pytest.raises(FileExistsError, match="final"):
        await writer.finish(part, "x", overwrite=False)
    await writer.finish(part, "x", overwrite=True)
    assert (tmp_path / "a/b/x").read_bytes() == b""
    assert sorted(p.name for p in (tmp_path / "a/b").iterdir()) == ["x"]
    await destination.close()
    await writer.close()
