"""Converting a point's fields, as spelled in files, to an item of a publish.

Errors here are only those that prevent making an item; the service decides whether it is valid.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

import msgspec

from application.publishing.import_points import UnreadablePoints

Located = tuple[int, bytes]
"""The line or row where a point begins, counted from 1, and the point as a JSON item."""

MAX_LINE = 1 << 20
"""Bytes per line, and characters per CSV field. Bounds memory; no valid point comes close."""

# int() and float() also accept underscores, spaces, digits of other scripts, and words.
_is_whole = re.compile(r"[+-]?[0-9]{1,40}").fullmatch
_is_decimal = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?").fullmatch

_encode = msgspec.json.Encoder().encode
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode


def item(name: str, timestamp: int, value: float, tags: dict[str, str]) -> bytes:
    """Encode a point."""
    return _encode({"name": name, "timestamp": timestamp, "value": value, "tags": tags})


def whole_number(text: str, place: str) -> int:
    """Read a timestamp in ASCII digits. Raises UnreadablePoints."""
    if not _is_whole(text):
        raise UnreadablePoints(f"{place}: timestamp must be a whole number")
    return int(text)


def decimal_number(text: str, place: str) -> float:
    """Read a value in ASCII digits, as JSON spells numbers. Raises UnreadablePoints."""
    return finite(float(text) if _is_decimal(text) else math.nan, place)


def finite(value: float | Decimal | None, place: str) -> float:
    """Return a number as a finite 64-bit float. Raises UnreadablePoints."""
    as_float = math.nan if value is None else float(value)
    if not math.isfinite(as_float):
        raise UnreadablePoints(f"{place}: value must be a finite number")
    return as_float


def tags_in_json(text: str, place: str) -> dict[str, str]:
    """Read tags from the text of a JSON object. Raises UnreadablePoints."""
    try:
        return _decode_tags(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise UnreadablePoints(f"{place}: tags must be an object of strings") from None
