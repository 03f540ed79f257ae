"""The command line: its options for click, ``--help``, and what the user typed."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from tui import __version__
from tui.background.name import DEFAULT_NAME, check_name
from tui.cli.subcommands import SUBCOMMANDS
from tui.config.option import Group, Option, SettingValue
from tui.config.registry import OPTIONS, THEMES
from tui.config.values import Kind
from tui.core.quick.named_tuple import NamedTuple
from tui.core.request import Checksum, check_url
from tui.core.text.sanitize import sanitize
from tui.sources.values import parse_output_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click.shell_completion import CompletionItem

    from tui.sources.readers.fields import Columns


# -- options for one run, which no settings file contains ------------------------------


def _base_url(text: str) -> str:
    """Check a URL; text that starts with ``.`` is relative to the list's own URL."""
    return text if text.startswith(".") else check_url(text)


def _switch(name: str, doc: str, *short: str) -> Option:
    flags = (*short, f"--{name}")
    return Option(name, Kind.SWITCH, Group.RUN, doc, flags=flags, fallback=False)


def _output_name(text: str) -> str:
    """Check the name of a single file; ``-`` is standard output."""
    if text != STDOUT:
        parse_output_path(text, "--output")
    return text


STDOUT: Final = "-"
"""Value of ``--output`` for standard output."""

RUN: Final = (
    Option(
        "output",
        Kind.TEXT,
        Group.RUN,
        "Name for a single URL, below the output directory; - writes it to stdout.",
        flags=("-O", "--output"),
        metavar="NAME",
        parse=_output_name,
        more="With - the file is downloaded and verified completely, in the directory"
        " for temporary files, before its first byte is written.",
    ),
    Option(
        "input-file",
        Kind.WORDS,
        Group.RUN,
        "Read a list from this file, like a SOURCE argument; repeatable.",
        flags=("-i", "--input-file"),
        metavar="FILE",
    ),
    Option(
        "checksum",
        Kind.TEXT,
        Group.RUN,
        "Expected digest of a single URL, such as sha-256=...",
        metavar="TYPE=HEX",
        parse=Checksum.parse,
    ),
    Option(
        "links",
        Kind.TEXT,
        Group.RUN,
        "Treat sources as HTML pages and download the links that match.",
        metavar="'PATTERN'",
    ),
    Option(
        "base-url",
        Kind.TEXT,
        Group.RUN,
        "Base URL for relative names in a list, a page or SHA256SUMS.",
        metavar="URL",
        parse=_base_url,
        more="Use `.` for the folder that a list was itself downloaded from.",
    ),
    Option(
        "url-column",
        Kind.TEXT,
        Group.RUN,
        "Column of URLs in a table (CSV, JSON, Parquet, Arrow); default: url.",
        metavar="NAME",
    ),
    Option(
        "name-column",
        Kind.TEXT,
        Group.RUN,
        "Column of file names in a table; default: out or name.",
        metavar="NAME",
    ),
    Option(
        "checksum-column",
        Kind.TEXT,
        Group.RUN,
        "Column of checksums in a table; default: checksum, sha256, ...",
        metavar="NAME",
        more="The length of a digest shows its kind.",
    ),
    Option(
        "staging",
        Kind.PATH,
        Group.RUN,
        "Directory for files that are uploaded to an object store.",
        metavar="DIR",
    ),
    Option(
        "profile",
        Kind.TEXT,
        Group.RUN,
        "Also apply the settings in [profiles.NAME].",
        metavar="NAME",
    ),
    _switch("dry-run", "List what would be downloaded, and where to; then exit.", "-n"),
    _switch("sizes", "With a dry run, ask the servers for names and sizes."),
    _switch("quiet", "Print errors only; no dashboard.", "-q"),
    _switch("verbose", "Also print settings with their sources, and starts.", "-v"),
    _switch("headless", "No dashboard; implied if stdout is not a terminal."),
    _switch("json", "No dashboard; write one JSON object per line to stdout."),
    _switch("detach", "Download in the background, without this terminal.", "-b"),
    Option(
        "name",
        Kind.TEXT,
        Group.RUN,
        "Name of the background process, if there are several.",
        metavar="NAME",
        parse=check_name,
        default_text="main",
    ),
    _switch("demo", "Download from a built-in server; needs no network."),
)

ALL: Final[tuple[Option, ...]] = (*OPTIONS, *RUN)
"""Every option of the command line."""

_RUN_KEYS = frozenset(option.key for option in RUN)
_ON_OFF = frozenset(("fsync",))
"""Switches that are spelled ``--fsync off``."""
_IP_FLAGS = {"-4": "4", "-6": "6"}


# -- options for click -----------------------------------------------------------------


class Parameter(click.Option):
    """A click option together with the ``Option`` it was made from."""

    def __init__(self, option: Option, declarations: list[str], **extra: Any) -> None:
        super().__init__(declarations, help=option.doc, default=None, **extra)
        self.option = option

    def shell_complete(
        self, _ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Return completions for the option's value, or a request for file names."""
        from click.shell_completion import CompletionItem  # takes 3 ms

        option = self.option
        if option.kind is Kind.PATH:
            kind = "file" if option.must_exist or option.key == "log-file" else "dir"
            return [CompletionItem(incomplete, type=kind)]
        if option.key in ("input-file", "output"):
            return [CompletionItem(incomplete, type="file")]
        words: tuple[str, ...] = option.choices
        if option.kind is Kind.SWITCH:
            words = ("on", "off")
        elif option.key == "profile":
            from tui.config.location import read_config

            words = tuple(read_config().profiles)
        elif option.key == "dashboard.theme":
            words = THEMES
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def dest(option: Option) -> str:
    """Return the parameter name under which click passes an option's value."""
    return option.key.replace("-", "_").replace(".", "__")


def parameters() -> list[click.Parameter]:
    """Return all parameters of the main command, in the order of ``--help``."""
    made: list[click.Parameter] = [
        click.Argument(
            ["sources"],
            nargs=-1,
            metavar="[SOURCE]...",
            shell_complete=_complete_source,
        )
    ]
    made += [_parameter(option) for option in ALL if option.spellings]
    for flag, value in _IP_FLAGS.items():
        made.append(
            click.Option(
                [flag, f"ip_{value}"],
                is_flag=True,
                help=f"Connect over IPv{value} only.",
                hidden=True,
            )
        )
    made.append(
        click.version_option(
            __version__, prog_name="fetchtui", message="%(prog)s %(version)s"
        )(click.Command("x")).params[0]
    )
    return made


def _complete_source(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer file names and, for the first argument, subcommands."""
    import glob

    from click.shell_completion import CompletionItem

    files = CompletionItem(incomplete, type="file")
    # If a file name starts with these letters, the user more likely means the file.
    if context.params.get("sources") or glob.glob(glob.escape(incomplete) + "*"):
        return [files]
    words = [
        CompletionItem(name, help=subcommand.summary)
        for name, subcommand in SUBCOMMANDS.items()
        if name.startswith(incomplete)
    ]
    return [files, *words]


def _parameter(option: Option) -> Parameter:
    flags = [*option.spellings, dest(option)]
    if option.kind is Kind.SWITCH and option.key not in _ON_OFF:
        if option.key not in _RUN_KEYS:
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
    """Return the placeholder for an option's value in ``--help``."""
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
        reason = sanitize(str(error))
        if option.key == "segments" and ":" in str(value):
            reason += "; for a proxy, as with curl -x, use --proxy URL"
        elif option.key == "concurrency" and "/" in str(value):
            reason += "; to resume, as with aria2c -c, leave it out"
        elif option.key == "cookies" and "=" in str(value):
            reason += "; for a cookie itself, as with curl -b, use -H 'Cookie: ...'"
        raise click.BadParameter(reason) from None


# -- help ------------------------------------------------------------------------------

EXAMPLES = """\
  fetchtui https://example.org/big.iso           one file, to this directory
  fetchtui -o data -c 16 list.txt more.csv       two lists, 16 at a time
  fetchtui 'https://example.org/{01..50}.jpg'    50 numbered files
  fetchtui --links '*.pdf' https://example.org/  every PDF that a page links to
  some-command | fetchtui -                      a list from a pipe
  fetchtui                                       reopen the last session
  fetchtui -n --sizes list.txt                   show names and sizes only
  fetchtui -b list.txt                           in the background; then: attach
  fetchtui -qO - URL | tar xz                    verified data to a pipe
  fetchtui -u me --auth digest URL               prompts for the password
  fetchtui --profile work --limit-rate 2M URL    override settings for this run
  fetchtui --json list.txt | jq .event           machine-readable output
"""


def help_rows(group: Group) -> list[tuple[str, str]]:
    """Return the spelling and the help text of each option in a group."""
    return [
        (spelling(option), _help_text(option))
        for option in ALL
        if option.group is group and option.spellings
    ]


def spelling(option: Option) -> str:
    """Return ``-c, --concurrency N`` or ``--[no-]unpack``."""
    *short, long = option.spellings
    if option.kind is Kind.SWITCH and option.key not in _ON_OFF | _RUN_KEYS:
        long = f"--[no-]{long[2:]}"
    text = ", ".join((*short, long))
    meta = metavar(option) if option.kind is not Kind.SWITCH else ""
    if option.key in _ON_OFF:
        meta = metavar(option)
    return f"{text} {meta}".rstrip()


def default_text(option: Option) -> str:
    """Return the default as text, or "" if an option has none to show."""
    if option.default_text:
        return option.default_text
    if option.key in _RUN_KEYS or option.default in (None, "", ()):
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


def _help_text(option: Option) -> str:
    default = default_text(option)
    return f"{option.doc}  [{default}]" if default else option.doc


def write_help(formatter: click.HelpFormatter) -> None:
    """Write all options under their group headings."""
    for group in Group:
        rows = help_rows(group)
        if group is Group.RUN:
            rows += [
                ("--version", "Show the version and exit."),
                ("-h, --help", "Show this help and exit."),
            ]
        with formatter.section(group.value):
            formatter.write_dl(rows, col_max=26)


# -- what the user typed ---------------------------------------------------------------


class CommandLine(NamedTuple):
    """A parsed command line: one field per run option, plus the settings typed."""

    sources: tuple[str, ...] = ()
    """Of the arguments and of ``--input-file``."""
    output: str | None = None
    """A file name, or ``STDOUT``."""
    checksum: Checksum | None = None
    links: str | None = None
    base_url: str | None = None
    url_column: str | None = None
    name_column: str | None = None
    checksum_column: str | None = None
    staging: str | None = None
    profile: str | None = None
    dry_run: bool = False
    sizes: bool = False
    quiet: bool = False
    verbose: bool = False
    headless: bool = False
    json: bool = False
    demo: bool = False
    detach: bool = False
    name: str | None = None
    """Name of the background process; ``None`` for the default."""
    settings: Mapping[str, SettingValue] = MappingProxyType({})
    """Settings by key; only those that the user typed."""

    @property
    def wants_dashboard(self) -> bool:
        """Return True if no option rules out the dashboard."""
        has_output = self.json or self.is_dry or self.is_stdout
        return not (self.headless or self.quiet or self.detach or has_output)

    @property
    def process_name(self) -> str:
        """Return the name of the background process to start."""
        return self.name or DEFAULT_NAME

    @property
    def is_stdout(self) -> bool:
        """Return True if the file goes to standard output."""
        return self.output == STDOUT

    @property
    def verbosity(self) -> int:
        """Return -1 for errors only, 1 for extra output, else 0."""
        return int(self.verbose) - int(self.quiet)

    @property
    def is_dry(self) -> bool:
        """Return True if nothing is to be downloaded."""
        return self.dry_run or self.sizes

    @property
    def columns(self) -> Columns | None:
        """Return the columns that tables use, or ``None`` for the usual ones."""
        chosen = (self.url_column, self.name_column, self.checksum_column)
        if not any(chosen):
            return None
        from tui.sources.readers.fields import Columns  # takes 5 ms

        return Columns(*(name or "" for name in chosen))

    def value(self, key: str) -> Any:
        """Return the value typed for a setting, or ``None``."""
        setting = self.settings.get(key)
        return None if setting is None else setting.value


def read_command_line(context: click.Context, chosen: dict[str, Any]) -> CommandLine:
    """Split what click parsed into run options and settings.

    Raises:
        UsageError: options contradict each other.
    """
    settings: dict[str, SettingValue] = {}
    for option in OPTIONS:
        name = dest(option)
        if name not in chosen:
            continue
        value = chosen.pop(name)
        source = context.get_parameter_source(name)
        if value is not None and source is ParameterSource.COMMANDLINE:
            settings[option.key] = SettingValue(
                value, option.long_flag, is_explicit=True
            )
    versions = [v for v in ("4", "6") if chosen.pop(f"ip_{v}", False)]
    if len(versions) + ("ip-version" in settings) > 1:
        raise click.UsageError("use only one of -4, -6 and --ip-version")
    if versions:
        settings["ip-version"] = SettingValue(
            versions[0], f"-{versions[0]}", is_explicit=True
        )
    chosen["sources"] += chosen.pop("input_file")
    runs = {name: value for name, value in chosen.items() if value is not None}
    line = CommandLine(**runs, settings=settings)
    if line.quiet and line.verbose:
        raise click.UsageError("use only one of --quiet and --verbose")
    if line.json and line.is_dry:
        raise click.UsageError("--json cannot be combined with a dry run")
    if line.json and line.is_stdout:
        raise click.UsageError("--json and --output - both write to stdout; use one")
    _check_detach(line)
    return line


def _check_detach(line: CommandLine) -> None:
    """Raise ``UsageError`` for options that make no sense in the background."""
    if not line.detach:
        if line.name is not None:
            raise click.UsageError("--name needs --detach")
        return
    for flag, is_given in (
        ("--json", line.json),
        ("--headless", line.headless),
        ("--demo", line.demo),
        ("--output -", line.is_stdout),
        ("a dry run", line.is_dry),
    ):
        if is_given:
            raise click.UsageError(f"--detach cannot be combined with {flag}")
