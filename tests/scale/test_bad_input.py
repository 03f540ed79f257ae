"""What is wrong is said before anything starts, and how to continue."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tests.scale.test_runs import KEEP, hosts, rows_of, scale, write_list
from tests.support.command import finish, start
from tui.scale.job import JobOptions, check_destination

__all__ = ["hosts"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nothing.txt"], "nothing.txt: no such file"),
        (["none-*.txt"], "none-*.txt: no file matches this pattern"),
        (["empty.txt"], "empty.txt: contains no URLs"),
        (["bad.csv", "--url-column", "image"], "there is no column 'image'; the col"),
        (["bad.csv"], "the list has no URLs that can be downloaded; bad.csv:1: "),
        ([], "no list, and no plan in the destination"),
        (["l.txt", "--scheduler", "here"], "'here' is not a scheduler; write local:N"),
        (["l.txt", "--scheduler", "local:0"], "is not a scheduler"),
        (["l.txt", "--shard", "4/4"], "write I/N with I from 0 to N-1"),
        (["l.txt", "--shard", "0/2", "--scheduler", "local:2"], "use only one of"),
        (["l.txt", "--format", "zip"], "'zip' is not one of"),
        (["l.txt", "-u", "me"], "workers cannot prompt for a password"),
        # Names follow from the plan, and only a dashboard shows sizes of queued files.
        (["l.txt", "--folder", "*.x=y"], "no such option"),
        (["l.txt", "--sizes-ahead"], "no such option"),
    ],
)
async def test_a_clear_error(tmp_path, arguments, expected):
    (tmp_path / "l.txt").write_text("http://127.0.0.1:9/x\n")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "bad.csv").write_text("id,link\n1,http://a/1\n")
    ended = await scale(tmp_path, *arguments)
    assert ended.status == 2
    assert expected in ended.err
    assert "Traceback" not in ended.err


async def test_no_such_scheduler(tmp_path):
    pytest.importorskip("distributed")
    (tmp_path / "l.txt").write_text("http://127.0.0.1:9/x\n")
    ended = await scale(tmp_path, "l.txt", "--scheduler", "tcp://127.0.0.1:9")
    assert ended.status == 2
    assert "cannot connect to the scheduler at tcp://127.0.0.1:9: " in ended.err
    assert "Traceback" not in ended.err


async def test_the_destination_is_required(tmp_path):
    process = await start("scale", "l.txt", cwd=tmp_path)
    ended = await finish(process)
    assert (ended.status, "choose a destination with -o DIR" in ended.err) == (2, True)


async def test_a_destination_with_other_files_is_refused(tmp_path):
    (tmp_path / "l.txt").write_text("http://127.0.0.1:9/x\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    ended = await scale(tmp_path, "l.txt")
    assert ended.status == 2
    assert "has files, but no plan of fetchtui scale" in ended.err
    assert os.listdir(tmp_path / "out") == ["mine.txt"]


async def test_parts_check_the_destination_at_the_same_time(tmp_path, monkeypatch):
    """The file by which one of them tries to write is not in the way of another."""
    options = JobOptions(("l",), tmp_path / "out", tmp_path / "job", "files", 10, 2)
    touch = Path.touch

    def check_and_touch(path):
        touch(path)
        monkeypatch.setattr(Path, "touch", touch)
        monkeypatch.setattr(os, "getpid", lambda: 1)
        check_destination(options)

    monkeypatch.setattr(Path, "touch", check_and_touch)
    check_destination(options)
    assert os.listdir(tmp_path / "out") == []


async def test_a_destination_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "l.txt").write_text("http://127.0.0.1:9/x\n")
    (tmp_path / "out").write_text("a file")
    ended = await scale(tmp_path, "l.txt")
    assert ended.status == 2
    assert "cannot write to " in ended.err


async def test_a_list_that_changed_is_refused(tmp_path, hosts):
    write_list(tmp_path / "l.txt", hosts, 10)
    assert (await scale(tmp_path, "l.txt")).status == 0
    urls = write_list(tmp_path / "l.txt", hosts, 12)
    ended = await scale(tmp_path, "l.txt")
    assert ended.status == 2
    assert "l.txt changed since its plan was made" in ended.err
    other = await scale(tmp_path, "l.txt", "--format", "tar")
    assert "was made with --format files, and this command has tar" in other.err
    again = await scale(tmp_path, "l.txt", "--replan")
    assert again.status == 0, again.err
    assert sorted(row.url for row in rows_of(tmp_path)) == sorted(urls)
    # The output of the old plan is kept beside.
    assert len(list((tmp_path / "out").glob("old-plan-*/000000"))) == 1


async def test_without_the_list_its_plan_says_how_to_continue(tmp_path, hosts):
    (tmp_path / "l.csv").write_text(f"id,image\n1,{hosts.url(1, '/100/1.bin')}\n")
    first = await scale(tmp_path, "l.csv", "--url-column", "image", "--format", "tar")
    assert first.status == 0, first.err
    again = await scale(tmp_path)
    assert again.status == 0, again.err
    other = await scale(tmp_path, "l.csv", "--url-column", "id")
    assert other.status == 2
    assert "was made with the columns image, and this command has id" in other.err
    assert [row.path for row in rows_of(tmp_path)] == ["000000.tar/000000-00000.bin"]


async def test_a_second_run_of_a_job_is_refused(tmp_path, hosts):
    write_list(tmp_path / "l.txt", hosts, 3)
    assert (await scale(tmp_path, "l.txt")).status == 0
    lock = os.open(tmp_path / "out" / ".fetchtui-scale" / "run.lock", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = await scale(tmp_path, "l.txt")
    finally:
        os.close(lock)
    assert ended.status == 2
    assert "another fetchtui scale works on " in ended.err


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("-u", "me:topsecret"), "--password-from"),
        (("-H", "X-Api-Key: topsecret"), "X-Api-Key"),
    ],
)
async def test_a_secret_is_not_sent_to_workers(tmp_path, given, named):
    (tmp_path / "l.txt").write_text("http://127.0.0.1:9/x\n")
    process = await start(
        *("scale", "-o", "out", "l.txt", "--scheduler", "local:2", *given),
        cwd=tmp_path,
        env=KEEP,
    )
    ended = await finish(process)
    assert ended.status == 2
    assert named in ended.err
    assert "topsecret" not in ended.err


async def test_a_bucket_is_checked_before_the_list_is_planned(tmp_path):
    pytest.importorskip("obstore")
    (tmp_path / "l.txt").write_text("http://127.0.0.1:9/x\n")
    process = await start(
        *("scale", "l.txt", "-o", "s3://bucket/x", "--job", "job", "--headless"),
        cwd=tmp_path,
        env={
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "topsecret",
        },
    )
    ended = await finish(process)
    assert ended.status == 2
    assert "s3://bucket/x cannot be reached" in ended.err
    assert "topsecret" not in ended.err
    assert not (tmp_path / "job" / "plan.json").exists()
