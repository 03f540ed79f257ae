"""The file with the generated secret."""

from __future__ import annotations

import os
import stat

import pytest

from tui.core.errors import LocalError
from tui.rpc.secret import load_secret


def test_a_secret_is_generated_once_for_the_user_alone(tmp_path):
    path = tmp_path / "state" / "rpc-secret"
    secret = load_secret(path)
    assert len(secret) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_secret(path) == secret
    assert os.listdir(path.parent) == ["rpc-secret"]
    path.unlink()
    assert load_secret(path) != secret


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [("abc\n", 0o644, "others can read it"), ("\n", 0o600, "no secret")],
)
def test_a_file_that_proves_nothing_is_refused(tmp_path, content, mode, reason):
    path = tmp_path / "secret"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(LocalError, match=reason) as caught:
        load_secret(path)
    assert "abc" not in str(caught.value)


def test_a_link_is_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text("abc\n")
    target.chmod(0o600)
    (tmp_path / "secret").symlink_to(target)
    with pytest.raises(LocalError, match="secret of the RPC"):
        load_secret(tmp_path / "secret")
