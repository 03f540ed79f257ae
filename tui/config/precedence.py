"""What holds in a run: defaults < config < profile < environment < command line."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.config.errors import Complaint, ConfigError
from tui.config.given import Given
from tui.config.logins import make_login, split_proxy
from tui.config.registry import BY_VARIABLE, OPTIONS
from tui.config.values import Kind, suggest
from tui.core.settings import Hooks, OnExists, Settings, Verify
from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.config.document import Document, Found

ORDER = (
    "defaults",
    "settings file",
    "profile",
    "environment",
    "command line",
)
"""Where values come from; the later wins."""
PROFILE_VARIABLE = "FETCHTUI_PROFILE"
_OTHER_VARIABLES = frozenset(
    ("FETCHTUI_CONFIG", "FETCHTUI_STATE_DIR", PROFILE_VARIABLE, "FETCHTUI_KEYS")
)


class DashboardSettings(NamedTuple):
    """What the dashboard starts with, as far as somebody said so."""

    theme: str = ""
    """"" keeps the one that was chosen last."""
    motion: bool = True
    ascii: bool | None = None
    """``None`` looks at the terminal."""
    exit_when_done: bool = False
    keys: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Action -> its keys, for those that have others than usual."""


@dataclass(slots=True)
class Resolved:
    """What holds, by key, and everything that is wrong with what was said."""

    values: dict[str, Given] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    profile: str = ""

    def __getitem__(self, key: str) -> Any:
        return self.values[key].value

    @property
    def asked_fields(self) -> frozenset[str]:
        """Fields of ``Settings`` that this very command asks for."""
        return frozenset(
            option.field.partition(".")[0]
            for option in OPTIONS
            if option.field and self.values[option.key].is_asked
        )

    def settings(self) -> Settings:
        """Build the settings.

        Raises:
            ConfigError: options contradict each other, or there were complaints.
        """
        return _Builder(self).build()

    def dashboard(self) -> DashboardSettings:
        """Return what the dashboard starts with."""
        is_ascii = self.values["dashboard.ascii"]
        return DashboardSettings(
            theme=self["dashboard.theme"],
            motion=self["dashboard.motion"],
            ascii=None if is_ascii.source == "default" else is_ascii.value,
            exit_when_done=self["dashboard.exit-when-done"],
            keys=self["keys"],
        )


def resolve(
    document: Document,
    *,
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
    command_line: Mapping[str, Given] | None = None,
) -> Resolved:
    """Put together what all sources say.

    Args:
        document: the settings file.
        profile: the one that the command line names.
        environment: ``os.environ``, unless told otherwise.
        command_line: values by key.

    Returns:
        A value for every key; what makes no sense is a complaint and not a value.
    """
    environment = os.environ if environment is None else environment
    resolved = Resolved(complaints=list(document.complaints))
    resolved.values = {o.key: Given(o.default, "default") for o in OPTIONS}
    _lay(resolved, document, document.values, "")
    _lay_profile(resolved, document, profile, environment.get(PROFILE_VARIABLE, ""))
    _lay_environment(resolved, environment)
    resolved.values |= command_line or {}
    return resolved


def _lay(
    resolved: Resolved,
    document: Document,
    values: Mapping[str, Found],
    profile: str,
    *,
    is_asked: bool = False,
) -> None:
    for key, found in values.items():
        source = document.place(found.path) + (f" [{profile}]" if profile else "")
        value = found.value
        if key == "hosts":
            # The first that matches counts, so a profile's come first.
            value = (*value, *resolved.values[key].value)
        elif key == "keys":
            value = tuple((dict(resolved.values[key].value) | dict(value)).items())
        resolved.values[key] = Given(value, source, is_asked)


def _lay_profile(
    resolved: Resolved, document: Document, asked: str | None, variable: str
) -> None:
    name = asked or variable or document.profile
    if not name:
        return
    if name not in document.profiles:
        where = "--profile" if asked else PROFILE_VARIABLE
        near = suggest(name, document.profiles)
        if not near:
            known = ", ".join(plain(p, 40) for p in document.profiles)
            near = f"; it has {known}" if known else "; it has no profiles"
        reason = f"{document.name} has no [profiles.{plain(name, 60)}]{near}"
        resolved.complaints.append(Complaint(where, reason))
        return
    resolved.profile = name
    values = document.profiles[name]
    _lay(resolved, document, values, f"profile {plain(name)}", is_asked=bool(asked))


def _lay_environment(resolved: Resolved, environment: Mapping[str, str]) -> None:
    for name, text in environment.items():
        if not name.startswith("FETCHTUI_") or name in _OTHER_VARIABLES:
            continue
        option = BY_VARIABLE.get(name)
        if option is None:
            if not name.startswith("FETCHTUI_HOOK"):
                near = suggest(name, BY_VARIABLE) or "; it is passed over"
                resolved.notes.append(f"{plain(name, 60)} is not known{near}")
            continue
        if text == "" and option.kind not in (Kind.COMMAND, Kind.WORDS):
            continue  # as good as unset, as POSIX tools take it
        try:
            resolved.values[option.key] = Given(option.read_text(text), name)
        except ValueError as error:
            resolved.complaints.append(Complaint(name, plain(str(error))))


class _Builder:
    """Turns values by key into ``Settings``."""

    def __init__(self, resolved: Resolved) -> None:
        self._resolved = resolved
        self._complaints = list(resolved.complaints)

    def build(self) -> Settings:
        said = {key: given.value for key, given in self._resolved.values.items()}
        proxy, proxy_user = split_proxy(said["proxy"])
        if proxy_user and not said["proxy-user"]:
            said["proxy-user"] = proxy_user
        proxy_login = self._login(said, "proxy-")
        login = self._login(said, "")
        netrc = self._netrc(said)
        if said["key"] and not said["cert"]:
            self._complain("key", "a key proves nothing alone; add cert")
        if self._complaints:
            raise ConfigError(self._complaints)
        return Settings(
            **{
                option.field: said[option.key]
                for option in OPTIONS
                if option.field
                and option.field not in _COMPOSED
                and "." not in option.field
            },
            on_exists=OnExists(said["on-exists"]),
            verify=Verify(said["verify"]),
            rate_limit=said["limit-rate"] or None,
            ip_version=0 if said["ip-version"] == "any" else int(said["ip-version"]),
            http_backend=(
                "" if said["http-backend"] == "auto" else said["http-backend"]
            ),
            proxy=proxy,
            proxy_login=proxy_login,
            login=login,
            netrc=netrc,
            interface=said["interface"] or "",
            hooks=Hooks(
                **{
                    option.field.removeprefix("hooks."): said[option.key]
                    for option in OPTIONS
                    if option.field.startswith("hooks.")
                }
            ),
        )

    def _login(self, said: dict[str, Any], prefix: str) -> Any:
        try:
            return make_login(said, prefix)
        except ValueError as error:
            self._complain(f"{prefix}password-from", str(error))
            return None

    def _netrc(self, said: Mapping[str, Any]) -> Path | None:
        if said["netrc-file"]:
            path: Path = said["netrc-file"]
            return path
        if not said["netrc"] and not _names_netrc(said):
            return None
        path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
        if not path.is_file():
            reason = (
                f"there is no {plain(str(path), 200)}; make it, or name another"
                " with netrc-file"
            )
            self._complain("netrc", reason)
        return path

    def _complain(self, key: str, reason: str) -> None:
        source = self._resolved.values[key].source
        if source == "default":
            source = key
        self._complaints.append(Complaint(source, reason))


_COMPOSED = frozenset(
    (
        "on_exists",
        "verify",
        "rate_limit",
        "ip_version",
        "http_backend",
        "proxy",
        "proxy_login",
        "login",
        "netrc",
        "interface",
    )
)


def _names_netrc(said: Mapping[str, Any]) -> bool:
    """Whether some login refers to netrc, which then has to be read."""
    references = [said["password-from"], said["proxy-password-from"]]
    references += [rule.login.secret for rule in said["hosts"] if rule.login]
    return "netrc" in references
