from __future__ import annotations

import json
import os

import pytest

from tui.disk.resume_record import (
    ResumeRecord,
    find_existing,
    load_record,
    parse,
    save_record,
    serialize,
)

URL = "https://user:secret@example.org/a/file.bin?signature=hunter2#top"


def record(**changes):
    values = {
        "url": URL,
        "validator": '"etag-1"',
        "size": 100,
        "ranges": ((0, 10), (20, 40)),
        "checksum": "sha256=" + "0" * 64,
        "saved_at": 1700000000.25,
    }
    return ResumeRecord(**{**values, **changes})


@pytest.fixture
def part(tmp_path, folder):
    path = tmp_path / "x.part"
    path.write_bytes(bytes(40))
    return path


async def test_a_record_round_trips(tmp_path, folder, part):
    save_record(folder, "x", record())
    assert load_record(folder, "x") == record()
    save_record(folder, "x", record(ranges=((0, 40),)), sync=False)
    assert load_record(folder, "x") == record(ranges=((0, 40),))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.part", "x.part.json"]


def test_a_record_without_a_weak_tag_is_as_before():
    assert b'etag"' not in serialize(record())
    tagged = record(validator="Tue, 01 Oct 2024 10:00:00 GMT", etag='W/"1"')
    assert parse(serialize(tagged)) == tagged


async def test_a_record_has_no_secrets_but_matches_its_url(tmp_path, folder, part):
    save_record(folder, "x", record())
    text = (tmp_path / "x.part.json").read_text()
    assert "secret" not in text
    assert "hunter2" not in text
    assert "https://example.org/a/file.bin" in text
    loaded = load_record(folder, "x")
    assert loaded.matches_url(URL)
    assert loaded.matches_url(URL.replace("user:secret@", "")), "logins come and go"
    assert not loaded.matches_url(URL.replace("hunter2", "hunter3"))
    assert not loaded.matches_url("https://example.org/a/file.bin")
    assert loaded.matches_url_without_query(URL.replace("hunter2", "hunter3"))
    assert not loaded.matches_url_without_query(URL.replace("file.bin", "other.bin"))


async def test_a_truncated_record_is_not_trusted(tmp_path, folder, part):
    data = serialize(record())
    for length in range(len(data)):
        assert parse(data[:length]) is None
    # Once through the disk as well: the same door, a real file.
    (tmp_path / "x.part.json").write_bytes(data[:-2])
    assert load_record(folder, "x") is None


def test_a_record_with_a_flipped_bit_is_not_trusted():
    data = serialize(record())
    assert parse(data) == record()
    for index in range(len(data)):
        for bit in range(8):
            wrong = bytearray(data)
            wrong[index] ^= 1 << bit
            assert parse(bytes(wrong)) is None, (index, bit)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": 0},
        {"ranges": ((-1, 10),)},
        {"ranges": ((10, 5),)},
        {"ranges": ((5, 5),)},
        {"ranges": ((0, 10), (9, 20))},
        {"ranges": ((20, 30), (0, 10))},
        {"ranges": ((0, 101),)},
        {"ranges": ((0, 10.0),)},
        {"ranges": ((False, 10),)},
        {"size": -1},
        {"size": True},
        {"size": 100.0},
        {"validator": None},
        {"etag": 7},
        {"checksum": 7},
        {"saved_at": None},
    ],
)
def test_an_inconsistent_record_is_not_trusted(changes):
    assert parse(serialize(record(**changes))) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'{"fetchtui": 1}',
        b'{"fetchtui": {}}',
        b'{"fetchtui": {"ranges": 5}}',
        b'{"fetchtui": {"ranges": [], "colour": 1}}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"fetchtui": {"ranges": [[' + b"9" * 5000 + b",1]]}}",
    ],
)
def test_a_foreign_file_is_not_a_record(data):
    assert parse(data) is None


async def test_a_record_that_claims_more_than_the_file_is_not_trusted(folder, part):
    save_record(folder, "x", record(ranges=((0, 41),)))
    assert load_record(folder, "x") is None


async def test_a_record_without_its_part_file_is_not_trusted(folder, part):
    save_record(folder, "x", record(ranges=()))
    assert load_record(folder, "x") is not None
    part.unlink()
    assert load_record(folder, "x") is None


async def test_a_record_behind_or_beside_a_link_is_not_trusted(tmp_path, folder, part):
    save_record(folder, "x", record())
    (tmp_path / "x.part.json").rename(tmp_path / "elsewhere")
    (tmp_path / "x.part.json").symlink_to("elsewhere")
    assert load_record(folder, "x") is None
    (tmp_path / "x.part.json").unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "x.part.json")
    assert load_record(folder, "x") is not None
    part.rename(tmp_path / "bytes")
    part.symlink_to("bytes")
    assert load_record(folder, "x") is None


async def test_at_most_one_megabyte_is_read(tmp_path, folder, part):
    data = serialize(record(validator="x" * (1 << 20)))
    assert parse(data) is not None
    (tmp_path / "x.part.json").write_bytes(data)
    assert load_record(folder, "x") is None


async def test_a_pipe_with_the_record_name_does_not_hang(tmp_path, folder, part):
    os.mkfifo(tmp_path / "x.part.json")
    assert load_record(folder, "x") is None


async def test_a_failed_save_leaves_the_previous_record(
    tmp_path, folder, part, monkeypatch
):
    save_record(folder, "x", record())

    def refuse(*_, **__):
        raise OSError(5, "no")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        save_record(folder, "x", record(ranges=((0, 40),)))
    monkeypatch.undo()
    assert load_record(folder, "x") == record()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.part", "x.part.json"]


async def test_a_temporary_file_of_a_killed_run_is_removed(tmp_path, folder, part):
    for torn in (b"", serialize(record())[:9], serialize(record())):
        (tmp_path / "x.part.new").write_bytes(torn)
        save_record(folder, "x", record())
        assert load_record(folder, "x") == record()
        assert not (tmp_path / "x.part.new").exists()


async def test_a_foreign_file_with_the_temporary_name_is_left_alone(
    tmp_path, folder, part
):
    (tmp_path / "x.part.new").write_text("a diary")
    save_record(folder, "x", record())
    assert load_record(folder, "x") == record()
    assert (tmp_path / "x.part.new").read_text() == "a diary"
    assert len(list(tmp_path.iterdir())) == 3


async def test_find_existing_returns_all_files(tmp_path, folder, part):
    assert find_existing(folder, "y") == (None, None, None, False)
    save_record(folder, "x", record())
    (tmp_path / "x").write_bytes(b"12345")
    assert find_existing(folder, "x") == (5, 40, record(), False)
    (tmp_path / "z").symlink_to("nowhere")
    (tmp_path / "z.part").mkdir()
    assert find_existing(folder, "z") == (-1, -1, None, False)


def test_a_record_is_human_readable():
    values = json.loads(serialize(record()))["fetchtui"]
    assert values["ranges"] == [[0, 10], [20, 40]]
    assert values["validator"] == '"etag-1"'
