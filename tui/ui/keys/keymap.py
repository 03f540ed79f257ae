"""The keys that are bound to actions: the defaults, changed by the user's settings.

Settings refer to actions by ID, which never changes::

    [keys]
    cancel = "delete"
    pause = ["p", "F8"]
    screenshot = []          # no key; the palette still lists the action

An invalid setting is reported with a fix and skipped; the others still apply. Every
text that mentions a key asks ``key_of`` for it, so it names the key that is bound now.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from difflib import get_close_matches
from typing import TYPE_CHECKING
from unicodedata import name as unicode_name

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from tui.core.text.sanitize import sanitize
from tui.ui.keys.registry import ACTIONS, SIGNS, Action, shown_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALIASED = {
    "ctrl+h": "backspace",
    "ctrl+i": "tab",
    "ctrl+j": "enter",
    "ctrl+m": "enter",
    "ctrl+left_square_bracket": "esc",
    "ctrl+enter": "enter",
    "shift+space": "space",
    "ctrl+space": "ctrl+@",
}
"""Keys that terminals send as another key (VT100 control codes)."""
RESERVED = {"ctrl+c": "interrupt", "ctrl+q": "quit"}
"""Keys that quit even while a dialog is open; no other action can use them."""

_BY_SIGN = {sign.lower(): key for key, sign in SIGNS.items()}
_BY_SIGN |= {"esc": "escape", "del": "delete", "ins": "insert", "return": "enter"}
_ID_IN_BRACES = re.compile(r"\{(\w+)\}")
_NAMED = {key.value for key in Keys} | set(SIGNS) | {"space", "enter", "tab"}


def key_name(text: str) -> str | None:
    """Return Textual's name of a key that a user wrote, or ``None`` if it is unknown.

    Accepts ``?``, ``F2``, ``PgUp``, ``esc``, ``ctrl+x`` and Textual's own names.
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


def _with_keys(text: str, by_id: Mapping[str, Action]) -> str:
    """Return a text with keys in place of the ids of actions in braces.

    An action without a key is named by its title.
    """
    return _ID_IN_BRACES.sub(
        lambda match: by_id[match[1]].shown_key or by_id[match[1]].title, text
    )


class Keymap:
    """The actions with the keys that are bound to them now."""

    def __init__(self, actions: Sequence[Action] = ACTIONS) -> None:
        """Bind the default keys."""
        self._defaults = {action.id: action for action in actions}
        self.actions: tuple[Action, ...] = ()
        """All actions, in the order of the table."""
        self.by_id: dict[str, Action] = {}
        self._overrides: dict[str, object] = {}
        self._set_actions({action.id: action.keys for action in actions})
        self.problems: list[str] = []
        """One line for each setting that was skipped, with a fix."""

    def apply(self, overrides: Mapping[str, object]) -> list[str]:
        """Bind other keys, replacing all overrides of an earlier call.

        Args:
            overrides: keys by action ID: a string with keys separated by spaces, or a
                list of keys. An empty one unbinds the action.

        Returns:
            The problems found, one line each; also kept in ``problems``.
        """
        self.problems = []
        self._overrides = dict(overrides)
        owners: dict[str, str] = dict(RESERVED)
        keys: dict[str, tuple[str, ...]] = {}
        for id, override in overrides.items():
            if id not in self._defaults:
                self._report_unknown(str(id))
                continue
            assigned = self._assign(id, override, owners)
            if assigned is not None:
                keys[id] = assigned
        for id, action in self._defaults.items():
            if id not in keys:
                keys[id] = self._remaining_defaults(action, owners)
        self._set_actions(keys)
        return self.problems

    def _set_actions(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        """Use keys by action id, also in the descriptions."""
        bound = {
            id: action._replace(keys=keys[id]) for id, action in self._defaults.items()
        }
        self.by_id = {
            id: action._replace(help=_with_keys(action.help, bound))
            for id, action in bound.items()
        }
        self.actions = tuple(self.by_id.values())

    def check(self, overrides: Mapping[str, object]) -> list[str]:
        """Return the problems that further overrides would cause, applying none."""
        trial = Keymap(tuple(self._defaults.values()))
        before = trial.apply(self._overrides)
        after = trial.apply({**self._overrides, **overrides})
        return [problem for problem in after if problem not in before]

    def default(self, id: str) -> tuple[str, ...]:
        """Return the default keys of an action."""
        return self._defaults[id].keys

    def shown(self, id: str) -> str:
        """Return the key to press for an action, or how to find it in the palette."""
        action = self.by_id[id]
        return action.shown_key or f"{self.by_id['palette'].shown_key} {action.title}"

    def bindings(self) -> list[Binding]:
        """Return one binding for each action that has a key."""
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

    # -- checking overrides ----------------------------------------------------------

    def _assign(
        self, id: str, override: object, owners: dict[str, str]
    ) -> tuple[str, ...] | None:
        texts = override.split() if isinstance(override, str) else override
        if not isinstance(texts, list | tuple) or not all(
            isinstance(text, str) for text in texts
        ):
            self._report(
                f'keys.{id} must be a key or a list of keys: {id} = "x" or ["x", "F2"]'
            )
            return None
        if not texts:
            return ()
        assigned = [
            key
            for text in texts
            if (key := self._check_key(id, text, owners)) is not None
        ]
        for key in assigned:
            owners[key] = id
        return tuple(dict.fromkeys(assigned)) or None

    def _check_key(self, id: str, text: str, owners: dict[str, str]) -> str | None:
        key = key_name(text)
        shown = sanitize(text, 20)
        if key is None:
            self._report(
                f"keys.{id}: unknown key “{shown}”; write keys as x, F2 or ctrl+x"
            )
        elif key in ALIASED:
            self._report(
                f"keys.{id}: terminals send {shown} as {ALIASED[key]}; use another key"
            )
            key = None
        elif owners.get(key, id) != id:
            owner = owners[key]
            fix = "" if key in RESERVED else f" or change keys.{owner}"
            self._report(
                f"keys.{id}: {shown} is already used by {owner}; use another key{fix}"
            )
            key = None
        return key

    def _remaining_defaults(
        self, action: Action, owners: dict[str, str]
    ) -> tuple[str, ...]:
        """Return the default keys of an action that no override uses."""
        id = action.id
        left = tuple(key for key in action.keys if owners.get(key, id) == id)
        if action.keys and not left:
            key = shown_key(action.keys[0])
            self._report(
                f"{key} is already used by {id};"
                f" give {id} another key first (keys.{id})"
            )
        return left

    def _report_unknown(self, id: str) -> None:
        near = get_close_matches(id, self._defaults, n=1)
        known = "fetchtui config explain keys lists them"
        hint = f"did you mean {near[0]!r}?" if near else known
        self._report(f"keys: unknown action “{sanitize(id, 30)}”; {hint}")

    def _report(self, problem: str) -> None:
        self.problems.append(problem)


_current: ContextVar[Keymap] = ContextVar("keymap")


def current() -> Keymap:
    """Return the running dashboard's keymap, or the default one without a dashboard."""
    try:
        return _current.get()
    except LookupError:
        return _default


def set_current(keymap: Keymap) -> None:
    """Use a keymap in this context and in the tasks that are started from it."""
    _current.set(keymap)


def key_of(id: str) -> str:
    """Return the key for an action, as displayed."""
    return current().shown(id)


_default = Keymap()
