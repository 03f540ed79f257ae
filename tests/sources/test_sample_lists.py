"""The lists in the repository are right, and show what lists can do."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tui.sources.load import load_sources

if TYPE_CHECKING:
    from tui.core.request import DownloadRequest

ROOT = Path(__file__).parents[2]
LISTS = sorted((ROOT / "sample_lists").iterdir())
DEMO = ROOT / "sample_lists" / "demo.txt"


HOW = {
    "SHA256SUMS": {"base_url": "https://www.rfc-editor.org/rfc/"},
    "page.html": {"links": "*.{zip,txt}"},
}
"""What has to be said besides the path."""
NOTES = {
    "open-data.csv": ["1: the field 'what it is' is ignored"],
    "page.html": ["4 links match '*.{zip,txt}', 2 do not"],
    "session.aria2": [
        "4: the option gid= is ignored",
        "5: the option dir= of another run is ignored",
        "14: the option pause= is ignored",
    ],
}


def load(path: Path) -> list[DownloadRequest]:
    notes: list[str] = []
    requests, complaints = load_sources(
        [str(path)], None, notes, **HOW.get(path.name, {})
    )
    assert complaints == []
    told = [note.removeprefix(str(path)).lstrip(": ") for note in notes]
    assert told == NOTES.get(path.name, [])
    return requests


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_a_sample_list_has_no_mistakes_and_names_every_file_once(path):
    requests = load(path)
    places = [
        (request.directory, request.name or request.url.rpartition("/")[2])
        for request in requests
    ]
    assert len(places) >= 4
    assert len(set(places)) == len(places)
    assert path.suffix != ".txt" or path.read_text().startswith("#")


@pytest.mark.parametrize(
    "path", [path for path in LISTS if path != DEMO], ids=lambda path: path.name
)
def test_lists_for_the_public_internet_use_https_and_carry_no_secrets(path):
    for request in load(path):
        names = {name.lower() for name, _ in request.headers}
        assert not names & {"authorization", "cookie"}
        for mirror in request.mirrors:
            parts = urlsplit(mirror)
            assert (parts.scheme, parts.username) == ("https", None)


def test_the_demo_list_shows_every_option():
    requests = load(DEMO)
    assert any(request.name for request in requests)
    assert any(request.directory for request in requests)
    assert any(request.checksum for request in requests)
    assert any(len(request.headers) > 1 for request in requests)
    assert any(len(request.mirrors) > 1 for request in requests)


def test_the_demo_list_names_files_of_this_checkout_and_their_checksums():
    for request in load(DEMO):
        path = ROOT / urlsplit(request.url).path.removeprefix("/")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert request.checksum is None or request.checksum.digest == digest
