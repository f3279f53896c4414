"""Functions of dates. Values are seconds since the epoch, in UTC."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from adapters.promql.calls import Call, Function
from adapters.promql.functions import unlabelled
from adapters.promql.vectors import Integers, Vector

Dates: TypeAlias = npt.NDArray[np.datetime64]

DAY = 86_400
LAST = np.iinfo(np.int64).max
"""The second that Prometheus on amd64 uses for NaN and for what 64 bits cannot hold."""


def of_date(compute: Callable[[Integers], Integers]) -> Function:
    """Return the function of each sample's date, or without argument of the step's."""

    def function(call: Call) -> Vector:
        vector = call.vector(0) if len(call) else unlabelled(np.floor(call.steps.times / 1000))
        known = np.abs(vector.values) < 2.0**63
        seconds = np.where(known, np.where(known, vector.values, 0.0).astype(np.int64), LAST)
        return vector.with_values(compute(seconds).astype(np.float64)).without_names()

    return function


def minute(seconds: Integers) -> Integers:
    """The minute of the hour, from 0 to 59."""
    return seconds // 60 % 60


def hour(seconds: Integers) -> Integers:
    """The hour of the day, from 0 to 23."""
    return seconds // 3600 % 24


def day_of_week(seconds: Integers) -> Integers:
    """The day of the week, from 0 (Sunday) to 6."""
    return (seconds // DAY + 4) % 7


def day_of_month(seconds: Integers) -> Integers:
    """The day of the month, from 1 to 31."""
    return _days_since(_months(seconds), _days(seconds)) + 1


def day_of_year(seconds: Integers) -> Integers:
    """The day of the year, from 1 to 366."""
    days = _days(seconds)
    return _days_since(days.astype("datetime64[Y]"), days) + 1


def days_in_month(seconds: Integers) -> Integers:
    """The number of days of the month, from 28 to 31."""
    months = _months(seconds)
    return _days_since(months, months + np.timedelta64(1, "M"))


def month(seconds: Integers) -> Integers:
    """The month of the year, from 1 to 12."""
    return _months(seconds).astype(np.int64) % 12 + 1


def year(seconds: Integers) -> Integers:
    """The year."""
    return _days(seconds).astype("datetime64[Y]").astype(np.int64) + 1970


def _days(seconds: Integers) -> Dates:
    return (seconds // DAY).astype("datetime64[D]")


def _days_since(start: Dates, end: Dates) -> Integers:
    days: Integers = (end.astype("datetime64[D]") - start.astype("datetime64[D]")).astype(np.int64)
    return days


def _months(seconds: Integers) -> Dates:
    return _days(seconds).astype("datetime64[M]")


DATE_FUNCTIONS = {
    "day_of_month": of_date(day_of_month),
    "day_of_week": of_date(day_of_week),
    "day_of_year": of_date(day_of_year),
    "days_in_month": of_date(days_in_month),
    "hour": of_date(hour),
    "minute": of_date(minute),
    "month": of_date(month),
    "year": of_date(year),
}
