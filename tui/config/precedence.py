"""Resolve settings: defaults < file < profile < environment < command line."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.config.errors import ConfigError, Problem
from tui.config.option import SettingValue
from tui.config.parsing import make_login, split_proxy
from tui.config.registry import BY_VARIABLE, OPTIONS
from tui.config.values import Kind, suggest
from tui.core.quick.named_tuple import NamedTuple
from tui.core.settings import AUTO_START, Hooks, OnExists, Scheme, Settings, Verify
from tui.core.text.sanitize import sanitize

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
"""Sources of settings; later ones override earlier ones."""
PROFILE_VARIABLE = "FETCHTUI_PROFILE"
_OTHER_VARIABLES = frozenset(
    ("FETCHTUI_CONFIG", "FETCHTUI_STATE_DIR", PROFILE_VARIABLE, "FETCHTUI_KEYS")
)


class DashboardSettings(NamedTuple):
    """Settings that the dashboard starts with."""

    theme: str = ""
    """"" keeps the last theme used."""
    motion: bool = True
    ascii: bool | None = None
    """``None`` means: decide by the terminal."""
    columns: tuple[str, ...] = ()
    """Columns of the list; empty keeps the last ones chosen."""
    units: str = "si"
    exit_when_done: bool = False
    keys: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Action -> its keys, for actions with changed key bindings."""


class RpcSettings(NamedTuple):
    """Settings of the remote control."""

    listen: str = ""
    """``HOST:PORT``; "" if it is off."""
    secret_from: str = ""
    """Reference to the secret; "" generates one."""
    ui: Path | None = None
    allow_shutdown: bool = False
    allow_origin: tuple[str, ...] = ()


@dataclass(slots=True, eq=False, repr=False)
class Resolved:
    """The effective settings by key, with their sources and all problems found."""

    values: dict[str, SettingValue] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    profile: str = ""

    def __getitem__(self, key: str) -> Any:
        return self.values[key].value

    @property
    def explicit_fields(self) -> frozenset[str]:
        """Return the fields of ``Settings`` that this command line sets."""
        return frozenset(
            option.field.partition(".")[0]
            for option in OPTIONS
            if option.field and self.values[option.key].is_explicit
        )

    def settings(self) -> Settings:
        """Build the settings.

        Raises:
            ConfigError: settings contradict each other, or there are problems.
        """
        return _Builder(self).build()

    def dashboard(self) -> DashboardSettings:
        """Return the settings that the dashboard starts with."""
        is_ascii = self.values["dashboard.ascii"]
        return DashboardSettings(
            theme=self["dashboard.theme"],
            motion=self["dashboard.motion"],
            ascii=None if is_ascii.source == "default" else is_ascii.value,
            columns=self["dashboard.columns"],
            units=self["units"],
            exit_when_done=self["dashboard.exit-when-done"],
            keys=self["keys"],
        )

    def rpc(self) -> RpcSettings:
        """Return the settings of the remote control."""
        names = (name.replace("_", "-") for name in RpcSettings._fields)
        return RpcSettings(*(self[f"rpc.{name}"] for name in names))


def resolve(
    document: Document,
    *,
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
    command_line: Mapping[str, SettingValue] | None = None,
) -> Resolved:
    """Merge the settings of all sources.

    Args:
        document: the settings file.
        profile: the profile named on the command line.
        environment: defaults to ``os.environ``.
        command_line: values by key.

    Returns:
        A value for every key; an invalid value becomes a problem instead.
    """
    environment = os.environ if environment is None else environment
    resolved = Resolved(problems=list(document.problems))
    resolved.values = {o.key: SettingValue(o.default, "default") for o in OPTIONS}
    _merge_file(resolved, document, document.values, "")
    _merge_profile(resolved, document, profile, environment.get(PROFILE_VARIABLE, ""))
    _merge_environment(resolved, environment)
    resolved.values |= command_line or {}
    is_pinned = resolved.values["concurrency"].source != "default"
    if resolved.values["auto"].source == "default" and not is_pinned:
        resolved.values["auto"] = SettingValue(True, "default")
        resolved.values["concurrency"] = SettingValue(AUTO_START, "default")
    return resolved


def _merge_file(
    resolved: Resolved,
    document: Document,
    values: Mapping[str, Found],
    profile: str,
    *,
    is_explicit: bool = False,
) -> None:
    for key, found in values.items():
        source = document.location(found.path) + (f" [{profile}]" if profile else "")
        value = found.value
        if key == "hosts":
            # The first match applies, so a profile's tables come first.
            value = (*value, *resolved.values[key].value)
        elif key == "keys":
            value = tuple((dict(resolved.values[key].value) | dict(value)).items())
        resolved.values[key] = SettingValue(value, source, is_explicit)


def _merge_profile(
    resolved: Resolved, document: Document, explicit: str | None, variable: str
) -> None:
    name = explicit or variable or document.profile
    if not name:
        return
    if name not in document.profiles:
        where = "--profile" if explicit else PROFILE_VARIABLE
        near = suggest(name, document.profiles)
        if not near:
            known = ", ".join(sanitize(p, 40) for p in document.profiles)
            near = f"; profiles: {known}" if known else "; it defines no profiles"
        reason = f"{document.name} has no [profiles.{sanitize(name, 60)}]{near}"
        resolved.problems.append(Problem(where, reason))
        return
    resolved.profile = name
    values = document.profiles[name]
    _merge_file(
        resolved,
        document,
        values,
        f"profile {sanitize(name)}",
        is_explicit=bool(explicit),
    )


def _merge_environment(resolved: Resolved, environment: Mapping[str, str]) -> None:
    for name, text in environment.items():
        if not name.startswith("FETCHTUI_") or name in _OTHER_VARIABLES:
            continue
        option = BY_VARIABLE.get(name)
        if option is None:
            if not name.startswith("FETCHTUI_HOOK"):
                near = suggest(name, BY_VARIABLE) or "; ignored"
                resolved.notes.append(f"unknown variable {sanitize(name, 60)}{near}")
            continue
        if text == "" and option.kind not in (Kind.COMMAND, Kind.WORDS):
            continue  # POSIX tools treat an empty variable as unset
        try:
            resolved.values[option.key] = SettingValue(option.read_text(text), name)
        except ValueError as error:
            resolved.problems.append(Problem(name, sanitize(str(error))))


class _Builder:
    """Builds ``Settings`` from values by key."""

    def __init__(self, resolved: Resolved) -> None:
        self._resolved = resolved
        self._problems = list(resolved.problems)

    def build(self) -> Settings:
        values = {key: given.value for key, given in self._resolved.values.items()}
        proxy, proxy_user = split_proxy(values["proxy"])
        if proxy_user and not values["proxy-user"]:
            values["proxy-user"] = proxy_user
        proxy_login = self._login(values, "proxy-")
        login = self._login(values, "")
        netrc = self._netrc(values)
        if values["key"] and not values["cert"]:
            self._report("key", "key needs a certificate; add cert")
        if self._problems:
            raise ConfigError(self._problems)
        return Settings(
            **{
                option.field: values[option.key]
                for option in OPTIONS
                if option.field
                and option.field not in _COMPOSED
                and "." not in option.field
            },
            on_exists=OnExists(values["on-exists"]),
            headers=_headers(values),
            verify=Verify(values["verify"]),
            rate_limit=values["limit-rate"] or None,
            ip_version=0
            if values["ip-version"] == "any"
            else int(values["ip-version"]),
            http_backend=(
                "" if values["http-backend"] == "auto" else values["http-backend"]
            ),
            proxy=proxy,
            proxy_login=proxy_login,
            login=login,
            auth=Scheme(values["auth"]),
            netrc=netrc,
            interface=values["interface"] or "",
            hooks=Hooks(
                **{
                    option.field.removeprefix("hooks."): values[option.key]
                    for option in OPTIONS
                    if option.field.startswith("hooks.")
                }
            ),
        )

    def _login(self, values: dict[str, Any], prefix: str) -> Any:
        try:
            return make_login(values, prefix)
        except ValueError as error:
            self._report(f"{prefix}password-from", str(error))
            return None

    def _netrc(self, values: Mapping[str, Any]) -> Path | None:
        if values["netrc-file"]:
            path: Path = values["netrc-file"]
            return path
        if not values["netrc"] and not _names_netrc(values):
            return None
        path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
        if not path.is_file():
            reason = (
                f"{sanitize(str(path), 200)} does not exist; create it, or set"
                " netrc-file to another file"
            )
            self._report("netrc", reason)
        return path

    def _report(self, key: str, reason: str) -> None:
        source = self._resolved.values[key].source
        if source == "default":
            source = key
        self._problems.append(Problem(source, reason))


_COMPOSED = frozenset(
    (
        "headers",
        "on_exists",
        "verify",
        "rate_limit",
        "ip_version",
        "http_backend",
        "proxy",
        "proxy_login",
        "login",
        "auth",
        "netrc",
        "interface",
    )
)


def _headers(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the headers of the run; a Referer among them replaces ``referer``."""
    headers: tuple[tuple[str, str], ...] = tuple(values["headers"])
    referer = values["referer"]
    if not referer or any(name.lower() == "referer" for name, _ in headers):
        return headers
    return (*headers, ("Referer", referer))


def _names_netrc(values: Mapping[str, Any]) -> bool:
    """Return True if any login reads its password from netrc."""
    references = [values["password-from"], values["proxy-password-from"]]
    references += [rule.login.secret for rule in values["hosts"] if rule.login]
    return "netrc" in references
