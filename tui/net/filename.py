"""Extract file names from headers and URLs, and make them safe.

Every file name passes through ``safe_name``, wherever it comes from. The rules are the
same on every system: a download directory may be a network share, a USB stick or a
container's volume, and a name that is harmless here can be a device there.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes

from tui.core.quick.pattern import late_pattern
from tui.core.text.joiners import JOINERS, has_joiner, without_joiners

MAX_NAME_BYTES: Final = 240
"""In UTF-8. Common file systems allow 255; ``.part.json`` and the suffix of a temporary
file need the rest."""
_MAX_EXTENSION_BYTES: Final = 32
_MAX_HEADER_CHARACTERS: Final = 8192
FALLBACK: Final = "download"
"""The name of a file whose URL suggests none, as in ``http://host/``."""

_FORBIDDEN = late_pattern(r'[<>:"|?*]')
# Invisible characters outside the categories below: combining grapheme joiner, Hangul
# and Khmer fillers, variation selectors, braille blank.
_INVISIBLE = late_pattern(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# Controls; bidi, zero-width and other format characters; surrogates; unassigned.
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
_CHARSETS = frozenset(
    [
        "utf-8",
        "gbk",
        "gb18030",
        "gb2312",
        "big5",
        "euc_jp",
        "euc_kr",
        "cp949",
        "shift_jis",
        "cp932",
        "iso2022_jp",
        "koi8-r",
        "koi8-u",
        "cp866",
        "cp874",
        "mac-roman",
    ]
    + [f"iso8859-{part}" for part in (*range(2, 12), 13, 14, 15, 16)]
    + [f"cp125{page}" for page in range(9)]
)
"""Codecs of a ``filename*``; other ones of Python convert more than text."""
_RESERVED_EXTENSIONS = (".part", ".part.json", ".part.new", ".bad")
"""Of part files, their records and corrupt files: a server that chose such a name could
plant a record, and with it bytes that another server never sent."""
_HARMLESS = late_pattern(
    r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9]) *(?:\.|$))"
    r"[a-z0-9_](?:[a-z0-9_. -]{0,198}[a-z0-9_-])?"
    r"(?<!\.part)(?<!\.bad)(?<!\.part\.json)(?<!\.part\.new)",
    re.ASCII | re.IGNORECASE,
)
"""What most names look like. None of the rules of ``safe_name`` changes them, and
applying all of these takes four times as long."""
_DEVICES = late_pattern(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)",
    re.IGNORECASE,
)


def safe_name(raw: str) -> str:
    """Return ``raw`` as one path component that is safe on every system.

    Keeps the last component of a path (RFC 6266 section 4.3). Removes control, bidi and
    invisible characters (but not the joiners that a script or an emoji needs), leading
    dots, trailing dots and spaces; replaces characters that Windows forbids by ``_``;
    prefixes device names, and names that programs would take for an option, with ``_``;
    appends ``_`` to the extensions of our own files; shortens long names before their
    extension. NFC, at most ``MAX_NAME_BYTES``.

    Returns:
        The name, or "" if nothing safe is left.
    """
    return raw if _HARMLESS.fullmatch(raw) is not None else _made_safe(raw)


def _made_safe(raw: str) -> str:
    name = re.split(r"[/\\]", raw.rstrip("/\\"))[-1]
    if not (name.isascii() and name.isprintable()):
        name = _visible(name)
    name = _trimmed(_FORBIDDEN.sub("_", name))
    if name.startswith("-") or _DEVICES.match(name) is not None:
        name = "_" + name
    if name.casefold().endswith(_RESERVED_EXTENSIONS):
        name += "_"
    if len(name.encode()) > MAX_NAME_BYTES:
        name = _shortened(name)
        if name.casefold().endswith(_RESERVED_EXTENSIONS):
            # Only the cut has put it at the end; there is no space for another byte.
            name = f"{name[:-1]}_"
    return name


def name_from_url(url: str) -> str:
    """Return the name that a URL suggests, or ``FALLBACK`` if it suggests none."""
    path = url.partition("#")[0].partition("?")[0]
    before, _, last = path.rpartition("/")
    if "://" not in before:
        return FALLBACK  # there is only a host
    if "%" in last:
        last = _decoded(unquote_to_bytes(last))
    return safe_name(last) or FALLBACK


def name_from_disposition(value: str) -> str | None:
    """Return the file name in a Content-Disposition (RFC 6266, RFC 8187).

    As lenient as browsers with what servers really send: missing quotes, spaces in
    unquoted names, no disposition type, raw UTF-8 or Latin-1. A valid ``filename*``
    takes precedence. Continuations (``filename*0``) and RFC 2047 words belong to mail
    and stay undecoded, as RFC 6266 requires.

    Args:
        value: the header, bytes outside ASCII decoded as Latin-1.

    Returns:
        A safe name, or ``None`` if the header has none.
    """
    plain_name: str | None = None
    extended_name: str | None = None
    for name, text, was_quoted in _parameters(value[:_MAX_HEADER_CHARACTERS]):
        if name == "filename" and plain_name is None:
            plain_name = _recovered(text)
        elif name == "filename*" and extended_name is None and not was_quoted:
            extended_name = _extended(text)
    for found in (extended_name, plain_name):
        if found and (safe := safe_name(found)):
            return safe
    return None


def _visible(name: str) -> str:
    kept = [
        " " if category == "Zs" else character
        for character in _INVISIBLE.sub("", name)
        if (category := unicodedata.category(character)) not in _DROPPED
        or character in JOINERS
    ]
    return _joined(unicodedata.normalize("NFC", "".join(kept)))


def _joined(name: str) -> str:
    """Remove the joiners of a normalized name that have no meaning where they are."""
    for _ in range(3):
        if not has_joiner(name):
            return name
        # What a joiner kept apart may compose, which may change what is beside others.
        before, name = name, unicodedata.normalize("NFC", without_joiners(name))
        if name == before:
            return name
    return unicodedata.normalize("NFC", without_joiners(name, all_of_them=True))


def _trimmed(name: str) -> str:
    return name.lstrip(". ").rstrip(". ")


def _shortened(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    # ``.tar.gz`` and the like are one extension.
    before, inner_dot, inner = stem.rpartition(".")
    if inner_dot and inner.lower() == "tar":
        stem, extension = before, f"{inner}.{extension}"
    tail = (dot + extension).encode()
    if not stem or len(tail) > _MAX_EXTENSION_BYTES:
        stem, tail = name, b""
    kept = stem.encode()[: MAX_NAME_BYTES - len(tail)].decode(errors="ignore")
    return kept.rstrip(f". {JOINERS}") + tail.decode()


def _parameters(value: str) -> list[tuple[str, str, bool]]:
    """Split a header into (lower-case name, value, was it quoted), left to right.

    Written by hand because invalid parameters must not swallow valid ones.
    """
    found = []
    at, end = 0, len(value)
    while at < end:
        name_start = at
        while at < end and value[at] not in '=;"':
            at += 1
        name = value[name_start:at].strip(" \t,").lower()
        if at >= end or value[at] == ";":
            at += 1
            continue
        if value[at] == "=":
            at += 1
        while at < end and value[at] in " \t":
            at += 1
        if at < end and value[at] == '"':
            text, at = _quoted(value, at + 1)
            found.append((name, text, True))
            # Ignore anything between a quoted value and the next semicolon.
            while at < end and value[at] != ";":
                at += 1
        else:
            stop = value.find(";", at)
            stop = end if stop < 0 else stop
            found.append((name, value[at:stop].strip(), False))
            at = stop
        at += 1
    return found


def _quoted(value: str, at: int) -> tuple[str, int]:
    """Read a quoted-string behind its opening quote; the closing one is optional."""
    text = []
    while at < len(value) and value[at] != '"':
        if value[at] == "\\" and at + 1 < len(value):
            at += 1
        text.append(value[at])
        at += 1
    return "".join(text), at + 1


def _extended(text: str) -> str | None:
    """Decode an ext-value (RFC 8187 section 3.2); ``None`` if it is invalid."""
    charset, first, rest = text.partition("'")
    _, second, encoded = rest.partition("'")
    codec = _codec(charset.strip())
    if not first or not second or not codec:
        return None
    if re.search(r"%(?![0-9A-Fa-f]{2})", encoded) or not encoded.isascii():
        return None
    try:
        return unquote_to_bytes(encoded).decode(codec)
    except UnicodeDecodeError:
        return None


def _codec(charset: str) -> str:
    """Return the codec for a charset that browsers know, or ""."""
    if charset.lower() == "iso88591":
        charset = "iso8859-1"  # a label of browsers that Python does not know
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return ""
    # Browsers read Latin-1 as windows-1252 (WHATWG Encoding, section 4.2).
    name = "cp1252" if name == "iso8859-1" else name
    return name if name in _CHARSETS else ""


def _recovered(text: str) -> str:
    """Undo the Latin-1 decoding of raw bytes that were something else."""
    if text.isascii():
        return text
    try:
        return _decoded(text.encode("latin-1"))
    except UnicodeEncodeError:
        return text


def _decoded(data: bytes) -> str:
    """Decode as UTF-8 if valid, else as what Windows and old Unix servers send."""
    for codec in ("utf-8", "cp1252"):
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            pass
    return data.decode("latin-1")
