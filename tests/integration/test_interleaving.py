"""Two runs of one list in one directory, in every order of their steps on the disk.

A real second process meets a race once in a thousand runs. Here the other run takes its
steps between two chosen disk operations of the engine, one pair of moments after the
other.
"""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import request_for
from tests.integration.test_whole_downloads import digest, names
from tui.core.download import DownloadState as S
from tui.core.errors import LocalError
from tui.core.settings import OnExists
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.disk import platform
from tui.disk.folders import Folder
from tui.disk.part_file import PartFile, open_part_file, save_checkpoint
from tui.disk.resume_record import ResumeRecord
from tui.disk.safe_dir import OpenDirs, SafeDir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Start
    from tui.demo.server import ScriptedServer

BODY = Pattern(300_000, seed=1)
HALF = BODY.size // 2


class OtherRun:
    """The same download in another process, one step at a time."""

    def __init__(self, out: Path, url: str, on_exists: OnExists) -> None:
        self._folder = Folder(str(out), "", set(), OpenDirs())
        self._record = ResumeRecord(url=url, validator='"1"', size=BODY.size)
        self._on_exists = on_exists
        self._part: PartFile | None = None

    def begin(self) -> None:
        with suppress(LocalError):  # the engine was faster
            self._part = open_part_file(
                self._folder,
                "x",
                size=BODY.size,
                record=self._record,
                is_new=self._on_exists is not OnExists.OVERWRITE,
            )

    def save(self) -> None:
        if self._part is not None:
            self._write(0, HALF)
            record = replace(self._record, ranges=((0, HALF),))
            save_checkpoint(self._part, record, sync=False)

    def end(self) -> None:
        part = self._part
        if part is None:
            return
        self._write(HALF, BODY.size)
        part.finalize(sync=False)
        with self._folder.opened() as directory:
            overwrite = self._on_exists is OnExists.OVERWRITE
            part.rename_and_close(directory, "x", overwrite=overwrite)

    def _write(self, start: int, end: int) -> None:
        assert self._part is not None
        self._part.write([BODY.read()[start:end]], start, end - start)


class Steps:
    """Counts the engine's operations on directories and locks; acts before some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._actions: list[Callable[[], None]] = []
        self._wait = self._gap = 0
        self._lock = threading.RLock()
        self._is_acting = False
        for name in ("create", "link", "lstat", "open_regular", "rename", "unlink"):
            monkeypatch.setattr(SafeDir, name, self._counted(getattr(SafeDir, name)))
        monkeypatch.setattr(platform, "lock", self._counted(platform.lock))

    def reset(self, actions: list[Callable[[], None]], at: int, gap: int) -> None:
        """Take the first action before operation ``at``, and ``gap`` between two."""
        self._actions, self._wait, self._gap = actions, at, gap

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            with self._lock:
                if not self._is_acting:
                    self._is_acting = True
                    self._act()
                    self._is_acting = False
            return real(*args, **options)

        return call

    def _act(self) -> None:
        while self._actions and self._wait == 0:
            self._actions.pop(0)()
            self._wait = self._gap
        self._wait -= 1


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    yield Steps(monkeypatch)
    monkeypatch.undo()


@pytest.mark.parametrize("on_exists", [OnExists.RESUME, OnExists.OVERWRITE])
@pytest.mark.parametrize("gap", [0, 1, 4, 9])
async def test_a_run_beside_this_one_never_leads_to_a_second_copy(
    server: ScriptedServer,
    start: Start,
    tmp_path: Path,
    steps: Steps,
    gap: int,
    on_exists: OnExists,
) -> None:
    url = server.add("/x", ResponseScript(BODY, etag='"1"'))
    out = tmp_path / "out"
    out.mkdir()
    for at in itertools.count():
        other = OtherRun(out, url, on_exists)
        left = [other.begin, other.save, other.end]
        steps.reset(left, at, gap)
        async with start(segments=1, retries=1000, on_exists=on_exists) as engine:
            engine.add([request_for(url)])
            await engine.wait_idle()
            row = engine.rows([0])[0]
        if len(left) == 3:
            break  # the engine needs no more operations than that
        while left:
            left.pop(0)()
        moment = f"before operation {at} and every {gap} after it"
        assert row.state is S.DONE, f"{moment}: {row.error}"
        assert names(out) == ["x"], moment
        assert digest(out / "x") == BODY.sha256(), moment
        (out / "x").unlink()
