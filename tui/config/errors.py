"""What is wrong with settings: where, what, and what to do."""

from __future__ import annotations

from typing import NamedTuple


class Complaint(NamedTuple):
    """One mistake."""

    where: str
    """``config.toml:12``, a variable, or an option of the command line."""
    reason: str
    """What it is and what to write instead; safe to show."""

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class ConfigError(ValueError):
    """Settings that cannot be used; ``str()`` has a line for each mistake."""

    def __init__(self, complaints: list[Complaint]) -> None:
        super().__init__("\n".join(str(complaint) for complaint in complaints))
        self.complaints = complaints
