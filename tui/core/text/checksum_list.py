"""Parse checksum lists of ``sha256sum``, ``shasum``, BSD and OpenSSL.

::

    9f86d081...  name            GNU; a star before the name for "binary"
    SHA256 (name) = 9f86d081...  BSD
    SHA2-256(name)= 9f86d081...  OpenSSL
    9f86d081...                  only the digest
    name: 9F86D081 884C7D65 ...  gpg --print-md; also with SHA256 = after the colon
    # SHA512 HASH                Gentoo: the algorithm of the lines below

``md5sum`` and similar programs write the same with digests of other lengths. Parsing is
lenient: a signature around the list, comments and unknown digests are skipped.
"""

from __future__ import annotations

import re

from tui.core.quick.pattern import late_pattern
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
"""Algorithm by the number of hexadecimal digits, if it is not named."""
_LENGTHS = {kind: length for length, kind in _KINDS.items()} | {
    "blake2b": 128,
    "blake2s": 64,
}
_HEX = r"([0-9A-Fa-f]{32,128})"
_GNU = late_pattern(rf"(\\?){_HEX}(?:[ \t]+\*?(.+))?")
_BSD = late_pattern(
    rf"(\\?)(MD5|SHA(?:1|2?-?(?:224|256|384|512))|BLAKE2[bs]) ?\((.+)\) ?= ?{_HEX}",
    re.IGNORECASE | re.ASCII,
)
_GPG = late_pattern(
    r"(MD5|SHA(?:1|224|256|384|512)) *= *([0-9A-F \t]+)|()([0-9A-F \t]+)"
)
_OTHER_TAG = late_pattern(
    r"([A-Za-z][A-Za-z0-9/_-]{1,19}) ?\((.+)\) ?= ?[0-9A-Za-z+/=]+(?: bytes)?"
)
_HEADING = late_pattern(r"#\s*([A-Za-z][A-Za-z0-9_-]{1,19})\s+HASH\s*", re.IGNORECASE)
_SPACED_HEX = late_pattern(r"[ \t]+(?:[0-9A-F]{2,8}[ \t]+)*+[0-9A-F]{2,8}")
_ESCAPED = late_pattern(r"\\([\\nr])")
_UNESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}


def parse_checksum_list(text: str) -> dict[str, Checksum]:
    """Parse a checksum list.

    Returns:
        Digests by name, without a leading ``./``; a digest without a name is under "".
        A name with two contradictory digests of one algorithm is left out; sha-512
        takes precedence over sha-256.
    """
    found: dict[str, dict[str, str | None]] = {}
    untagged = ""
    for line in text.splitlines():
        untagged = heading_kind(line) or untagged
        entry = parse_checksum_line(line, untagged)
        if entry is None or entry[1].algorithm not in ("sha256", "sha512"):
            continue
        name, checksum = entry
        kinds = found.setdefault(name, {})
        known = kinds.get(checksum.algorithm, checksum.digest)
        kinds[checksum.algorithm] = (
            checksum.digest if known == checksum.digest else None
        )
    sums = {}
    for name, kinds in found.items():
        for kind in ("sha512", "sha256"):
            digest = kinds.get(kind)
            if digest is not None:
                sums[name] = Checksum(kind, digest)
                break
    return sums


def parse_checksum_line(line: str, untagged: str = "") -> tuple[str, Checksum] | None:
    """Parse one line of a checksum list.

    Args:
        line: with or without white space around it.
        untagged: the algorithm of lines that do not name it; "" derives it from the
            length of the digest.

    Returns:
        The name without a leading ``./`` ("" if it is missing) and the digest, or
        ``None`` for another kind of line.
    """
    line = line.strip()
    if not line or len(line) > _LINE_LIMIT:
        return None
    gnu = _GNU.fullmatch(line)
    head, colon, tail = line.rpartition(":")
    if colon and (gpg := _GPG.fullmatch(tail.strip())) is not None:
        escape, name = "", head
        digest = re.sub(r"[ \t]", "", gpg[2] or gpg[4])
        kind = (gpg[1] or _KINDS.get(len(digest), "")).lower()
    elif gnu is not None:
        escape, digest, name = gnu[1], gnu[2], gnu[3] or ""
        if name == "-":
            # "sha256sum < NAME" has read standard input.
            name = ""
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
        # GNU marks lines whose names contain a backslash or a line end.
        name = _ESCAPED.sub(lambda match: _UNESCAPED[match[1]], name)
    return name.removeprefix("./"), Checksum(kind, digest.lower())


def heading_kind(line: str) -> str:
    """Return the algorithm that a comment names for the lines below it, else "".

    Gentoo writes ``# BLAKE2B HASH`` above digests as long as those of SHA-512.
    """
    match = _HEADING.fullmatch(line.strip())
    return match[1].lower() if match is not None else ""


def other_digest(line: str) -> tuple[str, str] | None:
    """Return the kind and name of a line that another algorithm tags, else ``None``.

    For example ``RMD160 (name) = ...`` and pkgsrc's ``Size (name) = 12 bytes``.
    """
    line = line.strip()
    match = _OTHER_TAG.fullmatch(line) if len(line) <= _LINE_LIMIT else None
    return (match[1], match[2].removeprefix("./")) if match is not None else None


def continues_digest(line: str) -> bool:
    """Return True for a line of gpg that continues the digest above it."""
    return len(line) <= _LINE_LIMIT and _SPACED_HEX.fullmatch(line) is not None
