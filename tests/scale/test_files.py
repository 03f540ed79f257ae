"""The files of a job: plan, manifests, generations and packed output."""

from __future__ import annotations

import json
import os
import tarfile
import tracemalloc

import pytest

from tui.core.request import BadRequestLine, Checksum, DownloadRequest, Pieces
from tui.core.settings import OnExists
from tui.scale import manifest, output
from tui.scale.errors import OldGenerationError, ScaleError
from tui.scale.manifest import PartialRows, Row
from tui.scale.output import pack
from tui.scale.plan import (
    fingerprint,
    job_paths,
    load_plan,
    make_plan,
    read_shard,
    request_of,
    row_of,
)
from tui.scale.worker import named_requests
from tui.sources.load import load_sources

FULL = DownloadRequest(
    ("http://a/1", "http://b/1"),
    "näme.bin",
    "dir/sub",
    Checksum("md5", "a" * 32),
    (("Accept", "x/y"),),
    17,
    pieces=Pieces("sha1", 4, ("a" * 40, "b" * 40)),
    on_exists=OnExists.SKIP,
)


def plan_for(tmp_path, items, shard_size=10, **how):
    paths = job_paths(tmp_path / "job")
    chosen = {"inputs": [], "options": {}, "parts": 1, "cap": 0, **how}
    make_plan(paths, items, shard_size=shard_size, **chosen)
    found = load_plan(paths)
    assert found is not None
    return paths, *found


def row(number: int, state: str = "done", **fields) -> Row:
    values = {
        "url": f"http://a/{number}",
        "final_url": f"http://a/{number}",
        "status": 200 if state == "done" else 404,
        "error_kind": "" if state == "done" else "not_found",
        "error": "" if state == "done" else "404 Not Found",
        "bytes": 5 if state == "done" else 0,
        "sha256": "",
        "path": f"000000/{number}.txt" if state == "done" else "",
        "etag": "",
        "started": 1.5,
        "ended": 2.5,
        "attempts": 1,
        **fields,
    }
    return Row(row=number, state=state, **values)


# -- plan ----------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [FULL, DownloadRequest(("http://a/{1..3}?q",))])
def test_rows_are_read_back_unchanged(request_):
    assert request_of(row_of(request_)) == request_._replace(source="")


def test_no_field_of_a_request_is_left_out():
    defaults = DownloadRequest._field_defaults
    same = [name for name in defaults if getattr(FULL, name) == defaults[name]]
    assert same == ["source"]


def test_a_plan_has_each_row_once_and_one_host_per_lane(tmp_path):
    items = [DownloadRequest((f"http://h{n % 7}/{n}",)) for n in range(500)]
    paths, plan, layout = plan_for(tmp_path, items)
    assert (plan.rows, plan.shards) == (500, len(layout.shards))
    urls = []
    lanes: dict[str, set[int]] = {}
    for shard in layout.shards:
        for request in read_shard(paths, shard):
            urls.append(request.url)
            lanes.setdefault(request.url.split("/")[2], set()).add(shard.lane)
    assert sorted(urls) == sorted(item.url for item in items)
    assert all(len(found) == 1 for found in lanes.values())


def test_bad_rows_are_counted_and_written(tmp_path):
    items = [
        DownloadRequest(("http://a/1",)),
        BadRequestLine("l:2", "not a URL"),
        BadRequestLine("l:3", "url is missing"),
    ]
    paths, plan, _ = plan_for(tmp_path, items)
    assert (plan.rows, plan.bad_rows) == (1, 2)
    lines = paths.bad_rows.read_text().splitlines()
    assert [json.loads(line)["where"] for line in lines] == ["l:2", "l:3"]


def test_a_list_without_downloads_is_an_error(tmp_path):
    with pytest.raises(ScaleError, match="no URLs that can be downloaded; l:1: nope"):
        plan_for(tmp_path, [BadRequestLine("l:1", "nope")])


def test_planning_takes_memory_by_bucket_not_by_row(tmp_path):
    def items(count):
        for n in range(count):
            yield DownloadRequest((f"http://h{n % 50}/{n:040d}",))

    peaks = []
    for count in (5_000, 40_000):
        tracemalloc.start()
        plan_for(tmp_path, items(count), shard_size=1000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + (4 << 20)


@pytest.mark.parametrize("damage", ["plan.json", "shards.jsonl", "buckets"])
def test_a_damaged_plan_is_an_error(tmp_path, damage):
    items = [DownloadRequest((f"http://a/{n}",)) for n in range(50)]
    paths, _, layout = plan_for(tmp_path, items)
    if damage == "buckets":
        for path in paths.folder("buckets").iterdir():
            path.write_bytes(b"\xff")
        with pytest.raises(ScaleError, match="--replan"):
            read_shard(paths, layout.shards[0])
        return
    path = paths.root / damage
    path.write_text(path.read_text()[:-20])
    with pytest.raises(ScaleError, match="--replan"):
        load_plan(paths)


def test_an_unfinished_plan_does_not_count(tmp_path):
    def items():
        for n in range(50):
            yield DownloadRequest((f"http://a/{n}",))
        raise KeyboardInterrupt

    paths = job_paths(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        make_plan(paths, items(), inputs=[], options={}, shard_size=9, parts=1, cap=0)
    assert load_plan(paths) is None
    # The next one starts with empty buckets.
    _, plan, _ = plan_for(tmp_path.parent, [DownloadRequest(("http://a/1",))])
    assert plan.rows == 1


def test_a_changed_list_has_another_fingerprint(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("http://a/1\n")
    before = fingerprint(str(path))
    assert fingerprint(str(path)) == before
    path.write_text("http://a/2\n")
    assert fingerprint(str(path)) != before


def test_names_belong_to_rows(tmp_path):
    requests = [
        DownloadRequest(("http://a/x/1.JPG?size=2",)),
        DownloadRequest(("http://a/y/1.jpg",)),
        DownloadRequest(("http://a/x/1.JPG?size=2",)),
        DownloadRequest(("http://a/z",), "Same.txt", "d"),
        DownloadRequest(("http://a/w",), "same.TXT", "d"),
    ]
    named = named_requests(7, requests)
    assert [(row, r.directory, r.name) for row, r in named] == [
        (0, "000007", "000007-00000.jpg"),
        (1, "000007", "000007-00001.jpg"),
        (3, "000007/d", "Same.txt"),
        (4, "000007/d", "00004-same.TXT"),
    ]
    assert named_requests(7, requests) == named


# -- manifests -----------------------------------------------------------------------


@pytest.fixture(params=["parquet", "jsonl"])
def suffix(request, monkeypatch):
    """Manifests of both kinds."""
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    else:
        monkeypatch.setattr(manifest, "table_suffix", lambda: ".jsonl")
    return request.param


def test_a_manifest_is_read_back(tmp_path, suffix):
    paths = job_paths(tmp_path)
    generation = manifest.next_generation(paths, 3)
    rows = [row(0), row(1, "failed"), row(2)]
    path, counts = manifest.publish(paths, 3, generation, rows)
    assert path.name == f"000003.{suffix}"
    assert counts == (2, 1, 10, (("not_found", 404, 1),))
    assert manifest.read_counts(path) == counts
    assert manifest.read_rows(path) == rows
    assert manifest.listed(paths) == {3: path}
    assert [entry for entry in os.listdir(path.parent) if entry[0] == "."] == []


def test_an_older_generation_cannot_publish(tmp_path, suffix):
    paths = job_paths(tmp_path)
    old = manifest.next_generation(paths, 3)
    new = manifest.next_generation(paths, 3)
    assert new == old + 1
    with pytest.raises(OldGenerationError):
        manifest.publish(paths, 3, old, [row(0)])
    assert manifest.listed(paths) == {}
    path, _ = manifest.publish(paths, 3, new, [row(1)])
    with pytest.raises(OldGenerationError):
        manifest.publish(paths, 3, new, [row(2)])
    assert manifest.read_rows(path) == [row(1)]


def test_two_writers_that_pass_the_check_publish_once(tmp_path, suffix, monkeypatch):
    """The link decides, even if both saw the same generation and no manifest."""
    paths = job_paths(tmp_path)
    generation = manifest.next_generation(paths, 3)
    manifest.publish(paths, 3, generation, [row(0)])
    monkeypatch.setattr(manifest, "find", lambda *_: None)
    with pytest.raises(OldGenerationError):
        manifest.publish(paths, 3, generation, [row(1)])


def test_partial_rows_survive_a_torn_line(tmp_path):
    paths = job_paths(tmp_path)
    first = PartialRows(paths, 3, 1)
    first.append([row(0), row(1)])
    path = paths.folder("partial") / "000003.g1.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    first.append([row(2)])
    second = PartialRows(paths, 3, 2)
    second.append([row(4), row(5, "failed")])
    assert sorted(PartialRows(paths, 3, 3).read()) == [0, 2, 4]
    second.remove()
    assert list(paths.folder("partial").iterdir()) == []


def test_a_reopened_shard_keeps_what_is_done(tmp_path, suffix):
    paths = job_paths(tmp_path)
    generation = manifest.next_generation(paths, 3)
    manifest.publish(paths, 3, generation, [row(0), row(1, "failed")])
    assert manifest.reopen(paths, 3)
    assert manifest.find(paths, 3) is None
    assert list(PartialRows(paths, 3, 2).read()) == [0]


def test_failed_downloads_are_a_list(tmp_path, suffix):
    paths = job_paths(tmp_path)
    for shard in (0, 1):
        generation = manifest.next_generation(paths, shard)
        rows = [row(shard * 10), row(shard * 10 + 1, "failed")]
        manifest.publish(paths, shard, generation, rows)
    path, number = manifest.write_failed(paths, tmp_path / "failed")
    assert number == 2
    requests, errors = load_sources([str(path)], None)
    assert errors == []
    assert [request.url for request in requests] == ["http://a/1", "http://a/11"]


def test_a_list_of_failed_downloads_has_all_of_them(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(manifest, "_BATCH_ROWS", 3)
    paths = job_paths(tmp_path)
    manifest.publish(paths, 0, 0, [row(number, "failed") for number in range(8)])
    path, number = manifest.write_failed(paths, tmp_path / "failed")
    requests, _ = load_sources([str(path)], None)
    assert [request.url for request in requests] == [f"http://a/{n}" for n in range(8)]
    assert number == 8


def test_the_list_of_failed_downloads_may_be_written_twice_at_once(
    tmp_path, suffix, monkeypatch
):
    """Parts of a job array may end at the same time."""
    paths = job_paths(tmp_path)
    manifest.publish(paths, 0, 0, [row(0, "failed"), row(1)])
    replace, target = os.replace, tmp_path / "failed"

    def write_again_and_replace(source, final):
        monkeypatch.setattr(os, "replace", replace)
        assert manifest.write_failed(paths, target)[1] == 1
        replace(source, final)

    monkeypatch.setattr(os, "replace", write_again_and_replace)
    path, number = manifest.write_failed(paths, target)
    assert (path.name, number) == (f"failed.{suffix}", 1)
    assert [name for name in os.listdir(tmp_path) if "failed" in name] == [path.name]


def test_a_damaged_manifest_is_named(tmp_path, suffix):
    path = job_paths(tmp_path).folder("manifests") / f"000001.{suffix}"
    path.write_bytes(b"PAR1 no")
    if suffix == "parquet":
        with pytest.raises(ScaleError, match="remove it to download its shard again"):
            manifest.read_counts(path)


# -- output --------------------------------------------------------------------------


def staged(tmp_path, names):
    staging, out = tmp_path / "staging", tmp_path / "out"
    (staging / "000000").mkdir(parents=True)
    out.mkdir()
    rows = []
    for number, name in enumerate(names):
        (staging / "000000" / name).write_text(f"text{number}")
        rows.append(row(number, path=f"000000/{name}"))
    return staging, out, [*rows, row(9, "failed")]


def test_a_tar_file_has_samples(tmp_path):
    staging, out, rows = staged(tmp_path, ["a.jpg", "b.tar.gz", "c.json"])
    path, packed = pack("tar", staging, out, "000000", rows)
    with tarfile.open(path) as archive:
        assert archive.getnames() == [
            *("a.jpg", "a.json", "b.tar.gz", "b.json", "c.json", "c.row.json"),
        ]
        file = archive.extractfile("b.tar.gz")
        described = archive.extractfile("c.row.json")
        assert file is not None
        assert described is not None
        assert file.read() == b"text1"
        assert json.loads(described.read())["url"] == "http://a/2"
    assert [one.path for one in packed][2:] == ["000000.tar/c.json", ""]
    assert os.listdir(out) == ["000000.tar"]


def test_parquet_has_contents(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    staging, out, rows = staged(tmp_path, ["a.jpg", "b.jpg"])
    path, packed = pack("parquet", staging, out, "000000", rows)
    table = parquet.read_table(path).to_pylist()
    assert [one["content"] for one in table] == [b"text0", b"text1", None]
    assert [one["url"] for one in table] == [one.url for one in rows]
    assert packed[0].path == "000000.parquet"


def test_a_file_that_is_too_large_for_parquet_is_no_fault_of_the_worker(
    tmp_path, monkeypatch
):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(output, "_ROW_LIMIT", 3)
    staging, out, rows = staged(tmp_path, ["a.jpg", "b.jpg"])
    with pytest.raises(ScaleError, match=r"a\.jpg: 5 bytes .* --format tar"):
        pack("parquet", staging, out, "000000", rows)
    assert os.listdir(out) == []


def test_a_file_that_is_missing_leaves_no_output(tmp_path):
    staging, out, rows = staged(tmp_path, ["a.jpg", "b.jpg"])
    (staging / "000000" / "b.jpg").unlink()
    with pytest.raises(FileNotFoundError):
        pack("tar", staging, out, "000000", rows)
    assert os.listdir(out) == []
