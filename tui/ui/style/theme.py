"""Themes, and the styles that every widget draws with.

Blue means active, orange means waiting, and red is used for failures only. Every state
also has a glyph and a word, so nothing depends on color alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.style import Style
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from tui.config.values import suggest
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import App

DARK = Theme(
    name="fetchtui-dark",
    primary="#5ab0f6",
    secondary="#8fa3bf",
    accent="#7dcfff",
    warning="#f0a35e",
    error="#f2606e",
    success="#8ec7c0",
    foreground="#d5dbe6",
    background="#12151c",
    surface="#181c25",
    panel="#212733",
    dark=True,
    variables={
        "border": "#3a4354",
        "border-blurred": "#2b3240",
        "block-cursor-background": "#2a3a52",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
        "footer-key-foreground": "#7dcfff",
        "input-selection-background": "#5ab0f6 35%",
        "scrollbar": "#3a4354",
        "scrollbar-background": "#181c25",
        "scrollbar-corner-color": "#181c25",
        "scrollbar-hover": "#56627a",
        "scrollbar-active": "#5ab0f6",
    },
)
"""The default theme."""

LIGHT = Theme(
    name="fetchtui-light",
    primary="#1667b7",
    secondary="#51627c",
    accent="#0a5c8c",
    warning="#a85a00",
    error="#bf1f33",
    success="#1d6f66",
    foreground="#1d2430",
    background="#f7f8fa",
    surface="#eef0f4",
    panel="#e2e6ed",
    dark=False,
)
"""The light counterpart of ``DARK``."""

DEFAULT_THEME = DARK.name
THEMES = (DARK.name, LIGHT.name, *sorted(BUILTIN_THEMES))
"""Names of all themes; those of fetchtui come first."""


def wrong_theme(name: str) -> str:
    """Return what is wrong with a value of ``dashboard.theme``, or ""."""
    if not name or name in THEMES:
        return ""
    near = suggest(name, THEMES) or f"; use one of {', '.join(THEMES)}"
    return f"unknown theme {sanitize(name, 60)!r}{near}"


@dataclass(eq=False, repr=False)
class Palette:
    """Rich styles, built once per theme and looked up by name when drawing."""

    text: Style
    strong: Style
    dim: Style
    """Secondary text; still readable."""
    faint: Style
    """Rules, and the empty part of bars."""
    title: Style
    key: Style
    """Names of keys, and whatever can be clicked."""
    active: Style
    probing: Style
    verifying: Style
    waiting: Style
    paused: Style
    queued: Style
    done: Style
    failed: Style
    cancelled: Style
    cursor: Style
    """Background of the row under the cursor; combine with ``+``."""
    cursor_blurred: Style
    """The same while another pane has the focus."""
    warn: Style
    """Orange: needs attention, but nothing has failed."""
    header: Style
    """Column headings."""

    def __getitem__(self, name: str) -> Style:
        """Return a style by the name of its field."""
        style: Style = getattr(self, name)
        return style

    def items(self) -> Iterable[tuple[str, Style]]:
        """Return all styles with their names."""
        return vars(self).items()


def palette_of(app: App[Any]) -> Palette:
    """Return the styles of the current theme of ``app``."""
    theme = app.current_theme
    palette = _palettes.get(theme.name)
    if palette is None:
        palette = _palettes[theme.name] = _make_palette(theme)
    return palette


_palettes: dict[str, Palette] = {}
_colors: dict[str, dict[str, str]] = {}


def colors_of(theme: Theme) -> dict[str, str]:
    """Return the colors of a theme by name; mixing them takes 1 ms, once per theme."""
    if theme.name not in _colors:
        _colors[theme.name] = theme.to_color_system().generate()
    return _colors[theme.name]


def _make_palette(theme: Theme) -> Palette:
    colors = colors_of(theme)
    text = Color.parse(colors["foreground"])
    ground = Color.parse(colors["background"])
    if text.ansi is not None or ground.ansi is not None:
        return _ansi_palette(colors)

    def style_of(color: Color, *, bold: bool | None = None) -> Style:
        return Style(color=color.rich_color, bold=bold)

    def named(variable: str, *, bold: bool | None = None) -> Style:
        return style_of(Color.parse(colors[variable]), bold=bold)

    primary = Color.parse(colors["primary"])
    cursor = ground.blend(primary, 0.24)
    return Palette(
        text=style_of(text),
        strong=style_of(text, bold=True),
        dim=style_of(ground.blend(text, 0.62)),
        faint=style_of(ground.blend(text, 0.28)),
        title=style_of(primary, bold=True),
        key=named("accent", bold=True),
        active=style_of(primary),
        probing=style_of(ground.blend(primary, 0.75)),
        verifying=named("accent"),
        waiting=named("warning"),
        paused=style_of(ground.blend(Color.parse(colors["warning"]), 0.75)),
        queued=style_of(ground.blend(text, 0.62)),
        done=named("success"),
        failed=named("error"),
        cancelled=style_of(ground.blend(text, 0.5)),
        cursor=Style(bgcolor=cursor.rich_color),
        cursor_blurred=Style(bgcolor=ground.blend(text, 0.1).rich_color),
        warn=named("warning"),
        header=style_of(ground.blend(text, 0.62)),
    )


def _ansi_palette(colors: dict[str, str]) -> Palette:
    """Build the styles of a theme in the terminal's 16 colors: they cannot be mixed."""

    def named(
        variable: str, *, bold: bool | None = None, dim: bool | None = None
    ) -> Style:
        color = Color.parse(colors[variable]).rich_color
        return Style(color=color, bold=bold, dim=dim)

    text = Style()
    faded = Style(dim=True)
    return Palette(
        text=text,
        strong=Style(bold=True),
        dim=faded,
        faint=faded,
        title=named("primary", bold=True),
        key=named("accent", bold=True),
        active=named("primary"),
        probing=named("primary", dim=True),
        verifying=named("secondary"),
        waiting=named("warning"),
        paused=named("warning", dim=True),
        queued=faded,
        done=named("success"),
        failed=named("error"),
        cancelled=faded,
        cursor=Style(reverse=True),
        cursor_blurred=Style(underline=True),
        warn=named("warning"),
        header=faded,
    )
