"""Lists and completes paths while the user types. Functions to run in a thread."""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from tui.sources.list_file import LIST_SUFFIXES, list_suffix
from tui.sources.readers.digest_list import is_sums_name
from tui.sources.readers.shell_words import split_words

SHOWN = 300
"""Maximum number of entries shown; more letters narrow the list."""
_SCANNED = 20_000
_DROP_LIMIT = 8192
"""Maximum length of a paste that is checked for paths."""


class Entry(NamedTuple):
    """A file or folder."""

    path: str
    name: str
    is_folder: bool
    size: int


class FolderListing(NamedTuple):
    """The entries that start with what was typed."""

    entries: tuple[Entry, ...] = ()
    more: int = 0
    """Number of further entries."""
    error: str = ""
    """Why the folder cannot be listed, or ""."""


def list_folder(typed: str) -> FolderListing:
    """Return folders, then lists, then other files that start with ``typed``.

    Hidden entries are listed once the dot is typed. Names with unprintable characters
    and special files, such as pipes, are left out.
    """
    folder, start = os.path.split(os.path.expanduser(typed))
    start = start.lower()
    found: list[tuple[int, str, os.DirEntry[str]]] = []
    try:
        with os.scandir(folder or ".") as scan:
            for number, entry in enumerate(scan):
                if number == _SCANNED:
                    break
                name = entry.name
                if (
                    name.lower().startswith(start)
                    and name.isprintable()
                    and (start.startswith(".") or not name.startswith("."))
                ):
                    rank = 0 if entry.is_dir() else 2 - _is_list(name)
                    # Opening a pipe would block until another process writes to it.
                    if rank == 0 or entry.is_file():
                        found.append((rank, name.lower(), entry))
    except OSError as error:
        return FolderListing(error=error.strerror or type(error).__name__)
    except ValueError:
        return FolderListing(error="no such folder")
    found.sort(key=lambda item: item[:2])
    entries = [
        Entry(os.path.join(folder, e.name), e.name, rank == 0, _size(e))
        for rank, _, e in found[:SHOWN]
    ]
    return FolderListing(tuple(entries), len(found) - len(entries))


def complete(typed: str, seen: FolderListing) -> str:
    """Complete ``typed`` with what all entries have in common, as a shell does."""
    if not seen.entries:
        return typed
    folder, start = os.path.split(typed)
    if len(seen.entries) == 1:
        only = seen.entries[0]
        return os.path.join(folder, only.name) + ("/" if only.is_folder else "")
    names = [entry.name for entry in seen.entries]
    common = 0
    for letters in zip(*(name.lower() for name in names), strict=False):
        if len(set(letters)) > 1:
            break
        common += 1
    if common <= len(start):
        return typed
    return os.path.join(folder, names[0][:common])


def dropped_paths(text: str) -> list[str]:
    """Return the files if a paste consists of paths only, as when files are dropped.

    Terminals quote names with spaces, escape them with backslashes, or send file URLs.
    """
    text = text.strip()
    if not text or len(text) > _DROP_LIMIT or text[0] not in "/~'\"f.":
        return []
    try:
        words = split_words(text)
    except ValueError:
        return []
    paths = []
    for word in words:
        path = word
        if word.startswith("file://"):
            path = unquote(urlsplit(word).path)
        path = os.path.expanduser(path)
        if not (path.startswith(("/", "./", "../")) and path.isprintable()):
            return []
        try:
            if not os.path.isfile(path):
                return []
        except ValueError:
            return []
        paths.append(path)
    return paths


def _is_list(name: str) -> bool:
    return list_suffix(name) in LIST_SUFFIXES or is_sums_name(name)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0
