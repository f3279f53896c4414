"""The limit of points per batch."""

from __future__ import annotations

from application.errors import BodyTooLarge


def check_count(points: int, max_points: int) -> None:
    """Raise BodyTooLarge if a batch has more than `max_points` points.

    A format calls this as soon as it knows their number, before it processes them.
    """
    if points > max_points:
        raise BodyTooLarge(f"the batch has {points} points, more than the limit of {max_points}")
