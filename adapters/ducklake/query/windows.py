"""Looking for the latest points without reading all of them."""

from __future__ import annotations

from collections.abc import Iterator

DAY = 86_400_000


def windows_back(
    start: int | None, end: int | None, now: int, first: int, grid: int
) -> Iterator[tuple[int | None, int | None]]:
    """Yield ranges of time from the latest to the earliest, which together are the one asked for.

    All in milliseconds since the epoch; starts are inclusive, ends exclusive, None for no bound.
    The first range is about `first` wide, or ends at `now` where there is no end and takes in what
    is later; each further one is twice as wide, a day at least, since files hold a day. Ranges meet
    at multiples of `grid`, so that no bucket is cut in two.
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
