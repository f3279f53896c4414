"""Answers of Prometheus' HTTP API: results and errors as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from adapters.http.problems import RETRY_AFTER, Answer, Headers
from application.reading.annotations import Annotations
from application.reading.promql import InstantResult, InstantVector, Matrix, Scalar
from application.reading.promql_errors import BadData, ExecutionFailed, PromqlError, QueryTimedOut

CONTENT_TYPE = b"application/json"

STATUS_OF: Mapping[type[PromqlError], int] = {
    BadData: 400,
    ExecutionFailed: 422,
    QueryTimedOut: 503,
}
ERROR_TYPES = {400: "bad_data", 401: "unauthorized", 403: "forbidden", 404: "not_found"}
ERROR_TYPES |= {413: "bad_data", 422: "execution", 500: "internal", 503: "unavailable"}

RETRY_HEADERS: Headers = [(b"retry-after", b"%d" % RETRY_AFTER)]

MAX_STEPS = 8 * 11_000
"""Bytes of steps whose text is remembered, which takes eight times as much."""

_encode = msgspec.json.encode


TRUNCATED = "results truncated due to limit"


def success(data: object, annotations: Annotations | None = None) -> Answer:
    """Return an answer with data that can be encoded as JSON, or was (`msgspec.Raw`)."""
    content = {"status": "success", "data": data}
    if annotations and annotations.warnings:
        content["warnings"] = annotations.warnings
    if annotations and annotations.infos:
        content["infos"] = annotations.infos
    return _answer(200, content)


def listed(items: Sequence[object], limit: int | None) -> Answer:
    """Return an answer with the first items, at most `limit`."""
    annotations = Annotations()
    if limit is not None and len(items) > limit:
        annotations.warn(TRUNCATED)
    return success(list(items[:limit]), annotations)


def error(status: int, error_type: str, words: str) -> Answer:
    return _answer(status, {"status": "error", "errorType": error_type, "error": words})


def failed(failure: PromqlError) -> Answer:
    """Return the answer to a query that has none."""
    found = error(STATUS_OF[type(failure)], failure.error_type, str(failure))
    if found.status == 503:
        found.headers.extend(RETRY_HEADERS)
    return found


def result(found: InstantResult, annotations: Annotations, limit: int | None) -> Answer:
    """Return the answer to a query, with at most `limit` series."""
    if isinstance(found, Matrix | InstantVector):
        number_of_series = len(found.series if isinstance(found, Matrix) else found.samples)
        if limit is not None and number_of_series > limit:
            annotations.warn(TRUNCATED)
            found = _truncated(found, limit)
    match found:
        case Matrix():
            kind, values = "matrix", _matrix(found)
        case InstantVector():
            kind, values = "vector", _vector(found)
        case Scalar():
            kind, values = "scalar", b'[%b,"%b"]' % (_time(found.time), number(found.value))
        case _:
            kind, values = "string", b"[%b,%b]" % (_time(found.time), _encode(found.value))
    return success({"resultType": kind, "result": msgspec.Raw(values)}, annotations)


def _truncated(found: Matrix | InstantVector, limit: int) -> Matrix | InstantVector:
    if isinstance(found, Matrix):
        return Matrix(found.series[:limit])
    return InstantVector(found.time, found.samples[:limit])


def _matrix(found: Matrix) -> bytes:
    parts = []
    for series in found.series:
        steps = series.times.tobytes()
        pairs = [b""] * (2 * len(series.times))
        pairs[::2] = (_before_values if len(steps) <= MAX_STEPS else _made_before_values)(steps)
        pairs[1::2] = numbers(series.values.tolist())
        values = b"".join(pairs)[3:]
        parts.append(b'{"metric":%b,"values":[%b"]]}' % (_encode(series.labels), values))
    return b"[%b]" % b",".join(parts)


def _made_before_values(steps: bytes) -> Sequence[bytes]:
    """Return of each step (ms, int64) what is written between the value before and its own."""
    times = memoryview(steps).cast("q").tolist()
    if any(time % 1000 for time in times):
        written = b",".join(map(_time, times))
    else:
        written = _encode([time // 1000 for time in times])[1:-1]
    return (b'"],[' + written.replace(b",", b',"\0"],[') + b',"').split(b"\0")


# Most series of an answer have the same steps, and so have the panels of a dashboard.
_before_values = lru_cache(16)(_made_before_values)


def _vector(found: InstantVector) -> bytes:
    at = _time(found.time)
    values = numbers([sample.value for sample in found.samples])
    parts = [
        b'{"metric":%b,"value":[%b,"%b"]}' % (_encode(sample.labels), at, value)
        for sample, value in zip(found.samples, values, strict=True)
    ]
    return b"[%b]" % b",".join(parts)


def numbers(values: Sequence[float]) -> list[bytes]:
    """Return values as `number` writes them, which takes a tenth of its time for most."""
    written = _encode(values)[1:-1] + b","
    texts = written.replace(b".0,", b",").split(b",")[:-1]
    # Where JSON has no number, or one with an exponent, it is written otherwise.
    if b"n" in written or b"e" in written:
        for place, text in enumerate(texts):
            if b"n" in text or b"e" in text:
                texts[place] = number(values[place])
    return texts if values else []


def number(value: float) -> bytes:
    """Return a value as Prometheus writes it: the shortest text that is read back as the same.

    Exponents only below 1e-6 and from 1e21 on (its `MarshalFloat`).
    """
    if value != value:
        return b"NaN"
    text = repr(value)
    if text == "inf":
        return b"+Inf"
    if text == "-inf":
        return b"-Inf"
    if text.endswith(".0"):
        return text[:-2].encode()
    size = abs(value)
    if size < 1e-6 or size >= 1e21:
        return text.encode() if "e" in text else f"{value:e}".encode()
    if "e" in text:
        return format(Decimal(text), "f").encode()
    return text.encode()


def _time(milliseconds: int) -> bytes:
    """Return seconds, with three decimals unless they are whole."""
    seconds, rest = divmod(abs(milliseconds), 1000)
    sign = b"-" if milliseconds < 0 else b""
    return b"%b%d.%03d" % (sign, seconds, rest) if rest else b"%b%d" % (sign, seconds)


def _answer(status: int, content: Mapping[str, Any]) -> Answer:
    body = _encode(content)
    return Answer(status, [(b"content-type", CONTENT_TYPE), *described(body)], body)


def text_answer(status: int, words: str, headers: Headers | None = None) -> Answer:
    """Return an answer of the paths that are not JSON, whose text clients show."""
    body = f"{words}\n".encode()
    plain = [(b"content-type", b"text/plain; charset=utf-8"), *(headers or ())]
    return Answer(status, [*plain, *described(body)], body)


def described(body: bytes) -> Headers:
    """Return the headers that every answer has."""
    return [(b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
