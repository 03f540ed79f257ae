"""Find the line of a key in any surroundings."""

from __future__ import annotations

import time

import pytest

from tui.config.document import line_of

TEXT = '''# retries = 1
user = """
retries = 2
"""
headers = [
  "A: b", # timeout = 3
]
"retries" = 4
hooks.on-done = "x"

[profiles.slow]
retries = 5
[hosts."retries = 6"]
cap = 7
  [profiles.fast]
  retries = 8
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("user",), 2),
        (("headers",), 5),
        (("retries",), 8),
        (("hooks", "on-done"), 9),
        (("profiles", "slow"), 11),
        (("profiles", "slow", "retries"), 12),
        (("hosts", "retries = 6"), 13),
        (("profiles", "fast", "retries"), 16),
        (("timeout",), 0),
    ],
)
def test_line_is_where_the_statement_starts(path, line):
    assert line_of(TEXT, path) == line


@pytest.mark.alone
def test_key_after_a_long_list_is_found_quickly():
    text = "headers = [\n" + '  "X: a",\n' * 2000 + "]\nretries = 4\n"
    began = time.process_time()
    assert line_of(text, ("retries",)) == 2003
    assert time.process_time() - began < 2, "a minute, if every line is tried"
