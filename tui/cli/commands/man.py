"""``fetchtui man``: the man page, and the option table of the docs."""

from __future__ import annotations

import datetime
import re

import click

from tui import __version__
from tui.cli.options import ALL, EXAMPLES, default_text, spelling
from tui.cli.subcommands import SUBCOMMANDS
from tui.config.option import Group, Option
from tui.config.precedence import ORDER
from tui.config.registry import HOST_KEYS
from tui.config.values import Kind

_STATUSES = (
    ("0", "All downloads are complete."),
    ("1", "At least one download failed or is unfinished."),
    (
        "2",
        "Usage error, or an error in a list or the settings; nothing was downloaded.",
    ),
    ("130", "Interrupted; progress is saved. Run the same command to resume."),
)
_ABOUT = """\
fetchtui downloads files over http and https and shows every transfer in a dashboard,
where concurrency, limits and single downloads can be changed at any time. SOURCE is a
URL, a list file, or - for standard input. If a list has the name of a subcommand, write
./config or put it after --. Without a SOURCE, the dashboard reopens the last session.
If standard output is not a terminal, progress is printed as plain lines instead."""
_VARIABLES = (
    ("FETCHTUI_CONFIG", "Path of the settings file."),
    ("FETCHTUI_PROFILE", "Profile to apply; see --profile."),
    ("FETCHTUI_STATE_DIR", "Directory in which sessions are stored."),
    (
        "http_proxy, https_proxy, all_proxy, no_proxy",
        "Proxies, unless a setting names one.",
    ),
    ("NETRC", "File to read instead of ~/.netrc, for --netrc."),
    ("SSL_CERT_FILE", "CA certificates to trust instead of the system's."),
)


@click.command()
def man() -> None:
    """Print the man page: fetchtui man | man -l -."""
    click.echo(man_page(), nl=False)


def man_page() -> str:
    """Return the man page as roff (man(7))."""
    date = datetime.date.today().isoformat()  # noqa: DTZ011  # only the day matters
    out = [
        f'.TH FETCHTUI 1 "{date}" "fetchtui {__version__}" "User Commands"',
        ".SH NAME",
        roff("fetchtui - a download dashboard for the terminal"),
        ".SH SYNOPSIS",
        ".B fetchtui",
        "[\\fIOPTION\\fR]... [\\fISOURCE\\fR]...",
        ".SH DESCRIPTION",
        roff(_ABOUT),
        ".SH COMMANDS",
    ]
    for name, command in SUBCOMMANDS.items():
        out += _entry(f"fetchtui {name}", command.summary)
    out.append(".SH OPTIONS")
    for group in Group:
        out.append(f'.SS "{group.value}"')
        for option in ALL:
            if option.group is group and option.spellings:
                out += _entry(spelling(option), described(option))
    out += _settings_part()
    out.append(".SH ENVIRONMENT")
    out.append(
        roff(
            "Each option has an environment variable: FETCHTUI_ and its name in upper"
            " case, with _ for -, such as FETCHTUI_LIMIT_RATE. Write the values of a"
            " repeatable option one per line."
        )
    )
    for name, text in _VARIABLES:
        out += _entry(name, text)
    out.append(".SH EXIT STATUS")
    for name, text in _STATUSES:
        out += _entry(name, text)
    out += [".SH EXAMPLES", ".nf", roff(EXAMPLES.rstrip()), ".fi"]
    out += [".SH SEE ALSO", roff("curl(1), wget(1), aria2c(1)")]
    return "\n".join(out) + "\n"


def _settings_part() -> list[str]:
    out = [
        ".SH SETTINGS FILE",
        roff(
            "A TOML file. fetchtui config path prints its path; fetchtui config init"
            " writes a sample that explains every setting. Keys are the option names"
            " without --, except for those below. Later sources override earlier ones: "
            f"{', '.join(ORDER)}. The file must not contain secrets, only references to"
            " them."
        ),
    ]
    for option in ALL:
        if option.group is Group.RUN or option.long_flag == f"--{option.key}":
            continue
        out += _entry(f"{option.key} = {option.example}", described(option))
    keys = ", ".join(option.key for option in HOST_KEYS)
    out += _entry('[hosts."PATTERN"]', f"A table with any of {keys}.")
    out += _entry("[profiles.NAME]", "A table with any settings; --profile applies it.")
    return out


def described(option: Option) -> str:
    """Return the full description of an option, with its default."""
    default = default_text(option)
    text = f"{option.doc} {option.more}".rstrip()
    return f"{text} Default: {default}." if default else text


def _entry(head: str, text: str) -> list[str]:
    return [".TP", f"\\fB{roff(head)}\\fR", roff(text)]


def roff(text: str) -> str:
    """Escape text for roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti")
    text = text.replace("^", "\\(ha").replace("'", "\\(aq").replace("`", "\\(ga")
    return re.sub(r"^(?=\.)", r"\\&", text, flags=re.MULTILINE)


def markdown_options() -> str:
    """Return the option table of the docs, in Markdown."""
    out = []
    for group in Group:
        out += ["", f"**{group.value}**", "", "| Option | Meaning |", "|---|---|"]
        for option in ALL:
            if option.group is not group or option.kind is Kind.TABLE:
                continue
            text = described(option).replace("|", "\\|")
            for word in option.choices:
                text = re.sub(rf"(?<![\w`-])({word})(?= \w| \()", r"`\1`", text)
            shown = spelling(option).replace("|", "\\|")
            out.append(f"| `{shown}` | {text} |")
    out[-1] += (
        "\n| `--version`, `-h`, `--help` | Show the version or this help, and exit. |"
    )
    return "\n".join(out)
