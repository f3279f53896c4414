"""Converting a point's fields, as spelled in files, to an item of a publish.

Errors here are only those that prevent making an item; the service decides whether it is valid.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import msgspec

from application.publishing.import_points import UnreadablePoints
from domain.values import TEXTS, number_or_text


class Located(NamedTuple):
    """The line or row where a point begins, counted from 1, and the point as a JSON item.

    `text_value` says that the value is a text, for one that is not finite.
    """

    place: int
    item: bytes
    text_value: bool = False


MAX_LINE = 1 << 20
"""Bytes per line, and characters per CSV field. Bounds memory; no valid point comes close."""

# int() and float() also accept underscores, spaces, digits of other scripts, and words.
_is_whole = re.compile(r"[+-]?[0-9]{1,40}").fullmatch
_is_decimal = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?").fullmatch

_encode = msgspec.json.Encoder().encode
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode


def located(place: int, name: str, timestamp: int, value: float, tags: dict[str, str]) -> Located:
    """Encode a point."""
    written = number_or_text(value)
    item = {"name": name, "timestamp": timestamp, "value": written, "tags": tags}
    return Located(place, _encode(item), isinstance(written, str))


def whole_number(text: str, place: str) -> int:
    """Read a timestamp in ASCII digits. Raises UnreadablePoints."""
    if not _is_whole(text):
        raise UnreadablePoints(f"{place}: timestamp must be a whole number")
    return int(text)


def value_in_text(text: str, place: str) -> float:
    """Read a value in ASCII digits, as JSON spells numbers, or a text of `domain.values.TEXTS`.

    Raises UnreadablePoints.
    """
    if text in TEXTS:
        return TEXTS[text]
    value = float(text) if _is_decimal(text) else math.nan
    if not math.isfinite(value):
        raise UnreadablePoints(
            f"{place}: value must be a finite number or one of {', '.join(TEXTS)}"
        )
    return value


def tags_in_json(text: str, place: str) -> dict[str, str]:
    """Read tags from the text of a JSON object. Raises UnreadablePoints."""
    try:
        return _decode_tags(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise UnreadablePoints(f"{place}: tags must be an object of strings") from None
