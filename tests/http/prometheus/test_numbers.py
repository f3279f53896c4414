"""Values as Prometheus writes them."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.prometheus.answers import number, numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-2.5, "-2.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e-7, "1.5e-07"),
        (1e-6, "0.000001"),
        (1e-7, "1e-07"),
        (123456789012345680.0, "123456789012345680"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_values(value: float, text: str) -> None:
    assert number(value).decode() == text


@given(st.floats())
def test_every_value_is_read_back_as_the_same(value: float) -> None:
    text = number(value).decode()
    assert ("e" in text) == (value != 0 and math.isfinite(value) and not 1e-6 <= abs(value) < 1e21)
    if math.isnan(value):
        assert text == "NaN"
    else:
        assert struct.pack("d", float(text)) == struct.pack("d", value)


@given(st.lists(st.floats() | st.integers(-(10**15), 10**15).map(float)))
def test_many_values_are_written_as_each_alone(values: list[float]) -> None:
    assert numbers(values) == [number(value) for value in values]
