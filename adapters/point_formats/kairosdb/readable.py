"""The readable reader of KairosDB's JSON: item by item, and the definition of its rules.

Source: KairosDB 1.3 "REST API", "Add Data Points".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from adapters.point_formats.json_points import Item, items_of, name_of, number_of, said, tags_of
from adapters.point_formats.mapping import Unmappable
from adapters.point_formats.point_columns import PointColumns
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason

STRING = "string"
"""The type of values that are not numbers. Other types, and `ttl`, are ignored."""


def read_kairos(body: bytes, terms: BodyTerms) -> Decoded:
    """Return the points of a body. Raises MalformedBody, BodyTooLarge."""
    columns = PointColumns(terms)
    for item in items_of(body):
        try:
            _add_metric(columns, item)
        except Unmappable as error:
            points = sum(1 for _ in _points(item.content))
            columns.refused.add(item.place, error.reason, str(error), max(points, 1))
    return columns.decoded()


def _add_metric(columns: PointColumns, item: Item) -> None:
    """Add the points of a metric, each on its own. Raises Unmappable, BodyTooLarge."""
    metric = item.content
    if not isinstance(metric, dict):
        raise Unmappable(Reason.SYNTAX, f"a metric must be an object, not {said(metric)}")
    name, tags = name_of(metric.get("name")), tags_of(metric.get("tags"))
    datapoints = metric.get("datapoints")
    if datapoints is not None and not isinstance(datapoints, list):
        raise Unmappable(Reason.SYNTAX, f"datapoints must be an array, not {said(datapoints)}")
    if datapoints is None and "timestamp" not in metric and "value" not in metric:
        raise Unmappable(Reason.SYNTAX, "the metric has neither a value nor datapoints")
    for place, point in _points(metric):
        try:
            time, value = _point(point, metric.get("type"))
        except Unmappable as error:
            columns.refused.add(item.place + place, error.reason, str(error))
        else:
            columns.add(item.place + place, name, time, value, tags)


def _points(metric: Any) -> Iterator[tuple[str, Any]]:
    """Yield the place and content of each point. A metric may have points of both kinds."""
    if not isinstance(metric, dict):
        return
    if "timestamp" in metric or "value" in metric:
        yield "", [metric.get("timestamp"), metric.get("value")]
    datapoints = metric.get("datapoints")
    if isinstance(datapoints, list):
        for index, point in enumerate(datapoints):
            yield f"/datapoints/{index}", point


def _point(content: object, value_type: object) -> tuple[int, float]:
    """Return a time in milliseconds and a value. Raises Unmappable."""
    match content:
        case [time, value]:
            pass
        case [time, value, value_type]:
            pass
        case _:
            raise Unmappable(Reason.SYNTAX, "a data point must be an array of a time and a value")
    milliseconds = number_of(time, texts=False)
    if milliseconds is None:
        raise Unmappable(Reason.TIME, f"the timestamp must be a number, is {said(time)}")
    if value_type == STRING or isinstance(value, str):
        raise Unmappable(Reason.UNSUPPORTED, "the value is a string, and only numbers are stored")
    number = number_of(value, texts=False)
    if number is None:
        raise Unmappable(Reason.VALUE, f"the value must be a finite number, is {said(value)}")
    return math.floor(milliseconds), number
