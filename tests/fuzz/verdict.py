"""A second implementation of the contract for publish bodies, slow and close to its text.

It shares no code with the service. The JSON reader is the standard library's, made strict.
"""

from __future__ import annotations

import json
import re
import time
import unicodedata
from codecs import BOM_UTF8
from fractions import Fraction
from math import floor, isfinite
from typing import Any, NoReturn

FIELDS = {"name", "metric", "timestamp", "value", "tags"}
LATEST_SECONDS = 95_617_584_000
MAX_FUTURE_MS = 24 * 3600 * 1000

Row = tuple[str, int, float, dict[str, str]]


class Refused(Exception):
    """The contract answers the body with a 400."""


def points_of(body: bytes, now_ms: float | None = None) -> list[Row]:
    """Return the points as they must be stored. Raises Refused."""
    now_ms = time.time() * 1000 if now_ms is None else now_ms
    content = decoded(body)
    require(isinstance(content, dict) and set(content) == {"metrics"})
    items = content["metrics"]
    require(isinstance(items, list))
    return [row_of(item, now_ms) for item in items]


def decoded(body: bytes) -> Any:
    """Decode JSON in UTF-8. The last of several members of one name counts."""
    try:
        content = json.loads(
            body.removeprefix(BOM_UTF8).decode(),
            parse_constant=refuse,
            parse_int=integer,
            object_pairs_hook=members,
        )
        check_unicode(content)
    except (ValueError, RecursionError) as error:
        raise Refused from error
    return content


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    check_unicode(pairs)
    return dict(pairs)


def check_unicode(content: Any) -> None:
    """Raise ValueError for a lone surrogate, which is not valid Unicode."""
    json.dumps(content, ensure_ascii=False).encode()


def integer(digits: str) -> int | float:
    """Python reads no longer integers. All of these are invalid everywhere, as infinity is."""
    return int(digits) if len(digits) <= 4300 else float(digits)


def row_of(item: Any, now_ms: float) -> Row:
    require(isinstance(item, dict) and set(item) <= FIELDS)
    require(("name" in item) != ("metric" in item))
    require(FIELDS - {"name", "metric"} <= set(item))
    name = item.get("name", item.get("metric"))
    require(is_name(name))
    milliseconds = milliseconds_of(item["timestamp"])
    require(milliseconds <= now_ms + MAX_FUTURE_MS)
    return name, milliseconds, value_of(item["value"]), tags_of(item["tags"])


def milliseconds_of(timestamp: Any) -> int:
    require(type(timestamp) is int and timestamp >= 0)
    seconds = Fraction(timestamp)
    while seconds > LATEST_SECONDS:
        seconds /= 1000
    return floor(seconds * 1000)


def value_of(value: Any) -> float:
    require(type(value) in (int, float))
    try:
        number = float(value)
    except OverflowError as error:
        raise Refused from error
    require(isfinite(number))
    return number


def tags_of(tags: Any) -> dict[str, str]:
    require(isinstance(tags, dict) and len(tags) <= 40)
    for name, value in tags.items():
        require(is_name(name, "[a-zA-Z_][a-zA-Z0-9_./-]*"))
        require(isinstance(value, str) and 1 <= len(value) <= 1024)
        require(all(unicodedata.category(character) not in ("Cc", "Cs") for character in value))
    return dict(tags)


def is_name(name: Any, pattern: str = "[a-zA-Z_:][a-zA-Z0-9_:./-]*") -> bool:
    return isinstance(name, str) and len(name) <= 255 and re.fullmatch(pattern, name) is not None


def require(true: object) -> None:
    if not true:
        raise Refused


def refuse(constant: str) -> NoReturn:
    raise Refused(constant)
