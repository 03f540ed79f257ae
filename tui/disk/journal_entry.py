"""One download in the journal: what of it is stored, and how it is read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.core.download import DownloadState
from tui.core.header_names import HARMLESS
from tui.core.request import Checksum, DownloadRequest, Pieces
from tui.disk.resume import without_login

if TYPE_CHECKING:
    from collections.abc import Sequence

LOGIN = "login"
"""Among what is withheld: user name and password of a URL."""
_STATES = {int(state): state for state in DownloadState}
# What was asked for is written once; what follows, after every change.
ASKED = "asked", "withheld"
PROGRESS = (
    "state",
    "place",
    "url",
    "has_login",
    "name",
    "directory",
    "size",
    "received",
    "status",
    "error",
    "error_kind",
    "note",
    "segments",
    "rate_limit",
    "started_at",
    "finished_at",
)


class JournalEntry(NamedTuple):
    """One download as the next run should find it."""

    key: int
    """Unique in the journal and in the order of adding; the caller's to choose."""
    request: DownloadRequest
    state: DownloadState
    place: float
    """Order in the queue; lower goes first."""
    url: str
    """The URL in use."""
    name: str
    directory: str
    size: int | None
    received: int
    status: int
    error: str
    error_kind: str
    note: str
    segments: int
    """Connections that a user asked for; 0 for none in particular."""
    rate_limit: int | None
    """Bytes per second for this download alone, or ``None``."""
    started_at: float
    finished_at: float
    withheld: tuple[str, ...] = ()
    """When read: what was not stored and has to be given again, such as
    ``Authorization`` or ``login``."""
    is_dropped: bool = False
    """When written: it was taken out of the list, and is not read again."""


def split_headers(
    headers: Sequence[tuple[str, str]],
) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the headers that may be stored, and the names of those that may not."""
    kept = [pair for pair in headers if pair[0].lower() in HARMLESS]
    return kept, [name for name, _ in headers if name.lower() not in HARMLESS]


def asked(request: DownloadRequest) -> tuple[str, str | None]:
    """Return the values of ``ASKED``: the request, and what was left out of it."""
    kept, withheld = split_headers(request.headers)
    first, *others = request.mirrors
    bare = without_login(first) if "@" in first else first
    if bare != first:
        withheld.append(LOGIN)
    # The others are only for bad times: better without one than without its login.
    mirrors = [
        bare,
        *(url for url in others if "@" not in url or without_login(url) == url),
    ]
    wanted: dict[str, Any] = {"mirrors": mirrors, "source": request.source}
    if request.name is not None:
        wanted["name"] = request.name
    if request.directory is not None:
        wanted["directory"] = request.directory
    if request.checksum is not None:
        wanted["checksum"] = str(request.checksum)
    if kept:
        wanted["headers"] = kept
    if request.size is not None:
        wanted["size"] = request.size
    if request.pieces is not None:
        pieces = request.pieces
        wanted["pieces"] = [pieces.algorithm, pieces.length, pieces.digests]
    return json.dumps(wanted), json.dumps(withheld) if withheld else None


def progress(entry: JournalEntry) -> tuple[Any, ...]:
    """Return the values of ``PROGRESS``."""
    url: str | None = None
    has_login = False
    if entry.url != entry.request.mirrors[0]:
        url = without_login(entry.url)
        has_login = url != entry.url
    state = int(entry.state)
    # A dropped one keeps its row, so that taking the drop back is a change like any
    # other; below zero ``journal`` passes it over.
    stored = -1 - state if entry.is_dropped else state
    return stored, entry.place, url, has_login, *entry[5:17]


def entry_from(row: tuple[Any, ...]) -> JournalEntry | None:
    """Return the entry of a row (key, ``ASKED``, ``PROGRESS``), if it makes sense."""
    key, wanted, withheld, state, place, url, has_login, *rest = row
    try:
        values = json.loads(wanted)
        values["mirrors"] = tuple(map(str, values["mirrors"]))
        if "headers" in values:
            values["headers"] = tuple((str(n), str(v)) for n, v in values["headers"])
        if "checksum" in values:
            values["checksum"] = Checksum.parse(values["checksum"])
        if "pieces" in values:
            algorithm, length, digests = values["pieces"]
            values["pieces"] = Pieces(str(algorithm), int(length), tuple(digests))
        request = DownloadRequest(**values)
        lacks: tuple[str, ...] = ()
        if withheld is not None:
            lacks = tuple(map(str, json.loads(withheld)))
        if url is not None:
            # What the list's URL lacks is of no use to the one that replaced it.
            lacks = tuple(name for name in lacks if name != LOGIN)
            lacks += (LOGIN,) if has_login else ()
        url = url or request.mirrors[0]
        return JournalEntry._make(
            (key, request, _STATES[state], place, url, *rest, lacks, False)
        )
    except (ValueError, TypeError, KeyError, IndexError):
        return None
