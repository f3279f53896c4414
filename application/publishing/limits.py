"""The limit of points per batch."""

from __future__ import annotations

from application.errors import BodyTooLarge


def check_count(points: int, max_points: int) -> None:
    """Raise BodyTooLarge for more points than a batch may have.

    A format calls this as soon as it knows how many there are, before it spends work on them.
    """
    if points > max_points:
        raise BodyTooLarge(f"the batch has {points} points, more than the limit of {max_points}")
