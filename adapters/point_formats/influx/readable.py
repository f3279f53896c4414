"""The readable reader of bodies: line by line, and the definition of which points they mean."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.point_formats.influx.lines import BadLine, Line, line_end, read_line
from adapters.point_formats.influx.precisions import ToMilliseconds
from adapters.point_formats.mapping import Unmappable, mapped_metric_name, mapped_tags
from adapters.point_formats.point_columns import PointColumns
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason, Refusals
from domain.metric_point import TagSet, timestamp_fault
from domain.names import abbreviated

MAX_ORIGINAL = 300
"""Characters of a refused line that are kept, for the answers of version 3."""

VALUE = "value"
"""The field whose points have the measurement's name; others have `_` and the field's after it."""

Point = tuple[str, int, float, TagSet]


def read_readably(body: bytes, terms: BodyTerms, to_milliseconds: ToMilliseconds) -> Decoded:
    """Return the points of a body. Raises BodyTooLarge."""
    text = body.decode("utf-8", "surrogateescape")
    columns = PointColumns(terms)
    lines = LineReader(terms, to_milliseconds, columns.refused)
    at, number = 0, 1
    while at < len(text):
        points, end = lines.read(text, at, number)
        for name, time, value, tags in points:
            columns.add("", name, time, value, tags)
        at, number = end, number + text.count("\n", at, end)
    return columns.decoded(timed=lines.timed)


class LineReader:
    """Reads single lines of a body; `timed` says whether each point so far had a time."""

    def __init__(
        self, terms: BodyTerms, to_milliseconds: ToMilliseconds, refused: Refusals
    ) -> None:
        self._terms = terms
        self._to_milliseconds = to_milliseconds
        self._refused = refused
        self.timed = True

    def read(self, text: str, at: int, number: int) -> tuple[list[Point], int]:
        """Return the good points of the line at a place, and where the next line begins.

        `number` is that of the line, from 1. Bad points are refused; so is a line that is not in
        the format, as one point. Raises BodyTooLarge.
        """
        place = f"line {number}"
        try:
            line, end = read_line(text, at, self._terms.max_points)
        except BadLine as error:
            end = line_end(text, error.at)
            self._refused.add(place, Reason.SYNTAX, str(error), original=_original(text, at, end))
            return [], end
        if line is None:
            return [], end
        if not text.isascii() and not _is_unicode(text[at:end]):
            detail = "the line is not valid UTF-8"
            self._refused.add(place, Reason.SYNTAX, detail, original=_original(text, at, end))
            return [], end
        return [*self._points(line, place, _original(text, at, end))], end

    def _points(self, line: Line, place: str, original: str) -> Iterator[Point]:
        time = self._terms.received if line.time is None else self._to_milliseconds(line.time)
        try:
            tags = mapped_tags(line.tags)
        except Unmappable as error:
            self._refused.add(place, error.reason, str(error), len(line.fields), original)
            return
        if fault := timestamp_fault(time, self._terms.latest):
            detail = f"the timestamp {fault}"
            self._refused.add(place, Reason.TIME, detail, len(line.fields), original)
            return
        for key, value in line.fields:
            if value is None:
                detail = f"field {abbreviated(key)} is a string, and only numbers are stored"
                self._refused.add(place, Reason.UNSUPPORTED, detail, 1, original)
                continue
            try:
                name = metric_name(line.measurement, key)
            except Unmappable as error:
                self._refused.add(place, error.reason, str(error), 1, original)
                continue
            self.timed = self.timed and line.time is not None
            yield name, time, value, tags


def metric_name(measurement: str, key: str) -> str:
    """Return the name of the metric that a field is. Raises Unmappable."""
    return mapped_metric_name(measurement if key == VALUE else f"{measurement}_{key}")


def _is_unicode(text: str) -> bool:
    """Return whether text has none of the surrogates that stand for bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _original(text: str, at: int, end: int) -> str:
    """Return the beginning of a line as it was sent."""
    line = text[at : min(end, at + MAX_ORIGINAL)].rstrip("\r\n")
    return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
