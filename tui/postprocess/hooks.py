"""The user's commands: which one runs when, and what it is told.

Text from servers reaches a command as whole arguments and as variables, never through
a shell: ``{path}`` stays one argument whatever the name holds. The first word, the
program, is taken as it is written, and so is a script for an interpreter (``sh -c``):
there a name would be read as code, while ``"$FETCHTUI_PATH"`` is safe.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tui.core.download import DownloadState
from tui.core.notices import Notice, NoticeCode
from tui.core.text.plain_text import plain, plain_url
from tui.postprocess.command import CommandError, Commands, NoProgram
from tui.postprocess.job_queue import JobQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tui.core.download import DownloadId
    from tui.core.service import DownloadService
    from tui.core.settings import Hooks
    from tui.core.snapshot import EngineSnapshot

PREFIX = "FETCHTUI_"
_S = DownloadState
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_INTERPRETER = re.compile(
    r"(?:.*/)?(?:a|ba|da|fi|k|z|c|tc)?sh|(?:.*/)?(?:python|perl|ruby|node|php|lua)[\d.]*"
)
_TAKES_SCRIPT = re.compile(r"-[A-Za-z]*[cer]|--(?:eval|command|print)")


_OF_ONE = ("id", "path", "name", "url", "error", "error_kind", "unpacked")
_OF_ALL = ("done", "failed", "cancelled", "seconds")
FACTS = frozenset({"event", "state", "dir", "size", *_OF_ONE, *_OF_ALL})
"""Everything that a command may be told, of one download or of all."""


class Ended(NamedTuple):
    """One download that ended, for its hook."""

    id: DownloadId
    is_done: bool
    error: str = ""
    error_kind: str = ""
    unpacked: str = ""
    """Directory that its archive was unpacked into."""


class HookRunner:
    """Runs hooks, a few at once; a failing one harms nobody."""

    def __init__(
        self,
        hooks: Hooks,
        service: DownloadService,
        blame: Callable[[str, DownloadId | None, Notice], None],
    ) -> None:
        """Take the commands, the engine, and who is told of failures.

        Args:
            hooks: what to run.
            service: asked about the downloads when their turn comes.
            blame: called with the kind of work, the download (or ``None`` for the
                whole run) and what went wrong.
        """
        self._hooks = hooks
        self._service = service
        self._blame = blame
        self._commands = Commands()
        self._turns: JobQueue[Ended | None] = JobQueue(hooks.at_once, self._run)
        self._useless: set[str] = set()
        """Programs that cannot be started: told once, and not tried again."""
        self.left_out = 0
        """Commands that were not run for that reason."""

    def __len__(self) -> int:
        return len(self._turns)

    def push(self, ended: Ended) -> None:
        """Run what the user wants for such an end, if anything."""
        if self._hooks.on_done if ended.is_done else self._hooks.on_failed:
            self._turns.push(ended)

    def push_all_done(self) -> None:
        """Run what the user wants at the end of everything, if anything."""
        if self._hooks.on_all_done:
            self._turns.push(None)

    async def idle(self) -> None:
        """Return when no command waits or runs."""
        await self._turns.idle()

    async def close(self) -> None:
        """End what runs and forget what waits."""
        await self._turns.close()

    def end_at_once(self) -> None:
        """Kill what runs, without waiting."""
        self._commands.end_at_once()

    async def _run(self, ended: Ended | None) -> None:
        if ended is None:
            template = self._hooks.on_all_done
            facts = facts_of_run(self._service.snapshot())
        else:
            hooks = self._hooks
            template = hooks.on_done if ended.is_done else hooks.on_failed
            facts = facts_of(ended, self._service)
        if template[0] in self._useless:
            self.left_out += 1
            return
        variables = {PREFIX + name.upper(): value for name, value in facts.items()}
        id = None if ended is None else ended.id
        try:
            argv = filled(template, facts)
            await self._commands.run(argv, variables, self._hooks.timeout_s)
        except NoProgram as error:
            self._useless.add(template[0])
            notice = Notice(NoticeCode.HOOK_DISABLED, (str(error),))
            self._blame("command", None, notice)
        except CommandError as error:
            name = plain(template[0].rpartition("/")[2], 40)
            notice = Notice(NoticeCode.HOOK_FAILED, (name, str(error)))
            self._blame("command", id, notice)


def filled(template: Sequence[str], facts: Mapping[str, str]) -> list[str]:
    """Put facts in place of ``{name}``; braces that name no fact stay as they are.

    Args:
        template: program and arguments; the program is never changed.
        facts: by name.
    """
    scripts = scripts_in(template)

    def fact(match: re.Match[str]) -> str:
        return facts.get(match[1], match[0])

    # One pass: what a server put into a fact is not looked at again.
    return [
        argument if at == 0 or at in scripts else _PLACEHOLDER.sub(fact, argument)
        for at, argument in enumerate(template)
    ]


def scripts_in(template: Sequence[str]) -> set[int]:
    """Return which arguments are code for an interpreter; ``env sh -c`` has one too."""
    return {
        at + 1
        for at, word in enumerate(template)
        if _TAKES_SCRIPT.fullmatch(word)
        and any(map(_INTERPRETER.fullmatch, template[:at]))
    }


def placeholder_notice(hooks: Hooks) -> Notice | None:
    """Return a notice if a placeholder is inside a script, where it is not replaced."""
    for template in (hooks.on_done, hooks.on_failed, hooks.on_all_done):
        for at in scripts_in(template):
            match = _PLACEHOLDER.search(template[at]) if at < len(template) else None
            if match is not None and match[1] in FACTS:
                variable = f"${PREFIX}{match[1].upper()}"
                values = (match[0], variable)
                return Notice(NoticeCode.HOOK_PLACEHOLDER, values)
    return None


def facts_of(ended: Ended, service: DownloadService) -> dict[str, str]:
    """Return what a hook for one download is told, by name."""
    detail = service.detail(ended.id)
    row = detail.row
    return {
        "event": "done" if ended.is_done else "failed",
        "state": _S.DONE.word if ended.is_done else _S.FAILED.word,
        "id": str(row.id),
        "path": detail.path,
        "name": row.name,
        "dir": detail.path.removesuffix(row.name).rstrip("/") or "/",
        "url": plain_url(row.url),
        "size": str(row.received if row.size is None else row.size),
        "error": plain(ended.error),
        "error_kind": ended.error_kind,
        "unpacked": ended.unpacked,
    }


def facts_of_run(now: EngineSnapshot) -> dict[str, str]:
    """Return what the hook for the end of everything is told, by name."""
    failed = now.counts[_S.FAILED]
    return {
        "event": "all_done",
        "state": _S.FAILED.word if failed else _S.DONE.word,
        "dir": now.output_dir,
        "done": str(now.counts[_S.DONE]),
        "failed": str(failed),
        "cancelled": str(now.counts[_S.CANCELLED]),
        "size": str(now.fetched),
        "seconds": f"{now.elapsed_s:.1f}",
    }
