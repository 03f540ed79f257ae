"""One command, read: what to fetch, how to run, and the settings it asks for."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from tui.cli.options import dest
from tui.config.given import Given
from tui.config.registry import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.core.request import Checksum


class CommandLine(NamedTuple):
    """What somebody typed; one field an option of the run."""

    sources: tuple[str, ...] = ()
    checksum: Checksum | None = None
    links: str | None = None
    base_url: str | None = None
    profile: str | None = None
    dry_run: bool = False
    sizes: bool = False
    quiet: bool = False
    verbose: bool = False
    headless: bool = False
    json: bool = False
    demo: bool = False
    asked: Mapping[str, Given] = MappingProxyType({})
    """Settings by key, those only that were typed."""

    @property
    def wants_dashboard(self) -> bool:
        """Whether nothing was asked for that goes without one."""
        return not (self.headless or self.json or self.quiet or self.is_dry)

    @property
    def loudness(self) -> int:
        """-1 for errors only, 1 for more than usual, else 0."""
        return int(self.verbose) - int(self.quiet)

    @property
    def is_dry(self) -> bool:
        """Whether nothing is to be fetched."""
        return self.dry_run or self.sizes

    def value(self, key: str) -> Any:
        """Return what was typed for a setting, or ``None``."""
        given = self.asked.get(key)
        return None if given is None else given.value


def read_command_line(context: click.Context, chosen: dict[str, Any]) -> CommandLine:
    """Sort what click has read.

    Raises:
        UsageError: options exclude each other.
    """
    asked: dict[str, Given] = {}
    for option in OPTIONS:
        name = dest(option)
        if name not in chosen:
            continue
        value = chosen.pop(name)
        source = context.get_parameter_source(name)
        if value is not None and source is ParameterSource.COMMANDLINE:
            asked[option.key] = Given(value, option.long_flag, is_asked=True)
    versions = [v for v in ("4", "6") if chosen.pop(f"ip_{v}", False)]
    if len(versions) + ("ip-version" in asked) > 1:
        raise click.UsageError("-4, -6 and --ip-version exclude each other; take one")
    if versions:
        asked["ip-version"] = Given(versions[0], f"-{versions[0]}", is_asked=True)
    runs = {name: value for name, value in chosen.items() if value is not None}
    line = CommandLine(**runs, asked=asked)
    if line.quiet and line.verbose:
        raise click.UsageError("--quiet and --verbose exclude each other; take one")
    if line.json and line.is_dry:
        raise click.UsageError("--json tells of downloads; a dry run has none")
    return line
