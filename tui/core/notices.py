"""Notices: what happened to a download or to the run, as a code and values.

A notice contains no sentence; ``tui.messages`` words it for every front end.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from tui.core.errors import ErrorKind

Value: TypeAlias = str | int | float


class NoticeCode(StrEnum):
    """What happened; the comment names the values in their order.

    The strings are stored in session journals and must stay readable.
    """

    # a download
    ALREADY_PRESENT = "already_present"
    EXISTING_KEPT = "existing_kept"
    CHANGED_ON_SERVER = "changed_on_server"
    NOT_RESUMABLE = "not_resumable"
    NAME_TAKEN = "name_taken"  # new name
    FILE_EXISTS = "file_exists"  # name, new name
    FILE_DIFFERS = "file_differs"  # name, new name
    PART_FILE_FOREIGN = "part_file_foreign"  # name, new name
    PIECES_CORRUPT = "pieces_corrupt"  # corrupt bytes, bytes of the file
    URL_HAS_QUERY = "url_has_query"
    URL_HAS_NO_FILE = "url_has_no_file"
    NO_CHECKSUM_FILE = "no_checksum_file"
    CHECKSUM_FILE_FAILED = "checksum_file_failed"
    SAVED_ENCODED = "saved_encoded"  # content coding
    MIRROR_CHANGED = "mirror_changed"  # origin that failed, URL in use now
    RETRY_UNDONE = "retry_undone"
    # after a download
    UNPACKING = "unpacking"
    UNPACKING_PROGRESS = "unpacking_progress"  # share read, 0 to 1
    UNPACKING_STOPPED = "unpacking_stopped"
    UNPACKED = "unpacked"  # entries, folder
    NOT_UNPACKED = "not_unpacked"  # reason
    UPLOADING = "uploading"
    UPLOADED = "uploaded"  # address of the object
    NOT_UPLOADED = "not_uploaded"  # reason
    TIME_NOT_SET = "time_not_set"  # reason
    HOOK_FAILED = "hook_failed"  # program, reason
    HOOK_OUTPUT = "hook_output"  # program, last line of its output
    HOOK_DISABLED = "hook_disabled"  # reason
    HOOK_PLACEHOLDER = "hook_placeholder"  # placeholder, variable
    # the run
    COOKIE_LINES_SKIPPED = "cookie_lines_skipped"  # lines, path, first line, reason
    LOG_STARTED = "log_started"  # version, output directory
    LOG_INCOMPLETE = "log_incomplete"  # path, reason
    SESSION_NOT_SAVED = "session_not_saved"  # reason
    SESSION_SAVED_AGAIN = "session_saved_again"
    LAST_SESSION_OPEN = "last_session_open"
    LAST_SESSION_NEWER = "last_session_newer"
    LAST_SESSION_UNREADABLE = "last_session_unreadable"  # reason
    LAST_SESSION_SET_ASIDE = "last_session_set_aside"  # path
    ENTRIES_LOST = "entries_lost"  # entries
    ENTRIES_UNSAVED = "entries_unsaved"  # missing, expected, source
    REST_UNREADABLE = "rest_unreadable"  # reason
    REST_SET_ASIDE = "rest_set_aside"  # path
    # a background process
    BACKGROUND_RUNS = "background_runs"  # name
    CLIENT_OF_OTHER_USER = "client_of_other_user"  # user id
    CLIENTS_FULL = "clients_full"  # clients
    CLIENT_GARBAGE = "client_garbage"  # reason
    CLIENT_SILENT = "client_silent"
    CLIENT_STALLED = "client_stalled"
    # a dashboard attached to another process
    EVENTS_LOST = "events_lost"  # events
    VERB_REFUSED = "verb_refused"  # reason
    # remote control
    RPC_STARTED = "rpc_started"  # URL, where the secret is
    RPC_REFUSED = "rpc_refused"  # refusals, client, reason
    # an old journal
    TEXT = "text"  # the text that an earlier version stored


class Notice(NamedTuple):
    """One thing worth showing."""

    code: NoticeCode
    values: tuple[Value, ...] = ()
    """In the order that the code states; text in it may come from outside."""


ALREADY_PRESENT = Notice(NoticeCode.ALREADY_PRESENT)
"""The server offers the file that is already in place; no byte was downloaded."""
EXISTING_KEPT = Notice(NoticeCode.EXISTING_KEPT)
"""The existing file is kept without a request to the server."""
_SHARED = {code: Notice(code) for code in NoticeCode}
_SHARED |= {n.code: n for n in (ALREADY_PRESENT, EXISTING_KEPT)}


def encode_notice(notice: Notice | None) -> str:
    """Return the text that a journal stores for a notice; "" for none."""
    return "" if notice is None else json.dumps([notice.code, *notice.values])


def decode_notice(text: str) -> Notice | None:
    """Return the notice that a journal stored.

    Args:
        text: from ``encode_notice``, or plain text from an earlier version.
    """
    if not text:
        return None
    if text.startswith('["'):
        try:
            code, *values = json.loads(text)
            if all(isinstance(value, str | int | float) for value in values):
                code = NoticeCode(code)
                return Notice(code, tuple(values)) if values else _SHARED[code]
        except (ValueError, KeyError, TypeError):
            pass
    return Notice(NoticeCode.TEXT, (text,))


class RestoredSession(NamedTuple):
    """What an earlier run left, as it was restored."""

    used_at: float
    """Wall time of the last change."""
    counts: tuple[int, ...]
    """Downloads by state, indexed by ``DownloadState``."""
    problem: Notice | None = None
    """What could not be restored."""


class LimitName(StrEnum):
    """A limit that can change while downloads run."""

    CONCURRENCY = "concurrency"
    AUTO = "auto"
    PER_HOST = "per_host"
    ORIGIN = "origin"
    SEGMENTS = "segments"
    RATE_LIMIT = "rate_limit"
    WRITERS = "writers"
    INLINE_WRITES = "inline_writes"


class PauseReason(NamedTuple):
    """The error that made the engine pause the queue."""

    kind: ErrorKind
    detail: str
    """What happened, in one line: the text of the exception."""


class AutoCode(StrEnum):
    """Why the automatic concurrency is what it is; the comment names the values."""

    MEASURING = "measuring"
    PINNED = "pinned"
    HOSTS_REFUSE = "hosts_refuse"  # capacity
    HOSTS_ACCEPT = "hosts_accept"  # capacity
    HOST_FINISHED = "host_finished"
    CONNECTIONS_BROKE = "connections_broke"  # connections, seconds
    RATE_LIMITED = "rate_limited"
    DISK_LIMITED = "disk_limited"
    CPU_LIMITED = "cpu_limited"
    SMALL_FILES = "small_files"  # level
    MEDIUM_FILES = "medium_files"  # level
    TRY_MORE = "try_more"  # level, bytes per second, next level
    TRY_FEWER = "try_fewer"  # next level
    GAIN_TRY_MORE = "gain_try_more"  # level, bytes per second, gain, next level
    GAIN_STAY = "gain_stay"  # level, bytes per second, gain
    BACK = "back"  # level, bytes per second, gain, next level
    FEWER_STAY = "fewer_stay"  # level, bytes per second, gain
    TRY_FEWER_CONNECTIONS = "try_fewer_connections"  # connections, fewer
    FEWER_CONNECTIONS_STAY = "fewer_connections_stay"  # fewer, bytes per second, gain
    TRY_MORE_CONNECTIONS = "try_more_connections"  # connections, more
    MORE_CONNECTIONS_STAY = "more_connections_stay"  # more, bytes per second, gain
    CONNECTIONS_BACK = "connections_back"  # fewer, bytes per second, gain, connections


class AutoReason(NamedTuple):
    """Why the controller chose a level of concurrency."""

    code: AutoCode
    values: tuple[Value, ...] = ()
