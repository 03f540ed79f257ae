"""Run the fuzz targets with hypothesis on mutated samples."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CASES = [pytest.param(target, id=name) for name, target in TARGETS.items()]


@st.composite
def mutated(draw, seeds: tuple[bytes, ...]) -> bytes:
    """Return a seed with pieces removed, repeated, replaced or taken from another."""
    data = draw(st.sampled_from(seeds))[:1500]
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 60)))
        other = draw(st.sampled_from(seeds))[:1500]
        start = draw(st.integers(0, len(other)))
        piece = draw(
            st.sampled_from([b"", data[at:end] * 2, other[start : start + 60]])
            | st.binary(max_size=8)
        )
        data = data[:at] + piece + data[end:]
    return data


@pytest.mark.parametrize("target", CASES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_mutated_samples_give_requests_or_errors(target, data):
    target.run(data.draw(mutated(target.seeds)))


@pytest.mark.parametrize("target", CASES)
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_give_requests_or_errors(target, data):
    target.run(data)


@pytest.mark.parametrize("target", CASES)
def test_seeds_pass(target):
    assert target.seeds
    for seed in target.seeds:
        target.run(seed)
