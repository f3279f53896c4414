"""Parsers for the text of queries, over HTTP and on the command line: tags, times, periods.

Every function raises ValueError. Its message, "must be …, is …", says what is allowed and is
meant to follow the parameter's name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Context, Decimal

from application.durations import parse_duration
from domain.metric_point import MAX_TAGS, MAX_TIMESTAMP
from domain.names import abbreviated, tag_name_fault, tag_value_fault

MAX_SECONDS = MAX_TIMESTAMP // 1000

AGGREGATORS = (
    "count", "min", "max", "mean", "mode", "median", "sum", "stddev", "p90", "p95", "p99", "p999",
)  # fmt: skip
DEFAULT_LIMIT = 60
MAX_LIMIT = 1440
MAX_PERIOD = timedelta(days=36_500)
PERIODS = "minutes as a whole number, or with a unit as in 30s, 5m, 1h, 1d, 1w"

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_MILLISECOND = timedelta(milliseconds=1)

_is_minutes = re.compile(r"\d{1,12}\Z", re.ASCII).match
_is_seconds = re.compile(r"-?\d{1,20}(\.\d+)?\Z", re.ASCII).match
_iso_time = re.compile(
    r"(?P<date>[\dW-]+)[T ]"
    r"(?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d))?)?(?:[.,](?P<fraction>\d+))?"
    r"(?:Z|(?P<sign>[+-])(?P<zone_hour>\d\d)(?::?(?P<zone_minute>\d\d))?)\Z",
    re.ASCII,
).match
_tag = re.compile(r"(?:[^,\\]|\\[,\\]?)*").match
_unescape = re.compile(r"\\([,\\])").sub


def parse_tags(text: str) -> dict[str, str]:
    r"""Parse tags such as `host:svc5,env:production`.

    In a value, `\,` is a comma and `\\` a backslash; any other backslash stands for itself.
    """
    tags: dict[str, str] = {}
    for tag in _split_tags(text):
        name, colon, escaped = tag.partition(":")
        if not colon:
            raise ValueError(
                "must be name:value pairs with commas between, as in host:svc5,env:production; "
                f"{abbreviated(tag)} has no colon"
            )
        value = _unescape(r"\1", escaped)
        if fault := tag_name_fault(name):
            raise ValueError(f"the tag's name {fault}")
        if fault := tag_value_fault(value):
            raise ValueError(f"the value of tag {abbreviated(name)} {fault}")
        if name in tags:
            raise ValueError(f"has the tag {abbreviated(name)} twice; a point has it once")
        tags[name] = value
    if len(tags) > MAX_TAGS:
        raise ValueError(f"has {len(tags)} tags; a point has at most {MAX_TAGS}")
    return tags


def _split_tags(text: str) -> Iterator[str]:
    """Split at the commas that are not escaped."""
    start = 0
    while start <= len(text):
        tag = _tag(text, start)
        assert tag is not None  # noqa: S101  it also matches the empty string
        yield tag[0]
        start = tag.end() + 1


def parse_time(text: str) -> int:
    """Parse ISO 8601 with a zone, or seconds since the epoch; return milliseconds since the epoch.

    Either may have any number of decimals. A time between two milliseconds is rounded up, and one
    outside the range of points is moved to the range's nearest end. Used as a bound, the result
    separates the same points as the exact time.
    """
    return min(max(0, _milliseconds(text)), MAX_TIMESTAMP + 1)


def _milliseconds(text: str) -> int:
    if match := _is_seconds(text):
        decimals = match[1]
        if (Decimal(text) if decimals else int(text)) > MAX_SECONDS:
            raise ValueError(f"must be in seconds, at most {MAX_SECONDS}, is {abbreviated(text)}")
        return _rounded_up(text, _SECOND) if decimals else int(text) * _SECOND
    time = _iso_milliseconds(text.upper())
    if time is None:
        raise ValueError(
            "must be ISO 8601 with a zone, as in 2014-10-24T12:37:28Z, or seconds since the epoch, "
            f"is {abbreviated(text)}"
        )
    return time


def _iso_milliseconds(text: str) -> int | None:
    """Parse a date, a time of day and a zone, in upper case; return None if it is anything else.

    Computed with integers, because `datetime` is limited to microseconds and the year 9999, and has
    neither leap seconds nor 24:00.
    """
    match = _iso_time(text)
    if match is None:
        return None
    try:
        day = date.fromisoformat(match["date"]).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    hour, minute, second, zone_hour, zone_minute = (
        int(match[part] or 0) for part in ("hour", "minute", "second", "zone_hour", "zone_minute")
    )
    unit = _HOUR if match["minute"] is None else _MINUTE if match["second"] is None else _SECOND
    time = hour * _HOUR + minute * _MINUTE + second * _SECOND
    time += _rounded_up(f"0.{match['fraction'] or 0}", unit)
    # 23:59:60 is a leap second.
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and time > _DAY):
        return None
    if zone_hour > 23 or zone_minute > 59:
        return None
    offset = zone_hour * _HOUR + zone_minute * _MINUTE
    return day * _DAY + time + (offset if match["sign"] == "-" else -offset)


def _rounded_up(number: str, unit: int) -> int:
    """Convert a decimal number of `unit` to milliseconds; rounds up once, at the end."""
    return math.ceil(Context(prec=len(number) + 10).multiply(Decimal(number), Decimal(unit)))


def parse_period(text: str) -> int:
    """Parse minutes as a whole number, or a duration such as `30s`; return milliseconds."""
    try:
        period = parse_duration(f"{text}m" if _is_minutes(text) else text)
    except ValueError:
        period = timedelta(0)
    if not timedelta(0) < period <= MAX_PERIOD:
        raise ValueError(f"must be {PERIODS}, at most {MAX_PERIOD.days}d, is {abbreviated(text)}")
    return period // _MILLISECOND


def parse_aggregator(text: str) -> str:
    """Return the text if it is the name of an aggregator."""
    if text not in AGGREGATORS:
        raise ValueError(f"must be one of {', '.join(AGGREGATORS)}, is {abbreviated(text)}")
    return text
