"""Values: bits, texts, and what is finite."""

from __future__ import annotations

import math
import struct

from hypothesis import given
from hypothesis import strategies as st

from domain.values import (
    NAN_BITS,
    STALE,
    STALE_BITS,
    TEXTS,
    all_finite,
    bits_of,
    from_bits,
    is_stale,
    number_or_text,
    same_bits,
)
from tests.domain.samples import quick

any_bits = st.integers(0, 2**64 - 1) | st.integers(STALE_BITS - 3, STALE_BITS + 3)
floats = any_bits.map(from_bits)


@quick
@given(any_bits)
def test_a_float_has_the_bits_it_was_made_of(bits: int) -> None:
    assert bits_of(from_bits(bits)) == bits
    assert struct.pack(">d", from_bits(bits)) == bits.to_bytes(8)


@quick
@given(any_bits)
def test_one_nan_only_is_stale(bits: int) -> None:
    assert is_stale(from_bits(bits)) == (bits == STALE_BITS)


@quick
@given(st.lists(floats | st.sampled_from([1.7976931348623157e308, -1.7976931348623157e308])))
def test_a_column_is_finite_if_each_value_is(values: list[float]) -> None:
    assert all_finite(values) == all(map(math.isfinite, values))


@quick
@given(st.lists(floats, max_size=3), st.lists(floats, max_size=3))
def test_columns_are_the_same_if_all_bits_are(values: list[float], others: list[float]) -> None:
    assert same_bits(values, list(values))
    assert same_bits(values, others) == ([*map(bits_of, values)] == [*map(bits_of, others)])


@quick
@given(floats)
def test_a_text_means_the_value_it_was_written_for(value: float) -> None:
    """All NaNs but the stale marker become the ordinary one."""
    written = number_or_text(value)
    read = TEXTS[written] if isinstance(written, str) else written
    assert isinstance(written, str) != math.isfinite(value)
    ordinary = math.isnan(value) and not is_stale(value)
    assert bits_of(read) == (NAN_BITS if ordinary else bits_of(value))


def test_the_stale_marker_is_that_of_prometheus() -> None:
    assert struct.pack(">d", STALE).hex() == "7ff0000000000002"
