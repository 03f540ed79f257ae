"""Arguments become settings and requests, or an error with status 2."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from tui import __version__
from tui.cli import main
from tui.cli.preflight import title_of
from tui.core.settings import AUTO_START, OnExists, Settings

if TYPE_CHECKING:
    from tui.core.request import DownloadRequest

URL = "https://example.org/a.bin"


class Captured:
    """What ``main`` would have run."""

    settings: Settings
    requests: list[DownloadRequest]
    has_dashboard: bool
    was_run = False


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Captured:
    """Stop right before the event loop runs, in an empty working directory."""
    kept = Captured()

    def fetch(*given: Any) -> None:
        _, kept.settings, kept.requests, kept.has_dashboard, *_ = given
        kept.was_run = True

    monkeypatch.setattr(main, "_run", fetch)
    monkeypatch.setattr(main, "run_loop", lambda _: 0)
    monkeypatch.chdir(tmp_path)
    return kept


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main.main, arguments, input=stdin)


def test_without_options_settings_are_the_defaults(captured: Captured) -> None:
    assert run(URL).exit_code == 0
    assert captured.settings == Settings(auto=True, concurrency=AUTO_START)
    assert [request.url for request in captured.requests] == [URL]
    assert not captured.has_dashboard, "stdout is no terminal here"


def test_options_set_the_settings(captured: Captured) -> None:
    ca_file = Path("ca.pem")
    ca_file.write_text("")
    arguments = (
        "-o out -c 32 -s 4 --per-host 6 --limit-rate 1.5M --retries 2 --timeout 7.5"
        " --on-exists overwrite --fsync off --ca-file ca.pem --headless"
    )
    headers = ["--header", "Authorization: Bearer x: y", "--header", "X-Empty:"]
    result = run(*arguments.split(), *headers, URL)
    assert result.exit_code == 0, result.output
    assert captured.settings == Settings(
        output_dir=Path("out"),
        concurrency=32,
        segments=4,
        per_host=6,
        rate_limit=1536 * 1024,
        retries=2,
        timeout_s=7.5,
        on_exists=OnExists.OVERWRITE,
        fsync=False,
        ca_file=ca_file,
        headers=(("Authorization", "Bearer x: y"), ("X-Empty", "")),
    )


def test_options_of_other_programs_mean_the_same(captured: Captured) -> None:
    Path("list.txt").write_text(f"{URL}\n")
    arguments = "-d out -j 3 -x 2 -i list.txt --referer https://example.org/page"
    result = run(*arguments.split(), "-H", "X-One: 1", "-A", "", "-O", "sub/b.bin")
    assert result.exit_code == 0, result.output
    assert captured.settings == Settings(
        output_dir=Path("out"),
        concurrency=3,
        segments=2,
        headers=(("X-One", "1"), ("Referer", "https://example.org/page")),
        user_agent="",
    )
    (request,) = captured.requests
    assert (request.url, request.directory, request.name) == (URL, "sub", "b.bin")


def test_host_without_a_scheme_is_taken_as_https(captured: Captured) -> None:
    result = run("example.org/a.iso")
    assert result.exit_code == 0, result.output
    assert "note: no file example.org/a.iso; added https:// to it" in result.stderr
    assert [request.url for request in captured.requests] == [
        "https://example.org/a.iso"
    ]


def test_missing_file_in_a_directory_is_no_host(captured: Captured) -> None:
    Path("lists.d").mkdir()
    assert run("lists.d/urls").exit_code == 2
    assert not captured.was_run


def test_list_on_standard_input_is_read(captured: Captured) -> None:
    result = run("-", stdin=f"# two\n{URL}\n\n{URL}2\n")
    assert result.exit_code == 0, result.output
    assert [request.url for request in captured.requests] == [URL, URL + "2"]


def test_checksum_applies_to_the_single_url(captured: Captured) -> None:
    assert run("--checksum", "sha-256=" + "Ab" * 32, URL).exit_code == 0
    assert str(captured.requests[0].checksum) == "sha256=" + "ab" * 32


def test_demo_uses_its_own_timeout_and_a_temporary_directory(
    captured: Captured,
) -> None:
    assert run("--demo", "--headless").exit_code == 0
    assert captured.settings.timeout_s == 3.0
    assert captured.settings.output_dir.name.startswith("fetchtui-demo-")
    assert not captured.settings.output_dir.exists()


def test_demo_keeps_its_files_in_an_explicit_directory(
    captured: Captured, tmp_path: Path
) -> None:
    assert run("--demo", "--headless", "-o", f"{tmp_path}").exit_code == 0
    assert captured.settings.output_dir == tmp_path
    assert tmp_path.exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "nothing to download; give a URL, a list file, or -"),
        (("--headless",), "nothing to download"),
        (("--demo", URL), "cannot be combined with SOURCE"),
        (("-c", "0", URL), "0 is not in the range"),
        (
            ("-c", "many", URL),
            "'many' is not a whole number from 1 to 1,000",
        ),
        (("--limit-rate", "fast", URL), "'fast' is not a valid rate; use 500k, 10M"),
        (("--checksum", "crc=1", URL), "checksum must be TYPE=HEX"),
        (("--checksum", "md5=12", URL), "md5 needs 32 hexadecimal digits"),
        (
            ("--checksum", "md5=" + "0" * 32, URL, URL + "2"),
            "--checksum needs exactly one URL",
        ),
        (("--header", "secret-token", URL), "write a header as 'Name: value'"),
        (("--header", "A: b\r\nC: d", URL), "write a header as 'Name: value'"),
        (("--ca-file", "nowhere.pem", URL), "'nowhere.pem' does not exist"),
        (("--on-exists", "panic", URL), "'panic' is not one of"),
        (("--no-such-option", URL), "no such option '--no-such-option'\n"),
        (("--quite", URL), "no such option '--quite'; did you mean '--quiet'?"),
        (("--max-concurrent-downloads=3", URL), "use -j N"),
        (("--parallel", URL), "no such option '--parallel'; use -j N"),
        (("--out=name", URL), "use -O NAME"),
        (("-P", "out", URL), "use -d DIR"),
        (("-x", "http://proxy:8080", URL), "for a proxy, as with curl -x, use --proxy"),
        (("-O", "../name", URL), "--output must not leave the output directory"),
        (("-O", "/name", URL), "--output must be relative to the output directory"),
        (("-O", "name", URL, URL + "2"), "--output needs exactly one URL, not 2"),
        (("-O", "-", "--json", URL), "--json and --output - both write to stdout"),
        (("-A", "a\nb", URL), "write a header as"),
        (("-Z", URL), "downloads run in parallel; -j N sets how many"),
        (("-k", URL), "--ca-file FILE adds one to trust"),
        (("--continue", URL), "unfinished downloads are resumed anyway"),
        (("-c", URL), "to resume, as with aria2c -c, leave it out"),
        (("-N", URL), "use --on-exists newer"),
        (("--enable-rpc", URL), "use --rpc [HOST:]PORT"),
        (("--hlep",), "did you mean '--help'?"),
        (("hlep",), "no command or list 'hlep'; did you mean 'fetchtui help'?"),
        (("magnet:?xt=urn:btih:0",), "magnet links are not supported"),
        (("https:/example.org/x",), "a URL has two slashes after its scheme"),
        (("localhost:8080/x",), "if it is a URL, write https:// in front"),
        (("ftp://example.org/x",), "unsupported scheme 'ftp'; only http and https"),
        (("nowhere.txt",), "nowhere.txt: no such file\n"),
        (("example.org",), "if it is a URL, write https:// in front"),
        (("me:pass@example.org/a",), "no such file"),
        ((".",), ".: is a directory; name a list file in it"),
        (("-",), "stdin: contains no URLs"),
    ],
)
def test_invalid_arguments_exit_with_status_2(
    captured: Captured, arguments: tuple[str, ...], expected: str
) -> None:
    result = run(*arguments, stdin="")
    assert result.exit_code == 2
    assert expected in result.stderr
    assert result.stdout == ""
    assert "secret-token" not in result.stderr
    assert not captured.was_run


def test_every_bad_line_is_reported_before_any_download(
    captured: Captured,
) -> None:
    Path("list.txt").write_text(f"{URL}\nfile:///etc/passwd\n\n\x1b[31mnonsense\n")
    result = run("list.txt")
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert first == ("list.txt:2: unsupported scheme 'file'; only http and https")
    assert second.startswith("list.txt:4: ")
    assert "\x1b" not in result.stderr
    assert not captured.was_run


def test_version_and_help_output() -> None:
    assert run("--version").stdout == f"fetchtui {__version__}\n"
    text = run("-h").stdout
    assert "--on-exists [resume|skip|rename|overwrite" in text
    assert "130" in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_nothing_heavy(option: str) -> None:
    program = (
        "import sys\n"
        "from tui.cli.main import main\n"
        f"try: main(['{option}'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(result.stderr.split())
    heavy = {"textual", "httpx", "rich", "asyncio", "uvloop", "ssl"}
    assert not loaded & heavy
    rooms = ("tui.engine", "tui.net", "tui.disk", "tui.ui", "tui.headless", "tui.demo")
    assert not [name for name in loaded if name.startswith(rooms)]


def test_invalid_list_does_not_import_the_engine(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from tui.cli.main import main\n"
        "try: main(['nowhere.txt'])\n"
        "except SystemExit as end: assert end.code == 2\n"
        "print('asyncio' in sys.modules, 'tui.engine' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert result.stdout.split() == ["False", "False"]


def test_loop_ignores_an_eager_task_factory():
    from tui.cli.event_loop import _new_loop

    loop = _new_loop()
    try:
        loop.set_task_factory(lambda loop, coro, **more: pytest.fail("was asked"))
        assert loop.run_until_complete(asyncio.sleep(0, "plain")) == "plain"
    finally:
        loop.close()


@pytest.mark.parametrize(
    ("sources", "title"),
    [
        ((), ""),
        (("-",), "stdin"),
        (("http://h/a", "https://h/b"), "2 URLs"),
        (("a.txt", "b.txt", "c.txt"), "3 lists"),
        (("a.txt", "http://h/a"), "2 sources"),
    ],
)
def test_the_title_says_what_is_downloaded(sources, title):
    assert title_of(sources) == title
