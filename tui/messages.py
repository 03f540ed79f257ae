"""Words for the codes of ``core``: every front end takes its sentences from here.

Errors, notices, limits and diagnoses travel through the engine as codes and values. The
tables below contain one whole sentence for each code, so that they can be edited in one
place. A placeholder such as ``{0}`` stands for a value; its format may be one of those
of ``_Sentences``. Names in doubled braces, such as ``{{more}}``, are ids of dashboard
actions: they come out as ``{more}``, and the dashboard puts the key there.

Where a sentence depends on a number, the table has a pair: the first one is for a first
value of 1, the second one for all others.
"""

from __future__ import annotations

import time
from collections import Counter
from string import Formatter
from typing import TYPE_CHECKING, Any, TypeAlias

from tui import __version__
from tui.core.attachment import LinkState
from tui.core.diagnosis import Limit, LimitCause, QueueBlock
from tui.core.download import UNFINISHED, DownloadState
from tui.core.errors import ErrorKind
from tui.core.notices import AutoCode, LimitName, NoticeCode, RestoredSession
from tui.core.service import KeepReason, ServiceRefused
from tui.core.text.sanitize import display_url, sanitize
from tui.core.text.units import format_duration, format_limit, format_rate, format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.attachment import Attachment
    from tui.core.diagnosis import Diagnosis, QueueStatus
    from tui.core.errors import FetchError
    from tui.core.events import LimitChanged
    from tui.core.notices import AutoReason, Notice, PauseReason
    from tui.core.service import Deletion, ServiceLost
    from tui.core.snapshot import EngineSnapshot

Sentence: TypeAlias = str | tuple[str, str]

_E = ErrorKind
_REMEDIES: dict[ErrorKind, str] = {
    # connecting
    _E.UNKNOWN_HOST: "check the host name and your network or VPN, then retry",
    _E.DNS: "name resolution is failing temporarily; check your network",
    _E.REFUSED: "nothing is listening there; check the port and the server",
    _E.UNREACHABLE: "check your network or VPN",
    _E.CONNECT_TIMEOUT: "the server did not respond; try later or raise --timeout",
    _E.TLS: "check the host name and your clock, or trust it with --ca-file",
    _E.CA_FILE: "pass a PEM file with --ca-file or SSL_CERT_FILE",
    _E.PROXY: "check the proxy and its address, or use --proxy direct",
    _E.PROXY_AUTH: "set its credentials: --proxy-user, --proxy-password-from",
    _E.NETWORK: "check --interface, --ip-version and --resolve",
    _E.CLIENT_CERT: "pass PEM files with --cert and --key",
    # the exchange
    _E.STALLED: "the server or the network is slow; try later or raise --timeout",
    _E.RESET: "try again later; partial files are kept",
    _E.TRUNCATED: "try again later or use another mirror",
    _E.BAD_REPLY: "the server does not speak valid HTTP; check the URL and port",
    _E.NO_HTTP1: "the server may speak only HTTP/2; try --http2",
    _E.ENCODING: "the server does not send the file unchanged; try another mirror",
    _E.TOO_MANY_REDIRECTS: "check the URL; it may require a login",
    _E.BAD_REDIRECT: "only http and https are followed; check the URL",
    _E.BAD_HEADER: "check the request headers: --header and header= lines",
    # the response
    _E.AUTH: "check your credentials: --user, --netrc or [hosts] in the settings",
    _E.LOGIN: "give the secret as env:NAME, file:PATH or keyring:SERVICE",
    _E.NETRC: "fix this line; expected: machine HOST login USER password SECRET",
    _E.COOKIES: "export the cookies again, in Netscape format (cookies.txt)",
    _E.SECRET: "secrets are not stored; repeat the first command or pass --header",
    _E.NOT_FOUND: "the server has no such file; check the URL",
    _E.HTTP_4XX: "the server refused the request; check the URL",
    _E.RATE_LIMITED: "try again later with less concurrency (-c, --per-host)",
    _E.RETRY_AFTER: "retry it later, or accept longer waits with --max-retry-after",
    _E.HTTP_5XX: "the server has a problem; try again later",
    _E.HTTP_STATUS: "there is no file at this URL; open it in a browser",
    _E.RANGE: "the server rejected the range; the download must start over",
    # the bytes
    _E.CHANGED: "the file changed on the server during the download; retry",
    _E.CHECKSUM: "check the checksum and the URL; the file may have changed",
    _E.SIZE: "the size differs from the expected one; check the URL",
    # this machine
    _E.DISK_FULL: "free some disk space, then resume",
    _E.TOO_LARGE: "choose a directory on a larger disk or other file system with -o",
    _E.NOT_WRITABLE: "choose another directory with -o or fix its permissions",
    _E.DIRECTORY_GONE: "the output directory is missing; restore it, then resume",
    _E.NAME: "no safe file name can be derived; set one with out=",
    _E.DIRECTORY_EXISTS: "remove the directory, or set another name with out=",
    _E.FILE_EXISTS: "remove the file, or choose another --on-exists",
    _E.IN_USE: "wait until the other run has ended, then retry",
    _E.DESCRIPTORS: "raise the limit (ulimit -n) or lower the concurrency (-c, -s)",
    _E.DISK: "the disk reports an error; check it, then resume",
    _E.INTERNAL: "this is a bug in fetchtui; please report it",
}
_FORBIDDEN = "the server refused access; check credentials or permissions"

_N = NoticeCode
_NOTICES: dict[NoticeCode, Sentence] = {
    _N.ALREADY_PRESENT: "already present",
    _N.EXISTING_KEPT: "existing file kept",
    _N.CHANGED_ON_SERVER: "changed on the server; started over",
    _N.NOT_RESUMABLE: "cannot be resumed; started over",
    _N.NAME_TAKEN: "the file name was taken; saving as {0}",
    _N.FILE_EXISTS: "{0} already exists; saving as {1}",
    _N.FILE_DIFFERS: "{0} already exists with other content; saving as {1}",
    _N.PART_FILE_FOREIGN: "{0}.part belongs to another download; saving as {1}",
    _N.PIECES_CORRUPT: "{0:,} of {1:,} bytes are corrupt; downloading them again",
    _N.URL_HAS_QUERY: "not verified: the URL has a query",
    _N.URL_HAS_NO_FILE: "not verified: the URL does not name a file",
    _N.NO_CHECKSUM_FILE: "not verified: the server has no checksum file for it",
    _N.CHECKSUM_FILE_FAILED: "not verified: its checksum file could not be fetched",
    _N.SAVED_ENCODED: "the server sent it encoded ({0}); saved as sent",
    _N.MIRROR_CHANGED: "{0:url} failed; continuing with {1:url}",
    _N.RETRY_UNDONE: "retry undone",
    _N.UNPACKING: "unpacking",
    _N.UNPACKING_PROGRESS: "unpacking, {0:.0%} read",
    _N.UNPACKING_STOPPED: "unpacking was stopped",
    _N.UNPACKED: ("unpacked into {1}/ (1 entry)", "unpacked into {1}/ ({0:,} entries)"),
    _N.NOT_UNPACKED: "not unpacked: {0}",
    _N.UPLOADING: "uploading",
    _N.UPLOADED: "uploaded to {0}",
    _N.NOT_UPLOADED: "not uploaded: {0}",
    _N.TIME_NOT_SET: "the modification time could not be set: {0}",
    _N.HOOK_FAILED: "hook '{0}' {1}",
    _N.HOOK_OUTPUT: "hook '{0}': {1}",
    _N.HOOK_DISABLED: "{0}; the hook is disabled for this run",
    _N.HOOK_PLACEHOLDER: (
        "{0} is replaced only as an argument of its own or behind a prefix (--out={0});"
        ' elsewhere use "{1}"'
    ),
    _N.COOKIE_LINES_SKIPPED: (
        "{1}:{2}: {3}; the line was skipped",
        "{1}:{2}: {3}; {0:,} lines were skipped",
    ),
    _N.LOG_STARTED: "fetchtui {0} saves to {1}",
    _N.LOG_INCOMPLETE: "the log file {0} is missing lines: {1}",
    _N.SESSION_NOT_SAVED: "this session is not being saved: {0}",
    _N.SESSION_SAVED_AGAIN: "this session is being saved again",
    _N.LAST_SESSION_OPEN: ("Last session is open in another window; started a new one"),
    _N.LAST_SESSION_NEWER: (
        "Last session was written by a newer fetchtui; started a new one"
    ),
    _N.LAST_SESSION_UNREADABLE: "Last session: {0}; started a new one",
    _N.LAST_SESSION_SET_ASIDE: (
        "Last session was damaged and is kept as {0}; started a new one"
    ),
    _N.RPC_STARTED: "remote control: {0} (secret: {1})",
    _N.RPC_REFUSED: (
        "the RPC refused a request from {1}: {2}",
        "the RPC refused {0:,} requests from {1}: {2}",
    ),
    _N.ENTRIES_LOST: ("1 entry could not be read", "{0:,} entries could not be read"),
    _N.ENTRIES_UNSAVED: (
        "{0:,} of {1:,} downloads of {2} were not saved before the last run was"
        " killed; start it again to add them"
    ),
    _N.REST_UNREADABLE: "its journal is damaged: {0}",
    _N.REST_SET_ASIDE: "the rest is damaged and kept as {0}",
    _N.BACKGROUND_RUNS: (
        "The background process {0} is running; fetchtui attach {0} shows it"
    ),
    _N.CLIENT_OF_OTHER_USER: "refused a connection of another user (user id {0})",
    _N.CLIENTS_FULL: "refused a connection: {0} clients are already connected",
    _N.CLIENT_GARBAGE: "dropped a client that does not speak the protocol: {0}",
    _N.CLIENT_SILENT: "dropped a client that did not introduce itself",
    _N.CLIENT_STALLED: "dropped a client that had stopped reading",
    _N.EVENTS_LOST: (
        "1 event was left out, since this terminal is too slow",
        "{0:,} events were left out, since this terminal is too slow",
    ),
    _N.VERB_REFUSED: "the background process refused it: {0}",
    _N.TEXT: "{0}",
}

_RESTORED = "Restored session of {0}: {1}"
_RESTORED_IN_PART = "Restored session of {0}: {1}; {2}"
_RESTORED_COUNTS = (
    (DownloadState.QUEUED, "{0:,} left"),
    (DownloadState.PAUSED, "{0:,} paused"),
    (DownloadState.DONE, "{0:,} done"),
    (DownloadState.FAILED, "{0:,} failed"),
    (DownloadState.CANCELLED, "{0:,} cancelled"),
)
_NOTHING_RESTORED = "no downloads"

_DELETED = (
    "Deleted the data of {0:,} download, {1}",
    "Deleted the data of {0:,} downloads, {1}",
)
_KEPT: dict[KeepReason, Sentence] = {
    KeepReason.EXISTED: (
        "kept {0:,} file that existed before",
        "kept {0:,} files that existed before",
    ),
    KeepReason.CHANGED: (
        "kept {0:,} file that has changed since",
        "kept {0:,} files that have changed since",
    ),
    KeepReason.IN_USE: (
        "kept {0:,} file that another run is downloading",
        "kept {0:,} files that other runs are downloading",
    ),
    KeepReason.RESTORED: (
        "kept {0:,} file whose download is in the list again",
        "kept {0:,} files whose downloads are in the list again",
    ),
    KeepReason.FAILED: (
        "could not delete {0:,} file; check its folder's permissions",
        "could not delete {0:,} files; check their folders' permissions",
    ),
}
_NOTHING_DELETED = "There was no data to delete"

_C = LimitCause
_DIAGNOSES: dict[LimitCause, Sentence] = {
    _C.NONE: "",
    # the run
    _C.RATE_LIMIT: "Limited by your rate limit, {0:setting} ({{limit}} to change)",
    _C.DOWNLOAD_RATE_LIMITS: (
        "Limited by rate limits of single downloads ({{limit_row}} to change)"
    ),
    _C.DISK_WAIT: (
        "Limited by the disk: connections spend {0:share} of their time waiting for it"
    ),
    _C.DISK_WAIT_INLINE: (
        "Limited by the disk: connections spend {0:share} of their time waiting for it"
        " ({{inline_writes}} moves writes to threads)"
    ),
    _C.DISK_WAIT_WRITERS: (
        "Limited by the disk: connections spend {0:share} of their time waiting for it"
        " ({{writers_more}} adds a writer)"
    ),
    _C.LOOP_BUSY: "Limited by the CPU: the event loop is busy {0:share} of the time",
    _C.LOOP_LATE: "Limited by the CPU: the event loop is {0} ms late most of the time",
    _C.PROCESSORS_BUSY: "Limited by the CPU: all processors are {0:share} busy",
    _C.HOSTS_REFUSE: (
        "Limited by the server: a host is refusing connections ({{hosts}}: hosts)",
        "Limited by the server: {0} hosts are refusing connections ({{hosts}}: hosts)",
    ),
    _C.SLOTS_BUSY: (
        "Limited by concurrency: the only slot is busy, {1:,} queued"
        " ({{more}} adds a slot)",
        "Limited by concurrency: all {0} slots busy, {1:,} queued"
        " ({{more}} adds a slot)",
    ),
    _C.SLOTS_BUSY_AUTO: (
        "Limited by concurrency: the only slot is busy, {1:,} queued"
        " (auto will try more)",
        "Limited by concurrency: all {0} slots busy, {1:,} queued (auto will try more)",
    ),
    _C.NO_GAIN: "Limited by the server or the network: more concurrency does not help",
    _C.NO_GAIN_ON_LINK: (
        "Limited by your connection: {0} hosts deliver {1:rate} in total,"
        " more concurrency does not help"
    ),
    _C.SERVER_WAIT: (
        "Limited by the server: connections spend {0:share} of their time"
        " waiting for data"
    ),
    # one download that runs
    _C.PROBING: "waiting for the server's response",
    _C.VERIFYING: "Limited by the disk: verifying, syncing and renaming the file",
    _C.OWN_RATE_LIMIT: (
        "Limited by its own rate limit, {0:setting} ({{limit_row}} to change)"
    ),
    _C.SHARED_RATE_LIMIT: (
        "Limited by the rate limit of the run, {0:setting} ({{limit}} to change)"
    ),
    _C.OWN_DISK_WAIT: "Limited by the disk: it waits for it {0:share} of the time",
    _C.NO_DATA: "Limited by the server: no data for {0:duration}",
    _C.NO_RANGES: "Limited by the server: ranges unsupported, so only one connection",
    _C.CONNECTIONS: (
        "Limited by the server: 1 connection ({{connections_more}} adds one)",
        "Limited by the server: {0} connections ({{connections_more}} adds one)",
    ),
    # one download that waits
    _C.PAUSED: "paused ({{pause}} to resume)",
    _C.BACKING_OFF: "retrying in {0:duration} ({{retry}} to retry now)",
    _C.QUEUE_PAUSED: "all downloads are paused ({{pause_all}} to resume)",
    _C.HOST_BLOCKED: "backing off from the host for {0:.0f} more seconds",
    _C.HOST_LIMITED: (
        "waiting: host limited to {0}, because it refused more ({{hosts}} to change)"
    ),
    _C.HOST_FULL: "the host is at its limit of {0} ({{hosts}} to change)",
    _C.SLOTS_FULL: (
        "the only slot is busy ({{more}} adds a slot)",
        "all {0} slots busy ({{more}} adds a slot)",
    ),
    _C.STARTING: "about to start",
}
_HEADLINES: dict[Limit, str] = {
    Limit.NOTHING: "",
    Limit.SERVER: "Limited by the server",
    Limit.LINK: "Limited by your connection",
    Limit.DISK: "Limited by the disk",
    Limit.CPU: "Limited by the CPU",
    Limit.LIMITER: "Limited by a rate limit",
    Limit.CONCURRENCY: "Limited by concurrency",
}
_SHORT: dict[Limit, str] = {
    Limit.NOTHING: "",
    Limit.SERVER: "limited by server",
    Limit.LINK: "limited by connection",
    Limit.DISK: "limited by disk",
    Limit.CPU: "limited by CPU",
    Limit.LIMITER: "limited by rate limit",
    Limit.CONCURRENCY: "limited by concurrency",
}
_QUEUE: dict[QueueBlock, Sentence] = {
    QueueBlock.OVER_LIMIT: (
        "1 over the limit of {1} is finishing",
        "{0} over the limit of {1} are finishing",
    ),
    QueueBlock.PAUSED: "queue paused",
    QueueBlock.HOSTS_BACK_OFF: (
        "backing off from a host, {1:.0f}s",
        "backing off from {0} hosts, {1:.0f}s",
    ),
    QueueBlock.PER_HOST: "at the limit per host",
}

_A = AutoCode
_AUTO: dict[AutoCode, Sentence] = {
    _A.MEASURING: "measuring",
    _A.PINNED: "set by hand",
    _A.HOSTS_REFUSE: "hosts refuse more (429 or 503); lowered to {0}",
    _A.HOSTS_ACCEPT: "hosts accept {0} now",
    _A.HOST_FINISHED: "the host that refused has nothing left in the queue",
    _A.CONNECTIONS_BROKE: "{0} connections broke within {1:.0f} s",
    _A.RATE_LIMITED: "not raised: limited by the rate limit",
    _A.DISK_LIMITED: "not raised: limited by the disk",
    _A.CPU_LIMITED: "not raised: limited by the CPU",
    _A.SMALL_FILES: "files are small; starting with {0}",
    _A.MEDIUM_FILES: "files have a few MiB; starting with {0}",
    _A.TRY_MORE: "{0} downloads reach {1:rate}; trying {2}",
    _A.TRY_FEWER: "fewer may be as fast; trying {0}",
    _A.GAIN_TRY_MORE: "{0} downloads reach {1:rate} ({2:+.0%}); trying {3}",
    _A.GAIN_STAY: "{0} downloads reach {1:rate} ({2:+.0%}); keeping them",
    _A.BACK: "{0} downloads reach {1:rate} ({2:+.0%}); back to {3}",
    _A.FEWER_STAY: "{0} downloads are as fast, {1:rate} ({2:+.0%}); keeping them",
    _A.TRY_FEWER_CONNECTIONS: "{0} connections to large files; trying {1}",
    _A.FEWER_CONNECTIONS_STAY: (
        "{0} connections are as fast, {1:rate} ({2:+.0%}); keeping them"
    ),
    _A.TRY_MORE_CONNECTIONS: "{0} connections to large files; trying {1}",
    _A.MORE_CONNECTIONS_STAY: (
        "{0} connections reach {1:rate} ({2:+.0%}); keeping them"
    ),
    _A.CONNECTIONS_BACK: "{0} connections reach {1:rate} ({2:+.0%}); back to {3}",
}

_L = LimitName
_LIMITS: dict[LimitName, str] = {
    _L.CONCURRENCY: "concurrency {0} → {1}",
    _L.PER_HOST: "per host {0:limit} → {1:limit}",
    _L.ORIGIN: "max downloads from {2:url} {0:limit} → {1:limit}",
    _L.SEGMENTS: "connections per download {0:auto} → {1:auto}",
    _L.RATE_LIMIT: "rate limit {0:rate_limit} → {1:rate_limit}",
    _L.WRITERS: "writers {0} → {1}",
}
_CHOSEN_CONCURRENCY = "concurrency {0} → {1} ({2})"
_SWITCHES: dict[LimitName, tuple[str, str]] = {
    _L.AUTO: ("automatic concurrency off", "automatic concurrency on"),
    _L.INLINE_WRITES: (
        "disk writes run in threads",
        "disk writes run on the event loop (blocking!)",
    ),
}


class _Sentences(Formatter):
    """Fills in values; text is made safe to show."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """Format one value, also by the formats of this module."""
        match format_spec:
            case "rate":
                return format_rate(value)
            case "setting":
                return format_limit(value)
            case "share":
                # In steps of two: a number that changes each second is not read.
                return f"{round(max(0.0, value) * 50) * 2}%"
            case "duration":
                return format_duration(value)
            case "limit":
                return f"{value}" if value else "unlimited"
            case "auto":
                return f"{value}" if value else "automatic"
            case "rate_limit":
                return "off" if value is None else format_limit(value)
            case "url":
                return display_url(str(value))
        if isinstance(value, str):
            return sanitize(format(value, format_spec))
        return format(value, format_spec)


_SENTENCES = _Sentences()


def _word(sentence: Sentence, values: Sequence[Any]) -> str:
    if isinstance(sentence, tuple):
        sentence = sentence[0] if values[0] == 1 else sentence[1]
    return _SENTENCES.vformat(sentence, values, {})


def remedy(kind: str, status: int = 0) -> str:
    """Return what the user can do about an error; "" for an unknown kind.

    Args:
        kind: the value of an ``ErrorKind``; journals may contain others.
        status: the HTTP status that came with it, or 0.
    """
    try:
        known = ErrorKind(kind)
    except ValueError:
        return ""
    if known is ErrorKind.AUTH and status == 403:
        return _FORBIDDEN
    return _REMEDIES[known]


def remedy_for(kind: str, error: str, status: int = 0) -> str:
    """Return the remedy without the clauses that the error message already contains."""
    message = error.casefold()
    clauses = remedy(kind, status).split("; ")
    return "; ".join(clause for clause in clauses if clause.casefold() not in message)


def failure_title(kind: str, status: int) -> str:
    """Name a kind of failure: ``404 not found``, ``403 forbidden``, ``dns``.

    Args:
        kind: value of an ``ErrorKind``; "" if the user cancelled the download.
        status: HTTP status, or 0; one that is not an error is left out, since it was
            not the cause.
    """
    if not kind:
        return "cancelled by you"
    if status < 400 and not kind.startswith("http_"):
        status = 0
    title = kind.replace("_", " ")
    if kind.startswith("http_") or status == 403:
        from http import HTTPStatus  # late: only failures need it

        try:
            title = HTTPStatus(status).phrase.lower()
        except ValueError:
            title = "refused" if status < 500 else "server error"
    return f"{status} {title}" if status else title


def error_text(error: FetchError) -> str:
    """Return what happened and what to do about it, in one line."""
    hint = remedy(error.kind, error.status)
    return f"{error}; {hint}" if hint else str(error)


def notice_text(notice: Notice | None) -> str:
    """Word a notice, safe to show; "" for none."""
    return "" if notice is None else _word(_NOTICES[notice.code], notice.values)


def session_text(session: RestoredSession | Notice | None) -> str:
    """Say what was restored, or why a new session was started; "" for neither."""
    if not isinstance(session, RestoredSession):
        return notice_text(session)
    when = time.strftime("%d %b %H:%M", time.localtime(session.used_at))
    parts = [
        _word(words, (session.counts[state],))
        for state, words in _RESTORED_COUNTS
        if session.counts[state]
    ]
    counts = ", ".join(parts) or _NOTHING_RESTORED
    problem = notice_text(session.problem)
    return _word(_RESTORED_IN_PART if problem else _RESTORED, (when, counts, problem))


def deletion_text(deletion: Deletion) -> str:
    """Say which data of removed downloads was deleted, and why the rest was kept."""
    parts = []
    if deletion.files:
        size = format_size(deletion.nbytes)
        parts.append(_word(_DELETED, (deletion.files, size)))
    reasons = Counter(reason for _, reason in deletion.kept)
    parts += [_word(_KEPT[reason], (n,)) for reason, n in reasons.items()]
    return "; ".join(parts) or _NOTHING_DELETED


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Word a diagnosis; actions that may help are named by their ids in braces.

    What limits the run comes first; after a colon follows the proof.
    """
    return _word(_DIAGNOSES[diagnosis.cause], diagnosis.values)


def diagnosis_headline(diagnosis: Diagnosis) -> str:
    """Return what limits the run, without the proof; "" if nothing does."""
    return _HEADLINES[diagnosis.limit]


def diagnosis_tag(diagnosis: Diagnosis) -> str:
    """Return what limits a download, to follow its state: ``limited by server``."""
    return _SHORT[diagnosis.limit]


def queue_text(status: QueueStatus | None) -> str:
    """Say why no queued download starts; "" if nothing prevents it."""
    return "" if status is None else _word(_QUEUE[status.block], status.values)


def pause_text(reason: PauseReason | None) -> str:
    """Say why the engine paused the queue; "" if the user did."""
    return "" if reason is None else sanitize(reason.detail)


def auto_text(reason: AutoReason | None) -> str:
    """Say why the automatic concurrency is what it is; "" if it never ran."""
    return "" if reason is None else _word(_AUTO[reason.code], reason.values)


def limit_text(change: LimitChanged) -> str:
    """Say which limit changed, from what to what."""
    if change.name in _SWITCHES:
        return _SWITCHES[change.name][bool(change.new)]
    values = (change.old, change.new, change.origin)
    if change.name is LimitName.CONCURRENCY and change.reason is not None:
        values = (change.old, change.new, auto_text(change.reason))
        return _word(_CHOSEN_CONCURRENCY, values)
    return _word(_LIMITS[change.name], values)


# -- a dashboard attached to a background process -------------------------------------

WATCHING = "This dashboard only watches; attach without --watch to change downloads"

_ALERTS = {
    LinkState.CONNECTED: "",
    LinkState.LOST: "connection lost",
    LinkState.STOPPED: "process stopped",
    LinkState.REFUSED: "other version",
}


def attached_to(attachment: Attachment) -> str:
    """Return what a dashboard is attached to, in one word: ``main``, ``host/main``."""
    if attachment.host and attachment.name == "main":
        return attachment.host
    return f"{attachment.host}/{attachment.name}".lstrip("/")


def attachment_title(attachment: Attachment) -> str:
    """Return how a dashboard is attached, beside ``attached_to`` in its header."""
    return "watching only" if attachment.is_watching else "attached"


def attachment_alert(attachment: Attachment) -> str:
    """Return two words on what is wrong with the connection, or ""."""
    return _ALERTS[attachment.state]


def attachment_text(attachment: Attachment) -> str:
    """Return the state of the connection, and what to do about it."""
    detail = sanitize(attachment.detail, 100)
    option = "" if attachment.name == "main" else f" --name {attachment.name}"
    match attachment.state:
        case LinkState.CONNECTED:
            return "Connected again"
        case LinkState.LOST:
            reason = f": {detail}" if detail else ""
            return f"Connection lost, trying again{reason}"
        case LinkState.STOPPED:
            return (
                "The background process has stopped and its downloads are saved;"
                f" fetchtui -b{option} starts it again"
            )
        case LinkState.REFUSED:
            return (
                f"fetchtui {detail} runs there, and this is {__version__};"
                f" run fetchtui stop{option} and fetchtui -b{option} there"
            )


def loss_text(error: ServiceLost, consequence: str) -> str:
    """Return why the background process did not do something, and what that means."""
    if isinstance(error, ServiceRefused):
        reason = sanitize(str(error), 100)
        return f"The background process refused: {reason}; {consequence}"
    return f"The connection was lost; {consequence}"


def detached_text(attachment: Attachment, snapshot: EngineSnapshot) -> str:
    """Return what happens to the downloads after a dashboard was detached."""
    if attachment.state is LinkState.STOPPED:
        return f"fetchtui: {attachment_text(attachment)}."
    left = sum(snapshot.counts[state] for state in UNFINISHED)
    where = attached_to(attachment)
    if attachment.host:
        where = f"ssh://{where}"
    command = "fetchtui attach" if where == "main" else f"fetchtui attach {where}"
    if left == 0:
        return f"Detached; all downloads have ended. {command} shows them again."
    if left == 1:
        return (
            f"Detached; 1 download continues in the background. {command} shows it"
            " again."
        )
    return (
        f"Detached; {left:,} downloads continue in the background. {command} shows"
        " them again."
    )
