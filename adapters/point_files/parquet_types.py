"""The Arrow types that the columns of a Parquet file may have, and how their values are read.

docs/point-files.md lists them. Any other type is refused before anything is read, since guessing
its meaning could store wrong points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pyarrow as pa
from pyarrow import types

from adapters.point_files.formats import COLUMNS, as_published
from adapters.point_files.items import tags_in_json
from application.publishing.import_points import UnreadablePoints
from domain.metric_point import MAX_TIMESTAMP

Reader = Callable[[Any, str], Any]
"""Takes a value and its place; returns the item's field. Raises UnreadablePoints."""

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

ENTRY = ("key", "value")

WANTED = {
    "name": "text",
    "timestamp": "an integer or a timestamp",
    "value": "a float, an integer or a decimal",
    "tags": "a map, a struct, a list of structs (key, value), all of text, or JSON as text",
}


def readers_of(schema: pa.Schema) -> list[Reader]:
    """Return a reader per field of an item. Raises UnreadablePoints, naming columns and types."""
    if missing := set(COLUMNS) - set(schema.names):
        raise UnreadablePoints(f"lacks the column {', '.join(sorted(missing))}")
    if doubled := [name for name in COLUMNS if schema.names.count(name) > 1]:
        raise UnreadablePoints(f"has more than one column {', '.join(doubled)}")
    readers = []
    for name, reader_of in zip(COLUMNS, (_name, _timestamp, _value, _tags), strict=True):
        kind = schema.field(name).type
        reader = reader_of(kind)
        if reader is None:
            raise UnreadablePoints(f"the column {name} is {kind}, but must be {WANTED[name]}")
        readers.append(reader)
    return readers


def _is_text(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        kind = kind.value_type
    tests = (types.is_string, types.is_large_string, types.is_string_view)
    return any(test(kind) for test in tests)


def _name(kind: pa.DataType) -> Reader | None:
    return _read_name if _is_text(kind) else None


def _read_name(name: str | None, place: str) -> str:
    if name is None:
        raise UnreadablePoints(f"{place}: name must be text")
    return name


def _timestamp(kind: pa.DataType) -> Reader | None:
    if types.is_integer(kind):
        return _read_whole
    if types.is_timestamp(kind):
        return _time_reader(PER_SECOND[kind.unit])
    return None


def _read_whole(number: int | None, place: str) -> int:
    if number is None:
        raise UnreadablePoints(f"{place}: timestamp must be a whole number")
    return number


def _time_reader(per_second: int) -> Reader:
    def read(count: int | None, place: str) -> int:
        """Return the timestamp that a publish reads as this time, truncated to milliseconds."""
        milliseconds = None if count is None else count * 1000 // per_second
        if milliseconds is None or not 0 <= milliseconds <= MAX_TIMESTAMP:
            raise UnreadablePoints(f"{place}: timestamp must be a time from 1970 to 4999")
        if milliseconds <= MAX_TIMESTAMP // 1000 and milliseconds % 1000:
            raise UnreadablePoints(
                f"{place}: timestamp must be in whole seconds, like all times up to 1973-01-11"
            )
        return as_published(milliseconds)

    return read


def _value(kind: pa.DataType) -> Reader | None:
    if types.is_floating(kind) or types.is_integer(kind) or types.is_decimal(kind):
        return _read_number
    return None


def _read_number(number: float | Decimal | None, place: str) -> float:
    if number is None:
        raise UnreadablePoints(f"{place}: value must be a number")
    return float(number)


def _tags(kind: pa.DataType) -> Reader | None:
    if types.is_null(kind):
        return lambda _tags, _place: {}
    if isinstance(kind, pa.BaseExtensionType):
        return _read_json if kind.extension_name == "arrow.json" else None
    if _is_text(kind):
        return _read_json
    if types.is_map(kind):
        return _read_pairs if _is_text(kind.key_type) and _is_text(kind.item_type) else None
    if types.is_struct(kind):
        return _read_struct if _all_text(kind) else None
    if _is_list(kind) and types.is_struct(entry := kind.value_type):
        is_entry = tuple(sorted(field.name for field in entry)) == ENTRY and _all_text(entry)
        return _read_entries if is_entry else None
    return None


def _is_list(kind: pa.DataType) -> bool:
    tests = (
        types.is_list,
        types.is_large_list,
        types.is_fixed_size_list,
        types.is_list_view,
        types.is_large_list_view,
    )
    return any(test(kind) for test in tests)


def _all_text(kind: pa.DataType) -> bool:
    names = [field.name for field in kind]
    return len(names) == len(set(names)) and all(_is_text(field.type) for field in kind)


def _read_json(text: str | None, place: str) -> dict[str, str]:
    return {} if text is None else tags_in_json(text, place)


def _read_struct(fields: dict[str, str | None] | None, place: str) -> dict[str, str]:
    return _read_pairs((fields or {}).items(), place)


def _read_entries(entries: list[dict[str, Any] | None] | None, place: str) -> dict[str, str]:
    if any(entry is None for entry in entries or ()):
        raise UnreadablePoints(f"{place}: tags must not have null entries")
    return _read_pairs([(entry["key"], entry["value"]) for entry in entries or () if entry], place)


def _read_pairs(pairs: Iterable[tuple[str | None, Any]] | None, place: str) -> dict[str, str]:
    """Return tags; one whose value is null is absent."""
    tags: dict[str, str] = {}
    for name, value in pairs or ():
        if name is None:
            raise UnreadablePoints(f"{place}: tags must have names")
        if value is None:
            continue
        if name in tags:
            raise UnreadablePoints(f"{place}: tags must not repeat a name, but have {name!r} twice")
        tags[name] = value
    return tags
