"""The user guide: one Markdown file per topic, shipped with the program.

``fetchtui help`` and the help screen of the dashboard show these files; on the web they
are ordinary pages that link each other. Belongs here: text for users, and the functions
that find and prepare it. Does not belong here: drawing it (``cli`` and ``ui`` do that),
and text for contributors (``tui/README.md``).
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from importlib.resources import files
from typing import Final

TOPICS: Final[dict[str, str]] = {
    "getting-started": "install it, try the demo, everyday commands",
    "lists": "formats of lists, patterns, checksums, mirrors, converting",
    "dashboard": "what the dashboard shows and how to adapt it",
    "keys": "every key and action",
    "sessions": "what is saved, and how to resume",
    "background": "downloads without a terminal: start, attach, commands, service",
    "attach": "the dashboard for a background process, also over ssh",
    "settings": "the settings file, profiles, hosts, precedence",
    "options": "every option",
    "network": "proxies, credentials, cookies, TLS, HTTP backends",
    "rpc": "remote control by clients of aria2: set-up, what is refused and why",
    "hooks": "hooks, unpacking, folders, notifications, log file",
    "json-events": "the output of --json, and all error codes",
    "exit-status": "what the exit status means",
    "safety": "how files and credentials are protected",
    "object-stores": "download to and from S3, Google Cloud Storage and Azure",
    "scale": "lists of millions of URLs, with many workers",
    "lab": "races between threads, asyncio and processes",
    "troubleshooting": "common problems and what to do",
}
"""Names of the topics, in reading order, with what each is about."""

_MARKER = re.compile(r"^<!-- [^>]* -->\n", re.MULTILINE)
_PICTURES = re.compile(r"<!-- pictures -->.*?<!-- /pictures -->\n", re.DOTALL)
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")


def read_topic(name: str) -> str:
    """Return a topic of ``TOPICS`` as Markdown for a terminal.

    Links to other topics become the command that shows them, other links into the
    repository become their text, and pictures are left out.
    """
    page = files("tui").joinpath("docs", f"{name}.md").read_text("utf-8")
    page = _MARKER.sub("", _PICTURES.sub("", page))
    return _LINK.sub(_for_terminal, page)


def similar_topics(name: str) -> list[str]:
    """Return the topics that ``name`` may have meant, best first."""
    name = name.casefold()
    containing = [topic for topic in TOPICS if name in topic] if name else []
    return list(dict.fromkeys([*containing, *get_close_matches(name, TOPICS)]))


def _for_terminal(link: re.Match[str]) -> str:
    text, target = link.groups()
    topic = target.removesuffix(".md")
    if topic in TOPICS:
        return f"`fetchtui help {topic}`"
    return link[0] if "://" in target else text
