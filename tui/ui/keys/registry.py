"""The table of everything a user can do in the dashboard.

Key bindings, footer, help screen, command palette and the table of keys in the user
guide are all generated from ``ACTIONS``. Each action is handled by the method of the
same name in one of the classes of ``tui.ui.actions``.

Functions of ``conditions`` decide when an action is enabled.

``python -m tui.ui.keys.registry`` prints the table of keys as Markdown.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from tui.core.quick.named_tuple import NamedTuple
from tui.ui.keys import conditions as when
from tui.ui.keys.synonyms import synonyms_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.ui.keys.conditions import ActionState


class Group(Enum):
    """Headings of the help screen and of the table of keys, in display order."""

    ROW = "Marked downloads, or the one under the cursor"
    MARK = "Selection"
    RUN = "All downloads"
    VIEW = "View"
    MOVE = "Navigation"
    APP = "Dashboard"


_ONLY_READ = frozenset(
    (
        "details",
        "copy_url",
        "copy_path",
        "open_file",
        "open_folder",
        "export_failed",
        "save_list",
    )
)
"""Actions on downloads that change none of them."""


class Action(NamedTuple):
    """One thing a user can do."""

    id: str
    """Name of the handler, and of the setting that changes the keys."""
    keys: tuple[str, ...]
    """Default keys, by Textual's names; the first one is displayed."""
    title: str
    """Name in the command palette and in the help, in the imperative."""
    help: str
    """Description for the help and the user guide, in whole sentences; ``{undo}``
    stands for the key of that action."""
    group: Group
    label: str = ""
    """Name in the footer; "" for actions that the footer does not show."""
    rank: int = 0
    """Position in the footer; narrow terminals drop the highest ranks first."""
    pair: str = ""
    """Action whose key the footer shows next to this one's (``+ -``)."""
    is_enabled: Callable[[ActionState], bool] = when.always
    """Whether the action would do anything now."""
    disabled_reason: str = ""
    """Message for a key press while the action is disabled."""
    is_typable: bool = False
    """Whether its non-printing keys work while text is being typed."""

    @property
    def changes_downloads(self) -> bool:
        """Whether it changes downloads or limits, not only what is shown."""
        return self.group in (Group.ROW, Group.RUN) and self.id not in _ONLY_READ

    def can_run(self, state: ActionState) -> bool:
        """Return True if it would do anything, and may."""
        is_refused = state.is_read_only and self.changes_downloads
        return not is_refused and self.is_enabled(state)

    @property
    def synonyms(self) -> frozenset[str]:
        """Other words that find it, in lower case."""
        return synonyms_of(self.id)

    @property
    def shown_key(self) -> str:
        """The first key as displayed: ``+``, ``ctrl+p``; "" without a key."""
        return shown_key(self.keys[0]) if self.keys else ""

    @property
    def shown_keys(self) -> str:
        """All keys as displayed, separated by spaces."""
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
"""Textual's key names -> the form that is displayed and accepted in settings."""


def shown_key(key: str) -> str:
    """Return the displayed form of a Textual key name."""
    *modifiers, last = key.split("+")
    is_function = last[:1] == "f" and last[1:].isdecimal()
    sign = last.upper() if is_function else SIGNS.get(last, last)
    return "+".join([*modifiers, sign])


def _view(
    number: int, name: str, what: str, help: str, label: str = "", rank: int = 0
) -> Action:
    return Action(
        id=f"view_{name}",
        keys=(str(number),),
        title=f"Show {what}",
        help=help,
        group=Group.VIEW,
        label=label,
        rank=rank,
    )


_ROW = (
    Action(
        "cancel",
        ("x",),
        "Cancel",
        "Stop the download and close its connections. Partial data is kept.",
        Group.ROW,
        label="Cancel",
        rank=2,
        is_enabled=when.can_cancel,
        disabled_reason="nothing to cancel here",
    ),
    Action(
        "pause",
        ("p",),
        "Pause or resume",
        "Queue position and data are kept. Press again to resume.",
        Group.ROW,
        label="Pause",
        rank=3,
        is_enabled=when.can_cancel,
        disabled_reason="nothing to pause here",
    ),
    Action(
        "retry",
        ("r",),
        "Retry",
        "Queue a failed, waiting or cancelled download again.",
        Group.ROW,
        label="Retry",
        rank=6,
        is_enabled=when.can_retry,
        disabled_reason="this download has not failed",
    ),
    Action(
        "remove",
        ("D",),
        "Remove from list",
        "Cancel it if it is unfinished. Files and partial data are kept; {undo} to"
        " undo.",
        Group.ROW,
        is_enabled=when.on_any,
        disabled_reason="no download selected",
    ),
    Action(
        "remove_with_data",
        ("delete", "ctrl+x"),
        "Remove and delete the data",
        "Asks first. Files are deleted 10 seconds later; until then, {undo} restores"
        " everything.",
        Group.ROW,
        is_enabled=when.on_any,
        disabled_reason="no download selected",
    ),
    Action(
        "details",
        ("enter",),
        "Show details",
        "Show segments, attempts, headers and paths. On a group heading, fold it.",
        Group.ROW,
        label="Details",
        rank=10,
        is_enabled=when.on_line,
        disabled_reason="no download selected",
    ),
    Action(
        "connections_more",
        ("greater_than_sign",),
        "Add a connection",
        "Use one more connection for a running download.",
        Group.ROW,
        is_enabled=when.is_running,
        disabled_reason="the download is not running",
    ),
    Action(
        "connections_fewer",
        ("less_than_sign",),
        "Remove a connection",
        "Use one fewer connection for a running download.",
        Group.ROW,
        is_enabled=when.is_running,
        disabled_reason="the download is not running",
    ),
    Action(
        "raise_in_queue",
        ("K",),
        "Move up in the queue",
        "Start it before the queued download above it.",
        Group.ROW,
        is_enabled=when.is_queued,
        disabled_reason="the download is not queued",
    ),
    Action(
        "lower_in_queue",
        ("J",),
        "Move down in the queue",
        "Start it after the queued download below it.",
        Group.ROW,
        is_enabled=when.is_queued,
        disabled_reason="the download is not queued",
    ),
    Action(
        "first_in_queue",
        ("F",),
        "Move to the front of the queue",
        "Start it next.",
        Group.ROW,
        is_enabled=when.is_queued,
        disabled_reason="the download is not queued",
    ),
    Action(
        "copy_url",
        ("y",),
        "Copy the URL",
        "Copy the URL to the clipboard, without any password.",
        Group.ROW,
        is_enabled=when.on_any,
        disabled_reason="no download selected",
    ),
    Action(
        "edit_url",
        ("e",),
        "Change the URL",
        "Enter a new URL, for example when a link has expired. Partial data is kept.",
        Group.ROW,
        is_enabled=when.is_not_done,
        disabled_reason="the download is already complete",
    ),
    Action(
        "limit_row",
        ("B",),
        "Limit the speed of one download",
        "Enter a rate limit for this download, such as 2M; 0 for no limit.",
        Group.ROW,
        is_enabled=when.is_not_done,
        disabled_reason="the download is already complete",
    ),
    Action(
        "open_file",
        ("o",),
        "Open the file",
        "Open a finished file with its default application; for a program, its folder.",
        Group.ROW,
        is_enabled=when.is_done,
        disabled_reason="the download is not complete",
    ),
    Action(
        "open_folder",
        ("O",),
        "Open the folder",
        "Open the folder of the file in the file manager; over ssh, copy its path.",
        Group.ROW,
        is_enabled=when.on_row,
        disabled_reason="no download selected",
    ),
    Action(
        "copy_path",
        ("Y",),
        "Copy the path",
        "Copy the path of the file to the clipboard.",
        Group.ROW,
        is_enabled=when.on_any,
        disabled_reason="no download selected",
    ),
)

_MARK = (
    Action(
        "mark",
        ("space",),
        "Toggle mark and move down",
        "Actions then apply to all marked downloads.",
        Group.MARK,
        label="Mark",
        rank=9,
        is_enabled=when.on_any,
        disabled_reason="no download selected",
    ),
    Action(
        "mark_range",
        ("v",),
        "Mark a range",
        "Mark all downloads from the last marked one to the cursor.",
        Group.MARK,
        is_enabled=when.on_any,
        disabled_reason="no download selected",
    ),
    Action(
        "mark_all",
        ("ctrl+a",),
        "Mark all listed",
        "Mark all downloads in the current view. Press again to unmark them.",
        Group.MARK,
        is_enabled=when.on_any,
        disabled_reason="no download selected",
    ),
)

_RUN = (
    Action(
        "add",
        ("a",),
        "Add downloads",
        "Type or paste any number of URLs, with a preview before they are added.",
        Group.RUN,
        label="Add",
        rank=5,
    ),
    Action(
        "open_list",
        ("ctrl+o",),
        "Open a list",
        "Choose a list file and preview it before its downloads are added.",
        Group.RUN,
    ),
    Action(
        "undo",
        ("u",),
        "Undo",
        "Revert the last add, cancel, pause, retry, removal, URL change or move.",
        Group.RUN,
        label="Undo",
        rank=7,
        is_enabled=when.can_undo,
        disabled_reason="nothing to undo",
    ),
    Action(
        "more",
        ("plus", "equals_sign"),
        "Increase concurrency",
        "Run one more download at a time.",
        Group.RUN,
        label="Concurrency",
        rank=4,
        pair="fewer",
    ),
    Action(
        "fewer",
        ("minus",),
        "Decrease concurrency",
        "Run one fewer download at a time. Running downloads finish first.",
        Group.RUN,
    ),
    Action(
        "more_16",
        ("right_square_bracket",),
        "Increase concurrency by 16",
        "Run 16 more downloads at a time.",
        Group.RUN,
    ),
    Action(
        "fewer_16",
        ("left_square_bracket",),
        "Decrease concurrency by 16",
        "Run 16 fewer downloads at a time. Running downloads finish first.",
        Group.RUN,
    ),
    Action(
        "set_number",
        ("c",),
        "Set concurrency",
        "Enter the number of downloads to run at a time.",
        Group.RUN,
    ),
    Action(
        "auto",
        ("A",),
        "Automatic concurrency",
        "Tune concurrency to measured throughput and errors. {more} {fewer}"
        " {set_number} turn it off.",
        Group.RUN,
    ),
    Action(
        "limit",
        ("b",),
        "Set the rate limit",
        "Enter a rate limit for all downloads together, such as 10M; 0 for no limit.",
        Group.RUN,
    ),
    Action(
        "pause_all",
        ("P",),
        "Pause or resume all",
        "Stop all downloads and start no new ones. Press again to resume.",
        Group.RUN,
        label="Pause all",
        rank=16,
    ),
    Action(
        "retry_failed",
        ("R",),
        "Retry all failed",
        "Queue every failed download again.",
        Group.RUN,
        label="Retry all",
        rank=17,
        is_enabled=when.any_failed,
        disabled_reason="nothing has failed",
    ),
    Action(
        "export_failed",
        ("E",),
        "Save failed downloads as a list",
        "Write failed downloads and their errors to a list for fetchtui.",
        Group.RUN,
        is_enabled=when.any_failed,
        disabled_reason="nothing has failed",
    ),
    Action(
        "save_list",
        ("ctrl+e",),
        "Save as a list",
        "Write all, marked or unfinished downloads as plain list, CSV or JSON.",
        Group.RUN,
        is_enabled=when.has_any,
        disabled_reason="nothing to save",
    ),
    Action(
        "cancel_all",
        ("X",),
        "Cancel all",
        "Cancel every unfinished download, after confirmation. {undo} restores them.",
        Group.RUN,
        is_enabled=when.any_unfinished,
        disabled_reason="all downloads have finished",
    ),
    Action(
        "writers_more",
        ("W",),
        "Add a disk writer",
        "Use one more thread for writing to disk.",
        Group.RUN,
    ),
    Action(
        "writers_fewer",
        ("w",),
        "Remove a disk writer",
        "Use one fewer thread for writing to disk.",
        Group.RUN,
    ),
    Action(
        "inline_writes",
        ("i",),
        "Toggle inline writes",
        "Write on the event loop instead of in threads, to see how that affects it.",
        Group.RUN,
    ),
    Action(
        "slow_disk",
        ("I",),
        "Toggle the slow disk",
        "Simulate a slow disk, on which each write takes 50 ms longer.",
        Group.RUN,
    ),
)

_VIEW = (
    Action(
        "filter",
        ("slash",),
        "Filter the list",
        "Words, is:failed, host:name, size:>1G, /regex/, -not. Esc clears the filter.",
        Group.VIEW,
        label="Filter",
        rank=8,
    ),
    Action(
        "escape",
        ("escape",),
        "Back",
        "Close the zoomed pane, clear the filter or remove the marks, one at a time.",
        Group.VIEW,
        is_enabled=when.can_escape,
        is_typable=True,
    ),
    Action(
        "sort",
        ("s",),
        "Sort",
        "Choose activity, list order, name, size, speed, ETA, finished, tries or host.",
        Group.VIEW,
        label="Sort",
        rank=11,
    ),
    Action(
        "sort_reverse",
        ("S",),
        "Reverse the sort order",
        "Toggle between ascending and descending.",
        Group.VIEW,
    ),
    Action(
        "list_order",
        ("l",),
        "Toggle list order",
        "Show downloads as they were added, or running first and finished last.",
        Group.VIEW,
    ),
    Action(
        "columns",
        ("C",),
        "Choose columns",
        "Show or hide the columns of the list. The choice is kept.",
        Group.VIEW,
    ),
    Action(
        "fold_done",
        ("Z",),
        "Show or hide finished downloads",
        "Expand or collapse the line of finished downloads.",
        Group.VIEW,
    ),
    _view(1, "all", "all downloads", "Downloads in every state."),
    _view(
        2,
        "active",
        "active downloads",
        "Downloads that run or wait for a retry.",
        label="Active",
        rank=12,
    ),
    _view(
        3,
        "queued",
        "queued downloads",
        "Downloads that wait for a slot, in their order.",
    ),
    _view(4, "done", "finished downloads", "Downloads that are complete."),
    _view(
        5, "failed", "failed downloads", "Downloads with an error, grouped by cause."
    ),
    _view(
        6, "paused", "paused downloads", "Downloads that wait until you resume them."
    ),
    _view(
        7,
        "cancelled",
        "cancelled downloads",
        "Downloads that you cancelled. Retry restores them.",
    ),
    Action(
        "follow",
        ("f",),
        "Follow active downloads",
        "Keep the cursor on an active download until you move it.",
        Group.VIEW,
        label="Follow",
        rank=14,
    ),
    Action(
        "freeze",
        ("full_stop",),
        "Freeze the list",
        "Stop updating the list while you read it. Downloads continue.",
        Group.VIEW,
    ),
    Action(
        "disk",
        ("d",),
        "Show or hide the disk pane",
        "Activity of each writer thread, and the lag of the event loop.",
        Group.VIEW,
        label="Disk",
        rank=18,
    ),
    Action(
        "graph",
        ("t",),
        "Show or hide the throughput graph",
        "Speed over the last minute or two.",
        Group.VIEW,
        label="Graph",
        rank=19,
    ),
    Action(
        "hosts",
        ("H",),
        "Show or hide the hosts",
        "Speed, limit, errors and backoff of each host. Enter changes the limit.",
        Group.VIEW,
        label="Hosts",
        rank=13,
    ),
    Action(
        "log",
        ("L",),
        "Show or hide the log",
        "Every start, retry, failure and completion, newest last.",
        Group.VIEW,
        label="Log",
        rank=20,
    ),
    Action(
        "zoom",
        ("z",),
        "Zoom the pane",
        "Enlarge the last used pane. Press again to return to the list.",
        Group.VIEW,
        label="Zoom",
        rank=21,
    ),
)

_MOVE = (
    Action(
        "cursor_up",
        ("k", "up"),
        "Up",
        "Move one download up.",
        Group.MOVE,
        is_typable=True,
    ),
    Action(
        "cursor_down",
        ("j", "down"),
        "Down",
        "Move one download down.",
        Group.MOVE,
        is_typable=True,
    ),
    Action("page_up", ("pageup", "ctrl+u"), "Page up", "Move one page up.", Group.MOVE),
    Action(
        "page_down",
        ("pagedown", "ctrl+d"),
        "Page down",
        "Move one page down.",
        Group.MOVE,
    ),
    Action("top", ("g", "home"), "Top", "Go to the first download.", Group.MOVE),
    Action("bottom", ("G", "end"), "Bottom", "Go to the last download.", Group.MOVE),
)

_APP = (
    Action(
        "help",
        ("question_mark", "f1"),
        "Help",
        "Search all keys. Enter runs the selected action.",
        Group.APP,
        label="Help",
        rank=1,
    ),
    Action(
        "guide",
        ("h",),
        "User guide",
        "Read the user guide: lists, settings, network, sessions and more.",
        Group.APP,
    ),
    Action(
        "palette",
        ("ctrl+p", "colon"),
        "Command palette",
        "Find and run any action by name.",
        Group.APP,
        label="Palette",
        rank=15,
        is_typable=True,
    ),
    Action(
        "theme",
        ("T",),
        "Choose a theme",
        "Dark and light color themes, with live preview. The choice is kept.",
        Group.APP,
    ),
    Action(
        "sessions",
        ("ctrl+r",),
        "Sessions and history",
        "Search earlier sessions and finished downloads; open or clear them.",
        Group.APP,
    ),
    Action(
        "settings",
        ("comma",),
        "Settings",
        "View and change effective settings. Changes are saved to the settings file.",
        Group.APP,
    ),
    Action(
        "screenshot",
        ("ctrl+s",),
        "Save a screenshot",
        "Save the screen as SVG in the pictures directory, or else the current one.",
        Group.APP,
        is_typable=True,
    ),
    Action(
        "suspend",
        ("ctrl+z",),
        "Suspend to the shell",
        "Return to the shell. Downloads are suspended until you run fg.",
        Group.APP,
        is_typable=True,
    ),
    Action(
        "quit",
        ("q",),
        "Quit",
        "Progress is saved; run the same command to resume.",
        Group.APP,
        label="Quit",
        rank=1,
    ),
    Action(
        "detach",
        ("Q",),
        "Quit, continue in the background",
        "Downloads continue without this terminal; fetchtui attach shows them.",
        Group.APP,
    ),
    Action(
        "interrupt",
        ("ctrl+c",),
        "Quit or interrupt",
        "Asks first; press twice to quit at once. Progress is saved.",
        Group.APP,
        is_typable=True,
    ),
)

ACTIONS: tuple[Action, ...] = _ROW + _MARK + _RUN + _VIEW + _MOVE + _APP
"""Every action, in the order of the help and the user guide."""

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}
