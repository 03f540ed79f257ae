"""Uploads in parts to S3: conditions, what a kill leaves, and how it continues."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from datetime import UTC, datetime

import pytest

from tests.cloud.s3 import Answer, S3Server
from tests.support.until import until
from tui.cloud import multipart, parts, record, upload
from tui.cloud.address import Address
from tui.cloud.errors import AlreadyThereError, CloudError
from tui.cloud.multipart import Keys, keys_of, signed_headers
from tui.cloud.record import Origin
from tui.cloud.upload import Uploader

pytest.importorskip("obstore")

ADDRESS = Address("s3", "bucket", "pre/fix")
KEY = "pre/fix/a &.bin"
SIZE = 1050
COUNT = 11
"""Parts of a file of ``SIZE`` bytes."""


@pytest.fixture
def s3(monkeypatch):
    monkeypatch.setattr(upload, "SMALL", 10)
    monkeypatch.setattr(parts, "PART", 100)
    monkeypatch.setattr(parts, "_CHUNK", 30)
    monkeypatch.setattr(multipart, "_BACKOFF_S", 0.001)
    with S3Server() as server:
        yield server


def uploader_for(s3, staging, *, replaces=False):
    from obstore.store import S3Store

    config = {
        "endpoint": s3.endpoint,
        "access_key_id": "a",
        "secret_access_key": "b",
        "region": "us-east-1",
    }
    store = S3Store("bucket", config=config, client_options={"allow_http": True})
    keys = Keys("a", "b", "", "us-east-1", s3.endpoint)
    return Uploader(store, ADDRESS, staging, replaces=replaces, keys=keys)


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "a &.bin"
    found.write_bytes(os.urandom(SIZE))
    return found


def records(staging):
    return sorted(os.listdir(staging / upload.FOLDER))


async def interrupt(s3, uploader, path, after: int):
    """Upload a file, and end when the store has some parts, as a kill would."""
    is_over = threading.Event()

    def wait(request):
        if int(request.query.get("partNumber", "0")) > after:
            assert is_over.wait(20)
            return Answer(503)
        return None

    s3.before = wait
    task = asyncio.ensure_future(uploader.put(path, KEY))
    await until(lambda: s3.uploads)
    (found,) = s3.uploads.values()
    await until(lambda: len(found.parts) == after)
    (name,) = records(path.parent)
    noted = path.parent / upload.FOLDER / name
    await until(lambda: noted.read_text().count("etag") == after)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    is_over.set()
    s3.before = lambda _request: None
    s3.requests.clear()


@pytest.fixture
async def interrupted(s3, path, tmp_path):
    """An upload of the file was killed when the store had four parts."""
    await interrupt(s3, uploader_for(s3, tmp_path), path, 4)


def assert_uploaded(s3, path):
    """The object is the file, and nothing else is left of its upload."""
    assert s3.bodies == {KEY: path.read_bytes()}
    assert (s3.uploads, records(path.parent)) == ({}, [])


async def test_a_file_is_sent_in_parts(s3, path, tmp_path):
    await uploader_for(s3, tmp_path).put(path, KEY)
    assert s3.parts_sent() == set(range(1, COUNT + 1))
    assert_uploaded(s3, path)


@pytest.mark.usefixtures("interrupted")
async def test_an_interrupted_upload_continues(s3, path, tmp_path):
    again = uploader_for(s3, tmp_path)
    assert await again.clean_up() == 0
    await again.put(path, KEY)
    assert s3.parts_sent() == set(range(5, COUNT + 1))
    assert_uploaded(s3, path)


@pytest.mark.usefixtures("interrupted")
async def test_a_file_that_changed_is_sent_from_its_beginning(s3, path, tmp_path):
    path.write_bytes(os.urandom(SIZE))
    os.utime(path, ns=(1, 1))
    again = uploader_for(s3, tmp_path)
    assert await again.clean_up() == 1
    assert s3.uploads == {}
    await again.put(path, KEY)
    assert s3.parts_sent() == set(range(1, COUNT + 1))
    assert s3.bodies == {KEY: path.read_bytes()}


@pytest.mark.usefixtures("interrupted")
async def test_a_part_whose_bytes_changed_is_sent_again(s3, path, tmp_path):
    """Size and time of the file are the same as before."""
    before = path.stat()
    body = bytearray(path.read_bytes())
    body[150] ^= 1
    path.write_bytes(body)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    await uploader_for(s3, tmp_path).put(path, KEY)
    assert s3.parts_sent() == {2, *range(5, COUNT + 1)}
    assert s3.bodies == {KEY: bytes(body)}


@pytest.mark.usefixtures("interrupted")
async def test_parts_that_the_store_lost_are_sent_again(s3, path, tmp_path):
    (found,) = s3.uploads.values()
    found.parts.pop(1)
    found.parts[3] = b"other bytes"
    await uploader_for(s3, tmp_path).put(path, KEY)
    assert s3.parts_sent() == {1, 3, *range(5, COUNT + 1)}
    assert s3.bodies == {KEY: path.read_bytes()}


@pytest.mark.usefixtures("interrupted")
async def test_an_upload_that_somebody_aborted_starts_again(s3, path, tmp_path):
    s3.uploads.clear()
    await uploader_for(s3, tmp_path).put(path, KEY)
    assert s3.parts_sent() == set(range(1, COUNT + 1))
    assert s3.bodies == {KEY: path.read_bytes()}


def lose_first_response(s3, parameter):
    """Lose the response to the first POST with a parameter; return all of them."""
    requests = []

    def is_first(request):
        if request.method == "POST" and parameter in request.query:
            requests.append(request)
            return len(requests) == 1
        return False

    s3.drops = is_first
    return requests


async def test_a_completion_whose_response_is_lost_counts(s3, path, tmp_path):
    lose_first_response(s3, "uploadId")
    await uploader_for(s3, tmp_path).put(path, KEY)
    assert len(s3.parts_sent()) == COUNT
    assert_uploaded(s3, path)


async def test_an_upload_whose_first_response_is_lost_is_started_once(
    s3, path, tmp_path
):
    started = lose_first_response(s3, "uploads")
    await uploader_for(s3, tmp_path).put(path, KEY)
    assert len(started) == 2
    assert_uploaded(s3, path)


async def test_a_completion_that_is_refused_in_its_body_fails(s3, path, tmp_path):
    """The status of a completion is sent before the parts are joined."""

    def refuse(request):
        if request.method == "POST" and "uploadId" in request.query:
            return Answer(200, b"<Error><Code>InternalError</Code></Error>")
        return None

    s3.before = refuse
    uploader = uploader_for(s3, tmp_path)
    with pytest.raises(CloudError, match="answered 500 InternalError"):
        await uploader.put(path, KEY)
    s3.before = lambda _request: None
    s3.requests.clear()
    await uploader.put(path, KEY)
    assert (s3.parts_sent(), s3.bodies) == (set(), {KEY: path.read_bytes()})


async def test_an_object_that_appears_meanwhile_is_kept(s3, path, tmp_path):
    def add(request):
        if "partNumber" in request.query:
            s3.put(KEY, b"of others")
        return None

    s3.before = add
    with pytest.raises(AlreadyThereError):
        await uploader_for(s3, tmp_path).put(path, KEY)
    assert s3.bodies == {KEY: b"of others"}
    assert (s3.uploads, records(tmp_path)) == ({}, [])
    await uploader_for(s3, tmp_path, replaces=True).put(path, KEY)
    assert s3.bodies == {KEY: path.read_bytes()}


async def test_transient_errors_are_retried(s3, path, tmp_path):
    left = {"POST": 2, "PUT": 3, "GET": 1}

    def refuse(request):
        if left.get(request.method):
            left[request.method] -= 1
            return Answer(503, b"<Error><Code>SlowDown</Code></Error>")
        return None

    s3.before = refuse
    await uploader_for(s3, tmp_path).put(path, KEY)
    assert s3.bodies == {KEY: path.read_bytes()}


async def test_credentials_that_expire_keep_what_was_sent(s3, path, tmp_path):
    def expire(request):
        if request.query.get("partNumber") == "7":
            return Answer(400, b"<Error><Code>ExpiredToken</Code></Error>")
        return None

    s3.before = expire
    uploader = uploader_for(s3, tmp_path)
    with pytest.raises(CloudError, match="the credentials are wrong or expired"):
        await uploader.put(path, KEY)
    (name,) = records(tmp_path)
    lines = (tmp_path / upload.FOLDER / name).read_text().split("\n")
    noted = {json.loads(line).get("part") for line in lines if line} - {None}
    s3.before = lambda _request: None
    s3.requests.clear()
    assert await uploader.clean_up() == 0
    await uploader.put(path, KEY)
    assert s3.parts_sent() == set(range(1, COUNT + 1)) - noted
    assert s3.bodies == {KEY: path.read_bytes()}


# -- what a kill leaves --------------------------------------------------------------


async def test_uploads_of_living_processes_are_not_touched(s3, path, tmp_path):
    """The lock of a record is of its process, as the lock of another descriptor is."""
    may_go_on = threading.Event()

    def wait(request):
        if request.query.get("partNumber") == "5":
            assert may_go_on.wait(20)
        return None

    s3.before = wait
    task = asyncio.ensure_future(uploader_for(s3, tmp_path).put(path, KEY))
    await until(lambda: 5 in s3.parts_sent())
    sibling, other = uploader_for(s3, tmp_path), uploader_for(s3, tmp_path / "other")
    for is_final in (False, True):
        assert await sibling.clean_up(is_final=is_final) == 0
        assert await other.clean_up(is_final=is_final) == 0
    may_go_on.set()
    await task
    assert s3.bodies == {KEY: path.read_bytes()}


@pytest.mark.usefixtures("interrupted")
async def test_what_will_not_continue_is_aborted(s3, path, tmp_path):
    uploader = uploader_for(s3, tmp_path)
    assert await uploader.clean_up() == 0
    assert len(s3.uploads) == 1
    assert await uploader.clean_up(is_final=True) == 1
    assert (s3.uploads, records(tmp_path)) == ({}, [])


async def test_a_kill_before_the_id_is_noted_leaves_nothing(s3, path, tmp_path):
    uploader = uploader_for(s3, tmp_path)
    folder = tmp_path / upload.FOLDER
    record.create(folder, Origin(KEY, "", str(tmp_path / "gone"), 1, 1)).close()
    s3._respond(multipart_request(KEY), b"", {})
    s3._respond(multipart_request("pre/fix/a &.bin2"), b"", {})
    (folder / "torn.upload").write_text('{"key": "to')
    assert await uploader.clean_up() == 1
    assert [one.key for one in s3.uploads.values()] == ["pre/fix/a &.bin2"]
    assert records(tmp_path) == []


async def test_an_upload_whose_id_was_not_noted_is_aborted_by_the_next(
    s3, path, tmp_path
):
    found = path.stat()
    origin = Origin(KEY, "", str(path), SIZE, found.st_mtime_ns, parts.part_size(SIZE))
    record.create(tmp_path / upload.FOLDER, origin).close()
    s3._respond(multipart_request(KEY), b"", {})
    uploader = uploader_for(s3, tmp_path)
    assert await uploader.clean_up() == 0
    await uploader.put(path, KEY)
    assert_uploaded(s3, path)


def multipart_request(key):
    from tests.cloud.s3 import Request

    return Request("POST", key, {"uploads": ""})


async def test_a_record_that_was_removed_before_it_was_locked_is_not_used(
    tmp_path, monkeypatch
):
    """Another process may take a new file for an abandoned record."""
    lock, removed = record._lock, []

    def remove_first(path, descriptor, **how):
        if not removed:
            removed.append(path)
            path.unlink()
        return lock(path, descriptor, **how)

    monkeypatch.setattr(record, "_lock", remove_first)
    made = record.create(tmp_path, Origin(KEY, "", "a", 1, 1))
    assert made.path not in removed
    assert made.path.exists()
    assert list(record.abandoned(tmp_path)) == []
    made.close()
    (found,) = record.abandoned(tmp_path)
    assert found.origin == Origin(KEY, "", "a", 1, 1)
    found.close()


# -- requests ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, 16 << 20),
        (160_000 << 20, 16 << 20),
        ((160_000 << 20) + 1, 17 << 20),
        (5 << 40, 525 << 20),
    ],
)
def test_a_file_has_at_most_ten_thousand_parts(size, expected):
    assert parts.part_size(size) == expected
    assert -(-size // expected) <= 10_000


def test_requests_are_signed_as_documented():
    """The examples of Amazon's S3 API reference: a listing, and a PUT with a body."""
    keys = Keys(
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "",
        "us-east-1",
        "",
    )
    host, now = "examplebucket.s3.amazonaws.com", datetime(2013, 5, 24, tzinfo=UTC)
    headers = signed_headers("GET", host, "/", "max-keys=2&prefix=J", keys, now)
    assert headers["authorization"].endswith(
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )
    headers = signed_headers(
        "PUT",
        host,
        "/test%24file.text",
        "",
        keys,
        now,
        sha256="44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        more={
            "date": "Fri, 24 May 2013 00:00:00 GMT",
            "x-amz-storage-class": "REDUCED_REDUNDANCY",
        },
    )
    assert headers["authorization"].endswith(
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )
    assert "wJalr" not in repr(keys)


def test_settings_that_change_requests_are_followed_or_left_to_obstore():
    given = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    assert keys_of({}, {}) is None
    assert keys_of({}, {**given, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true"}) is None
    keys = keys_of(
        {"region": "r"},
        {
            **given,
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
            "AWS_ENDPOINT": "http://here",
            "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
        },
    )
    assert keys == Keys(
        *("a", "b", "", "r", "http://here"),
        (("x-amz-server-side-encryption", "aws:kms"),),
    )
