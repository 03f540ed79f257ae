"""The fuzz targets: parsers, the checks of their results, and seeds."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tui.config.display import shown_value
from tui.config.document import read_document
from tui.config.registry import BY_KEY
from tui.config.sample import sample
from tui.core.request import BadRequestLine, DownloadRequest, check_url
from tui.core.text.sanitize import sanitize, sanitize_url
from tui.net.filename import name_from_disposition, name_from_url, safe_name
from tui.sources.compressed import CompressionError
from tui.sources.list_file import load_stream
from tui.sources.options import ReadOptions
from tui.sources.readers.commands import parse_command
from tui.sources.values import parse_folder, parse_header, parse_output_path

if TYPE_CHECKING:
    from collections.abc import Callable

PASSWORD = "pa55-Wörd"
SAMPLES = Path(__file__).parents[2] / "sample_lists"
ITEMS = 5_000
"""Maximum results checked: a pattern may expand to 100,000."""


@dataclass(frozen=True)
class Target:
    """A parser with its first inputs."""

    run: Callable[[bytes], None]
    """Raises if a check fails."""
    seeds: tuple[bytes, ...]


def check_list(data: bytes, suffix: str) -> None:
    """Read ``data`` as a list; results must be safe to display and to download."""
    notes: list[str] = []
    options = ReadOptions(notes, links="*", base_url="https://base.example/folder/")
    stream = io.BytesIO(data)
    # A list that only looks compressed ends with this error, which callers report.
    with contextlib.suppress(CompressionError):
        for count, item in enumerate(load_stream(stream, "list", options, suffix)):
            check_item(item)
            if count == ITEMS:
                break
    for note in notes:
        assert note == sanitize(note), note


def check_item(item: DownloadRequest | BadRequestLine) -> None:
    """Check what other packages rely on in a request or an error."""
    if isinstance(item, BadRequestLine):
        assert str(item) == sanitize(str(item)), item
        return
    assert item.mirrors
    for url in item.mirrors:
        assert check_url(url) == url
    if item.name is not None:
        assert parse_output_path(f"./{item.name}") == (None, item.name)
    if item.directory is not None:
        assert parse_folder(f"./{item.directory}") == item.directory
    for name, value in item.headers:
        assert parse_header(f"{name}: {value}") == (name, value)
    assert item.size is None or item.size >= 0


def check_name(data: bytes) -> None:
    """Read ``data`` as Content-Disposition and as a URL's path."""
    text = data.decode("latin-1")
    for name in (name_from_disposition(text), name_from_url(f"https://a/{text}")):
        if name is not None:
            assert name
            assert name == safe_name(name)
            assert not {"/", "\\", "\0"} & set(name)
            assert len(name.encode()) <= 255
            assert not name.startswith(".")


def check_command(data: bytes) -> None:
    """Read ``data`` as a pasted command."""
    notes: list[str] = []
    for item in parse_command(data.decode("utf-8", "replace"), "list:1", notes):
        if isinstance(item, BadRequestLine):
            check_item(item)
    for note in notes:
        assert note == sanitize(note), note


def check_settings(data: bytes) -> None:
    """Read ``data`` as a settings file; what is shown of it must be safe to display."""
    document = read_document(data, "config.toml")
    for problem in document.problems:
        assert str(problem) == sanitize(str(problem)), problem
    for key, found in document.values.items():
        shown = shown_value(BY_KEY[key], found.value)
        assert shown == sanitize(shown), shown


def check_secret(data: bytes) -> None:
    """Show ``data`` behind a password as a URL; the password must not be in it."""
    text = data.decode("utf-8", "replace")
    for start in (
        "http://me:",
        "http:/me:",
        "//me:",
        "me:",
        "https://me:1/",
        "http://me:1?",
    ):
        url = f"{start}{PASSWORD}{text}@host/x"
        assert PASSWORD not in sanitize_url(url), url


def _list(suffix: str) -> Callable[[bytes], None]:
    return lambda data: check_list(data, suffix)


def _samples(*suffixes: str) -> tuple[bytes, ...]:
    paths = sorted(path for path in SAMPLES.iterdir() if path.suffix in suffixes)
    return tuple(path.read_bytes() for path in paths)


_NAMES = (
    b'attachment; filename="a.iso"',
    b"attachment; filename*=UTF-8''%e2%82%ac%20rates.txt; filename=x",
    b'inline; filename="a\\"b"; filename*=iso-8859-1\'en\'%A3',
    b"attachment; filename=a b.tar.gz; x=y",
    b"../../etc/passwd",
)
_COMMANDS = (
    b"curl 'https://e.example/f?x=1' \\\n -H 'a: b' -b 'k=v' -o d/n --compressed",
    b'curl ^"https://e.example/f^" ^\n -H ^"a: ^\\^"b^\\^"^" ^\n -u me:pw',
    b"wget -c -nv -P dir --header='a: b' -O x.iso https://e.example/x",
    b"curl -LO $'https://e.example/\\u0021' | tar xz; curl -d a=b https://e.example",
    b"curl -O 'https://e.example/[01-20:3].{jpg,png}' > y",
)
_ARIA2 = (
    b"http://a/1\thttp://b/1\t\n gid=ccb1dc8eb295af92\n dir=/data/x\n out=y\n"
    b" checksum=sha-256=" + b"0" * 64 + b"\n header=Accept: x\n pause=true\n",
    b"http://a/{01..20}/{a,b}.jpg\n  out={01..40}\nhttp://a/\\{1..2}\n",
)

_SETTINGS = (
    sample().replace("# ", "").encode(),
    b'[hosts."me:SECRET@x"]\ncap = 2\n[hosts."a.test"]\nuser = "me"\n',
    b'headers = ["A: b"]\nproxy = "http://me:pw@p:1"\n[hooks]\non-done = ["a"]\n',
    b'password-from = "env:NAME"\nuser = "me"\n[keys]\ncancel = ["x"]\n',
)

TARGETS = {
    "settings": Target(check_settings, _SETTINGS),
    "secret": Target(check_secret, (b"", b"/a", b"?a@b", b"a:b@c/d", b"://x@y/z")),
    "metalink": Target(_list(".meta4"), _samples(".meta4", ".metalink")),
    "disposition": Target(check_name, _NAMES),
    "aria2": Target(_list(".txt"), _ARIA2 + _samples(".txt") + _COMMANDS),
    "command": Target(check_command, _COMMANDS),
    "csv": Target(_list(".csv"), _samples(".csv")),
    "json": Target(_list(".json"), _samples(".json")),
    "jsonl": Target(_list(".jsonl"), _samples(".jsonl")),
    "page": Target(_list(".html"), _samples(".html")),
    "sums": Target(
        _list(""), (b"a" * 64 + b"  a/b.iso\n" + b"SHA1 (x) = " + b"b" * 40,)
    ),
}
