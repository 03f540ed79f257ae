"""The man page, and the README's table of options, out of the same registry."""

from __future__ import annotations

import datetime
import re

import click

from tui import __version__
from tui.cli.options import EXAMPLES, default_text, spelling
from tui.cli.program import SUBCOMMANDS
from tui.cli.run_options import ALL
from tui.config.option import Group, Option
from tui.config.options_network import HOST_KEYS
from tui.config.precedence import ORDER
from tui.config.values import Kind

_STATUSES = (
    ("0", "Everything was fetched."),
    ("1", "At least one download failed or is unfinished."),
    (
        "2",
        "Wrong usage, or a mistake in a list or in the settings; nothing was fetched.",
    ),
    ("130", "Interrupted; what was fetched is kept, and the same command goes on."),
)
_ABOUT = """\
fetchtui downloads files over http and https and shows every transfer in a dashboard:
concurrency, limits and single downloads change while it runs. SOURCE is a URL, a list
file, or - for standard input; a word of the commands below names a list of that name
only as ./WORD or behind --. Without any SOURCE the dashboard opens the last session as
it was left. Where standard output is no terminal, there are plain lines instead."""
_VARIABLES = (
    ("FETCHTUI_CONFIG", "Another settings file."),
    ("FETCHTUI_PROFILE", "The profile to take, as --profile."),
    ("FETCHTUI_STATE_DIR", "Where sessions are kept."),
    (
        "http_proxy, https_proxy, all_proxy, no_proxy",
        "Proxies, where no setting names one.",
    ),
    ("NETRC", "Another file than ~/.netrc, for --netrc."),
    ("SSL_CERT_FILE", "Certificates to trust instead of the system's."),
)


@click.command()
def man() -> None:
    """Print the man page: fetchtui man | man -l -."""
    click.echo(man_page(), nl=False)


def man_page() -> str:
    """Return the man page as roff (man(7))."""
    date = datetime.date.today().isoformat()  # noqa: DTZ011  # a day is all it tells
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
    for name, word in SUBCOMMANDS.items():
        out += _entry(f"fetchtui {name}", word.summary)
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
            "Each option has a variable: FETCHTUI_ and its name in capitals, with _ for"
            " -, such as FETCHTUI_LIMIT_RATE. Lists have one text a line."
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
            "A file in TOML; fetchtui config path tells where, fetchtui config init"
            " makes one that explains itself. Keys are the names of the options without"
            " --, but for those below. The later of these wins: "
            f"{', '.join(ORDER)}. Secrets are refused in it; it says where they are."
        ),
    ]
    for option in ALL:
        if option.group is Group.RUN or option.long_flag == f"--{option.key}":
            continue
        out += _entry(f"{option.key} = {option.example}", described(option))
    keys = ", ".join(option.key for option in HOST_KEYS)
    out += _entry('[hosts."PATTERN"]', f"A table with any of {keys}.")
    out += _entry("[profiles.NAME]", "A table with any settings; --profile takes it.")
    return out


def described(option: Option) -> str:
    """Return all there is to say about an option."""
    default = default_text(option)
    text = f"{option.doc} {option.more}".rstrip()
    return f"{text} Default: {default}." if default else text


def _entry(head: str, text: str) -> list[str]:
    return [".TP", f"\\fB{roff(head)}\\fR", roff(text)]


def roff(text: str) -> str:
    """Return text so that roff takes no character of it for its own."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti")
    text = text.replace("^", "\\(ha").replace("'", "\\(aq").replace("`", "\\(ga")
    return re.sub(r"^(?=\.)", r"\\&", text, flags=re.MULTILINE)


def markdown_options() -> str:
    """Return the README's table of options."""
    out = []
    for group in Group:
        out += ["", f"**{group.value}**", "", "| option | means |", "|---|---|"]
        for option in ALL:
            if option.group is not group or option.kind is Kind.TABLE:
                continue
            text = described(option).replace("|", "\\|")
            for word in option.choices:
                text = re.sub(rf"(?<![\w`-])({word})(?= \w| \()", r"`\1`", text)
            shown = spelling(option).replace("|", "\\|")
            out.append(f"| `{shown}` | {text} |")
    out[-1] += (
        "\n| `--version`, `-h`, `--help` | Say which version this is; list these. |"
    )
    return "\n".join(out)
