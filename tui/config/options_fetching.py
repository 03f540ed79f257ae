"""Options of fetching itself: where to, how much at once, what is trusted."""

from __future__ import annotations

from typing import Final

from tui.config.option import Group, Option
from tui.config.parsing import parse_folder
from tui.config.values import Kind
from tui.core.settings import (
    MAX_CONCURRENCY,
    MAX_SEGMENTS,
    MAX_WRITERS,
    OnExists,
    Verify,
)

WHERE: Final = (
    Option(
        "output-dir",
        Kind.PATH,
        Group.WHERE,
        "Where files go; made if it is missing.",
        '"~/Downloads"',
        field="output_dir",
        flags=("-o", "--output-dir"),
        metavar="DIR",
        default_text="here",
    ),
    Option(
        "on-exists",
        Kind.CHOICE,
        Group.WHERE,
        "When the name is taken.",
        '"rename"',
        field="on_exists",
        choices=tuple(choice.value for choice in OnExists),
        more="resume goes on with a part file and takes a whole file of the right size"
        " for done; skip keeps what is there without asking the server; rename fetches"
        " under a new name; overwrite replaces it once the new file is whole.",
    ),
    Option(
        "folders",
        Kind.WORDS,
        Group.WHERE,
        "Put files whose name matches into a directory below the output directory;"
        " repeatable, the first that matches counts.",
        '["*.iso=images", "*.pdf=papers"]',
        field="folders",
        flags=("--folder",),
        metavar="'PATTERN=DIR'",
        parse=parse_folder,
        more="In the settings file also as tables: [[folders]] with pattern and"
        " directory. A directory that the list names (dir=) wins.",
    ),
)

SPEED: Final = (
    Option(
        "concurrency",
        Kind.WHOLE,
        Group.SPEED,
        "Downloads at once; changes live in the dashboard.",
        "16",
        field="concurrency",
        flags=("-c", "--concurrency"),
        metavar="N",
        low=1,
        high=MAX_CONCURRENCY,
        is_live=True,
    ),
    Option(
        "auto",
        Kind.SWITCH,
        Group.SPEED,
        "Let what is measured choose how many downloads run at once.",
        "true",
        field="auto",
        is_live=True,
    ),
    Option(
        "segments",
        Kind.WHOLE,
        Group.SPEED,
        "Connections per download; 0 decides by size.",
        "4",
        field="segments",
        flags=("-s", "--segments"),
        metavar="N",
        high=MAX_SEGMENTS,
        is_live=True,
    ),
    Option(
        "per-host",
        Kind.WHOLE,
        Group.SPEED,
        "Downloads at once from one host; 0 for no cap.",
        "4",
        field="per_host",
        metavar="N",
        high=MAX_CONCURRENCY,
        is_live=True,
    ),
    Option(
        "limit-rate",
        Kind.SIZE,
        Group.SPEED,
        "Bytes per second over everything, such as 500k or 10M; 0 for no limit.",
        '"10M"',
        field="rate_limit",
        metavar="RATE",
        default_text="no limit",
        is_live=True,
        more="10M is 10 MiB as in aria2 and curl, 10MB is 10 million.",
    ),
    Option(
        "writers",
        Kind.WHOLE,
        Group.SPEED,
        "Threads that write to disk.",
        "8",
        field="writers",
        metavar="N",
        low=1,
        high=MAX_WRITERS,
        is_live=True,
    ),
    Option(
        "in-flight-limit",
        Kind.SIZE,
        Group.SPEED,
        "Bytes between wire and disk at which reading waits for the disk.",
        '"64M"',
        field="in_flight_limit",
        metavar="SIZE",
        low=1 << 20,
        high=1 << 40,
        default_text="64M",
    ),
)

TRUST: Final = (
    Option(
        "retries",
        Kind.WHOLE,
        Group.TRUST,
        "Attempts after the first one; only what may pass is tried again.",
        "10",
        field="retries",
        metavar="N",
        high=1000,
    ),
    Option(
        "timeout",
        Kind.NUMBER,
        Group.TRUST,
        "Seconds to connect, to get an answer, and without a byte.",
        "60",
        field="timeout_s",
        metavar="SECONDS",
        low=0.1,
        high=86400,
    ),
    Option(
        "verify",
        Kind.CHOICE,
        Group.TRUST,
        "Where the list has no checksum: trust the server's headers, look for"
        " SHA256SUMS or NAME.sha256 as well (auto), or do neither.",
        '"auto"',
        field="verify",
        choices=tuple(choice.value for choice in Verify),
        more="headers means Repr-Digest and Digest; auto asks beside the file for"
        " SHA256SUMS, sha256sum.txt, NAME.sha256 and NAME.sha512. A checksum that the"
        " list gives always counts.",
    ),
    Option(
        "fsync",
        Kind.SWITCH,
        Group.TRUST,
        "Sync files before they get their name; without it a power cut may tear them.",
        "false",
        field="fsync",
    ),
)

AFTER: Final = (
    Option(
        "hooks.on-done",
        Kind.COMMAND,
        Group.AFTER,
        "A command to run for each file that is done; no shell is between.",
        '"mv-to-nas --quiet"',
        field="hooks.on_done",
        metavar="COMMAND",
        more="It gets what happened in FETCHTUI_* variables and in the words {path},"
        " {name}, {url} and the like, as the README's table tells.",
    ),
    Option(
        "hooks.on-failed",
        Kind.COMMAND,
        Group.AFTER,
        "A command to run for each download that fails for good.",
        '["logger", "a download failed"]',
        field="hooks.on_failed",
        metavar="COMMAND",
    ),
    Option(
        "hooks.on-all-done",
        Kind.COMMAND,
        Group.AFTER,
        "A command to run once, when nothing is left to do.",
        '"systemctl suspend"',
        field="hooks.on_all_done",
        metavar="COMMAND",
    ),
    Option(
        "hooks.timeout",
        Kind.NUMBER,
        Group.AFTER,
        "Seconds after which a command is ended, with all that it started.",
        "60",
        field="hooks.timeout_s",
        flags=("--hook-timeout",),
        metavar="SECONDS",
        low=0.1,
        high=7 * 86400,
    ),
    Option(
        "hooks.at-once",
        Kind.WHOLE,
        Group.AFTER,
        "Commands that run at the same time.",
        "1",
        field="hooks.at_once",
        flags=("--hooks-at-once",),
        metavar="N",
        low=1,
        high=64,
    ),
    Option(
        "notify",
        Kind.SWITCH,
        Group.AFTER,
        "Tell the desktop when all is done.",
        "true",
        field="notify",
    ),
    Option(
        "unpack",
        Kind.SWITCH,
        Group.AFTER,
        "Unpack archives (zip, tar and its compressed kinds) beside themselves.",
        "true",
        field="unpack",
    ),
    Option(
        "server-time",
        Kind.SWITCH,
        Group.AFTER,
        "Give files the time that the server tells (Last-Modified).",
        "true",
        field="server_time",
    ),
    Option(
        "log-file",
        Kind.PATH,
        Group.AFTER,
        "Write every event as a line into this file, secrets masked.",
        '"~/fetchtui.log"',
        field="log_file",
        metavar="FILE",
    ),
)
