"""Unpack one archive: completely, or not at all."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.postprocess.archives import odd_tar, tar_of, zip_directory, zip_of
from tui.postprocess.unpack import extract_dir
from tui.postprocess.unpack.archive import Stopped, Unpacked, unpack
from tui.postprocess.unpack.extract_dir import UnpackError

FILES = [("top/", b""), ("top/a.txt", b"hello"), ("top/deep/b", b"x" * 100_000)]


def do(folder: Path, data: bytes, name: str = "box.zip", on_progress=lambda _: None):
    path = folder / name
    path.write_bytes(data)
    return unpack(
        str(path), "box", str(folder / ".tmp"), is_synced=False, on_progress=on_progress
    )


def left(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.parametrize(
    "data",
    [zip_of(FILES), *(tar_of(FILES, kind) for kind in ("", "gz", "bz2", "xz"))],
    ids=["zip", "tar", "gz", "bz2", "xz"],
)
def test_every_format_is_unpacked_into_its_folder(tmp_path, data):
    done = do(tmp_path, data)
    assert done == Unpacked(str(tmp_path / "box"), 4, 100_005)
    assert (tmp_path / "box/top/a.txt").read_bytes() == b"hello"
    assert (tmp_path / "box/top/deep/b").read_bytes() == b"x" * 100_000
    assert left(tmp_path) == ["box", "box.zip"], "the archive stays"
    assert (tmp_path / "box/top/a.txt").stat().st_mtime == 1_445_412_480


def test_single_folder_with_the_archives_name_is_used_directly(tmp_path):
    do(tmp_path, tar_of([("box/a", b"1"), ("box/b", b"2")], "gz"))
    assert left(tmp_path / "box") == ["a", "b"]
    assert left(tmp_path) == ["box", "box.zip"]


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_single_folder_is_kept_if_links_need_the_top_level(tmp_path, pack):
    (tmp_path / "mine").write_text("mine")
    do(tmp_path, pack([("box/a", b"1"), ("box/l", "../mine"), ("box/m", "a")]))
    assert left(tmp_path / "box") == ["box"]
    assert not (tmp_path / "box/box/l").exists(), "there is no such file in the archive"
    assert (tmp_path / "box/box/m").read_bytes() == b"1"


def test_existing_folder_is_not_touched(tmp_path):
    (tmp_path / "box").mkdir()
    (tmp_path / "box/mine").write_text("mine")
    (tmp_path / "box (1)").write_text("a file")
    done = do(tmp_path, zip_of(FILES))
    assert done.directory == str(tmp_path / "box (2)")
    assert left(tmp_path / "box") == ["mine"]


def test_only_the_executable_bit_is_kept(tmp_path):
    info = tarfile.TarInfo("run")
    info.mode = 0o6777
    data = info.tobuf() + bytes(10240)
    before = os.umask(0o022)
    try:
        do(tmp_path, data)
    finally:
        os.umask(before)
    assert (tmp_path / "box/run").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "box").stat().st_mode & 0o777 == 0o755


def test_links_inside_are_kept(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, target in [
            ("lib/soft", tarfile.SYMTYPE, "../data/x"),
            ("data/x", tarfile.REGTYPE, ""),
            ("data/same", tarfile.LNKTYPE, "data/x"),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    do(tmp_path, out.getvalue())
    assert os.readlink(tmp_path / "box/lib/soft") == "../data/x"
    assert (tmp_path / "box/data/x").stat().st_nlink == 2


HOSTILE = {
    "tar climbs": tar_of([("ok", b"1"), ("../evil", b"x")]),
    "tar absolute": tar_of([("/evil-outside", b"x")], "gz"),
    "tar link out": tar_of([("l", "/etc"), ("l/evil", b"x")]),
    "tar link up": tar_of([("l", ".."), ("l/evil", b"x")]),
    "tar link chain": tar_of([("a", "b"), ("b", "a/../..")]),
    "tar hard link out": odd_tar("h", type=tarfile.LNKTYPE, linkname="../mine"),
    "tar hard link absolute": odd_tar("h", type=tarfile.LNKTYPE, linkname="/etc/hosts"),
    "tar hard link to nothing": odd_tar("h", type=tarfile.LNKTYPE, linkname="gone"),
    "tar device": odd_tar("dev", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "tar pipe": odd_tar("pipe", type=tarfile.FIFOTYPE),
    "tar file and folder": tar_of([("a", b"x"), ("a/b", b"y")]),
    "tar through its link": tar_of([("a/b", "c"), ("a/b/evil", b"x")]),
    "tar twice": tar_of([("a", b"x"), ("a", b"y")]),
    "tar escape sequence": tar_of([("\x1b]0;evil\x07", b"x")]),
    "tar no name": tar_of([(".", b"x")]),
    "zip climbs": zip_of([("ok", b"1"), ("a/../../evil", b"x")]),
    "zip absolute": zip_of([("/evil", b"x")]),
    "zip backslashes": zip_of([("..\\evil", b"x")], system=0),
    "zip drive": zip_of([("C:evil", b"x")], system=0),
    "zip link out": zip_of([("l", "../.."), ("l/evil", b"x")]),
    "zip twice": zip_of([("b", b"x"), ("a", b"y")]).replace(b"a", b"b"),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_malicious_archive_leaves_nothing(tmp_path, data):
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UnpackError) as reason:
        do(inner, data)
    assert str(reason.value).isprintable()
    assert left(inner) == ["box.zip"]
    assert left(tmp_path) == ["inner", "mine"]
    assert not os.path.exists("/evil-outside")
    assert (tmp_path / "mine").stat().st_nlink == 1


def test_name_with_a_nul_is_refused(tmp_path):
    data = zip_of([("aXb", b"x")]).replace(b"aXb", b"a\0b")
    with pytest.raises(UnpackError, match="control character"):
        do(tmp_path, data)


def test_password_protected_zip_is_refused(tmp_path):
    data = bytearray(zip_of([("a", b"x")]))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.index(magic) + at
        data[start : start + 2] = struct.pack("<H", 1)
    with pytest.raises(UnpackError, match="password-protected"):
        do(tmp_path, bytes(data))


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz"])
def test_damaged_archive_leaves_nothing(tmp_path, kind):
    noise = os.urandom(40_000)
    whole = zip_of([("a", noise)]) if kind == "zip" else tar_of([("a", noise)], kind)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x55
    broken = [bytes(flipped), *(whole[: len(whole) * n // 8] for n in range(1, 8))]
    for data in broken:
        with pytest.raises(UnpackError):
            do(tmp_path, data)
        assert left(tmp_path) == ["box.zip"]


def test_checksum_after_the_last_file_is_verified(tmp_path):
    data = bytearray(tar_of([("a", b"x" * 5000)], "gz"))
    data[-6] ^= 1  # in the CRC of RFC 1952
    with pytest.raises(UnpackError, match="damaged"):
        do(tmp_path, bytes(data))
    assert left(tmp_path) == ["box.zip"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an archive, or damaged"),
        (b"<html>no</html>", "not an archive, or damaged"),
        (gzip.compress(b"one file", mtime=0), "not an archive, or damaged"),
        (b"PK\x03\x04junk", "damaged archive"),
    ],
)
def test_other_files_are_refused_with_a_reason(tmp_path, data, reason):
    with pytest.raises(UnpackError, match=reason):
        do(tmp_path, data)
    assert left(tmp_path) == ["box.zip"]


def test_a_zip_behind_a_program_is_unpacked(tmp_path):
    do(tmp_path, b"#!/bin/sh\nexit\n" * 100 + zip_of([("a", b"1")]))
    assert (tmp_path / "box/a").read_bytes() == b"1"


def test_a_zip_in_a_tar_is_no_reason_to_read_the_tar_as_a_zip(tmp_path):
    inner = zip_of([("a", b"1")])
    do(tmp_path, tar_of([("inner.zip", inner)]))
    assert (tmp_path / "box/inner.zip").read_bytes() == inner


@pytest.mark.parametrize(
    "data",
    [
        zip_of([("zeros", bytes(3 << 20))]),
        tar_of([("zeros", bytes(3 << 20))], "xz"),
        tar_of([("a", b"x")], "xz")[:0] + tar_of([("many", bytes(3 << 20))], "gz"),
    ],
    ids=["zip", "xz", "gz"],
)
def test_bomb_is_stopped_at_the_limit(tmp_path, monkeypatch, data):
    monkeypatch.setattr(extract_dir, "FLOOR", 1 << 20)
    with pytest.raises(UnpackError, match="by hand if you trust it"):
        do(tmp_path, data)
    assert left(tmp_path) == ["box.zip"]


def test_bomb_after_the_last_file_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(extract_dir, "FLOOR", 1 << 20)
    import gzip

    data = gzip.compress(tar_of([("a", b"x")]) + bytes(5 << 20))
    with pytest.raises(UnpackError, match="by hand if you trust it"):
        do(tmp_path, data)


def test_number_of_entries_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(extract_dir, "ENTRY_LIMIT", 10)
    with pytest.raises(UnpackError, match="more than 10 files"):
        do(tmp_path, zip_of([(f"{n}", b"") for n in range(11)]))


def test_free_space_is_reserved(tmp_path, monkeypatch):
    monkeypatch.setattr(extract_dir, "RESERVE", 1 << 60)
    with pytest.raises(UnpackError, match="nearly full"):
        do(tmp_path, zip_of(FILES))
    assert left(tmp_path) == ["box.zip"]


def test_cancelled_unpacking_leaves_nothing(tmp_path):
    shares = []

    def on_progress(progress: float) -> None:
        shares.append(progress)
        if len(shares) > 6:
            raise Stopped

    with pytest.raises(Stopped):
        do(
            tmp_path,
            tar_of([(f"{n}", b"x" * 5000) for n in range(50)]),
            on_progress=on_progress,
        )
    assert left(tmp_path) == ["box.zip"]
    assert shares == sorted(shares)


def test_unsupported_compression_is_reported(tmp_path):
    try:
        import compression.zstd  # noqa: F401
    except ImportError:
        with pytest.raises(UnpackError, match=r"needs Python 3\.14"):
            do(tmp_path, b"\x28\xb5\x2f\xfd" + bytes(100))
    else:
        with pytest.raises(UnpackError, match="damaged"):
            do(tmp_path, b"\x28\xb5\x2f\xfd" + bytes(100))


_SEEDS = [
    zip_of([*FILES, ("link", "top/a.txt")]),
    tar_of([*FILES, ("link", "top/a.txt")]),
    tar_of(FILES, "gz"),
    tar_of(FILES, "bz2"),
    tar_of(FILES, "xz"),
]


@given(
    seed=st.sampled_from(_SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255))),
    cut=st.integers(0, 1 << 20),
)
def test_any_damage_has_a_reason(seed, changes, cut):
    data = bytearray(seed)
    for at, value in changes:
        # Heads and directories are where harm can be done.
        place = at % min(len(data), 1024)
        data[place if at % 2 else -place - 1] = value
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "inner"
        folder.mkdir()
        reason, wanted = "", ["box", "box.zip"]
        try:
            do(folder, bytes(data[: len(data) - cut % 3]))
        except UnpackError as error:
            reason, wanted = str(error), ["box.zip"]
        assert reason.isprintable()
        assert left(folder) == wanted
        assert left(Path(parent)) == ["inner"]


def test_windows_zip_keeps_its_folders(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename, info.create_system = "folder\\file", 0
        archive.writestr(info, b"1")
    do(tmp_path, out.getvalue())
    assert (tmp_path / "box/folder/file").read_bytes() == b"1"


@pytest.mark.alone
@pytest.mark.parametrize(
    "fields",
    [
        {"is_zip64": True},
        {"total": 1},
        {"total": 0xFFFF},
        {"is_zip64": True, "total": 1},
    ],
    ids=["as reported", "one", "65,535", "zip64, one"],
)
def test_a_zip_of_a_million_entries_is_refused_at_once(tmp_path, fields):
    data = zip_directory(1_000_000, **fields)
    started = time.process_time()
    with pytest.raises(UnpackError, match="more than 500,000 files"):
        do(tmp_path, data)
    assert time.process_time() - started < 3
    assert left(tmp_path) == ["box.zip"]


def test_the_handmade_zip_is_valid(tmp_path):
    for number, fields in enumerate([{}, {"is_zip64": True}]):
        folder = tmp_path / str(number)
        folder.mkdir()
        data = zip_directory(1, **fields)
        assert do(folder, data).entries == 1
        assert left(folder / "box") == ["0000000"]


def test_folders_of_a_zip_count_as_entries(tmp_path, monkeypatch):
    monkeypatch.setattr(extract_dir, "ENTRY_LIMIT", 20)
    with pytest.raises(UnpackError, match="more than 20 files"):
        do(tmp_path, zip_of([(f"{n}/{n}/x", b"") for n in range(10)]))
    assert left(tmp_path) == ["box.zip"]


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_no_member_looks_like_an_option(tmp_path, pack):
    names = ["-rf", "--help", "a/-x", "-d/--e/f", "./-g", "-/h"]
    entries = [(name, name.encode()) for name in names]
    entries += [("link", "-rf"), ("a/up", "../-d/--e/f"), ("flat", "./--help")]
    do(tmp_path, pack(entries))
    box = tmp_path / "box"
    found = [name for _, folders, files in os.walk(box) for name in folders + files]
    assert len(found) == 13
    assert not [name for name in found if name.startswith("-")]
    assert (box / "_rf").read_text() == "-rf"
    assert (box / "_-help").read_text() == "--help"
    assert (box / "_d/_-e/f").read_text() == "-d/--e/f"
    for link, target in (("link", "-rf"), ("a/up", "-d/--e/f"), ("flat", "--help")):
        assert (box / link).read_text() == target, "links are renamed alike"


def test_hard_links_follow_renamed_members(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("-rf")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"1"))
        link = tarfile.TarInfo("-also")
        link.type, link.linkname = tarfile.LNKTYPE, "-rf"
        archive.addfile(link)
    do(tmp_path, out.getvalue())
    assert left(tmp_path / "box") == ["_also", "_rf"]


def test_an_archive_that_became_a_link_is_not_read(tmp_path):
    (tmp_path / "other.zip").write_bytes(zip_of([("a", b"1")]))
    (tmp_path / "box.zip").symlink_to("other.zip")
    with pytest.raises(UnpackError):
        unpack(
            str(tmp_path / "box.zip"),
            "box",
            str(tmp_path / ".tmp"),
            is_synced=False,
            on_progress=lambda _: None,
        )
    assert left(tmp_path) == ["box.zip", "other.zip"]
