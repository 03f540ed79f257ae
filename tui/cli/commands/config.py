"""``fetchtui config``: what can be set, what is, where that is said."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import click
from click.shell_completion import CompletionItem

from tui.cli.command_line import CommandLine
from tui.cli.load_settings import settle
from tui.cli.preflight import check_theme
from tui.config import editor
from tui.config.display import shown_value
from tui.config.errors import ConfigError
from tui.config.location import config_path, read_config, shown_path
from tui.config.options_network import HOST_KEYS
from tui.config.precedence import ORDER
from tui.config.registry import BY_KEY, OPTIONS, find
from tui.config.sample import sample
from tui.config.values import Kind
from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from pathlib import Path

    from tui.config.editor import ConfigFile
    from tui.config.errors import Complaint
    from tui.config.option import Option

BAD = 2


@click.group(no_args_is_help=True)
def config() -> None:
    """Show, explain and change the settings.

    The later of these wins: defaults, settings file, profile, environment, command
    line.
    """


def _complete_key(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [
        CompletionItem(option.key, help=option.doc)
        for option in OPTIONS
        if option.key.startswith(incomplete)
    ]


@config.command()
@click.option("--profile", metavar="NAME", help="With this profile.")
@click.option("--changed", is_flag=True, help="Only what is not the default.")
def show(profile: str | None, changed: bool) -> None:
    """Tell what holds, and who says so."""
    resolved = settle(CommandLine(profile=profile))
    click.echo(f"# {shown_path(config_path())}; the later wins: {', '.join(ORDER)}")
    for option in OPTIONS:
        given = resolved.values[option.key]
        if changed and given.source == "default":
            continue
        line = f"{option.key} = {shown_value(option, given.value)}"
        click.echo(f"{line:<50}  # {given.source}")
    for note in resolved.notes:
        click.echo(f"note: {note}", err=True)
    try:
        resolved.settings()
    except ConfigError as error:
        _complain(error.complaints)


@config.command()
def path() -> None:
    """Tell where the settings file is, whether it is there or not."""
    click.echo(str(config_path()))


@config.command()
@click.argument("key", required=False, shell_complete=_complete_key)
def explain(key: str | None) -> None:
    """Explain one setting, or list all of them."""
    if key is None:
        for option in OPTIONS:
            click.echo(f"{option.key:<28}  {_first_sentence(option.doc)}")
        click.echo("\nfetchtui config explain KEY tells more about one.")
        return
    option = _find(key)
    click.echo(option.key)
    click.echo(f"  {option.doc}")
    if option.more:
        click.echo(f"  {option.more}")
    for name, text in _facts(option):
        click.echo(f"  {name:<12} {text}")
    if option.key == "keys":
        from tui.cli.preflight import known_actions

        for name, title in known_actions().items():
            click.echo(f"    {name:<22} {title}")
    if option.key == "hosts":
        for inner in HOST_KEYS:
            click.echo(f"    {inner.key:<22} {inner.doc}")


def _facts(option: Option) -> list[tuple[str, str]]:
    given = settle(CommandLine()).values[option.key]
    kind = option.kind.value
    if option.choices:
        kind = f"one of {', '.join(option.choices)}"
    elif option.kind in (Kind.WHOLE, Kind.NUMBER):
        kind += f" from {option.low:g} to {option.high:,.0f}"
    facts = [
        ("is", kind),
        ("default", option.default_text or shown_value(option, option.default)),
        ("example", f"{option.key} = {option.example}"),
        ("now", f"{shown_value(option, given.value)}  ({given.source})"),
    ]
    if option.spellings:
        facts.append(("option", ", ".join(option.spellings)))
        facts.append(("variable", option.variable))
    if option.is_live:
        facts.append(("live", "a change in the dashboard takes effect at once"))
    return facts


@config.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("key", shell_complete=_complete_key)
@click.argument("value", nargs=-1, required=True)
def set_value(key: str, value: tuple[str, ...]) -> None:
    """Write a setting into the file; its comments stay.

    A list is written as several values.
    """
    file = _load()
    option = None if key.startswith("keys.") else _find(key)
    if len(value) > 1 and option is not None and option.kind is Kind.COMMAND:
        text = shlex.join(value)
    elif len(value) > 1 and option is not None and option.kind is not Kind.WORDS:
        raise click.UsageError(f"{option.key} takes one value; put it in quotes")
    else:
        text = "\n".join(value)
    try:
        file.set_text(key if option is None else option.key, text)
    except ValueError as error:
        raise click.UsageError(f"{plain(key)}: {plain(str(error))}") from None
    _save(file)


@config.command()
@click.argument("key", shell_complete=_complete_key)
def unset(key: str) -> None:
    """Take a setting out of the file."""
    file = _load()
    file.unset(key if key.startswith("keys.") else _find(key).key)
    _save(file)


@config.command()
def init() -> None:
    """Write a settings file that explains every setting, all commented out."""
    place = config_path()
    if place.exists():
        raise click.UsageError(
            f"{shown_path(place)} is there already; change it with fetchtui config edit"
        )
    _write(place, sample())
    click.echo(f"written: {shown_path(place)}")


@config.command()
def edit() -> None:
    """Open the settings file in VISUAL or EDITOR, and check it afterwards."""
    place = config_path()
    if not place.exists():
        _write(place, sample())
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        ended = subprocess.run([*shlex.split(editor), str(place)], check=False)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "a quote is not closed"
        raise click.UsageError(
            f"cannot run {plain(editor, 100)}: {reason}; say another editor with"
            " EDITOR=..."
        ) from None
    if ended.returncode:
        raise click.UsageError(
            f"{plain(editor, 100)} ended with status {ended.returncode}; the settings"
            " are as it left them"
        )
    resolved = settle(CommandLine())
    resolved.complaints += check_theme(resolved)
    if resolved.complaints:
        _complain(resolved.complaints)
    click.echo(f"{shown_path(place)} is fine")


@config.command()
def check() -> None:
    """Check the settings file; status 2 if something is wrong with it."""
    resolved = settle(CommandLine())
    resolved.complaints += check_theme(resolved)
    for note in resolved.notes:
        click.echo(f"note: {note}", err=True)
    try:
        resolved.settings()
    except ConfigError as error:
        _complain(error.complaints)
    click.echo(f"{read_config().name} is fine")


def _find(key: str) -> Option:
    try:
        return BY_KEY.get(key) or find(key)
    except ValueError as error:
        advice = "fetchtui config explain lists them all"
        if key.startswith(("hosts.", "profiles.")):
            advice = "tables with names are written with fetchtui config edit"
        raise click.UsageError(f"{error}; {advice}") from None


def _load() -> ConfigFile:
    try:
        return editor.load()
    except ConfigError as error:
        _complain(error.complaints)
    except OSError as error:
        raise _unwritable(config_path(), error) from None


def _save(file: ConfigFile) -> None:
    try:
        file.save()
    except ConfigError as error:
        _complain(error.complaints)
    except OSError as error:
        raise _unwritable(file.path, error) from None
    for complaint in file.complaints:
        click.echo(complaint, err=True)


def _write(place: Path, text: str) -> None:
    try:
        editor.replace_file(place, text.encode())
    except OSError as error:
        raise _unwritable(place, error) from None


def _unwritable(place: Path, error: OSError) -> click.UsageError:
    reason = error.strerror or type(error).__name__
    return click.UsageError(
        f"cannot read or write {shown_path(place)}: {reason}; FETCHTUI_CONFIG names"
        " another place"
    )


def _complain(complaints: list[Complaint]) -> NoReturn:
    for complaint in complaints:
        click.echo(str(complaint), err=True)
    sys.exit(BAD)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].partition("; ")[0].rstrip(".")
