"""Errors in settings: where each one is, what is wrong and how to fix it."""

from __future__ import annotations

from tui.core.quick.named_tuple import NamedTuple


class Problem(NamedTuple):
    """One mistake in the settings."""

    where: str
    """``config.toml:12``, an environment variable or a command-line option."""
    reason: str
    """What is wrong and what to write instead; safe to display."""

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class ConfigError(ValueError):
    """Invalid settings; ``str()`` has one line per problem."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
