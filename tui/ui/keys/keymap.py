"""Which keys stand for which action: the registry's, changed as a person wishes.

Wishes come from the settings file, by the actions' ids, which never change::

    [keys]
    cancel = "delete"
    pause = ["p", "F8"]
    screenshot = []          # no key; the palette still has it

A wish that cannot be granted is told with what to do about it and passed over; the
rest holds. Whatever names a key on the screen asks ``key_of``, so that no text tells
of a key that is another one's by now.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING
from unicodedata import name as unicode_name

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from tui.core.text.plain_text import plain
from tui.ui.keys.registry import ACTIONS, SIGNS, Action, shown_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SWALLOWED = {
    "ctrl+h": "backspace",
    "ctrl+i": "tab",
    "ctrl+j": "enter",
    "ctrl+m": "enter",
    "ctrl+left_square_bracket": "esc",
    "ctrl+enter": "enter",
    "shift+space": "space",
    "ctrl+space": "ctrl+@",
}
"""Keys that terminals send as other ones (VT100 control codes)."""
FIXED = {"ctrl+c": "interrupt", "ctrl+q": "quit"}
"""Ways out that work over every dialog; nothing else can have them."""

_BY_SIGN = {sign.lower(): key for key, sign in SIGNS.items()}
_BY_SIGN |= {"esc": "escape", "del": "delete", "ins": "insert", "return": "enter"}
_NAMED = {key.value for key in Keys} | set(SIGNS) | {"space", "enter", "tab"}


def key_name(text: str) -> str | None:
    """Return Textual's name of a key as people write it; ``None`` for no key at all.

    ``?``, ``F2``, ``PgUp``, ``esc``, ``ctrl+x`` and Textual's own names are known.
    """
    text = text.strip() if text != " " else "space"
    if len(text) == 1:
        return text if text.isalnum() else _sign_name(text)
    *modifiers, last = text.split("+") if not text.endswith("++") else [text[:-2], "+"]
    if any(modifier.lower() not in ("ctrl", "shift", "alt") for modifier in modifiers):
        return None
    base = key_name(last) if len(last) == 1 else _long_name(last.lower())
    if base is None or not modifiers:
        return base
    return "+".join([*sorted(modifier.lower() for modifier in modifiers), base])


def _sign_name(sign: str) -> str | None:
    known = _BY_SIGN.get(sign)
    if known is not None:
        return known
    try:
        name = unicode_name(sign).lower().replace("-", "_").replace(" ", "_")
    except ValueError:
        return None
    return KEY_NAME_REPLACEMENTS.get(name, name)


def _long_name(text: str) -> str | None:
    name = _BY_SIGN.get(text, text)
    if name in _NAMED:
        return name
    # A sign under its long name, such as "comma".
    return name if text in _sign_names() else None


def _sign_names() -> set[str]:
    return {str(_sign_name(chr(code))) for code in range(0x21, 0x7F)}


class Keymap:
    """Actions with the keys that they have now."""

    def __init__(self, actions: Sequence[Action] = ACTIONS) -> None:
        """Begin with the registry's own keys."""
        self._defaults = {action.id: action for action in actions}
        self.actions: tuple[Action, ...] = tuple(actions)
        """All of them, in the registry's order."""
        self.by_id: dict[str, Action] = dict(self._defaults)
        self._wishes: dict[str, object] = {}
        self.complaints: list[str] = []
        """Wishes that were not granted, each with what to do, one line."""

    def use(self, wishes: Mapping[str, object]) -> list[str]:
        """Give actions other keys; wishes of an earlier call are forgotten.

        Args:
            wishes: id of an action -> its keys: a text with spaces between them, or a
                list; an empty one takes all keys away.

        Returns:
            Complaints, one line each; also kept in ``complaints``.
        """
        self.complaints = []
        self._wishes = dict(wishes)
        owners: dict[str, str] = dict(FIXED)
        keys: dict[str, tuple[str, ...]] = {}
        for id, wish in wishes.items():
            if id not in self._defaults:
                self._complain_of_unknown(str(id))
                continue
            granted = self._grant(id, wish, owners)
            if granted is not None:
                keys[id] = granted
        for id, action in self._defaults.items():
            if id not in keys:
                keys[id] = self._left_of(action, owners)
        self.actions = tuple(
            replace(action, keys=keys[id]) for id, action in self._defaults.items()
        )
        self.by_id = {action.id: action for action in self.actions}
        return self.complaints

    def judge(self, wishes: Mapping[str, object]) -> list[str]:
        """Say what would be wrong with further wishes, without granting them."""
        trial = Keymap(tuple(self._defaults.values()))
        before = trial.use(self._wishes)
        after = trial.use({**self._wishes, **wishes})
        return [complaint for complaint in after if complaint not in before]

    def default(self, id: str) -> tuple[str, ...]:
        """The registry's own keys of an action."""
        return self._defaults[id].keys

    def shown(self, id: str) -> str:
        """The key to press for an action; without one, how the palette calls it."""
        action = self.by_id[id]
        return action.shown_key or f"{self.by_id['palette'].shown_key} {action.title}"

    def bindings(self) -> list[Binding]:
        """One binding for each action that has a key."""
        return [
            Binding(
                ",".join(action.keys),
                f"run('{action.id}')",
                action.title,
                show=False,
                priority=True,
                id=action.id,
            )
            for action in self.actions
            if action.keys
        ]

    # -- judging wishes --------------------------------------------------------------

    def _grant(
        self, id: str, wish: object, owners: dict[str, str]
    ) -> tuple[str, ...] | None:
        texts = wish.split() if isinstance(wish, str) else wish
        if not isinstance(texts, list | tuple) or not all(
            isinstance(text, str) for text in texts
        ):
            self._complain(f'keys.{id} is no key; write {id} = "x" or ["x", "F2"]')
            return None
        if not texts:
            return ()
        granted = [
            key for text in texts if (key := self._judge(id, text, owners)) is not None
        ]
        for key in granted:
            owners[key] = id
        return tuple(dict.fromkeys(granted)) or None

    def _judge(self, id: str, text: str, owners: dict[str, str]) -> str | None:
        key = key_name(text)
        shown = plain(text, 20)
        if key is None:
            self._complain(
                f"keys.{id}: there is no key “{shown}”; write it like x, F2, ctrl+x"
            )
        elif key in SWALLOWED:
            self._complain(
                f"keys.{id}: terminals send {shown} as {SWALLOWED[key]};"
                " take another key"
            )
            key = None
        elif owners.get(key, id) != id:
            owner = owners[key]
            self._complain(
                f"keys.{id}: {shown} is {owner}'s already; take another key"
                + ("" if key in FIXED else f" or change keys.{owner}")
            )
            key = None
        return key

    def _left_of(self, action: Action, owners: dict[str, str]) -> tuple[str, ...]:
        """Return the default keys that no wish has taken."""
        left = tuple(k for k in action.keys if owners.get(k, action.id) == action.id)
        if action.keys and not left:
            taker = owners[action.keys[0]]
            self._complain(
                f"{action.id} has no key since {taker} took"
                f" {shown_key(action.keys[0])}; give it one with keys.{action.id}"
            )
        return left

    def _complain_of_unknown(self, id: str) -> None:
        near = get_close_matches(id, self._defaults, n=1)
        meant = f"did you mean {near[0]}?" if near else "the README lists their ids"
        self._complain(f"keys: no action is called “{plain(id, 30)}”; {meant}")

    def _complain(self, text: str) -> None:
        self.complaints.append(text)


_current: ContextVar[Keymap] = ContextVar("keymap")


def current() -> Keymap:
    """Return the keymap of the dashboard that runs; outside one, the registry's own."""
    try:
        return _current.get()
    except LookupError:
        return _registry


def make_current(keymap: Keymap) -> None:
    """Let this context and the tasks that begin in it speak of these keys."""
    _current.set(keymap)


def key_of(id: str) -> str:
    """Return the key for an action, as people write it."""
    return current().shown(id)


_registry = Keymap()
