"""Windows cover the range without overlap and cut no bucket in two."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.ducklake.query.windows import DAY, windows_back

NOW = 1414154248000
times = st.none() | st.integers(0, 2 * NOW) | st.integers(0, 10 * DAY)
grids = st.sampled_from([1, 1000, 7 * 60_000, 3_600_000, DAY, 9 * DAY])


@given(times, times, st.integers(1, 60), grids)
def test_windows_cover_the_range_once_from_the_latest_to_the_earliest(
    start: int | None, end: int | None, limit: int, grid: int
) -> None:
    windows = list(windows_back(start, end, NOW, limit * grid, grid))
    assert windows[0][1] == end
    assert windows[-1][0] == start
    for later, earlier in pairwise(windows):
        assert later[0] == earlier[1]
        assert later[0] is not None
        assert later[0] % grid == 0
        assert later[0] > max(0, start or 0)


def test_windows_grow_so_that_few_cover_all_of_history() -> None:
    widths = [
        (high or NOW) - low
        for low, high in windows_back(None, None, NOW, 3_600_000, 60_000)
        if low is not None
    ]
    assert 0 <= widths[0] - 3_600_000 < 60_000
    assert all(later >= max(earlier, DAY) for earlier, later in pairwise(widths))
    assert len(widths) < 20


def test_a_range_within_the_first_window_is_a_single_window() -> None:
    hour = 3_600_000
    assert list(windows_back(NOW - hour, NOW, NOW, hour, 60_000)) == [(NOW - hour, NOW)]
