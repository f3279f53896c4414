"""Time windows for finding the latest points without reading all of them."""

from __future__ import annotations

from collections.abc import Iterator

DAY = 86_400_000


def windows_back(
    start: int | None, end: int | None, now: int, first: int, grid: int
) -> Iterator[tuple[int | None, int | None]]:
    """Yield adjoining ranges, from the latest to the earliest, that together cover the one given.

    All are milliseconds since the epoch; starts are inclusive, ends exclusive, None is unbounded.
    The first range is about `first` wide. Without an end it reaches back that far from `now` and
    includes everything later. Each further range is twice as wide, and at least a day, since files
    hold a day. Ranges meet at multiples of `grid`, so no bucket is cut in two.
    """
    earliest = max(0, start or 0)
    high = end
    width = first
    while True:
        low = (now if high is None else high) - width
        if width >= DAY:
            low = low // DAY * DAY
        low = low // grid * grid
        if low <= earliest:
            yield start, high
            return
        yield low, high
        high = low
        width = max(DAY, 2 * width)
