"""Digest lists as ``sha256sum``, ``shasum``, BSD and OpenSSL write them: one a line.

::

    9f86d081...  name            GNU; a star before the name for "binary"
    SHA256 (name) = 9f86d081...  BSD
    SHA2-256(name)= 9f86d081...  OpenSSL
    9f86d081...                  the digest alone

``md5sum`` and its kin write the same with digests of other lengths. All are read
leniently: a signature around the list, comments and other kinds of digest are passed
over.
"""

from __future__ import annotations

import re

from tui.core.request import Checksum

_LINE_LIMIT = 4096
_KINDS = {
    32: "md5",
    40: "sha1",
    56: "sha224",
    64: "sha256",
    96: "sha384",
    128: "sha512",
}
"""Algorithm by the number of hexadecimal digits, where nothing names it."""
_LENGTHS = {kind: length for length, kind in _KINDS.items()} | {
    "blake2b": 128,
    "blake2s": 64,
}
_HEX = r"([0-9A-Fa-f]{32,128})"
_GNU = re.compile(rf"(\\?){_HEX}(?:[ \t]+\*?(.+))?")
_BSD = re.compile(
    rf"(\\?)(MD5|SHA(?:1|2?-?(?:224|256|384|512))|BLAKE2[bs]) ?\((.+)\) ?= ?{_HEX}",
    re.IGNORECASE | re.ASCII,
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
        entry = sum_of_line(line)
        if entry is None or entry[1].algorithm not in ("sha256", "sha512"):
            continue
        name, told = entry
        kinds = found.setdefault(name, {})
        known = kinds.get(told.algorithm, told.digest)
        kinds[told.algorithm] = told.digest if known == told.digest else None
    sums = {}
    for name, kinds in found.items():
        for kind in ("sha512", "sha256"):
            digest = kinds.get(kind)
            if digest is not None:
                sums[name] = Checksum(kind, digest)
                break
    return sums


def sum_of_line(line: str, untagged: str = "") -> tuple[str, Checksum] | None:
    """Read one line of a digest list.

    Args:
        line: with or without white space around it.
        untagged: the algorithm of lines that do not name theirs; "" lets the length
            of the digest tell.

    Returns:
        The name without a ``./`` in front ("" if there is none) and the digest, or
        ``None`` if it is no such line.
    """
    line = line.strip()
    if not line or len(line) > _LINE_LIMIT:
        return None
    gnu = _GNU.fullmatch(line)
    if gnu is not None:
        escape, digest, name = gnu[1], gnu[2], gnu[3] or ""
        kind = untagged or _KINDS.get(len(digest), "")
    else:
        bsd = _BSD.fullmatch(line)
        if bsd is None:
            return None
        escape, name, digest = bsd[1], bsd[3], bsd[4]
        kind = bsd[2].lower().replace("sha2-", "sha").replace("-", "")
    if len(digest) != _LENGTHS.get(kind):
        return None
    if escape:
        # GNU marks lines whose names hold a backslash or a line end.
        name = _ESCAPED.sub(lambda match: _UNESCAPED[match[1]], name)
    return name.removeprefix("./"), Checksum(kind, digest.lower())
