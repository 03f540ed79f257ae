"""The temporary directory for files of the demo and the lab."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class TemporaryDirectory:
    """A directory that is removed at the end of the ``with`` block.

    Unlike ``tempfile.TemporaryDirectory`` it can also be removed with ``remove_all``:
    a second Ctrl+C ends the process without unwinding, and calls that first.
    """

    _open: ClassVar[set[TemporaryDirectory]] = set()

    def __init__(self, name: str = "demo") -> None:
        import tempfile  # late, since runs without such a directory import this too

        self.path = Path(tempfile.mkdtemp(prefix=f"fetchtui-{name}-"))
        self._open.add(self)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *error: object) -> None:
        self._open.discard(self)
        self._remove()

    @classmethod
    def remove_all(cls) -> None:
        """Remove all open directories, ignoring errors."""
        for directory in cls._open:
            directory._remove()

    def _remove(self) -> None:
        import shutil

        shutil.rmtree(self.path, ignore_errors=True)
