"""Codes of times are the same, however they are found."""

from __future__ import annotations

from array import array
from itertools import repeat

from hypothesis import example, given
from hypothesis import strategies as st

from adapters.event_format.codes import MIN_RUN, coded_times
from adapters.event_format.vectors import VECTORS_FROM
from domain.columns import coded

times = st.integers(-(2**62), 2**62)
runs = st.lists(st.tuples(times, st.integers(1, 4 * MIN_RUN)), min_size=1, max_size=300)
"""Times, and how often each follows itself. Many of them need codes of 16 bits."""


@given(runs, st.booleans())
@example([(5, VECTORS_FROM)], False)
@example([(5, VECTORS_FROM // 2), (6, VECTORS_FROM), (5, 1)], False)
@example([(n, MIN_RUN + 1) for n in range(300)], False)
@example([(n, 1) for n in range(VECTORS_FROM)], False)
@example([(n % 2, 1) for n in range(VECTORS_FROM)], True)
def test_codes_of_times_are_those_of_any_column(runs: list[tuple[int, int]], as_list: bool) -> None:
    rows = [time for time, count in runs for time in repeat(time, count)]
    found, expected = coded_times(rows if as_list else array("q", rows)), coded(rows)
    assert list(found.table) == list(expected.table)
    assert found.codes == expected.codes
    assert found.codes.typecode == expected.codes.typecode
