"""The sample settings file: every setting with its help, commented out."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tui.config.option import Group
from tui.config.precedence import ORDER
from tui.config.registry import HOST_KEYS, OPTIONS
from tui.config.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.config.option import Option

_HEAD = f"""\
# Settings for fetchtui, in TOML. Uncomment a line to change that setting.
# Precedence: {" < ".join(ORDER)}.
# This file must not contain secrets, only references to them: env:NAME, file:PATH,
# keyring:SERVICE, netrc or ask. "fetchtui config show" lists the effective settings
# and where each comes from.
"""
_TABLES = """
# Per-host settings; the first matching pattern applies.
# [hosts."*.example.org"]
{hosts}

# A named profile: fetchtui --profile work
# [profiles.work]
# limit-rate = "2M"

# Key bindings: an action and its keys, [] for none.
# [keys]
# cancel = ["x", "delete"]
"""


def sample() -> str:
    """Return the text of the sample settings file."""
    out = [_HEAD]
    for group in Group:
        flat = [o for o in OPTIONS if o.group is group and _is_flat(o)]
        if flat:
            out.append(f"\n# -- {group.value} --\n")
            out += _lines(flat)
    for table in ("hooks", "dashboard", "rpc"):
        inner = [o for o in OPTIONS if o.key.startswith(f"{table}.")]
        out.append(f"\n# -- {inner[0].group.value} --\n\n# [{table}]\n")
        out += _lines(inner)
    hosts = "\n".join(f"# {o.name} = {o.example}" for o in HOST_KEYS if o.key in _SHOWN)
    return "".join(out) + _TABLES.format(hosts=hosts)


_SHOWN = ("cap", "limit-rate", "user", "password-from", "proxy")


def _is_flat(option: Option) -> bool:
    return "." not in option.key and option.kind is not Kind.TABLE


def _lines(options: Iterable[Option]) -> Iterable[str]:
    for option in options:
        words = f" One of {', '.join(option.choices)}." if option.choices else ""
        text = textwrap.wrap(f"{option.doc}{words}", 76)
        yield "\n" + "".join(f"## {line}\n" for line in text)
        yield f"# {option.name} = {option.example}\n"
