"""All options, in the order in which people read about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tui.config.options_fetching import AFTER, SPEED, TRUST, WHERE
from tui.config.options_network import DASHBOARD, HOST_KEYS, HOSTS, LOGIN, NETWORK

if TYPE_CHECKING:
    from tui.config.option import Option

OPTIONS: Final[tuple[Option, ...]] = (
    *WHERE,
    *SPEED,
    *TRUST,
    *NETWORK,
    *HOSTS,
    *LOGIN,
    *AFTER,
    *DASHBOARD,
)
"""Every field of ``Settings`` and every setting of the dashboard has one here."""

BY_KEY: Final = {option.key: option for option in OPTIONS}
BY_HOST_KEY: Final = {option.key: option for option in HOST_KEYS}
BY_VARIABLE: Final = {o.variable: o for o in OPTIONS if o.variable}

SECRET_KEYS: Final = {
    "password": "password-from",
    "proxy-password": "proxy-password-from",
    "passwd": "password-from",
    "secret": "password-from",
    "token": "bearer-from",
    "bearer": "bearer-from",
}
"""Keys that people write secrets to, and the ones that take a reference instead."""


def find(key: str) -> Option:
    """Return the option of a key.

    Raises:
        ValueError: there is none; the message has a suggestion.
    """
    from tui.config.values import suggest
    from tui.core.text.plain_text import plain

    key = key.removeprefix("--")
    option = BY_KEY.get(key)
    if option is None:
        option = next((o for o in OPTIONS if key in (o.name, o.variable)), None)
    if option is None:
        option = next((o for o in OPTIONS if f"--{key}" in o.spellings), None)
    if option is None:
        near = suggest(key, [*BY_KEY, *(o.name for o in OPTIONS)])
        raise ValueError(f"there is no setting {plain(key, 60)!r}{near}")
    return option
