"""The table of subcommands: ``fetchtui config``, ``fetchtui convert`` and so on.

A subcommand's module is imported only when it runs.
"""

from __future__ import annotations

from importlib import import_module

import click

from tui.core.quick.named_tuple import NamedTuple


class Subcommand(NamedTuple):
    """A subcommand, as ``--help`` lists it."""

    target: str
    """``module:attribute`` of a ``click.Command``."""
    summary: str
    """One line for ``--help``."""


SUBCOMMANDS = {
    "help": Subcommand(
        "tui.cli.commands.help:help_command",
        "Show a topic of the user guide, or list the topics.",
    ),
    "config": Subcommand(
        "tui.cli.commands.config:config", "Show, explain and change settings."
    ),
    "convert": Subcommand(
        "tui.cli.commands.convert:convert",
        "Convert lists to another format without downloading.",
    ),
    "scale": Subcommand(
        "tui.cli.commands.scale:scale",
        "Download a list larger than one run, on many workers.",
    ),
    "attach": Subcommand(
        "tui.cli.background.attach:attach",
        "Show a background process in the dashboard, also over ssh.",
    ),
    "ls": Subcommand("tui.cli.background.ls:ls", "List downloads in the background."),
    "add": Subcommand("tui.cli.background.add:add", "Add downloads in the background."),
    "pause": Subcommand(
        "tui.cli.background.change:pause", "Pause downloads in the background."
    ),
    "resume": Subcommand(
        "tui.cli.background.change:resume", "Resume paused downloads there."
    ),
    "cancel": Subcommand("tui.cli.background.change:cancel", "Cancel downloads there."),
    "retry": Subcommand(
        "tui.cli.background.change:retry", "Retry failed downloads there."
    ),
    "remove": Subcommand(
        "tui.cli.background.change:remove", "Remove ended downloads there."
    ),
    "limit": Subcommand(
        "tui.cli.background.limit:limit", "Show or change limits there."
    ),
    "wait": Subcommand(
        "tui.cli.background.wait:wait", "Wait until downloads there have ended."
    ),
    "stop": Subcommand("tui.cli.background.wait:stop", "Stop the background process."),
    "service": Subcommand(
        "tui.cli.background.service:service",
        "Start it at login: install, uninstall, status.",
    ),
    "bridge": Subcommand(
        "tui.cli.background.bridge:bridge",
        "Connect stdin and stdout to it, for ssh.",
    ),
    "lab": Subcommand("tui.cli.commands.lab:lab", "Benchmark download strategies."),
    "completion": Subcommand(
        "tui.cli.commands.completion:completion", "Print a shell completion script."
    ),
    "man": Subcommand("tui.cli.commands.man:man", "Print the man page."),
}

COMPLETE_VARIABLE = "_FETCHTUI_COMPLETE"
"""Environment variable that a shell sets to ask for completions."""


def find_subcommand(name: str) -> click.Command:
    """Import the command that ``SUBCOMMANDS`` lists under ``name``."""
    module, _, attribute = SUBCOMMANDS[name].target.partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    command.context_settings.setdefault("help_option_names", ["-h", "--help"])
    return command
