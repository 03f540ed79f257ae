"""Digest lists as ``sha256sum``, ``shasum``, BSD and OpenSSL write them: one a line.

::

    9f86d081...  name            GNU; a star before the name for "binary"
    SHA256 (name) = 9f86d081...  BSD
    SHA2-256(name)= 9f86d081...  OpenSSL
    9f86d081...                  the digest alone

They are read leniently: a signature around the list, comments and other kinds of digest
are passed over.
"""

from __future__ import annotations

import re

from tui.core.request import Checksum

_LINE_LIMIT = 4096
_KINDS = {64: "sha256", 128: "sha512"}
"""Algorithm by the number of hexadecimal digits."""
_HEX = r"([0-9A-Fa-f]{128}|[0-9A-Fa-f]{64})"
_GNU = re.compile(rf"(\\?){_HEX}(?:[ \t]+\*?(.+))?")
_BSD = re.compile(
    rf"(\\?)SHA(?:2-)?(256|512) ?\((.+)\) ?= ?{_HEX}", re.IGNORECASE | re.ASCII
)
_ESCAPED = re.compile(r"\\([\\nr])")
_UNESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}


def parse_sums(text: str) -> dict[str, Checksum]:
    """Read a digest list.

    Returns:
        Digests by name as it stands there, but for a ``./`` in front; a digest without
        a name is under "". A name with two digests of one kind that contradict each
        other is left out; of sha-256 and sha-512 the second counts.
    """
    found: dict[str, dict[str, str | None]] = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or len(line) > _LINE_LIMIT:
            continue
        entry = _entry(line)
        if entry is None:
            continue
        name, digest = entry
        kind = _KINDS[len(digest)]
        kinds = found.setdefault(name, {})
        kinds[kind] = digest if kinds.get(kind, digest) == digest else None
    sums = {}
    for name, kinds in found.items():
        for kind in ("sha512", "sha256"):
            told = kinds.get(kind)
            if told is not None:
                sums[name] = Checksum(kind, told)
                break
    return sums


def _entry(line: str) -> tuple[str, str] | None:
    gnu = _GNU.fullmatch(line)
    if gnu is not None:
        escape, digest, name = gnu[1], gnu[2], gnu[3] or ""
    else:
        bsd = _BSD.fullmatch(line)
        if bsd is None or len(bsd[4]) != int(bsd[2]) // 4:
            return None
        escape, name, digest = bsd[1], bsd[3], bsd[4]
    if escape:
        # GNU marks lines whose names hold a backslash or a line end.
        name = _ESCAPED.sub(lambda match: _UNESCAPED[match[1]], name)
    return name.removeprefix("./"), digest.lower()
