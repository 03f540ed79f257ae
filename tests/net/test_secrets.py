"""Secrets by reference: found before anything is fetched, or missed with a remedy."""

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
from tui.net.auth.secrets import reveal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def missed(reference: str, user: str = "me") -> str:
    with pytest.raises(LocalError) as caught:
        reveal(Login(user, reference), "the login")
    assert caught.value.kind == "login"
    assert "the login" in str(caught.value)
    return str(caught.value)


def install_keyring(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[str, str], str | None]
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=ask))


def test_text_is_the_secret_itself() -> None:
    assert reveal(Login("me", "text:a:b c"), "x") == "a:b c"


def test_a_variable_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "hunter2")
    assert reveal(Login("me", "env:MY_SECRET"), "x") == "hunter2"
    assert "OTHER is not set" in missed("env:OTHER")


def test_a_file_holds_it_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"hunter 2 \r\n")
    assert reveal(Login("me", f"file:{path}"), "x") == "hunter 2 "
    path.write_bytes(b"two\nlines\n")
    assert "several lines" in missed(f"file:{path}")
    path.write_bytes(b"\xff\xfe")
    assert "not text" in missed(f"file:{path}")
    path.write_bytes(b"\n")
    assert "is empty" in missed(f"file:{path}")
    path.write_bytes(b"x" * (secrets.FILE_LIMIT + 1))
    assert "too large" in missed(f"file:{path}")
    assert "No such file" in missed(f"file:{path}.gone")
    assert "directory" in missed(f"file:{tmp_path}")


def test_the_keyring_is_asked_for_service_and_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = {("example.org", "me"): "hunter2"}
    install_keyring(monkeypatch, lambda service, user: kept.get((service, user)))
    assert reveal(Login("me", "keyring:example.org"), "x") == "hunter2"
    text = missed("keyring:example.org", user="you")
    assert "'example.org'" in text
    assert "'you'" in text


def test_a_keyring_that_fails_or_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(service: str, user: str) -> str:
        raise RuntimeError("no backend\x1b[31m")

    install_keyring(monkeypatch, fail)
    text = missed("keyring:s")
    assert "no backend" in text
    assert text.isprintable()
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "fetchtui[keyring]" in missed("keyring:s")


def test_a_keyring_that_is_locked_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = Event()
    install_keyring(monkeypatch, lambda *_: str(released.wait(30)))
    monkeypatch.setattr(secrets, "KEYRING_TIMEOUT_S", 0.05)
    began = time.monotonic()
    assert "is it locked?" in missed("keyring:s")
    released.set()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("reference", ["hunter2", "", "pass:hunter2", "netrc:hunter2"])
def test_what_is_no_reference_is_not_repeated(reference: str) -> None:
    assert "hunter2" not in missed(reference)


def test_nobody_can_be_asked_down_here() -> None:
    assert "asked" in missed("ask")
    assert "needs a name" in missed("env:")
