"""The careful reader of bodies: field by field, and the definition of the format's rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from adapters.json_text.broken_text import (
    BrokenText,
    check_json,
    readable,
    without_surrogates,
)
from adapters.point_formats.json.timestamps import timestamp_fault, to_milliseconds
from application.errors import MalformedBody
from application.publishing.limits import check_count
from application.publishing.refusals import Reason, Refusals
from domain.errors import MAX_FAULTS, Fault, InvalidMetrics
from domain.metric_point import (
    PointBatch,
    TagSet,
    batch_of,
    tag_faults,
    tag_set,
    value_fault,
)
from domain.names import abbreviated, json_type, metric_name_fault
from domain.values import TEXTS

MAX_POINTER_PART = 255
"""Characters of a field's name that a pointer repeats."""

FIELDS = ("name", "metric", "timestamp", "value", "tags")


_REASONS = {
    "name": Reason.NAME,
    "metric": Reason.NAME,
    "timestamp": Reason.TIME,
    "value": Reason.VALUE,
    "tags": Reason.TAG,
}


def read_carefully(
    body: bytes,
    latest: int,
    max_points: int,
    refused: Refusals | None = None,
    *,
    texts: bool = False,
) -> PointBatch:
    """Return the batch, read field by field.

    `latest` is the latest timestamp accepted, in milliseconds since the epoch. With `refused`,
    invalid items are added to it and left out, each with its first fault. With `texts`, a value may
    also be a text of `domain.values.TEXTS`. Raises MalformedBody, InvalidMetrics with the place of
    each fault (of an item only without `refused`), and BodyTooLarge.
    """
    try:
        return _Body(body, texts=texts).batch(latest, max_points, refused)
    except msgspec.DecodeError as error:
        raise MalformedBody(f"the body is not JSON: {error}") from None
    except UnicodeDecodeError as error:
        raise MalformedBody(f"the body is not UTF-8: {error.reason}") from None
    except RecursionError:
        raise MalformedBody("the body is nested too deeply") from None


class _Body:
    """A body that is JSON throughout, perhaps with text in it that is not Unicode."""

    def __init__(self, body: bytes, *, texts: bool) -> None:
        """Raises RecursionError, and DecodeError or UnicodeDecodeError, which say where."""
        self._texts = texts
        self._broken: BrokenText | None = None
        self._json = body
        try:
            check_json(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # A string that is not Unicode is the fault of its field, and is reported there.
            self._broken = readable(body)
            if self._broken is None:
                raise
            self._json = self._broken.json

    def batch(self, latest: int, max_points: int, refused: Refusals | None) -> PointBatch:
        """Raises InvalidMetrics, BodyTooLarge."""
        items = self._items()
        check_count(len(items), max_points)
        faults: list[Fault] = []
        names: list[str] = []
        timestamps: list[int] = []
        values: list[float] = []
        tag_sets: list[TagSet] = []
        for index, raw in enumerate(items):
            item, found = self._item(index, raw, latest)
            if not found:
                names.append(item["name"] if "name" in item else item["metric"])
                timestamps.append(to_milliseconds(item["timestamp"]))
                values.append(_number(item["value"]))
                tags = tag_set(item["tags"])
                assert tags is not None  # noqa: S101  there would be a fault
                tag_sets.append(tags)
            elif refused is None:
                faults += found
            else:
                refused.add(found[0].pointer, _reason(found[0]), found[0].detail)
            if len(faults) >= MAX_FAULTS:
                break
        if faults:
            raise InvalidMetrics(tuple(faults[:MAX_FAULTS]))
        if self._broken is not None:  # in a member that another of the same name replaces
            raise MalformedBody("the body has text that is not valid Unicode")
        batch = batch_of(names, timestamps, values, tag_sets, latest=latest, finite=not self._texts)
        assert batch is not None  # noqa: S101  there would be a fault
        return batch

    def _item(self, index: int, raw: Raw, latest: int) -> tuple[dict[str, Any], list[Fault]]:
        """Return an item's fields and their faults."""
        fields = self._object(raw)
        if fields is None:
            detail = f"an item must be an object, not {json_type(self._value(raw))}"
            return {}, [Fault(index, f"/metrics/{index}", detail)]
        item = {name: self._value(value) for name, value in fields.items()}
        return item, list(_item_faults(index, item, latest, texts=self._texts))

    def _items(self) -> list[Raw]:
        fields = self._object(self._json)
        if fields is None:
            sort = json_type(self._value(self._json))
            detail = f"the body must be an object with the field 'metrics', not {sort}"
            raise InvalidMetrics((Fault(None, "", detail),))
        faults = [
            Fault(
                None,
                _pointer(name),
                f"unknown field {abbreviated(name)}; the body has the field 'metrics' only",
            )
            for name in fields
            if name != "metrics"
        ]
        items: list[Raw] = []
        if "metrics" not in fields:
            faults.append(Fault(None, "/metrics", "metrics is missing"))
        else:
            try:
                items = msgspec.json.decode(fields["metrics"], type=list[Raw])
            except msgspec.ValidationError:
                sort = json_type(self._value(fields["metrics"]))
                faults.append(Fault(None, "/metrics", f"metrics must be an array, not {sort}"))
        if faults:
            raise InvalidMetrics(tuple(faults[:MAX_FAULTS]))
        return items

    def _object(self, raw: bytes | Raw) -> dict[str, Raw] | None:
        try:
            fields: dict[str, Raw] = msgspec.json.decode(raw, type=dict[str, Raw])
        except msgspec.ValidationError:
            return None
        if self._broken is None:
            return fields
        return {self._broken.restored(name): value for name, value in fields.items()}

    def _value(self, raw: bytes | Raw) -> Any:
        """Decode one value; a number too large for 64 bits becomes infinity."""
        try:
            value = msgspec.json.decode(raw)
        except msgspec.ValidationError:
            return float("inf")
        return value if self._broken is None else self._broken.restored(value)


def _reason(fault: Fault) -> Reason:
    """Return why an item is refused, by the field of its fault."""
    field = fault.pointer.split("/")[3:4]
    return _REASONS.get(field[0], Reason.SYNTAX) if field else Reason.SYNTAX


def _number(value: float | str) -> float:
    return TEXTS[value] if isinstance(value, str) else float(value)


def _item_faults(index: int, item: dict[str, Any], latest: int, *, texts: bool) -> Iterator[Fault]:
    def fault(detail: str, *path: str) -> Fault:
        return Fault(index, _pointer("metrics", str(index), *path), detail)

    for field in item:
        if field not in FIELDS:
            yield fault(f"unknown field {abbreviated(field)}", field)
    match "name" in item, "metric" in item:
        case False, False:
            yield fault("name is missing (spell it name or metric)", "name")
        case True, True:
            yield fault("name and metric are two spellings of one field; send one", "metric")
        case has_name, _:
            spelling = "name" if has_name else "metric"
            if detail := metric_name_fault(item[spelling]):
                yield fault(f"{spelling} {detail}", spelling)
    if "timestamp" not in item:
        yield fault("timestamp is missing", "timestamp")
    elif detail := timestamp_fault(item["timestamp"], latest):
        yield fault(f"timestamp {detail}", "timestamp")
    if "value" not in item:
        yield fault("value is missing", "value")
    elif detail := _value_fault(item["value"], texts=texts):
        yield fault(f"value {detail}", "value")
    if "tags" not in item:
        yield fault("tags is missing (it may be empty: {})", "tags")
    else:
        for tag, detail in tag_faults(item["tags"]):
            if tag is None:
                yield fault(f"tags {detail}", "tags")
            else:
                yield fault(detail, "tags", tag)


def _value_fault(value: object, *, texts: bool) -> str | None:
    if not (texts and isinstance(value, str)):
        return value_fault(value)
    if value in TEXTS:
        return None
    return f"must be a number or one of {', '.join(TEXTS)}, not {abbreviated(value)}"


def _pointer(*path: str) -> str:
    """Return a JSON pointer (RFC 6901), to what contains it where a name is too long to repeat."""
    if len(path[-1]) > MAX_POINTER_PART:
        path = path[:-1]
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
    return without_surrogates(pointer)
