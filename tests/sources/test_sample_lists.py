"""The sample lists in the repository are valid and show all features."""

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
    "open-data.csv": ["1: ignoring the unknown field 'what it is'"],
    "page.html": ["4 of 6 links match '*.{zip,txt}'"],
    "session.aria2": [
        "4: ignoring the option gid=",
        "5: ignoring the option dir= from another run",
        "14: ignoring the option pause=",
    ],
}


def load(path: Path) -> list[DownloadRequest]:
    notes: list[str] = []
    requests, errors = load_sources([str(path)], None, notes, **HOW.get(path.name, {}))
    assert errors == []
    expected = [note.removeprefix(str(path)).lstrip(": ") for note in notes]
    assert expected == NOTES.get(path.name, [])
    return requests


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_sample_lists_are_valid_without_duplicates(path):
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
def test_public_sample_lists_use_https_and_have_no_secrets(path):
    for request in load(path):
        names = {name.lower() for name, _ in request.headers}
        assert not names & {"authorization", "cookie"}
        for mirror in request.mirrors:
            parts = urlsplit(mirror)
            assert (parts.scheme, parts.username) == ("https", None)


def test_demo_list_shows_every_option():
    requests = load(DEMO)
    assert any(request.name for request in requests)
    assert any(request.directory for request in requests)
    assert any(request.checksum for request in requests)
    assert any(len(request.headers) > 1 for request in requests)
    assert any(len(request.mirrors) > 1 for request in requests)


def test_demo_list_has_files_and_checksums_of_this_repository():
    for request in load(DEMO):
        path = ROOT / urlsplit(request.url).path.removeprefix("/")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert request.checksum is None or request.checksum.digest == digest
