"""The points that data points must become, as the programs here print them.

The mapping, written a second time and only for what these programs measure: `docs/protocols`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from tests.clients import mapping
from tests.clients.points import Point, point

RESOURCE = {"service.name": "shop", "service.namespace": "web"}
"""Those attributes of the programs' resource that are kept."""


def is_refused(data_point: Mapping[str, Any]) -> bool:
    """Return whether a data point is one that cannot be stored."""
    return any(len(_text(value)) > mapping.MAX_VALUE for value in data_point["attributes"].values())


class Export(NamedTuple):
    """What a program printed of an export; the result is None if it ended before it knew."""

    data_points: list[dict[str, Any]]
    result: str | None


def exports(output: str) -> list[Export]:
    """Return what a program printed. A last line that is not complete is left out."""
    found: list[Export] = []
    data_points: list[dict[str, Any]] = []
    for line in output.split("\n")[:-1]:
        printed = json.loads(line)
        if "result" in printed:
            found.append(Export(data_points, printed["result"]))
            data_points = []
        else:
            data_points.append(printed)
    return [*found, Export(data_points, None)] if data_points else found


def stored_points(made: Iterable[Export]) -> list[Point]:
    """Return the points that exports must become."""
    return [
        point
        for export in made
        for data_point in export.data_points
        if not is_refused(data_point)
        for point in expected(data_point)
    ]


def expected(data_point: Mapping[str, Any]) -> Iterator[Point]:
    """Yield what a data point must become."""
    name, time = data_point["name"], int(data_point["time"]) // 1_000_000
    attributes = {key: _text(value) for key, value in data_point["attributes"].items()}
    tags = RESOURCE | mapping.tags(attributes)
    if "count" not in data_point:
        yield point(name, time, data_point["value"], tags)
        return
    for bound, total in _buckets(data_point):
        yield point(f"{name}_bucket", time, total, {**tags, "le": bound})
    for field in ("count", "sum", "min", "max"):
        yield point(f"{name}_{field}", time, data_point[field], tags)


def _buckets(data_point: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    if "scale" in data_point:
        bounds, counts = _exponential(data_point)
    else:
        bounds, counts = data_point["explicit_bounds"], data_point["bucket_counts"]
    yield from zip(map(_number, bounds), accumulate(counts), strict=False)
    yield "+Inf", data_point["count"]


def _exponential(data_point: Mapping[str, Any]) -> tuple[list[float], list[int]]:
    """Return the upper bounds of the buckets and their counts; none is below zero."""
    first, counts = data_point["positive"]["offset"] + 1, data_point["positive"]["counts"]
    bounds = [2.0 ** (index * 2.0 ** -data_point["scale"]) for index, _ in enumerate(counts, first)]
    zero = data_point["zero_count"]
    return ([0.0, *bounds], [zero, *counts]) if zero else (bounds, counts)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
