"""The one registry of everything a person can do in the dashboard.

Key bindings, footer, help screen, command palette and the table of keys in the README
are all made from ``ACTIONS``. Each action is handled by the method of the same name in
``row_actions``, ``mark_actions``, ``run_actions`` or ``view_actions``.

``python -m tui.ui.keys.registry`` prints the README's table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from tui.core.download import ENDED, DownloadState

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import DownloadSnapshot, EngineSnapshot

_S = DownloadState
_UNENDED = frozenset(_S) - ENDED


class Group(Enum):
    """Headings of the help screen and of the README's table, in their order."""

    ROW = "The marked downloads, or else the one under the cursor"
    MARK = "Selection: act on many at once"
    RUN = "The whole run"
    VIEW = "What is shown"
    MOVE = "Moving about"
    APP = "The dashboard"


class ActionState(NamedTuple):
    """What an action's ``when`` may look at."""

    row: DownloadSnapshot | None
    """The download under the cursor."""
    many: int
    """Downloads that a key acts on in its place: marked or in a group; 0 for none."""
    is_heading: bool
    """The cursor is on the heading of a group."""
    engine: EngineSnapshot
    can_undo: bool
    can_escape: bool
    """A pane is zoomed, a filter is open or set, or something is marked."""


def _always(_: ActionState) -> bool:
    return True


def _on_row(now: ActionState) -> bool:
    return now.row is not None


def _on_any(now: ActionState) -> bool:
    return now.row is not None or now.many > 0


def _on_line(now: ActionState) -> bool:
    return now.row is not None or now.is_heading


def _is_ended(now: ActionState) -> bool:
    return _in_state(now, *ENDED)


def _in_state(now: ActionState, *states: DownloadState) -> bool:
    # Many are looked at only when the key comes: that would cost too much here.
    return now.many > 0 or (now.row is not None and now.row.state in states)


def _can_cancel(now: ActionState) -> bool:
    return _in_state(now, *_UNENDED)


def _can_retry(now: ActionState) -> bool:
    return _in_state(now, _S.FAILED, _S.WAITING, _S.CANCELLED)


def _is_running(now: ActionState) -> bool:
    return _in_state(now, _S.DOWNLOADING)


def _is_queued(now: ActionState) -> bool:
    return _in_state(now, _S.QUEUED)


def _is_done(now: ActionState) -> bool:
    return now.row is not None and now.row.state is _S.DONE


def _any_unended(now: ActionState) -> bool:
    return any(now.engine.counts[state] for state in _UNENDED)


def _is_unfinished(now: ActionState) -> bool:
    return now.row is not None and now.row.state is not _S.DONE


def _any_failed(now: ActionState) -> bool:
    return now.engine.counts[_S.FAILED] > 0


def _has_any(now: ActionState) -> bool:
    return now.engine.total > 0


def _can_undo(now: ActionState) -> bool:
    return now.can_undo


def _can_escape(now: ActionState) -> bool:
    return now.can_escape


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can do."""

    id: str
    """Name of its handler; stays the same when keys are changed."""
    keys: tuple[str, ...]
    """Default keys, by Textual's names; the first is the one that is shown."""
    title: str
    """Its name in the command palette, an imperative."""
    help: str
    """What it does, one sentence for help and README."""
    group: Group
    label: str = ""
    """Its name in the footer; "" keeps it out."""
    rank: int = 0
    """Place in the footer and who leaves it first when it gets narrow: 1 stays."""
    pair: str = ""
    """Action whose key the footer shows beside this one's (``+ -``)."""
    when: Callable[[ActionState], bool] = _always
    """Whether it would do anything now."""
    why_not: str = ""
    """What to say when it would not."""
    is_typable: bool = False
    """Works while text is being typed, by those of its keys that print nothing."""

    @property
    def shown_key(self) -> str:
        """The first key as people know it: ``+``, ``ctrl+p``; "" if it has none."""
        return shown_key(self.keys[0]) if self.keys else ""

    @property
    def shown_keys(self) -> str:
        """All keys, separated by a space."""
        return " ".join(shown_key(key) for key in self.keys)


SIGNS = {
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "slash": "/",
    "full_stop": ".",
    "colon": ":",
    "question_mark": "?",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "↑",
    "down": "↓",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
    "delete": "Del",
    "insert": "Ins",
    "comma": ",",
}
"""Textual's names of keys -> how people write them."""


def shown_key(key: str) -> str:
    """Return a Textual key name as people write it."""
    *modifiers, last = key.split("+")
    is_function = last[:1] == "f" and last[1:].isdecimal()
    sign = last.upper() if is_function else SIGNS.get(last, last)
    return "+".join([*modifiers, sign])


def _view(number: int, name: str, what: str) -> Action:
    return Action(
        id=f"view_{name}",
        keys=(str(number),),
        title=f"Show {what}",
        help=f"List {what} only." if number > 1 else "List every download.",
        group=Group.VIEW,
    )


_ROW = (
    Action(
        "cancel",
        ("x",),
        "Cancel the download",
        "End it at once and close its connections; what is there is kept.",
        Group.ROW,
        label="Cancel",
        rank=2,
        when=_can_cancel,
        why_not="nothing to cancel here",
    ),
    Action(
        "pause",
        ("p",),
        "Pause or resume the download",
        "Stop it but keep its place and its bytes; press again to go on.",
        Group.ROW,
        label="Pause",
        rank=3,
        when=_can_cancel,
        why_not="nothing to pause here",
    ),
    Action(
        "retry",
        ("r",),
        "Retry the download",
        "Queue a failed, waiting or cancelled download again.",
        Group.ROW,
        label="Retry",
        rank=6,
        when=_can_retry,
        why_not="this download has not failed",
    ),
    Action(
        "drop",
        ("D",),
        "Drop from the list",
        "Take it out of the list once it has ended; files stay, u brings it back.",
        Group.ROW,
        when=_is_ended,
        why_not="it has not ended; x cancels it",
    ),
    Action(
        "details",
        ("enter",),
        "Show details",
        "Everything about it: ranges, attempts, answer, paths. On a group: fold it.",
        Group.ROW,
        label="Details",
        rank=10,
        when=_on_line,
        why_not="there is no download here",
    ),
    Action(
        "connections_more",
        ("greater_than_sign",),
        "Add a connection to the download",
        "One connection more for the running download.",
        Group.ROW,
        when=_is_running,
        why_not="it is not running",
    ),
    Action(
        "connections_fewer",
        ("less_than_sign",),
        "Take a connection from the download",
        "One connection less for the running download.",
        Group.ROW,
        when=_is_running,
        why_not="it is not running",
    ),
    Action(
        "raise_in_queue",
        ("K",),
        "Move up in the queue",
        "Start it before the queued download above it.",
        Group.ROW,
        when=_is_queued,
        why_not="it is not queued",
    ),
    Action(
        "lower_in_queue",
        ("J",),
        "Move down in the queue",
        "Start it after the queued download below it.",
        Group.ROW,
        when=_is_queued,
        why_not="it is not queued",
    ),
    Action(
        "first_in_queue",
        ("F",),
        "Move to the front of the queue",
        "Start it next.",
        Group.ROW,
        when=_is_queued,
        why_not="it is not queued",
    ),
    Action(
        "copy_url",
        ("y",),
        "Copy the URL",
        "Copy its URL to the clipboard, without any password in it.",
        Group.ROW,
        when=_on_any,
        why_not="there is no download here",
    ),
    Action(
        "edit_url",
        ("e",),
        "Change the URL",
        "Give it another URL, say for a link that has expired; its bytes are kept.",
        Group.ROW,
        when=_is_unfinished,
        why_not="it is finished already",
    ),
    Action(
        "limit_row",
        ("B",),
        "Cap the download's speed",
        "Type how many bytes a second this one may take: 2M, or 0 for no limit.",
        Group.ROW,
        when=_is_unfinished,
        why_not="it is finished already",
    ),
    Action(
        "open_file",
        ("o",),
        "Open the file",
        "Open the finished file with the desktop's program for it.",
        Group.ROW,
        when=_is_done,
        why_not="it is not finished",
    ),
    Action(
        "open_folder",
        ("O",),
        "Open the folder",
        "Open the folder in which its file is or will be.",
        Group.ROW,
        when=_on_row,
        why_not="there is no download here",
    ),
    Action(
        "copy_path",
        ("Y",),
        "Copy the path",
        "Copy to the clipboard where its file is or will be.",
        Group.ROW,
        when=_on_any,
        why_not="there is no download here",
    ),
)

_MARK = (
    Action(
        "mark",
        ("space",),
        "Mark the download",
        "Mark it, or take its mark away, and go down; keys then act on all marked.",
        Group.MARK,
        label="Mark",
        rank=9,
        when=_on_any,
        why_not="there is no download here",
    ),
    Action(
        "mark_range",
        ("v",),
        "Mark up to here",
        "Mark all from the one marked last to the cursor.",
        Group.MARK,
        when=_on_any,
        why_not="there is no download here",
    ),
    Action(
        "mark_all",
        ("ctrl+a",),
        "Mark all that are listed",
        "Mark all that view and filter show; press again for none of them.",
        Group.MARK,
        when=_on_any,
        why_not="there is no download here",
    ),
)

_RUN = (
    Action(
        "add",
        ("a",),
        "Add downloads",
        "Type or paste URLs, as many as you like; a preview shows what they are.",
        Group.RUN,
        label="Add",
        rank=5,
    ),
    Action(
        "open_list",
        ("ctrl+o",),
        "Open a list",
        "Choose a list file and see what is in it before it is added.",
        Group.RUN,
    ),
    Action(
        "undo",
        ("u",),
        "Undo",
        "Take back the last cancel, pause, retry, drop or move, of however many.",
        Group.RUN,
        label="Undo",
        rank=7,
        when=_can_undo,
        why_not="nothing to undo",
    ),
    Action(
        "more",
        ("plus", "equals_sign"),
        "More downloads at once",
        "One download more at the same time, now.",
        Group.RUN,
        label="At once",
        rank=4,
        pair="fewer",
    ),
    Action(
        "fewer",
        ("minus",),
        "Fewer downloads at once",
        "One less; what runs is finished first.",
        Group.RUN,
    ),
    Action(
        "more_16",
        ("right_square_bracket",),
        "Sixteen more at once",
        "Sixteen more at the same time.",
        Group.RUN,
    ),
    Action(
        "fewer_16",
        ("left_square_bracket",),
        "Sixteen fewer at once",
        "Sixteen less; what runs is finished first.",
        Group.RUN,
    ),
    Action(
        "set_number",
        ("c",),
        "Set downloads at once",
        "Type how many downloads run at the same time.",
        Group.RUN,
    ),
    Action(
        "auto",
        ("A",),
        "Choose downloads at once automatically",
        "Let measured speed and errors choose; + - and c pin a number again.",
        Group.RUN,
    ),
    Action(
        "limit",
        ("b",),
        "Set the rate limit",
        "Type how many bytes a second everything may take: 10M, or 0 for no limit.",
        Group.RUN,
    ),
    Action(
        "hold",
        ("P",),
        "Pause or resume everything",
        "Stop all downloads and start nothing new; press again to go on.",
        Group.RUN,
        label="Pause all",
        rank=13,
    ),
    Action(
        "retry_failed",
        ("R",),
        "Retry all failed",
        "Queue every failed download again.",
        Group.RUN,
        label="Retry all",
        rank=14,
        when=_any_failed,
        why_not="nothing has failed",
    ),
    Action(
        "export_failed",
        ("E",),
        "Save the failed ones as a list",
        "Write them to a file that fetchtui takes as a list, with their reasons.",
        Group.RUN,
        when=_any_failed,
        why_not="nothing has failed",
    ),
    Action(
        "save_list",
        ("ctrl+e",),
        "Save as a list",
        "Write all, the marked or the unfinished as plain list, CSV or JSON.",
        Group.RUN,
        when=_has_any,
        why_not="there is nothing to save",
    ),
    Action(
        "cancel_all",
        ("X",),
        "Cancel everything",
        "End all that has not ended, after a question; u brings all of it back.",
        Group.RUN,
        when=_any_unended,
        why_not="everything has ended",
    ),
    Action(
        "writers_more",
        ("W",),
        "More disk writers",
        "One more thread that writes to disk.",
        Group.RUN,
    ),
    Action(
        "writers_fewer",
        ("w",),
        "Fewer disk writers",
        "One thread less that writes to disk.",
        Group.RUN,
    ),
    Action(
        "inline_writes",
        ("i",),
        "Switch inline writes",
        "Write on the event loop, to see what that does to it; press again to end it.",
        Group.RUN,
    ),
)

_VIEW = (
    Action(
        "filter",
        ("slash",),
        "Filter the list",
        "Words, is:failed, host:name, size:>1G, /regex/, -not; esc clears them.",
        Group.VIEW,
        label="Filter",
        rank=8,
    ),
    Action(
        "escape",
        ("escape",),
        "Back",
        "Take one thing away: the zoomed pane, the filter, the marks.",
        Group.VIEW,
        when=_can_escape,
        is_typable=True,
    ),
    Action(
        "sort",
        ("s",),
        "Sort by the next column",
        "Order by added, name, size, progress, state, host.",
        Group.VIEW,
        label="Sort",
        rank=11,
    ),
    Action(
        "sort_reverse",
        ("S",),
        "Reverse the order",
        "Turn the order round.",
        Group.VIEW,
    ),
    _view(1, "all", "all downloads"),
    _view(2, "active", "active downloads"),
    _view(3, "queued", "queued downloads"),
    _view(4, "done", "finished downloads"),
    _view(5, "failed", "failed and cancelled downloads"),
    _view(6, "paused", "paused downloads"),
    Action(
        "follow",
        ("f",),
        "Follow what is active",
        "Keep the cursor on what is being downloaded, until it is moved.",
        Group.VIEW,
    ),
    Action(
        "freeze",
        ("full_stop",),
        "Freeze the list",
        "Let the list stand still to read it; downloads and keys go on.",
        Group.VIEW,
    ),
    Action(
        "disk",
        ("d",),
        "Show or fold the disk pane",
        "What each writer thread does, and how late the event loop is.",
        Group.VIEW,
        label="Disk",
        rank=15,
    ),
    Action(
        "graph",
        ("t",),
        "Show or fold the throughput graph",
        "Speed over the last minute or two.",
        Group.VIEW,
        label="Graph",
        rank=16,
    ),
    Action(
        "hosts",
        ("H",),
        "Show or hide the hosts",
        "Each host with its speed, cap, errors and rests; enter there sets its cap.",
        Group.VIEW,
    ),
    Action(
        "log",
        ("L",),
        "Show or fold the log",
        "Every start, retry, failure and end, the newest last.",
        Group.VIEW,
        label="Log",
        rank=17,
    ),
    Action(
        "zoom",
        ("z",),
        "Zoom the pane",
        "Give the pane used last the whole middle; press again for the list.",
        Group.VIEW,
        label="Zoom",
        rank=18,
    ),
)

_MOVE = (
    Action(
        "cursor_up",
        ("k", "up"),
        "Up",
        "One download up.",
        Group.MOVE,
        is_typable=True,
    ),
    Action(
        "cursor_down",
        ("j", "down"),
        "Down",
        "One download down.",
        Group.MOVE,
        is_typable=True,
    ),
    Action("page_up", ("pageup", "ctrl+u"), "Page up", "One page up.", Group.MOVE),
    Action(
        "page_down", ("pagedown", "ctrl+d"), "Page down", "One page down.", Group.MOVE
    ),
    Action("top", ("g", "home"), "Top", "To the first download.", Group.MOVE),
    Action("bottom", ("G", "end"), "Bottom", "To the last download.", Group.MOVE),
)

_APP = (
    Action(
        "help",
        ("question_mark", "f1"),
        "Help",
        "All keys, searchable; enter runs what is chosen.",
        Group.APP,
        label="Help",
        rank=1,
    ),
    Action(
        "palette",
        ("ctrl+p", "colon"),
        "Command palette",
        "Find and run any action by name.",
        Group.APP,
        label="Palette",
        rank=12,
        is_typable=True,
    ),
    Action(
        "theme",
        ("T",),
        "Choose a theme",
        "Other colours, dark and light, shown as you go; kept for the next time.",
        Group.APP,
    ),
    Action(
        "settings",
        ("comma",),
        "Settings",
        "What can be set, who says so; changed here, kept in the settings file.",
        Group.APP,
    ),
    Action(
        "screenshot",
        ("ctrl+s",),
        "Save a picture",
        "Save the screen as an SVG file in the output directory.",
        Group.APP,
        is_typable=True,
    ),
    Action(
        "suspend",
        ("ctrl+z",),
        "Suspend to the shell",
        "Give the terminal back; downloads stand still until fg goes on with them.",
        Group.APP,
        is_typable=True,
    ),
    Action(
        "quit",
        ("q",),
        "Quit",
        "Leave; what is not finished is kept, and the same command goes on with it.",
        Group.APP,
        label="Quit",
        rank=1,
    ),
    Action(
        "interrupt",
        ("ctrl+c",),
        "Quit at once",
        "Asks like q; pressed twice it leaves at once. Everything is kept.",
        Group.APP,
        is_typable=True,
    ),
)

ACTIONS: tuple[Action, ...] = _ROW + _MARK + _RUN + _VIEW + _MOVE + _APP
"""Every action, in the order of help and README."""

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}


def markdown_table() -> str:
    """Return the README's table of keys."""
    lines = []
    for group in Group:
        lines += [f"**{group.value}**", "", "| key | does |", "|---|---|"]
        for action in ACTIONS:
            if action.group is group:
                keys = " ".join(f"`{shown_key(key)}`" for key in action.keys)
                lines.append(f"| {keys} | {action.title}. {action.help} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown_table())  # noqa: T201  # this module's command
