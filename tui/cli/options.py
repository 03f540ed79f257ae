"""Options as click takes them, and ``--help`` made of the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui import __version__
from tui.cli.run_options import ALL, RUN
from tui.config.option import Group
from tui.config.values import Kind
from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tui.config.option import Option

_IS_RUN = frozenset(option.key for option in RUN)
_ON_OFF = frozenset(("fsync",))
"""Switches that are spelled ``--fsync off``."""
_IP_FLAGS = {"-4": "4", "-6": "6"}


class Parameter(click.Option):
    """A click option that remembers what it was made of."""

    def __init__(self, option: Option, declarations: list[str], **extra: Any) -> None:
        super().__init__(declarations, help=option.doc, default=None, **extra)
        self.option = option

    def shell_complete(
        self, _ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Return the values that a shell may offer."""
        from tui.cli.commands.completion import values

        return values(self.option, incomplete)


def dest(option: Option) -> str:
    """Return the name under which click hands an option's value over."""
    return option.key.replace("-", "_").replace(".", "__")


def parameters() -> list[click.Parameter]:
    """Return all options of the command line, in the order of ``--help``."""
    made: list[click.Parameter] = [
        click.Argument(
            ["sources"], nargs=-1, metavar="[SOURCE]...", shell_complete=_sources
        )
    ]
    made += [_parameter(option) for option in ALL if option.spellings]
    for flag, value in _IP_FLAGS.items():
        made.append(
            click.Option(
                [flag, f"ip_{value}"],
                is_flag=True,
                help=f"Connect by IPv{value} only.",
                hidden=True,
            )
        )
    made.append(
        click.version_option(
            __version__, prog_name="fetchtui", message="%(prog)s %(version)s"
        )(click.Command("x")).params[0]
    )
    return made


def _sources(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from tui.cli.commands.completion import sources

    return sources(context, incomplete)


def _parameter(option: Option) -> Parameter:
    flags = [*option.spellings, dest(option)]
    if option.kind is Kind.SWITCH and option.key not in _ON_OFF:
        if option.key not in _IS_RUN:
            flags[-2] += f"/--no-{flags[-2][2:]}"
        return Parameter(option, flags, is_flag=True)
    return Parameter(
        option,
        flags,
        type=str,
        multiple=option.kind is Kind.WORDS,
        metavar=metavar(option),
        callback=_read,
    )


def metavar(option: Option) -> str:
    """Return what stands for the value in ``--help``."""
    if option.key in _ON_OFF:
        return "[on|off]"
    if option.choices:
        return f"[{'|'.join(option.choices)}]"
    return option.metavar


def _read(_context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    assert isinstance(parameter, Parameter)
    option = parameter.option
    try:
        if isinstance(value, tuple):
            return tuple(option.parse(text) for text in value)
        return None if value is None else option.read_text(value)
    except ValueError as error:
        raise click.BadParameter(plain(str(error))) from None


# -- help ------------------------------------------------------------------------------

EXAMPLES = """\
  fetchtui https://example.org/big.iso           one file, into this directory
  fetchtui -o data -c 16 list.txt more.csv       two lists, sixteen at once
  fetchtui 'https://example.org/{01..50}.jpg'    fifty files
  fetchtui --links '*.pdf' https://example.org/  what a page links to
  some-command | fetchtui -                      a list from a pipe
  fetchtui                                       the last session as it was left
  fetchtui -n --sizes list.txt                   only look: names, sizes
  fetchtui -u me --auth digest URL               log in; asks for the password
  fetchtui --profile work --limit-rate 2M URL    settings for this run
  fetchtui --json list.txt | jq .event           for scripts
"""


def help_rows(group: Group) -> list[tuple[str, str]]:
    """Return spelling and meaning of each option of a group."""
    return [
        (spelling(option), _meaning(option))
        for option in ALL
        if option.group is group and option.spellings
    ]


def spelling(option: Option) -> str:
    """Return ``-c, --concurrency N`` or ``--[no-]unpack``."""
    *short, long = option.spellings
    if option.kind is Kind.SWITCH and option.key not in _ON_OFF | _IS_RUN:
        long = f"--[no-]{long[2:]}"
    text = ", ".join((*short, long))
    meta = metavar(option) if option.kind is not Kind.SWITCH else ""
    if option.key in _ON_OFF:
        meta = metavar(option)
    return f"{text} {meta}".rstrip()


def default_text(option: Option) -> str:
    """Return the default in words, or "" where nothing is the default."""
    if option.default_text:
        return option.default_text
    if option.key in _IS_RUN or option.default in (None, "", ()):
        return ""
    if isinstance(option.default, bool):
        return (
            ("on" if option.default else "off")
            if option.key in _ON_OFF
            else ("yes" if option.default else "")
        )
    return (
        f"{option.default:g}"
        if isinstance(option.default, float)
        else str(option.default)
    )


def _meaning(option: Option) -> str:
    default = default_text(option)
    return f"{option.doc}  [{default}]" if default else option.doc


def write_help(formatter: click.HelpFormatter) -> None:
    """Write all options under their headings."""
    for group in Group:
        rows = help_rows(group)
        if group is Group.RUN:
            rows += [
                ("--version", "Say which version this is."),
                ("-h, --help", "Show this."),
            ]
        with formatter.section(group.value):
            formatter.write_dl(rows, col_max=26)
