"""The contestants' formats of request bodies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from msgspec import Struct

from tests.benchmarks.points import Point

_Written = Callable[[Point, str], str]


class Format(Struct, frozen=True):
    """`written` returns a point as text, given its time in seconds as text."""

    content_type: str
    written: _Written
    before: str = ""
    between: str = ""
    after: str = ""

    def body(self, points: Iterable[Point], stamp: str | None = None) -> str:
        """Return a body; `stamp`, if given, replaces every time in seconds."""
        written = self.written
        each = (written(point, stamp or str(point.second)) for point in points)
        return self.before + self.between.join(each) + self.after


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _cave(point: Point, second: str) -> str:
    tags = _json(point.tags)
    return f'{{"name":"{point.name}","timestamp":{second},"value":{point.value},"tags":{tags}}}'


def _opentsdb(point: Point, second: str) -> str:
    tags = _json(point.tags)
    return f'{{"metric":"{point.name}","timestamp":{second},"value":{point.value},"tags":{tags}}}'


def _import(point: Point, second: str) -> str:
    labels = _json({"__name__": point.name, **point.tags})
    return f'{{"metric":{labels},"values":[{point.value}],"timestamps":[{second}000]}}\n'


def _line(point: Point, second: str) -> str:
    tags = ",".join(f"{name}={value}" for name, value in point.tags.items())
    return f"{point.name},{tags} value={point.value} {second}\n"


CAVE = Format("application/json", _cave, '{"metrics":[', ",", "]}")
OPENTSDB = Format("application/json", _opentsdb, "[", ",", "]")
VICTORIA_IMPORT = Format("application/json", _import)
INFLUX_LINES = Format("text/plain", _line)
