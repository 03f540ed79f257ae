"""``fetchtui --dry-run``: list downloads without creating or downloading anything."""

from __future__ import annotations

import pytest

from tests.support.command import fetchtui
from tui.cli.commands.dry_run import ProbeResult, plan_downloads
from tui.core.request import DownloadRequest
from tui.core.settings import OnExists, Settings
from tui.demo.server import Pattern, ResponseScript

NAMED = {"Content-Disposition": 'attachment; filename="real.iso"'}


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


async def test_a_clash_of_typed_urls_names_the_url(tmp_path):
    urls = ("http://me:hush@a.test/x.iso", "http://b.test/x.iso")
    ended = await fetchtui("-n", *urls, cwd=tmp_path)
    clash = "name clash: http://a.test/x.iso is also saved as x.iso"
    assert clash in lines_of(ended.out)


async def test_dry_run_lists_names_folders_and_clashes_offline(server, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.pdf").write_bytes(b"x" * 2000)
    (tmp_path / "out" / "c.bin.part").write_bytes(b"")
    (tmp_path / "list.txt").write_text(
        "http://a.test/one/a.iso\nhttp://b.test/two/a.iso\n"
        "http://a.test/b.pdf\nhttp://me:hush@a.test/c.bin\n"
    )
    ended = await fetchtui(
        *("-n", "-o", "out", "--folder", "*.ISO=images", "list.txt"), cwd=tmp_path
    )
    assert (ended.status, ended.err) == (0, "")
    assert lines_of(ended.out) == [
        "?  images/a.iso  <http://a.test/one/a.iso>",
        "?  images/a (1).iso  <http://b.test/two/a.iso>",
        "name clash: list.txt:1 is also saved as a.iso",
        "?  b.pdf  <http://a.test/b.pdf>",
        "exists: 2.00 KB on disk, would be skipped if it has the right size",
        "?  c.bin  <http://a.test/c.bin>",
        "part file exists: 0 B on disk",
        "4 downloads, 4 of unknown size, 1 with a name clash,"
        " 2 already on disk, in full or in part",
        f"Output directory: {tmp_path / 'out'}",
        "images/  2",
        "No server was contacted; use --sizes to look up names and sizes",
    ]
    assert not (tmp_path / "out" / "images").exists()


async def test_sizes_looks_up_names_and_sizes_without_downloading(server, tmp_path):
    whole = server.add("/a.bin", ResponseScript(Pattern(5000)))
    named = server.add("/get", ResponseScript(Pattern(7000), headers=NAMED))
    # It sends the whole file, but not to its end: the program must not wait for that.
    endless = ResponseScript(Pattern(3000), ranges="ignore", stall_after=1000)
    deaf = server.add("/deaf.bin", endless)
    gone = server.add("/gone.bin", ResponseScript(b"no", 404))
    ended = await fetchtui("--sizes", whole, named, deaf, gone, cwd=tmp_path)
    assert ended.status == 1
    assert lines_of(ended.out)[:4] == [
        f"5.00 KB  a.bin  <{whole}>",
        f"7.00 KB  real.iso  <{named}>",
        f"3.00 KB  deaf.bin  <{deaf}>",
        f"?  gone.bin  <{gone}>",
    ]
    assert "would fail: " in ended.out
    assert "4 downloads, 15.0 KB, 1 of unknown size, 1 would fail" in ended.out
    assert list(tmp_path.iterdir()) == []
    assert {request.range for request in server.requests} == {(0, 1)}
    sent = {request.path: request.bytes_sent for request in server.requests}
    assert (sent["/a.bin"], sent["/get"]) == (1, 1)


async def test_sizes_and_links_use_the_credentials_of_the_run(server, tmp_path):
    ask = ResponseScript(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    url = server.add("/a.bin", ResponseScript(Pattern(5000), first=[ask]))
    link = f"<a href='{url}'>a</a>".encode()
    page = server.add("/list.html", ResponseScript(link, first=[ask]))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password lovelace")
    rule = "--header", "X-Run: yes", "--netrc-file", str(tmp_path / "netrc")
    for how in (("--sizes", url), ("-n", "--links", "*.bin", page)):
        ended = await fetchtui(*how, *rule, cwd=tmp_path)
        assert (ended.status, ended.err) == (0, ""), how
        headers = dict(server.requests[-1].headers)
        assert headers["authorization"] == "Basic YWRhOmxvdmVsYWNl"
        assert headers["x-run"] == "yes"


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("overwrite", "would be replaced"),
        ("rename", "would be saved under another name"),
        ("skip", "would be skipped"),
        ("resume", ", complete"),
    ],
)
def test_existing_file_is_described(tmp_path, how, expected):
    (tmp_path / "a.bin").write_bytes(b"x" * 5000)
    settings = Settings(output_dir=tmp_path, on_exists=OnExists(how))
    request = DownloadRequest(("http://a.test/a.bin",))
    (plan,) = plan_downloads(settings, [request], [ProbeResult(5000)])
    assert expected in plan.note


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-n",), "nothing to list; give a URL"),
        (
            ("--sizes", "--bearer-from", "env:NOPE", "http://a.test/x"),
            "the environment variable in env:NAME is not set",
        ),
        (("-n", "--base-url", "nonsense", "http://a.test/x"), "not a URL"),
        (("--log-file", "/proc/x", "http://a.test/x"), "/proc/x: "),
        (("-n", "nowhere.txt"), "nowhere.txt: no such file"),
        (
            ("-n", "--json", "http://a.test/x"),
            "--json cannot be combined with a dry run",
        ),
    ],
)
async def test_invalid_arguments_exit_with_status_2(tmp_path, arguments, expected):
    ended = await fetchtui(*arguments, cwd=tmp_path)
    assert (ended.status, ended.out) == (2, "")
    assert expected in ended.err


async def test_dry_run_lists_the_links_of_a_page(server, tmp_path):
    page = b'<a href="a.pdf">a</a> <a href="/deep/b.pdf">b</a> <a href="c.txt">c</a>'
    url = server.add(
        "/dir/", ResponseScript(page, headers={"Content-Type": "text/html"})
    )
    ended = await fetchtui("-n", "--links", "*.pdf", url, cwd=tmp_path)
    assert ended.status == 0
    assert "2 of 3 links match '*.pdf'" in ended.err
    base = url.removesuffix("/dir/")
    assert lines_of(ended.out)[:2] == [
        f"?  a.pdf  <{base}/dir/a.pdf>",
        f"?  b.pdf  <{base}/deep/b.pdf>",
    ]
