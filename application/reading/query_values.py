"""What a query says in text, over HTTP and on the command line: tags, times, periods.

Every function raises ValueError, whose message says what is allowed, to come after the name of
what was given: "must be …, is …".
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.metric_point import MAX_TAGS, MAX_TIMESTAMP
from domain.names import abbreviated, tag_name_fault, tag_value_fault

AGGREGATORS = (
    "count", "min", "max", "mean", "mode", "median", "sum", "stddev", "p90", "p95", "p99", "p999",
)  # fmt: skip
DEFAULT_LIMIT = 60
MAX_LIMIT = 1440
MAX_PERIOD_DAYS = 36_500

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_UNITS = {"s": 1000, "": 60_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_period = re.compile(r"(\d{1,10})([smhd]?)\Z", re.ASCII).match
_is_seconds = re.compile(r"-?\d{1,20}(\.\d{1,20})?\Z", re.ASCII).match
_split_tags = re.compile(r"(?<!\\),").split


def parse_tags(text: str) -> dict[str, str]:
    r"""Read `host:svc5,env:production`; `\,` is a comma in a value."""
    tags: dict[str, str] = {}
    for tag in _split_tags(text):
        name, colon, value = tag.replace("\\,", ",").partition(":")
        if not colon:
            raise ValueError(
                "must be name:value pairs with commas between, as in host:svc5,env:production; "
                f"{abbreviated(tag)} has no colon"
            )
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


def parse_time(text: str) -> int:
    """Read ISO 8601 with a zone, or seconds since the epoch, as milliseconds since the epoch.

    It is cut to where there can be points. One between two milliseconds becomes the later of them,
    which bounds the same points.
    """
    return min(max(0, _milliseconds(text)), MAX_TIMESTAMP + 1)


def _milliseconds(text: str) -> int:
    if _is_seconds(text):
        seconds = Decimal(text)
        if seconds > MAX_TIMESTAMP // 1000:
            raise ValueError(f"must be in seconds, at most {MAX_TIMESTAMP // 1000}, is {text}")
        return math.ceil(seconds * 1000)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError(
            "must be ISO 8601 with a zone, as in 2014-10-24T12:37:28Z, or seconds since the epoch, "
            f"is {abbreviated(text)}"
        )
    return -((_EPOCH - time) // _MILLISECOND)


def parse_period(text: str) -> int:
    """Read minutes as a whole number, or `30s`, `5m`, `1h`, `1d`; return milliseconds."""
    match = _period(text)
    period = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < period <= MAX_PERIOD_DAYS * _UNITS["d"]:
        raise ValueError(
            "must be minutes as a whole number, or with a unit as in 30s, 5m, 1h, 1d, "
            f"at most {MAX_PERIOD_DAYS}d, is {abbreviated(text)}"
        )
    return period


def parse_aggregator(text: str) -> str:
    """Return the name of an aggregator."""
    if text not in AGGREGATORS:
        raise ValueError(f"must be one of {', '.join(AGGREGATORS)}, is {abbreviated(text)}")
    return text
