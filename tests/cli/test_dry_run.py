"""A look at what would be fetched: nothing is made, nothing is fetched."""

from __future__ import annotations

import pytest

from tests.support.command import fetchtui
from tui.cli.commands.dry_run import Look, make_plans
from tui.core.request import DownloadRequest
from tui.core.settings import OnExists, Settings
from tui.demo.server import Pattern, ResponseScript

NAMED = {"Content-Disposition": 'attachment; filename="real.iso"'}


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


async def test_names_folders_and_clashes_are_told_without_asking_anybody(
    server, tmp_path
):
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
        "clash: list.txt:1 has the name a.iso",
        "?  b.pdf  <http://a.test/b.pdf>",
        "exists: 2.00 KB there; done if it has the right size",
        "?  c.bin  <http://a.test/c.bin>",
        "a part file is there, 0 B on disk",
        "4 downloads, 4 of unknown size, 1 with a name that is taken in the list,"
        " 2 of which something is there",
        f"into {tmp_path / 'out'}",
        "images/  2",
        "nobody was asked; --sizes asks the servers for names and sizes",
    ]
    assert not (tmp_path / "out" / "images").exists()


async def test_sizes_asks_for_names_and_sizes_and_fetches_nothing(server, tmp_path):
    whole = server.add("/a.bin", ResponseScript(Pattern(5000)))
    named = server.add("/get", ResponseScript(Pattern(7000), headers=NAMED))
    deaf = server.add("/deaf.bin", ResponseScript(Pattern(3000), ranges="ignore"))
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
    assert "4 downloads, 15.0 KB, 1 of unknown size, 1 that would fail" in ended.out
    assert list(tmp_path.iterdir()) == []
    # A server that ignores ranges is cut off; what was on the way does not count.
    ranged = [r for r in server.requests if r.range == (0, 1)]
    assert sum(request.bytes_sent for request in ranged[:2]) < 1000


async def test_sizes_and_links_are_asked_for_with_the_logins_of_the_run(
    server, tmp_path
):
    url = server.add("/a.bin", ResponseScript(Pattern(5000)))
    page = server.add("/list.html", ResponseScript(f"<a href='{url}'>a</a>".encode()))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password lovelace")
    rule = "--header", "X-Run: yes", "--netrc-file", str(tmp_path / "netrc")
    for how in (("--sizes", url), ("-n", "--links", "*.bin", page)):
        ended = await fetchtui(*how, *rule, cwd=tmp_path)
        assert (ended.status, ended.err) == (0, ""), how
        headers = dict(server.requests[-1].headers)
        assert headers["authorization"] == "Basic YWRhOmxvdmVsYWNl"
        assert headers["x-run"] == "yes"


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("overwrite", "would be replaced"),
        ("rename", "would get another name"),
        ("skip", "would be skipped"),
        ("resume", "as large as it should be"),
    ],
)
def test_what_becomes_of_a_file_that_is_there(tmp_path, how, told):
    (tmp_path / "a.bin").write_bytes(b"x" * 5000)
    settings = Settings(output_dir=tmp_path, on_exists=OnExists(how))
    request = DownloadRequest(("http://a.test/a.bin",))
    (plan,) = make_plans(settings, [request], [Look(5000)])
    assert told in plan.remark


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-n",), "nothing to look at; give a URL"),
        (
            ("--sizes", "--bearer-from", "env:NOPE", "http://a.test/x"),
            "the variable NOPE is not set",
        ),
        (("-n", "--base-url", "nonsense", "http://a.test/x"), "not a URL"),
        (("--log-file", "/proc/x", "http://a.test/x"), "/proc/x: "),
        (("-n", "nowhere.txt"), "nowhere.txt: no such file"),
        (("-n", "--json", "http://a.test/x"), "--json tells of downloads"),
    ],
)
async def test_what_makes_no_sense_is_status_2(tmp_path, arguments, told):
    ended = await fetchtui(*arguments, cwd=tmp_path)
    assert (ended.status, ended.out) == (2, "")
    assert told in ended.err


async def test_links_of_a_page_are_the_list(server, tmp_path):
    page = b'<a href="a.pdf">a</a> <a href="/deep/b.pdf">b</a> <a href="c.txt">c</a>'
    url = server.add(
        "/dir/", ResponseScript(page, headers={"Content-Type": "text/html"})
    )
    ended = await fetchtui("-n", "--links", "*.pdf", url, cwd=tmp_path)
    assert ended.status == 0
    assert "2 links match '*.pdf'" in ended.err
    base = url.removesuffix("/dir/")
    assert lines_of(ended.out)[:2] == [
        f"?  a.pdf  <{base}/dir/a.pdf>",
        f"?  b.pdf  <{base}/deep/b.pdf>",
    ]
