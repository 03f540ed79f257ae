"""Load the settings of a run, check them, and prompt for missing passwords."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click

from tui.config.display import shown_value
from tui.config.errors import ConfigError, Problem
from tui.config.location import read_config
from tui.config.option import Group, SettingValue
from tui.config.precedence import PROFILE_VARIABLE, resolve
from tui.config.registry import BY_KEY, OPTIONS, THEMES
from tui.config.values import suggest
from tui.core.request import origin_of
from tui.core.rules.hosts import matches
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tui.cli.options import CommandLine
    from tui.config.document import Document
    from tui.config.precedence import Resolved
    from tui.core.settings import Login, Settings

_SHOWN_PROBLEMS = 20


def load_settings(line: CommandLine) -> Resolved:
    """Merge the settings file, the environment and the command line.

    The demo takes only the dashboard's settings from the file and the environment:
    proxies, logins and hooks must not affect it.
    """
    document = read_config()
    environment = dict(os.environ)
    if line.demo:
        for option in OPTIONS:
            if option.group is not Group.DASHBOARD:
                environment.pop(option.variable, None)
        environment.pop(PROFILE_VARIABLE, None)
        document.values = {
            key: found
            for key, found in document.values.items()
            if key.startswith("dashboard.") or key == "keys"
        }
        document.profile = ""
    resolved = resolve(
        document,
        profile=None if line.demo else line.profile,
        environment=environment,
        command_line=line.settings,
    )
    if line.demo:
        _choose_for_demo(resolved)
    keys = resolved.values["keys"]
    if keys.value:
        resolved.problems += _check_keys(document, keys.value, keys.source)
    resolved.problems += _check_theme(resolved)
    return resolved


def _choose_for_demo(resolved: Resolved) -> None:
    """Set what the demo needs, unless it is set on the command line."""
    from tui.demo.playlist import CONCURRENCY, TIMEOUT_S

    chosen = {
        # Its server is on this machine, so no proxy from the environment reaches it.
        "proxy": "direct",
        "timeout": TIMEOUT_S,
        # The speeds of its server are chosen for a fixed concurrency.
        "auto": False,
    }
    values = resolved.values
    if values["auto"].source == "default":
        chosen["concurrency"] = CONCURRENCY
    for key, value in chosen.items():
        if values[key].source == "default":
            values[key] = SettingValue(value, "--demo")


def known_actions() -> dict[str, str]:
    """Return the name and title of every dashboard action."""
    from tui.ui.keys.registry import ACTIONS

    return {action.id: action.title for action in ACTIONS}


def _check_keys(
    document: Document, keys: Sequence[tuple[str, object]], source: str
) -> list[Problem]:
    """Return a problem for every unknown action."""
    known = known_actions()
    problems = []
    for name, _ in keys:
        if name not in known:
            where = document.location(("keys", name)) if document.text else source
            problems.append(Problem(where, f"keys: {_unknown_action(name, known)}"))
    return problems


def wrong_keys(resolved: Resolved) -> list[Problem]:
    """Return a problem for every key that the dashboard would not bind.

    The dashboard reports them, too, and binds the other keys.
    """
    setting = resolved.values["keys"]
    if not setting.value:
        return []
    from tui.ui.keys.keymap import Keymap  # imports Textual

    document = read_config()
    overrides = {name: list(keys) for name, keys in setting.value}
    problems = []
    for reason in Keymap().apply(overrides):
        match = re.match(r"keys\.(\w+)", reason)
        at = ("keys", match[1]) if match is not None else ("keys",)
        problems.append(Problem(document.location(at), reason))
    return problems


def wrong_key(action: str, text: str) -> str:
    """Return what is wrong with keys for an action; "" if they are keys.

    Whether other actions have them is not looked at, so that two can swap their keys.
    """
    from tui.ui.keys.keymap import Keymap  # imports Textual

    own = f"keys.{action}: "
    reasons = Keymap().apply({action: text.replace(",", " ").split()})
    return next((r.removeprefix(own) for r in reasons if r.startswith(own)), "")


def _unknown_action(name: str, known: Collection[str]) -> str:
    near = suggest(name, known) or "; fetchtui config explain keys lists them"
    return f"unknown action {sanitize(name, 60)!r}{near}"


def wrong_name(key: str, name: str) -> str:
    """Return what is wrong with a theme, or with the action of a key; "" if nothing.

    Args:
        key: of the setting: ``dashboard.theme``, or ``keys.`` and the action.
        name: the value; not looked at for keys.
    """
    if key == "dashboard.theme" and name and name not in THEMES:
        # A later version of Textual may have more.
        from tui.ui.style.theme import wrong_theme

        return wrong_theme(name)
    action = key.removeprefix("keys.")
    if action != key and action not in (known := known_actions()):
        return _unknown_action(action, known)
    return ""


def _check_theme(resolved: Resolved) -> list[Problem]:
    """Return a problem if the theme does not exist."""
    theme = resolved.values["dashboard.theme"]
    reason = wrong_name("dashboard.theme", theme.value)
    if not reason:
        return []
    option = BY_KEY["dashboard.theme"]
    if theme.source not in (option.long_flag, option.variable):
        reason = f"{option.key}: {reason}"  # a file has many settings
    return [Problem(theme.source, reason)]


def build_settings(resolved: Resolved) -> Settings:
    """Build the settings, or print all problems and exit with status 2."""
    try:
        return resolved.settings()
    except ConfigError as error:
        lines = [str(problem) for problem in error.problems]
        more = len(lines) - _SHOWN_PROBLEMS
        for text in lines[:_SHOWN_PROBLEMS]:
            click.echo(f"fetchtui: {text}", err=True)
        if more > 0:
            click.echo(f"fetchtui: and {more:,} more", err=True)
        sys.exit(2)


def print_settings(resolved: Resolved) -> None:
    """Print to stderr each setting that is not the default, and its source."""
    for option in OPTIONS:
        setting = resolved.values[option.key]
        if setting.source != "default":
            shown = shown_value(option, setting.value)
            click.echo(f"setting {option.key} = {shown}  ({setting.source})", err=True)
    for note in resolved.notes:
        click.echo(f"note: {note}", err=True)


def prompt_for_passwords(settings: Settings, urls: Iterable[str]) -> Settings:
    """Prompt for every password that no setting provides.

    Call this before the event loop runs, because it waits for the user.

    Args:
        settings: may contain logins whose secret is ``ask``.
        urls: a host's password is prompted for only if one of these is on that host.

    Raises:
        UsageError: there is no terminal to prompt on.
    """
    login, proxy_login = settings.login, settings.proxy_login
    if _needs_prompt(login):
        login = _prompt(login, "", "--password-from")
    if _needs_prompt(proxy_login):
        proxy_login = _prompt(proxy_login, "at the proxy", "--proxy-password-from")
    hosts = settings.hosts
    if any(_needs_prompt(rule.login) for rule in hosts):
        origins = {origin_of(url) for url in urls}
        hosts = tuple(
            rule._replace(
                login=_prompt(
                    rule.login, f"at {sanitize(rule.pattern)}", "password-from"
                ),
            )
            if _needs_prompt(rule.login)
            and any(matches(rule.pattern, origin) for origin in origins)
            else rule
            for rule in hosts
        )
    return settings._replace(login=login, proxy_login=proxy_login, hosts=hosts)


def _needs_prompt(login: Login | None) -> bool:
    return login is not None and login.secret == "ask"


def _prompt(login: Login | None, where: str, option: str) -> Login:
    from getpass import getpass

    assert login is not None
    try:
        # Without a terminal, getpass would echo and read stdin, which may be a list.
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise click.UsageError(
            f"cannot prompt for the password of {login.user} without a terminal; use"
            f" {option}, for example with env:NAME"
        ) from None
    try:
        secret = getpass(f"Password for {login.user}{where and ' '}{where}: ")
    except EOFError:
        raise click.UsageError("no password entered") from None
    return login._replace(secret=f"text:{secret}")
