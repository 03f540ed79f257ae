"""Format setting values for display, without secrets."""

from __future__ import annotations

import os
import re
import shlex
from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tui.config.option import toml_text
from tui.config.parsing import split_proxy
from tui.config.registry import OPTIONS
from tui.config.values import Kind
from tui.core.quick.pattern import late_pattern
from tui.core.rules.secret_headers import HARMLESS
from tui.core.text.sanitize import display_url, sanitize
from tui.core.text.units import editable_size

if TYPE_CHECKING:
    from tui.config.option import Option
    from tui.core.settings import HostRule, Login, Settings

_STORE_PATH = late_pattern(r"\A((?:s3|gs|az):)/(?=[^/])", re.IGNORECASE)
HIDDEN = "(hidden)"


def shown_value(option: Option, value: Any) -> str:
    """Return a value on one line, as TOML where possible, with secrets hidden."""
    if value in (None, "", ()):
        return "-"
    shown: Any
    match option.key:
        case "output-dir":
            # A path has one slash less than the address of an object store.
            shown = _STORE_PATH.sub(r"\1//", str(value))
        case "headers":
            shown = [_header(name, text) for name, text in value]
        case "proxy":
            shown = split_proxy(value)[0]
        case "referer":
            shown = display_url(value)
        case "user" | "proxy-user":
            shown = value.partition(":")[0]
        case key if key.endswith(("password-from", "bearer-from", "secret-from")):
            shown = _reference(value)
        case "hosts":
            return sanitize("; ".join(_host(rule) for rule in value))
        case "keys":
            return sanitize("; ".join(f"{name} = {toml_text(k)}" for name, k in value))
        case "resolve":
            shown = [f"{host}:{port or '*'}:{address}" for host, port, address in value]
        case _ if option.kind in (Kind.SIZE, Kind.RATE) and value % 1024 == 0:
            shown = editable_size(value)  # as a user would write it
        case key if key.startswith("hooks.on"):
            shown = shlex.join(value)
        case _:
            shown = value
    return sanitize(toml_text(shown))


def _header(name: str, text: str) -> str:
    return f"{name}: {text if name.lower() in HARMLESS else HIDDEN}"


def _host(rule: HostRule) -> str:
    parts = []
    if rule.cap:
        parts.append(f"cap = {rule.cap}")
    if rule.rate_limit:
        parts.append(f"limit-rate = {toml_text(editable_size(rule.rate_limit))}")
    if rule.headers:
        headers = [_header(name, text) for name, text in rule.headers]
        parts.append(f"headers = {toml_text(headers)}")
    if rule.login:
        parts.append(_login(rule.login))
    if rule.proxy:
        parts.append(f"proxy = {toml_text(split_proxy(rule.proxy)[0])}")
    return f'"{rule.pattern}": {", ".join(parts) or "nothing"}'


def _reference(text: str) -> str:
    """Return a reference to a secret, without a name that may be the secret itself."""
    kind, colon, name = text.partition(":")
    match kind:
        case "env":
            is_known = name in os.environ
        case "file":
            is_known = os.path.exists(os.path.expanduser(name))
        case "keyring":
            is_known = "." in name
        case _:
            is_known = False
    return text if is_known or not colon else f"{kind}:…"


def _login(login: Login) -> str:
    is_text = login.secret.startswith("text:")
    secret = HIDDEN if is_text else _reference(login.secret)
    who = f"user = {toml_text(login.user)}, " if login.user else ""
    return f"{who}{login.scheme.value} from {secret}"


_WITH_SECRETS = frozenset(("headers", "login", "proxy_login", "proxy"))
"""Fields that consist of several settings, some of them secret."""


def shown_settings(settings: Settings) -> dict[str, str]:
    """Return the settings that a process uses, as text by key, without secrets."""
    shown = {}
    for option in OPTIONS:
        if not option.field or option.field in _WITH_SECRETS:
            continue
        value = attrgetter(option.field)(settings)
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, str | int | float | bool | os.PathLike | None):
            shown[option.key] = shown_value(option, value)
    return shown
