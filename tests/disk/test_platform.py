"""System calls that differ between systems, with each fallback."""

from __future__ import annotations

import errno
import os

import pytest

from tui.disk import platform
from tui.disk.errors import from_os_error


@pytest.fixture(params=["renameat2", "link", "neither"])
def way(request, monkeypatch):
    if request.param != "renameat2":
        monkeypatch.setattr(platform, "_renameat2", lambda *_: errno.EINVAL)
    if request.param == "neither":

        def refuse(*_, **__):
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    return request.param


@pytest.mark.parametrize("kind", [None, "file", "dangling link"])
def test_renaming_never_replaces(tmp_path, way, kind):
    fd = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "old").write_text("old")
    if kind == "file":
        (tmp_path / "new").write_text("mine")
    elif kind:
        (tmp_path / "new").symlink_to("nowhere")
    if kind is None:
        platform.rename_new("old", "new", fd)
        assert [p.name for p in tmp_path.iterdir()] == ["new"]
    else:
        with pytest.raises(FileExistsError):
            platform.rename_new("old", "new", fd)
        assert (tmp_path / "old").read_text() == "old"
    os.close(fd)


def test_renaming_a_missing_file_is_an_error(tmp_path, way):
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(FileNotFoundError):
        platform.rename_new("old", "new", fd)
    os.close(fd)


@pytest.mark.parametrize("most", [1, 3, 7, 1 << 20])
@pytest.mark.parametrize("has_pwritev", [True, False])
def test_partial_writes_are_continued(tmp_path, monkeypatch, most, has_pwritev):
    real = os.pwrite
    if has_pwritev:
        monkeypatch.setattr(
            os,
            "pwritev",
            lambda fd, buffers, offset: real(fd, b"".join(buffers)[:most], offset),
        )
    else:
        monkeypatch.delattr(os, "pwritev")
        monkeypatch.setattr(
            os, "pwrite", lambda fd, data, offset: real(fd, data[:most], offset)
        )
    with open(tmp_path / "x", "wb") as file:
        platform.write_at(file.fileno(), [b"abc", b"", b"defg", bytearray(b"h")], 2, 8)
    assert (tmp_path / "x").read_bytes() == b"\0\0abcdefgh"


def test_more_buffers_than_one_call_allows_are_written(tmp_path):
    buffers = [bytes([i % 256]) * 3 for i in range(3000)]
    with open(tmp_path / "x", "wb") as file:
        platform.write_at(file.fileno(), buffers, 0, 9000)
    assert (tmp_path / "x").read_bytes() == b"".join(buffers)


def test_a_write_of_zero_bytes_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "pwritev", lambda *_: 0)
    with open(tmp_path / "x", "wb") as file, pytest.raises(OSError, match="nothing"):
        platform.write_at(file.fileno(), [b"abc"], 0, 3)


def test_buffers_that_do_not_add_up_are_refused(tmp_path):
    with open(tmp_path / "x", "wb") as file, pytest.raises(ValueError, match="3 bytes"):
        platform.write_at(file.fileno(), [b"abc"], 0, 4)


@pytest.mark.parametrize("has_preadv", [True, False])
def test_reading_stops_at_the_end_of_the_file(tmp_path, monkeypatch, has_preadv):
    if not has_preadv:
        monkeypatch.delattr(os, "preadv")
    (tmp_path / "x").write_bytes(b"abcdef")
    buffer = bytearray(4)
    with open(tmp_path / "x", "rb") as file:
        assert platform.read_at(file.fileno(), buffer, 1) == 4
        assert bytes(buffer) == b"bcde"
        assert platform.read_at(file.fileno(), buffer, 5) == 1
        assert platform.read_at(file.fileno(), buffer, 6) == 0


@pytest.mark.parametrize("closed", [[], [0], [2, 0, 1], [0, 2, 3], [3, 1]])
def test_only_the_given_descriptors_are_closed(tmp_path, closed):
    fds = [os.open(tmp_path, os.O_RDONLY) for _ in range(5)]
    platform.close_all(fds[index] for index in closed)
    for index, fd in enumerate(fds):
        if index in closed:
            with pytest.raises(OSError, match="descriptor"):
                os.fstat(fd)
        else:
            os.close(fd)


def test_a_lock_excludes_and_ends_with_its_file(tmp_path):
    fds = [os.open(tmp_path / "x", os.O_RDWR | os.O_CREAT) for _ in range(2)]
    assert platform.lock(fds[0])
    assert not platform.lock(fds[1])
    os.close(fds[0])
    assert platform.lock(fds[1])
    os.close(fds[1])


def test_file_systems_without_locks_count_as_free(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with open(tmp_path / "x", "wb") as file:
        assert platform.lock(file.fileno())


def test_free_space_is_checked_without_fallocate(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "_fallocate", None)
    with open(tmp_path / "x", "wb") as file:
        assert not platform.preallocate(file.fileno(), 1 << 20)
        with pytest.raises(OSError, match="No space") as caught:
            platform.preallocate(file.fileno(), 1 << 60)
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EROFS, "not_writable"),
        (errno.EACCES, "not_writable"),
        (errno.EPERM, "not_writable"),
        (errno.ENOENT, "directory_gone"),
        (errno.ENAMETOOLONG, "name"),
        (errno.EIO, "disk"),
        (errno.EMFILE, "descriptors"),
        (errno.ENFILE, "descriptors"),
        (errno.EFBIG, "too_large"),
    ],
)
def test_each_os_error_has_its_kind(code, kind):
    error = from_os_error(
        OSError(code, os.strerror(code)), "write", "x\x1b]0;y\x07", 1500
    )
    assert error.kind == kind
    assert "\x1b" not in str(error)
    assert ("1.50 KB more needed" in str(error)) == (kind == "disk_full")
