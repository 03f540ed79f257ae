"""Which files are archives, and which names inside them may become files.

An archive is somebody else's: a name that climbs out of its folder refuses the archive
as a whole, since whoever wrote it meant harm or another system.
"""

from __future__ import annotations

import re

from tui.core.text.plain_text import plain

SUFFIXES = (
    ".zip",
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".tbz",
    ".tar.xz",
    ".txz",
    ".tar.zst",
    ".tzst",
)
"""Endings of what is unpacked. What is an archive inside but meant as a whole (.jar,
.docx, .apk) has another one."""
DEPTH_LIMIT = 100
"""Folders within folders."""

_DRIVE = re.compile(r"[A-Za-z]:(?!:)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SHOWN = 80


class UnpackError(Exception):
    """An archive is not unpacked; ``str()`` says why and is safe to show."""


def stem_of(name: str) -> str | None:
    """Return an archive's name without its ending; ``None`` if it is no archive."""
    lowered = name.lower()
    endings = [suffix for suffix in SUFFIXES if lowered.endswith(suffix)]
    if not endings:
        return None
    stem = name[: -max(map(len, endings))].rstrip(". ")
    return stem or None


def shown(name: str) -> str:
    """Return a name out of an archive for a message."""
    return repr(plain(name, _SHOWN))


def parts_of(name: str) -> list[str]:
    """Split the name of an entry into the components of a path below the folder.

    Args:
        name: as it stands in the archive.

    Returns:
        Its components; none for the folder itself.

    Raises:
        UnpackError: it is absolute, climbs out, names a drive, holds control
            characters or is too deep.
    """
    if _CONTROL.search(name):
        raise UnpackError(f"the name {shown(name)} in it holds a control character")
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise UnpackError(f"it wants to write to {shown(name)}, outside its folder")
    # A backslash is a letter here and a separator elsewhere: suspicious either way.
    if ".." in re.split(r"[/\\]", name):
        raise UnpackError(f"it climbs out of its folder with {shown(name)}")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if len(parts) > DEPTH_LIMIT:
        raise UnpackError(f"it holds more than {DEPTH_LIMIT} folders within folders")
    return parts


def check_link(parts: list[str], target: str) -> str:
    """Return the target of a symbolic link if it stays in the folder.

    Links are made last, each in a real directory. A target that first climbs no
    higher than the folder and then only descends cannot leave it, whatever other
    links it meets, since those obey the same rule. ``a/../..`` is refused even where
    it seems to stay: ``a`` may be a link.

    Args:
        parts: where the link is.
        target: as it stands in the archive.

    Raises:
        UnpackError: it leads out, or may.
    """
    told = f"the link {shown('/'.join(parts))} in it leads out, to {shown(target)}"
    if not target or _CONTROL.search(target) or _DRIVE.match(target):
        raise UnpackError(told)
    if target.startswith(("/", "\\")):
        raise UnpackError(told)
    climbs, steps = _climb(target)
    if climbs >= len(parts) or ".." in steps:
        raise UnpackError(told)
    return target


def reaches_top(parts: list[str], target: str) -> bool:
    """Whether a link inside a folder goes by way of the archive's top.

    It would lead out if that folder alone were kept.
    """
    return len(parts) > 1 and _climb(target)[0] == len(parts) - 1


def _climb(target: str) -> tuple[int, list[str]]:
    """Return how many folders a link climbs at first, and its steps after that."""
    steps = [step for step in re.split(r"[/\\]", target) if step not in ("", ".")]
    climbs = next((n for n, step in enumerate(steps) if step != ".."), len(steps))
    return climbs, steps[climbs:]
