"""Secrets by reference: resolved at startup, or reported as missing."""

from __future__ import annotations

import sys
import time
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tui.core.errors import LocalError
from tui.core.settings import Login
from tui.net.auth import secrets
from tui.net.auth.secrets import resolve_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def missing(reference: str, user: str = "me") -> str:
    with pytest.raises(LocalError) as caught:
        resolve_secret(Login(user, reference), "the login")
    assert caught.value.kind == "login"
    assert "the login" in str(caught.value)
    return str(caught.value)


def install_keyring(
    monkeypatch: pytest.MonkeyPatch, get_password: Callable[[str, str], str | None]
) -> None:
    monkeypatch.setitem(
        sys.modules, "keyring", SimpleNamespace(get_password=get_password)
    )


def test_text_is_used_as_the_secret() -> None:
    assert resolve_secret(Login("me", "text:a:b c"), "x") == "a:b c"


def test_a_secret_is_read_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "hunter2")
    assert resolve_secret(Login("me", "env:MY_SECRET"), "x") == "hunter2"
    text = missing("env:OTHER")
    assert "the environment variable in env:NAME is not set" in text
    assert "OTHER" not in text


def test_a_secret_is_read_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"hunter 2 \r\n")
    assert resolve_secret(Login("me", f"file:{path}"), "x") == "hunter 2 "
    path.write_bytes(b"two\nlines\n")
    assert "line breaks" in missing(f"file:{path}")
    path.write_bytes(b"\xff\xfe")
    assert "not text" in missing(f"file:{path}")
    path.write_bytes(b"\n")
    assert "is empty" in missing(f"file:{path}")
    path.write_bytes(b"x" * (secrets.FILE_LIMIT + 1))
    assert "too large" in missing(f"file:{path}")
    assert "No such file" in missing(f"file:{path}.gone")
    assert "directory" in missing(f"file:{tmp_path}")


def test_the_keyring_is_queried_by_service_and_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = {("example.org", "me"): "hunter2"}
    install_keyring(monkeypatch, lambda service, user: kept.get((service, user)))
    assert resolve_secret(Login("me", "keyring:example.org"), "x") == "hunter2"
    text = missing("keyring:example.org", user="you")
    assert "keyring:SERVICE" in text
    assert "'you'" in text


def test_a_failing_or_missing_keyring_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(service: str, user: str) -> str:
        raise RuntimeError("no backend\x1b[31m")

    install_keyring(monkeypatch, fail)
    text = missing("keyring:s")
    assert "no backend" in text
    assert text.isprintable()
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "fetchtui[keyring]" in missing("keyring:s")


@pytest.mark.alone
def test_waiting_for_a_locked_keyring_times_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = Event()
    install_keyring(monkeypatch, lambda *_: str(released.wait(30)))
    monkeypatch.setattr(secrets, "KEYRING_TIMEOUT_S", 0.05)
    began = time.monotonic()
    assert "may be locked" in missing("keyring:s")
    released.set()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("reference", ["hunter2", "", "pass:hunter2", "netrc:hunter2"])
def test_an_invalid_reference_is_not_repeated(reference: str) -> None:
    assert "hunter2" not in missing(reference)


def test_ask_is_refused_without_a_terminal() -> None:
    assert "no terminal to ask" in missing("ask")
    assert "must be followed by a name" in missing("env:")
