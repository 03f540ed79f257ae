"""Where a file name ends and its extension begins."""

from __future__ import annotations

import os


def split_extension(name: str) -> tuple[str, str]:
    """Split a name before its extension, where a number goes: ``a`` and ``.tar.gz``."""
    stem, extension = os.path.splitext(name)
    if stem.lower().endswith(".tar") and len(stem) > 4:
        stem, extension = stem[:-4], stem[-4:] + extension
    # A long "extension" is only a name with a dot in it.
    return (stem, extension) if len(os.fsencode(extension)) <= 32 else (name, "")
