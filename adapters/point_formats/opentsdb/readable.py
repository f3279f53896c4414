"""The readable reader of OpenTSDB's JSON: item by item, and the definition of its rules.

Source: OpenTSDB 2.4 "HTTP API", `/api/put`.
"""

from __future__ import annotations

import math

from adapters.point_formats.json_points import Item, items_of, name_of, number_of, said, tags_of
from adapters.point_formats.mapping import Unmappable
from adapters.point_formats.point_columns import PointColumns
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason
from domain.metric_point import timestamp_fault
from domain.names import abbreviated

MAX_SECONDS = 9_999_999_999
"""A timestamp of more than ten digits is in milliseconds ("Timestamps")."""


def read_put(body: bytes, terms: BodyTerms) -> Decoded:
    """Return the points of a body. Raises MalformedBody, BodyTooLarge."""
    columns = PointColumns(terms)
    for item in items_of(body):
        try:
            _add(columns, item, terms)
        except Unmappable as error:
            columns.refused.add(item.place, error.reason, str(error), original=item.original)
    return columns.decoded()


def _add(columns: PointColumns, item: Item, terms: BodyTerms) -> None:
    """Raises Unmappable, BodyTooLarge."""
    put = item.content
    if not isinstance(put, dict):
        raise Unmappable(Reason.SYNTAX, f"a data point must be an object, not {said(put)}")
    name = name_of(put.get("metric"))
    time = _time_of(put.get("timestamp"), terms.latest)
    value = number_of(put.get("value"), texts=True)
    if value is None:
        raise Unmappable(Reason.VALUE, _fault("value", put.get("value")))
    columns.add(item.place, name, time, value, tags_of(put.get("tags")))


def _time_of(content: object, latest: int) -> int:
    """Return a timestamp in milliseconds since the epoch. Raises Unmappable."""
    number = number_of(content, texts=True)
    if number is None or number <= 0:
        raise Unmappable(Reason.TIME, _fault("timestamp", content))
    time = to_milliseconds(number)
    if fault := timestamp_fault(time, latest):
        raise Unmappable(Reason.TIME, f"the timestamp {fault}")
    return time


def to_milliseconds(timestamp: float) -> int:
    """Convert a timestamp in seconds or milliseconds; fractions of a millisecond are cut off."""
    return math.floor(timestamp if timestamp > MAX_SECONDS else timestamp * 1000)


def _fault(field: str, content: object) -> str:
    written = abbreviated(content) if isinstance(content, str) else said(content)
    return f"the {field} must be a number, is {written}"
