"""Where the files of the demo and the lab go: nobody asked to keep them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import ClassVar


class TemporaryDirectory:
    """A directory that is gone when the block ends.

    A class and not ``TemporaryDirectory``, because a second ctrl+c ends the process
    without unwinding: ``remove_all`` is called right before that.
    """

    _open: ClassVar[set[TemporaryDirectory]] = set()

    def __init__(self, name: str = "demo") -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"fetchtui-{name}-"))
        self._open.add(self)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *error: object) -> None:
        self._open.discard(self)
        shutil.rmtree(self.path, ignore_errors=True)

    @classmethod
    def remove_all(cls) -> None:
        """Remove what is there now, quickly and without complaint."""
        for stage in cls._open:
            shutil.rmtree(stage.path, ignore_errors=True)
