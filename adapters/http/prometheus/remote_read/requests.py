"""Reading `prometheus.ReadRequest`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError
from msgspec import Struct

from adapters.http.prometheus.parameters import MAX_TIME
from adapters.http.prometheus.remote_read.messages import SAMPLES, STREAMED_XOR_CHUNKS, ReadRequest
from application.reading.promql_errors import BadData
from application.reading.read_series import LabelCondition, SeriesQuery
from application.reading.series import MatchOperator

_OPERATORS = (
    MatchOperator.EQUAL,
    MatchOperator.NOT_EQUAL,
    MatchOperator.MATCHES,
    MatchOperator.DOES_NOT_MATCH,
)
"""By LabelMatcher.Type."""


class Request(Struct, frozen=True):
    """The queries, and the form of the answer: SAMPLES or STREAMED_XOR_CHUNKS."""

    queries: Sequence[SeriesQuery]
    response_type: int


def parsed_request(body: bytes) -> Request:
    """Return what a body asks for. Raises BadData."""
    try:
        message = ReadRequest.FromString(body)
    except DecodeError as error:
        raise BadData(f"the body is not a prometheus.ReadRequest: {error}") from None
    queries = [
        SeriesQuery(
            [_condition(number, matcher) for matcher in query.matchers],
            _clamped(query.start_timestamp_ms),
            _clamped(query.end_timestamp_ms),
        )
        for number, query in enumerate(message.queries)
    ]
    return Request(queries, _response_type(message.accepted_response_types))


def _condition(number: int, matcher: Any) -> LabelCondition:
    if not 0 <= matcher.type < len(_OPERATORS):
        raise BadData(f"query {number}: the matcher of {matcher.name!r} has type {matcher.type}")
    return LabelCondition(matcher.name, _OPERATORS[matcher.type], matcher.value)


def _response_type(accepted: Sequence[int]) -> int:
    """Return the first type that there is; a client that names none wants samples."""
    if not accepted:
        return SAMPLES
    for each in accepted:
        if each in (SAMPLES, STREAMED_XOR_CHUNKS):
            return each
    raise BadData(
        "the answer can be SAMPLES (0) or STREAMED_XOR_CHUNKS (1), "
        f"and the client accepts only {', '.join(map(str, accepted))}"
    )


def _clamped(time: int) -> int:
    """Return a time in ms that can be calculated with; clients send the first and last int64."""
    return max(-MAX_TIME, min(MAX_TIME, time))
