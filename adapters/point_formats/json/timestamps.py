"""Timestamps of the JSON format: whole seconds, or a finer unit recognized by its size."""

from __future__ import annotations

import math

from domain import metric_point
from domain.metric_point import MAX_TIMESTAMP
from domain.names import json_type

MAX_SECONDS = MAX_TIMESTAMP // 1000
"""A timestamp above this is in a finer unit than seconds (contract, "timestamp")."""


def to_milliseconds(timestamp: int) -> int:
    """Convert a timestamp as sent to milliseconds since the epoch.

    The contract's rule: a value above `MAX_SECONDS` is divided by 1000 until it is not. Fractions
    of a millisecond are cut off.
    """
    if timestamp <= MAX_SECONDS:
        return timestamp * 1000
    divisor = 1
    while timestamp > MAX_TIMESTAMP * divisor:
        divisor *= 1000
    return timestamp // divisor


def timestamp_fault(timestamp: object, latest: int) -> str | None:
    """Return what is wrong with a timestamp as sent, or None; `latest` is the last ms accepted."""
    if isinstance(timestamp, float):
        written = f", is {timestamp!r}" if not math.isinf(timestamp) else ", and is too large"
        return f"must be a whole number of seconds since the epoch, as an integer{written}"
    if not isinstance(timestamp, int) or isinstance(timestamp, bool):
        return f"must be a whole number of seconds since the epoch, not {json_type(timestamp)}"
    if timestamp < 0:
        return f"must not be negative, is {timestamp}"
    return metric_point.timestamp_fault(to_milliseconds(timestamp), latest)
