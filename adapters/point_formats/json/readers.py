"""The body of a publish: JSON to a batch of points.

There are two readers of the same rules. `read_quickly` handles what is right, by column, and
gives up on anything it does not like; `read_carefully` is the definition: it goes field by field
and says what is wrong. A test holds them to the same verdict. Bodies of many points are quicker
still by `body_scanner`, which gives up on more.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from msgspec import Raw, Struct

from adapters.http.errors import BodyTooLarge, MalformedBody
from domain.columns import CodedColumn, coded
from domain.errors import MAX_FAULTS, Fault, InvalidMetrics
from domain.metric_point import (
    PointBatch,
    TagSet,
    batch_of,
    tag_faults,
    tag_set,
    timestamp_fault,
    value_fault,
)
from domain.names import abbreviated, json_type, name_fault

if TYPE_CHECKING:
    from adapters.point_formats.json.scanner import BodyScanner

MAX_POINTED = 255
"""Characters of a field's name that an error repeats."""

SCAN_FROM = 2048
"""Bytes of a body from which on scanning it is worth the call."""

MAX_MEMO_BYTES = 8 << 20
"""Raw tags that are remembered, in bytes. Then all are forgotten, which costs a batch's checks."""


class _Item(Struct, gc=False, forbid_unknown_fields=True):
    name: str
    timestamp: int
    value: float
    tags: Raw


class _MetricItem(Struct, gc=False, forbid_unknown_fields=True, rename={"name": "metric"}):
    """The same in the name's other spelling."""

    name: str
    timestamp: int
    value: float
    tags: Raw


class _Body(Struct, gc=False, forbid_unknown_fields=True):
    metrics: list[_Item]


class _MetricBody(Struct, gc=False, forbid_unknown_fields=True):
    metrics: list[_MetricItem]


_log = structlog.get_logger(__name__)
_DECODERS = (msgspec.json.Decoder(_Body), msgspec.json.Decoder(_MetricBody))
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode
_name, _timestamp, _value_of, _tags = map(attrgetter, ("name", "timestamp", "value", "tags"))


class _Unreadable(Exception):
    """The quick reader gives up; the careful one will know why, or read it."""


class _TagSetMemo(dict[bytes, TagSet]):
    """Tag sets by their JSON text: tags recur from batch to batch, checking them is slow."""

    def __init__(self) -> None:
        self._bytes = 0

    def __missing__(self, raw: bytes) -> TagSet:
        tags = _tag_set_of(raw)
        if tags is None:
            raise _Unreadable
        self._bytes += len(raw)
        if self._bytes > MAX_MEMO_BYTES:
            self.clear()
            self._bytes = len(raw)
        self[raw] = tags
        return tags


def _tag_set_of(raw: bytes) -> TagSet | None:
    try:
        return tag_set(_decode_tags(raw))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _name_of(raw: bytes) -> str | None:
    name = raw[1:-1].decode("ascii")
    return None if name_fault(name) else name


class MetricsBodyReader:
    """Reads bodies for one worker; keeps a bounded memo of tag sets between them."""

    def __init__(self, max_points: int, *, scan_from: int = SCAN_FROM) -> None:
        self._max_points = max_points
        self._scan_from = scan_from
        self._tag_sets = _TagSetMemo()
        self.scanner: BodyScanner[TagSet] | None = None
        self.loading: threading.Thread | None = None

    def load_scanner(self) -> None:
        """Have large bodies scanned from now on; not where there is no Numba.

        Takes a second, where nothing is compiled yet ten. Without this it is done in the background
        when the first large body comes.
        """
        try:
            from adapters.point_formats.json.scanner import BodyScanner

            scanner = BodyScanner(self._max_points, _name_of, _tag_set_of)
            scanner.scan(b'{"metrics":[]}')
        except (ImportError, OSError) as error:  # there is no Numba, or no place for its cache
            _log.warning("large bodies are not scanned, only decoded", reason=str(error))
            return
        gc.freeze()  # what a compiler leaves behind is much, and stays: no collection looks at it
        self.scanner = scanner
        _log.info("large bodies are scanned from now on")

    def _scanned(self, body: bytes, latest: int) -> PointBatch | None:
        if self.scanner is None:
            if self.loading is None:
                self.loading = threading.Thread(target=self.load_scanner, name="load scanner")
                self.loading.start()
            return None
        columns = self.scanner.scan(body)
        return None if columns is None else batch_of(*columns, latest=latest)

    def read_quickly(self, body: bytes, latest: int) -> PointBatch | None:
        """Return the batch, or None for the careful reader to look at.

        `latest` is the last timestamp accepted, in milliseconds. Raises BodyTooLarge.
        """
        if len(body) >= self._scan_from:
            batch = self._scanned(body, latest)
            if batch is not None:
                return batch
        for decoder in _DECODERS:
            try:
                items: Sequence[_Item | _MetricItem] = decoder.decode(body).metrics
            except msgspec.ValidationError:
                continue
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None
            check_count(len(items), self._max_points)
            texts = coded([*map(bytes, map(_tags, items))])
            try:
                tag_sets = [*map(self._tag_sets.__getitem__, texts.table)]
            except _Unreadable:
                return None
            return batch_of(
                [*map(_name, items)],
                [*map(_timestamp, items)],
                [*map(_value_of, items)],
                CodedColumn(tag_sets, texts.codes),
                latest=latest,
            )
        return None


def check_count(points: int, limit: int) -> None:
    """Raise BodyTooLarge for more points than a batch may have."""
    if points > limit:
        raise BodyTooLarge(f"the batch has {points} points, more than the limit of {limit}")


def read_carefully(body: bytes, latest: int, max_points: int) -> PointBatch:
    """Return the batch, field by field. Raises MalformedBody, InvalidMetrics, BodyTooLarge."""
    try:
        _check_json(body)
        items = _items(body)
        check_count(len(items), max_points)
        return _batch(items, latest)
    except msgspec.DecodeError as error:
        raise MalformedBody(f"the body is not JSON: {error}") from None
    except UnicodeDecodeError as error:
        raise MalformedBody(f"the body is not UTF-8: {error.reason}") from None
    except RecursionError:
        raise MalformedBody("the body is nested too deeply") from None


def _check_json(body: bytes) -> None:
    """Raise DecodeError, with the place in the body, unless it is JSON throughout."""
    try:
        msgspec.json.decode(body)
    except msgspec.ValidationError:
        # JSON, but a number is out of range: that is its field's fault.
        return


def _items(body: bytes) -> list[Raw]:
    fields = _as_object(body)
    if fields is None:
        sort = json_type(_value(body))
        raise InvalidMetrics(
            (Fault(None, "", f"the body must be an object with the field 'metrics', not {sort}"),)
        )
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
            sort = json_type(_value(fields["metrics"]))
            faults.append(Fault(None, "/metrics", f"metrics must be an array, not {sort}"))
    if faults:
        raise InvalidMetrics(tuple(faults[:MAX_FAULTS]))
    return items


def _batch(items: list[Raw], latest: int) -> PointBatch:
    faults: list[Fault] = []
    names: list[str] = []
    timestamps: list[int] = []
    values: list[float] = []
    tag_sets: list[TagSet] = []
    for index, raw in enumerate(items):
        fields = _as_object(raw)
        if fields is None:
            sort = json_type(_value(raw))
            faults.append(
                Fault(index, f"/metrics/{index}", f"an item must be an object, not {sort}")
            )
        else:
            item = {name: _value(value) for name, value in fields.items()}
            found = list(_item_faults(index, item, latest))
            faults += found
            if not found:
                names.append(item["name"] if "name" in item else item["metric"])
                timestamps.append(item["timestamp"])
                values.append(float(item["value"]))
                tags = tag_set(item["tags"])
                assert tags is not None  # noqa: S101  there would be a fault
                tag_sets.append(tags)
        if len(faults) >= MAX_FAULTS:
            break
    if faults:
        raise InvalidMetrics(tuple(faults[:MAX_FAULTS]))
    batch = batch_of(names, timestamps, values, tag_sets, latest=latest)
    assert batch is not None  # noqa: S101  there would be a fault
    return batch


def _item_faults(index: int, item: dict[str, Any], latest: int) -> Iterator[Fault]:
    def fault(detail: str, *path: str) -> Fault:
        return Fault(index, _pointer("metrics", str(index), *path), detail)

    for field in item:
        if field not in ("name", "metric", "timestamp", "value", "tags"):
            yield fault(f"unknown field {abbreviated(field)}", field)
    match "name" in item, "metric" in item:
        case False, False:
            yield fault("name is missing (spell it name or metric)", "name")
        case True, True:
            yield fault("name and metric are two spellings of one field; send one", "metric")
        case has_name, _:
            spelling = "name" if has_name else "metric"
            if detail := name_fault(item[spelling]):
                yield fault(f"{spelling} {detail}", spelling)
    if "timestamp" not in item:
        yield fault("timestamp is missing", "timestamp")
    elif detail := timestamp_fault(item["timestamp"], latest):
        yield fault(f"timestamp {detail}", "timestamp")
    if "value" not in item:
        yield fault("value is missing", "value")
    elif detail := value_fault(item["value"]):
        yield fault(f"value {detail}", "value")
    if "tags" not in item:
        yield fault("tags is missing (it may be empty: {})", "tags")
    else:
        for tag, detail in tag_faults(item["tags"]):
            if tag is None:
                yield fault(f"tags {detail}", "tags")
            else:
                yield fault(detail, "tags", tag)


def _as_object(raw: bytes | Raw) -> dict[str, Raw] | None:
    try:
        return msgspec.json.decode(raw, type=dict[str, Raw])
    except msgspec.ValidationError:
        return None


def _value(raw: bytes | Raw) -> Any:
    """Decode one value; a number too large for 64 bits becomes infinity."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:
        return float("inf")


def _pointer(*path: str) -> str:
    """Return a JSON pointer (RFC 6901), to what contains it where a name is too long to repeat."""
    if len(path[-1]) > MAX_POINTED:
        path = path[:-1]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
