"""Notices as journals store them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.notices import (
    ALREADY_PRESENT,
    Notice,
    NoticeCode,
    decode_notice,
    encode_notice,
)

VALUES = st.lists(st.text() | st.integers() | st.floats(allow_nan=False))


@given(st.sampled_from(NoticeCode), VALUES)
def test_a_notice_survives_the_journal(code, values):
    notice = Notice(code, tuple(values))
    assert decode_notice(encode_notice(notice)) == notice


def test_notices_without_values_are_shared():
    assert decode_notice(encode_notice(ALREADY_PRESENT)) is ALREADY_PRESENT
    assert encode_notice(None) == ""
    assert decode_notice("") is None


@pytest.mark.parametrize(
    "text",
    [
        "was already here",
        '["',
        '["no such code"]',
        '["text", []]',
        '["text", {}]',
        "[1]",
    ],
)
def test_text_of_an_earlier_version_stays_readable(text):
    assert decode_notice(text) == Notice(NoticeCode.TEXT, (text,))
