"""Uploads to object stores, with obstore's stores in memory."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.cloud.s3 import S3Server
from tests.support.command import fetchtui
from tests.support.until import until
from tui.cloud import record, upload
from tui.cloud.address import Address, from_path, parse_address
from tui.cloud.errors import AlreadyThereError, CloudError, S3Error
from tui.cloud.record import Origin
from tui.cloud.store import explained, open_store, s3_options
from tui.cloud.upload import Uploaded, Uploader, request_digest
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.script import ResponseScript
from tui.demo.server import ScriptedServer
from tui.engine.factory import open_engine
from tui.headless.run import run_headless
from tui.postprocess.pipeline import post_processing

ADDRESS = Address("s3", "bucket", "pre/fix")


def store_on(server):
    """Return obstore's store of a bucket on ``server``, which does not try again."""
    return pytest.importorskip("obstore.store").S3Store(
        "bucket",
        endpoint=server.url(""),
        access_key_id="id",
        secret_access_key="secret",
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


# -- addresses and credentials -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/pre/fix/", ADDRESS),
        ("S3://bucket", Address("s3", "bucket", "")),
        ("gs://my.bucket-1/a", Address("gs", "my.bucket-1", "a")),
        ("az://container/a//b", Address("az", "container", "a/b")),
    ],
)
def test_addresses(text, expected):
    assert parse_address(text) == expected
    assert from_path(Path(text)) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s3://", "bucket must be"),
        ("s3://B/x", "bucket must be"),
        ("s3://key:secret@bucket/x", "credentials do not belong"),
        ("s3://bucket/../x", "must not have . or .."),
        ("s3://bucket/x?y", "write an object store as"),
    ],
)
def test_wrong_addresses(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        parse_address(text)
    assert "secret" not in str(caught.value)


def test_a_directory_is_no_address():
    assert from_path(Path("/data/s3")) is None
    assert from_path(Path("s3")) is None


def test_credentials_come_from_the_environment_or_a_profile(tmp_path):
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(
        "[default]\naws_access_key_id = A\naws_secret_access_key = B\n"
        "[work]\naws_access_key_id = C\naws_secret_access_key = D\n"
    )
    (folder / "config").write_text(
        "[profile work]\nregion = eu-west-1\nendpoint_url = http://here:1\n"
    )
    home = {"HOME": str(tmp_path)}
    assert s3_options(home)["access_key_id"] == "A"
    work = s3_options({**home, "AWS_PROFILE": "work"})
    assert work["secret_access_key"] == "D"
    assert (work["region"], work["endpoint"]) == ("eu-west-1", "http://here:1")
    given = s3_options({**home, "AWS_ACCESS_KEY_ID": "X", "AWS_REGION": "r"})
    assert "access_key_id" not in given  # obstore reads the environment itself
    assert given["region"] == "r"
    with pytest.raises(CloudError, match="no such profile"):
        s3_options({**home, "AWS_PROFILE": "other"})


def test_a_missing_profile_is_named(tmp_path, monkeypatch):
    pytest.importorskip("obstore")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(CloudError, match="AWS_PROFILE is 'other', and"):
        open_store(ADDRESS)


def test_errors_have_no_details_of_requests():
    error = RuntimeError("<Error><Code>SignatureDoesNotMatch</Code> key=SECRET")
    text = str(explained(error, ADDRESS))
    assert text == (
        "s3://bucket/pre/fix refused access; the credentials are wrong or expired"
    )


@pytest.mark.parametrize(
    "detail",
    [
        "performing PUT http://h:9/k in 2.401403s - HTTP error: error sending request",
        "performing PUT http://h:4031/403/credentials - HTTP error: error connecting",
    ],
)
def test_a_time_or_a_name_is_not_taken_for_a_refusal(detail):
    assert "cannot be reached" in str(explained(RuntimeError(detail), ADDRESS))


_WORDS = "NoSuchUpload NoSuchBucket RequestTimeTooSkewed credential connect 403"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("500 Internal Server Error", "InternalError", " answered 500 InternalError"),
        ("400 Bad Request", "ExpiredToken", "; the credentials are wrong or expired"),
        ("400 Bad Request", "RequestTimeTooSkewed", " of this machine; set its clock"),
        ("404 Not Found", "NoSuchBucket", ": no such bucket; create it first"),
        ("404 Not Found", "NoSuchUpload", " was interrupted; run it again"),
        ("404 Not Found", "NoSuchKey", ": no such object"),
        ("403 Forbidden", "AccessDenied", "refused access"),
    ],
)
async def test_words_of_a_key_or_a_body_do_not_explain_an_error(status, code, expected):
    """What obstore really raises, for a key and a body full of misleading words."""
    obstore = pytest.importorskip("obstore")
    body = (
        f"<Error><Code>{code}</Code><Message>{_WORDS}</Message>"
        "<Resource>http://169.254.169.254/</Resource></Error>"
    )
    script = ResponseScript(body.encode(), status=int(status[:3]))
    async with ScriptedServer() as server:
        server.add(f"/bucket/{quote(_WORDS)}", script)
        store = store_on(server)
        # FileNotFoundError: for a status of 404.
        with pytest.raises((obstore.exceptions.BaseError, FileNotFoundError)) as caught:
            await obstore.put_async(store, _WORDS, b"x", use_multipart=False)
    assert expected in str(explained(caught.value, ADDRESS))


async def test_an_upload_to_a_missing_bucket_says_so(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"a")
    async with ScriptedServer() as server:
        store = store_on(server)
        with pytest.raises(CloudError) as caught:
            await Uploader(store, ADDRESS, tmp_path / "state").put(path, "a.bin")
    assert str(caught.value) == "s3://bucket/pre/fix: no such bucket; create it first"


@pytest.mark.parametrize("is_temporary", [False, True])
async def test_an_object_that_is_removed_after_its_upload_is_named_as_missing(
    store, tmp_path, monkeypatch, is_temporary
):
    import obstore

    monkeypatch.setattr(upload, "SMALL", 10)
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(100))
    name = "put_async" if is_temporary else "copy_async"
    do = getattr(obstore, name)

    async def do_and_remove(store, *arguments, **options):
        await do(store, *arguments, **options)
        await obstore.delete_async(store, list(keys(store)))

    monkeypatch.setattr(obstore, name, do_and_remove)
    with pytest.raises(CloudError) as caught:
        await Uploader(store, ADDRESS, tmp_path / "state").put(path, "pre/fix/a.bin")
    assert str(caught.value) == (
        "s3://bucket/pre/fix: an object was removed after its upload; run it again"
    )


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_a_refusal_is_recognised_by_its_status(status):
    by_obstore = RuntimeError(f"Server returned non-2xx status code: {status}: ")
    ours = S3Error(int(status[:3]), "")
    for error in (by_obstore, ours):
        assert "refused access" in str(explained(error, ADDRESS))


@pytest.mark.parametrize(
    ("scheme", "variable"),
    [
        ("s3", "AWS_ACCESS_KEY_ID"),
        ("gs", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("az", "AZURE_STORAGE_ACCOUNT_KEY"),
    ],
)
def test_missing_credentials_are_named(scheme, variable):
    """Something may answer in place of the service that gives a role's credentials."""
    error = RuntimeError(
        "Error performing PUT http://169.254.169.254/latest/api/token: 403 Forbidden"
    )
    text = str(explained(error, ADDRESS._replace(scheme=scheme)))
    assert text.startswith(f"no credentials for {scheme}://bucket/pre/fix; set ")
    assert variable in text


def test_a_missing_obstore_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(CloudError, match=r"pip install 'fetchtui\[cloud\]'"):
        open_store(ADDRESS)


# -- uploads -------------------------------------------------------------------------


@pytest.fixture
def store():
    return pytest.importorskip("obstore.store").MemoryStore()


def keys(store) -> dict[str, int]:
    import obstore

    return {
        entry["path"]: entry["size"] for batch in obstore.list(store) for entry in batch
    }


@pytest.fixture(params=["small", "large"])
def uploader(request, store, tmp_path, monkeypatch):
    """Both ways to upload a file of 100 bytes."""
    if request.param == "large":
        monkeypatch.setattr(upload, "SMALL", 10)
    return Uploader(store, ADDRESS, tmp_path)


async def test_an_upload_has_the_right_bytes_and_no_temporary_object(
    uploader, store, tmp_path
):
    import obstore

    path = tmp_path / "a.bin"
    path.write_bytes(os.urandom(100))
    assert await uploader.upload(path, "d/a.bin") == "pre/fix/d/a.bin"
    assert keys(store) == {"pre/fix/d/a.bin": 100}
    found = await obstore.get_async(store, "pre/fix/d/a.bin")
    assert bytes(await found.bytes_async()) == path.read_bytes()


async def test_no_object_is_replaced_unless_asked(uploader, store, tmp_path):
    import obstore

    obstore.put(store, "pre/fix/a.bin", b"of others")
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(100))
    with pytest.raises(AlreadyThereError):
        await uploader.put(path, "pre/fix/a.bin")
    assert await uploader.upload(path, "a.bin") == "pre/fix/a (1).bin"
    assert keys(store) == {"pre/fix/a.bin": 9, "pre/fix/a (1).bin": 100}
    uploader.replaces = True
    assert await uploader.upload(path, "a.bin") == "pre/fix/a.bin"
    assert keys(store)["pre/fix/a.bin"] == 100


async def test_the_number_of_a_taken_key_stands_before_both_suffixes(
    uploader, store, tmp_path
):
    import obstore

    obstore.put(store, "pre/fix/a.tar.gz", b"of others")
    path = tmp_path / "a.tar.gz"
    path.write_bytes(bytes(100))
    assert await uploader.upload(path, "a.tar.gz") == "pre/fix/a (1).tar.gz"


async def test_an_object_with_the_same_bytes_is_not_uploaded_again(
    uploader, store, tmp_path
):
    """A run may be killed after an upload and before it is noted."""
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(100))
    for _ in range(2):
        assert await uploader.upload(path, "a.bin") == "pre/fix/a.bin"
    assert keys(store) == {"pre/fix/a.bin": 100}


async def test_an_object_that_appears_during_an_upload_is_kept(
    store, tmp_path, monkeypatch
):
    """The check before a large upload does not decide; the copy does."""
    import obstore

    monkeypatch.setattr(upload, "SMALL", 10)
    uploader = Uploader(store, ADDRESS, tmp_path)
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(100))

    async def not_there(key: str) -> bool:
        obstore.put(store, key, b"of others")
        return False

    monkeypatch.setattr(uploader, "_exists", not_there)
    with pytest.raises(AlreadyThereError):
        await uploader.put(path, "pre/fix/a.bin")
    assert keys(store) == {"pre/fix/a.bin": 9}


async def test_temporary_objects_of_a_killed_run_are_removed(store, tmp_path):
    import obstore

    temporary = f"pre/fix/{upload.TEMPORARY}/0123"
    folder = tmp_path / upload.FOLDER
    record.create(folder, Origin("pre/fix/a", temporary, "a", 4, 0)).close()
    obstore.put(store, temporary, b"rest")
    obstore.put(store, "pre/fix/other", b"kept")
    assert await Uploader(store, ADDRESS, tmp_path).clean_up() == 1
    assert keys(store) == {"pre/fix/other": 4}
    assert os.listdir(folder) == []


@pytest.mark.parametrize("staging", ["same", "other"])
async def test_temporary_objects_of_others_are_kept(
    store, tmp_path, monkeypatch, staging
):
    """Another process uploads to the same place now, or one on another machine."""
    import obstore

    monkeypatch.setattr(upload, "SMALL", 10)
    may_go_on = asyncio.Event()
    copy = obstore.copy_async

    async def wait_and_copy(*arguments, **options):
        await may_go_on.wait()
        await copy(*arguments, **options)

    monkeypatch.setattr(obstore, "copy_async", wait_and_copy)
    path = tmp_path / "a.bin"
    path.write_bytes(os.urandom(100))
    uploader = Uploader(store, ADDRESS, tmp_path / "same")
    task = asyncio.ensure_future(uploader.upload(path, "a.bin"))
    await until(lambda: keys(store))
    assert await Uploader(store, ADDRESS, tmp_path / staging).clean_up() == 0
    may_go_on.set()
    assert await task == "pre/fix/a.bin"
    assert keys(store) == {"pre/fix/a.bin": 100}


async def test_uploads_are_remembered_as_long_as_the_object_is_there(store, tmp_path):
    import obstore

    uploader = Uploader(store, ADDRESS, tmp_path)
    for name in ("a", "b", "c"):
        key = f"pre/fix/{name}"
        obstore.put(store, key, b"12345")
        uploader.note(Uploaded(f"digest of {name}", name, key, 5))
    with open(tmp_path / upload.FOLDER / upload.LEDGER, "a") as file:  # noqa: ASYNC230
        file.write('["digest of torn", "to')
    obstore.delete(store, "pre/fix/b")
    obstore.put(store, "pre/fix/c", b"another size")
    assert list(await uploader.still_there()) == ["digest of a"]


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("X-Amz-Date=1&X-Amz-Signature=a", "X-Amz-Date=2&X-Amz-Signature=b", True),
        ("X-Goog-Signature=a", "X-Goog-Signature=b", True),
        ("sv=2021&sig=a", "sv=2021&sig=b", True),
        ("id=1", "id=2", False),
        ("sig=a", "sig=b", False),
    ],
)
def test_a_source_that_is_signed_again_is_the_same(first, second, is_same):
    digests = {
        request_digest(DownloadRequest((f"https://s/b/k?{query}",)))
        for query in (first, second)
    }
    assert (len(digests) == 1) is is_same


# -- a run ---------------------------------------------------------------------------


async def run(server, store, tmp_path, urls) -> int:
    settings = Settings()._replace(output_dir=tmp_path / "staging")
    uploader = Uploader(store, ADDRESS, settings.output_dir)
    service = await open_engine(settings)
    try:
        async with post_processing(service, settings, uploader) as pipeline:
            requests = [DownloadRequest((url,), directory="d") for url in urls]
            return await run_headless(
                service, requests, post_processor=pipeline, verbosity=-1
            )
    finally:
        await service.close()


async def test_downloads_are_uploaded_and_removed(server, store, tmp_path):
    urls = [
        server.add(f"/{n}.bin", ResponseScript(bytes([n]) * 1000)) for n in range(30)
    ]
    assert await run(server, store, tmp_path, urls) == 0
    assert keys(store) == {f"pre/fix/d/{n}.bin": 1000 for n in range(30)}
    assert os.listdir(tmp_path / "staging" / "d") == []
    uploader = Uploader(store, ADDRESS, tmp_path / "staging")
    requests = [DownloadRequest((url,), directory="d") for url in urls]
    assert set(await uploader.still_there()) == set(map(request_digest, requests))
    elsewhere = DownloadRequest((urls[0],), directory="e")
    assert request_digest(elsewhere) not in await uploader.still_there()


async def test_no_secret_of_a_url_is_kept_after_its_upload(server, store, tmp_path):
    url = server.add("/a.bin", ResponseScript(b"x" * 1000)) + "?signature=hunter2"
    url = url.replace("http://", "http://me:hunter2@")
    assert await run(server, store, tmp_path, [url]) == 0
    kept = [path for path in (tmp_path / "staging").rglob("*") if path.is_file()]
    assert any(path.name == upload.LEDGER for path in kept)
    assert not [path for path in kept if b"hunter2" in path.read_bytes()]


async def test_a_file_that_was_not_uploaded_is_uploaded_by_the_next_run(
    server, store, tmp_path, monkeypatch, capfd
):
    url = server.add("/a.bin", ResponseScript(b"x" * 1000))

    async def refuse(*_):
        raise CloudError("s3://bucket refused access")

    with monkeypatch.context() as patch:
        patch.setattr(Uploader, "put", refuse)
        assert await run(server, store, tmp_path, [url]) == 1
    assert "not uploaded: s3://bucket refused access" in capfd.readouterr().err
    assert (tmp_path / "staging" / "d" / "a.bin").stat().st_size == 1000
    assert await run(server, store, tmp_path, [url]) == 0
    assert keys(store) == {"pre/fix/d/a.bin": 1000}


# -- what the command refuses --------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-o", "s3://B/x"], "the name of the bucket must be lower-case"),
        (["-o", "s3://k:topsecret@bucket/x"], "credentials do not belong"),
        (
            ["-o", "s3://bucket/x", "--unpack"],
            "--unpack works on files of this machine",
        ),
        (
            ["-o", "s3://bucket/x", "--on-exists", "newer"],
            "--on-exists newer is for files on this machine; for s3:// use resume,",
        ),
        (["-o", "s3://bucket/x", "-O", "-"], "--output - cannot be combined"),
        (["-o", "s3://bucket/x", "--rpc", "0"], "--rpc cannot be combined"),
        (["-o", "s3://"], "must be a path, or an object store such as s3://BUCKET"),
        (["-o", "s3:///x"], "must be a path, or an object store such as s3://BUCKET"),
        (["-o", "http://u:topsecret@h/x"], "must be a path, or an object store"),
        (["-o", "s3://bucket/x"], "s3://bucket/x cannot be reached"),
    ],
)
async def test_a_clear_error(tmp_path, arguments, expected):
    pytest.importorskip("obstore")
    env = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "topsecret",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    ended = await fetchtui(
        "--headless", *arguments, "http://127.0.0.1:9/x", cwd=tmp_path, env=env
    )
    assert ended.status == 2
    assert expected in ended.err
    assert "topsecret" not in ended.err
    assert "Traceback" not in ended.err
    assert not [*tmp_path.glob("*:")]


async def test_a_dry_run_names_the_object_store(tmp_path):
    pytest.importorskip("obstore")
    arguments = ("--dry-run", "-o", "s3://bucket/a/b", "http://127.0.0.1:9/x")
    env = {"XDG_STATE_HOME": str(tmp_path / "state")}
    ended = await fetchtui(*arguments, cwd=tmp_path, env=env)
    assert ended.status == 0, ended.err
    assert "Output directory: s3://bucket/a/b\n" in ended.out


async def test_folders_below_a_prefix_are_kept_and_marks_of_folders_left_out(tmp_path):
    pytest.importorskip("obstore")
    bodies = {
        "pre/": b"",  # as the S3 console marks folders
        "pre/a/": b"",
        "pre/a/x": b"one",
        "pre/b/.c/x": b"two",
        "pre/none": b"",
        "pre/gone/": b"",
        "prefix": b"other",
    }
    with S3Server() as s3:
        for key, body in bodies.items():
            s3.put(key, body)
        env = {
            "AWS_ENDPOINT_URL": s3.endpoint,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        arguments = ("--headless", "-o", "out", "s3://bucket/pre/")
        ended = await fetchtui(*arguments, cwd=tmp_path, env=env)
        assert ended.status == 0, ended.err
        arguments = ("--headless", "-o", "one", "s3://bucket/pre/a/x")
        assert (await fetchtui(*arguments, cwd=tmp_path, env=env)).status == 0
        arguments = ("--headless", "-o", "no-slash", "s3://bucket/pre/b")
        assert (await fetchtui(*arguments, cwd=tmp_path, env=env)).status == 0
        ended = await fetchtui("-o", "x", "s3://bucket/nothing", cwd=tmp_path, env=env)
        assert ended.status == 2
        assert "no such object, and none below this prefix" in ended.err
    found = {
        str(path.relative_to(tmp_path)): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file() and "state" not in path.parts
    }
    assert found == {
        "out/a/x": b"one",
        "out/b/c/x": b"two",
        "out/none": b"",
        "one/x": b"one",
        "no-slash/c/x": b"two",
    }


async def test_json_ends_with_a_summary_if_all_was_uploaded_before(server, tmp_path):
    pytest.importorskip("obstore")
    url = server.add("/a.bin", ResponseScript(b"a" * 1000))
    with S3Server() as s3:
        env = {
            "AWS_ENDPOINT_URL": s3.endpoint,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        arguments = ("--json", "-o", "s3://bucket/pre", url)
        for done in (1, 0):
            ended = await fetchtui(*arguments, cwd=tmp_path, env=env)
            assert ended.status == 0, ended.err
            summary = json.loads(ended.out.splitlines()[-1])
            assert (summary["event"], summary["done"]) == ("summary", done)
    assert "note: uploaded before: 1 download\n" in ended.err
