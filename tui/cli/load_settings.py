"""What holds in this run: the command line over the environment over the file."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tui.config.display import shown_value
from tui.config.errors import ConfigError
from tui.config.location import read_config
from tui.config.option import Group
from tui.config.precedence import PROFILE_VARIABLE, resolve
from tui.config.registry import OPTIONS
from tui.core.request import origin_of
from tui.core.rules.hosts import matches
from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.cli.command_line import CommandLine
    from tui.config.precedence import Resolved
    from tui.core.settings import Login, Settings

_COMPLAINTS = 20


def settle(line: CommandLine) -> Resolved:
    """Read the settings file and the environment; add what was typed.

    The demo takes only what concerns the dashboard from the file: a proxy, a login
    or a command to run afterwards have no business with it.
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
        command_line=line.asked,
    )
    keys = resolved.values["keys"]
    if keys.value:
        from tui.cli.preflight import check_keys

        resolved.complaints += check_keys(document, keys.value, keys.source)
    return resolved


def settings_of(resolved: Resolved) -> Settings:
    """Build the settings, or end the program with status 2 and every complaint."""
    try:
        return resolved.settings()
    except ConfigError as error:
        lines = [str(complaint) for complaint in error.complaints]
        more = len(lines) - _COMPLAINTS
        for text in lines[:_COMPLAINTS]:
            click.echo(f"fetchtui: {text}", err=True)
        if more > 0:
            click.echo(f"fetchtui: and {more:,} more", err=True)
        sys.exit(2)


def tell_settings(resolved: Resolved) -> None:
    """Say on stderr which settings are not the usual ones, and who says so."""
    for option in OPTIONS:
        given = resolved.values[option.key]
        if given.source != "default":
            shown = shown_value(option, given.value)
            click.echo(f"setting {option.key} = {shown}  ({given.source})", err=True)
    for note in resolved.notes:
        click.echo(f"note: {note}", err=True)


def ask_secrets(settings: Settings, urls: Iterable[str]) -> Settings:
    """Ask on the terminal for passwords that nobody says where to find.

    Call it before the loop runs: it waits for a person.

    Args:
        settings: logins in it may have ``ask`` as their secret.
        urls: a host's password is asked for only if something comes from it.

    Raises:
        UsageError: there is no terminal to ask on.
    """
    login, proxy_login = settings.login, settings.proxy_login
    if _is_asking(login):
        login = _ask(login, "", "--password-from")
    if _is_asking(proxy_login):
        proxy_login = _ask(proxy_login, "at the proxy", "--proxy-password-from")
    hosts = settings.hosts
    if any(_is_asking(rule.login) for rule in hosts):
        origins = {origin_of(url) for url in urls}
        hosts = tuple(
            rule._replace(
                login=_ask(rule.login, f"at {plain(rule.pattern)}", "password-from"),
            )
            if _is_asking(rule.login)
            and any(matches(rule.pattern, origin) for origin in origins)
            else rule
            for rule in hosts
        )
    return replace(settings, login=login, proxy_login=proxy_login, hosts=hosts)


def _is_asking(login: Login | None) -> bool:
    return login is not None and login.secret == "ask"


def _ask(login: Login | None, place: str, option: str) -> Login:
    from getpass import getpass

    assert login is not None
    try:
        # getpass falls back to an echoing prompt on stdin; a list may stand there.
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise click.UsageError(
            f"there is no terminal to ask {login.user} for the password on; say where"
            f" it is with {option}, such as env:NAME"
        ) from None
    try:
        secret = getpass(f"Password for {login.user}{place and ' '}{place}: ")
    except EOFError:
        raise click.UsageError("no password was given") from None
    return login._replace(secret=f"text:{secret}")
