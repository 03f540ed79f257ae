"""Options that make sense for one run only, so no settings file holds them."""

from __future__ import annotations

from typing import Final

from tui.config.option import Group, Option
from tui.config.registry import OPTIONS
from tui.config.values import Kind
from tui.core.request import Checksum, check_url


def _base_url(text: str) -> str:
    """Take a URL, or what is relative to the list's own: ``.`` is beside it."""
    return text if text.startswith(".") else check_url(text)


def _switch(name: str, doc: str, *short: str) -> Option:
    flags = (*short, f"--{name}")
    return Option(name, Kind.SWITCH, Group.RUN, doc, flags=flags, fallback=False)


RUN: Final = (
    Option(
        "checksum",
        Kind.TEXT,
        Group.RUN,
        "Expected digest of the one URL, such as sha-256=...",
        metavar="TYPE=HEX",
        parse=Checksum.parse,
    ),
    Option(
        "links",
        Kind.TEXT,
        Group.RUN,
        "Take sources for HTML pages, and fetch their links that match.",
        metavar="'PATTERN'",
    ),
    Option(
        "base-url",
        Kind.TEXT,
        Group.RUN,
        "Where relative names in a list, a page or SHA256SUMS belong.",
        metavar="URL",
        parse=_base_url,
        more="A `.` stands for the folder of the list itself, where that is a URL.",
    ),
    Option(
        "profile",
        Kind.TEXT,
        Group.RUN,
        "Take the settings of [profiles.NAME] as well.",
        metavar="NAME",
    ),
    _switch("dry-run", "Fetch nothing; say what would be fetched, and where to.", "-n"),
    _switch("sizes", "A dry run that asks the servers how large the files are."),
    _switch("quiet", "Say nothing but what went wrong; no dashboard.", "-q"),
    _switch("verbose", "Say more: settings and where they come from, starts.", "-v"),
    _switch("headless", "No dashboard; also when stdout is no terminal."),
    _switch("json", "Headless; one JSON object a line on stdout."),
    _switch("demo", "Fetch files from a server of its own; no network."),
)

ALL: Final[tuple[Option, ...]] = (*OPTIONS, *RUN)
"""Everything that the command line takes."""
