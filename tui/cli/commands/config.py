"""``fetchtui config``: show, explain, edit and check settings."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import click
from click.shell_completion import CompletionItem

from tui.cli.load_settings import (
    known_actions,
    load_settings,
    wrong_key,
    wrong_keys,
    wrong_name,
)
from tui.cli.options import RUN, CommandLine
from tui.config import editor
from tui.config.display import shown_value
from tui.config.errors import ConfigError
from tui.config.location import config_path, read_config, shown_path
from tui.config.precedence import ORDER, PROFILE_VARIABLE
from tui.config.registry import BY_KEY, HOST_KEYS, OPTIONS, THEMES, find
from tui.config.sample import sample
from tui.config.values import Kind
from tui.core.rules.exit_status import USAGE_ERROR
from tui.core.text.sanitize import sanitize
from tui.sources.readers.shell_words import split_words

if TYPE_CHECKING:
    from pathlib import Path

    from tui.config.editor import ConfigFile
    from tui.config.errors import Problem
    from tui.config.option import Option
    from tui.config.precedence import Resolved


@click.group(no_args_is_help=True)
def config() -> None:
    """Show, explain and change settings.

    Later sources override earlier ones: defaults, settings file, profile, environment,
    command line.
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
@click.option("--profile", metavar="NAME", help="Apply this profile.")
@click.option("--changed", is_flag=True, help="Only settings that are not the default.")
def show(profile: str | None, changed: bool) -> None:
    """Show effective settings and where each comes from."""
    resolved = load_settings(CommandLine(profile=profile))
    click.echo(f"# {shown_path(config_path())}; precedence: {' < '.join(ORDER)}")
    for option in OPTIONS:
        setting = resolved.values[option.key]
        if changed and setting.source == "default":
            continue
        line = f"{option.key} = {shown_value(option, setting.value)}"
        click.echo(f"{line:<50}  # {setting.source}")
    _check(resolved)


@config.command()
def path() -> None:
    """Print the path of the settings file, even if it does not exist."""
    click.echo(str(config_path()))


@config.command()
@click.argument("key", required=False, shell_complete=_complete_key)
def explain(key: str | None) -> None:
    """Explain one setting, or list all of them."""
    if key is None:
        for option in OPTIONS:
            click.echo(f"{option.key:<28}  {_first_sentence(option.doc)}")
        click.echo("\nFor details of one setting: fetchtui config explain KEY")
        return
    if key.removeprefix("--") == "profile":
        _explain_profile()
        return
    option = _find(key)
    click.echo(option.key)
    click.echo(f"  {option.doc}")
    if option.more:
        click.echo(f"  {option.more}")
    for name, text in _facts(option):
        click.echo(f"  {name:<12} {text}")
    if option.key == "keys":
        for name, title in known_actions().items():
            click.echo(f"    {name:<22} {title}")
    if option.key == "hosts":
        for inner in HOST_KEYS:
            click.echo(f"    {inner.key:<22} {inner.doc}")


def _explain_profile() -> None:
    """Describe the only option of a run that the settings file has as well."""
    (option,) = (option for option in RUN if option.key == "profile")
    now = os.environ.get(PROFILE_VARIABLE) or read_config().profile
    click.echo(f"{option.key}\n  {option.doc}")
    for name, text in (
        ("type", option.kind.value),
        ("example", f'{option.key} = "metered"'),
        ("now", shown_value(option, now)),
        ("option", ", ".join(option.spellings)),
        ("variable", PROFILE_VARIABLE),
    ):
        click.echo(f"  {name:<12} {text}")


def _facts(option: Option) -> list[tuple[str, str]]:
    setting = load_settings(CommandLine()).values[option.key]
    kind = option.kind.value
    if option.choices:
        kind = f"one of {', '.join(option.choices)}"
    elif option.kind in (Kind.WHOLE, Kind.NUMBER):
        kind += f" from {option.low:g} to {option.high:,.0f}"
    elif option.key == "dashboard.theme":
        kind = f"one of {', '.join(THEMES)}"
    facts = [
        ("type", kind),
        ("default", option.default_text or shown_value(option, option.default)),
        ("example", f"{option.key} = {option.example}"),
        ("now", f"{shown_value(option, setting.value)}  ({setting.source})"),
    ]
    if option.spellings:
        facts.append(("option", ", ".join(option.spellings)))
        facts.append(("variable", option.variable))
    if option.is_live:
        facts.append(("live", "changes in the dashboard take effect immediately"))
    return facts


@config.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("key", shell_complete=_complete_key)
@click.argument("value", nargs=-1, required=True)
def set_value(key: str, value: tuple[str, ...]) -> None:
    """Set KEY to VALUE in the settings file; comments are kept.

    For a list, give several values.
    """
    file = _load()
    option = None if key.startswith("keys.") else _find(key)
    if len(value) > 1 and option is not None and option.kind is Kind.COMMAND:
        text = shlex.join(value)
    elif len(value) > 1 and option is not None and option.kind is not Kind.WORDS:
        raise click.UsageError(f"{option.key} takes one value; quote it")
    else:
        text = "\n".join(value)
    name = key if option is None else option.key
    try:
        wrong = wrong_name(name, text)
        if not wrong and option is None:
            wrong = wrong_key(name.removeprefix("keys."), text)
        if wrong:
            raise ValueError(wrong)
        file.set_text(name, text)
    except ValueError as error:
        raise click.UsageError(f"{sanitize(key)}: {sanitize(str(error))}") from None
    _save(file)


@config.command()
@click.argument("key", shell_complete=_complete_key)
def unset(key: str) -> None:
    """Remove KEY from the settings file."""
    file = _load()
    file.unset(key if key.startswith("keys.") else _find(key).key)
    _save(file)


@config.command()
def init() -> None:
    """Write a sample settings file with every setting commented out."""
    path = config_path()
    if path.exists():
        raise click.UsageError(
            f"{shown_path(path)} already exists; use fetchtui config edit to change it"
        )
    _write(path, sample())
    click.echo(f"wrote {shown_path(path)}")


@config.command()
def edit() -> None:
    """Open the settings file in $VISUAL or $EDITOR, then check it."""
    path = config_path()
    if not path.exists():
        _write(path, sample())
    program = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        result = subprocess.run([*split_words(program), str(path)], check=False)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "unclosed quote"
        raise click.UsageError(
            f"cannot run {sanitize(program, 100)}: {reason}; choose another editor with"
            " EDITOR=..."
        ) from None
    if result.returncode:
        raise click.UsageError(
            f"{sanitize(program, 100)} exited with status {result.returncode}; the"
            " settings file was not checked"
        )
    _check_file()
    click.echo(f"{shown_path(path)} is valid")


@config.command()
def check() -> None:
    """Check the settings file; exit with status 2 if it has errors."""
    _check_file()
    if config_path().exists():
        click.echo(f"{read_config().name} is valid")
    else:
        name = shown_path(config_path())
        click.echo(f"{name} does not exist; fetchtui config init creates it")


def _check_file() -> None:
    """Exit if the settings file has mistakes, those of the dashboard included."""
    resolved = load_settings(CommandLine())
    _check(resolved)
    if problems := wrong_keys(resolved):
        _fail(problems)


def _check(resolved: Resolved) -> None:
    """Print the notes on settings; exit if one of them is wrong."""
    for note in resolved.notes:
        click.echo(f"note: {note}", err=True)
    try:
        resolved.settings()
    except ConfigError as error:
        _fail(error.problems)


def _find(key: str) -> Option:
    try:
        return BY_KEY.get(key) or find(key)
    except ValueError as error:
        if key.startswith(("hosts.", "profile")):
            advice = "edit profile, [profiles] and [hosts] with fetchtui config edit"
            raise click.UsageError(advice) from None
        joint = " " if str(error).endswith("?") else "; "
        advice = "fetchtui config explain lists them all"
        raise click.UsageError(f"{error}{joint}{advice}") from None


def _load() -> ConfigFile:
    try:
        return editor.load()
    except ConfigError as error:
        _fail(error.problems)
    except OSError as error:
        raise _access_error(config_path(), error) from None


def _save(file: ConfigFile) -> None:
    try:
        file.save()
    except ConfigError as error:
        _fail(error.problems)
    except OSError as error:
        raise _access_error(file.path, error) from None
    for problem in file.problems:
        click.echo(problem, err=True)


def _write(path: Path, text: str) -> None:
    try:
        editor.write_settings(path, text.encode())
    except OSError as error:
        raise _access_error(path, error) from None


def _access_error(path: Path, error: OSError) -> click.UsageError:
    reason = error.strerror or type(error).__name__
    return click.UsageError(
        f"cannot read or write {shown_path(path)}: {reason}; set FETCHTUI_CONFIG to use"
        " another file"
    )


def _fail(problems: list[Problem]) -> NoReturn:
    for problem in problems:
        click.echo(str(problem), err=True)
    sys.exit(USAGE_ERROR)


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].partition("; ")[0].rstrip(".")
