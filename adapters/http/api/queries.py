"""Queries: metric names, and the points or buckets of a metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from adapters.http.api.administration import AnyRequest, token_in
from adapters.http.api.organizations import NO_STORE
from adapters.http.api.query_parameters import flag, metrics_query
from adapters.http.errors import InvalidParameters, ParameterFault
from adapters.http.failures import ProblemResponse
from adapters.http.problems import problem_answer
from application.organizations.access import AccessControl, Grant
from application.projections.errors import UnknownMetric
from application.projections.folds import METRIC_METADATA, METRIC_NAMES, POINTS, Projection
from application.projections.watch import ProjectionWatch
from application.reading.ports import MetricName, Sample
from application.reading.read_metrics import ReadMetrics
from application.use_cases import Queries, UseCases
from domain.errors import InvalidArgument
from domain.metric_description import MetricType, Temporality
from domain.token import Scope

STALE = "Cave-Stale"
"""Header of an answer from a stopped projection: the time of the last event that it has."""

READ_METRICS = "read_metrics"
"""The operation of queries of points, in the service's own metrics."""

METRIC_NAMES_PATHS = [
    "/organizations/{organization:str}/metric-names",
    "/organizations/{organization:str}/teams/{team:str}/metric-names",
]
METRICS_PATHS = [
    "/organizations/{organization:str}/metrics",
    "/organizations/{organization:str}/teams/{team:str}/metrics",
]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  UTC: a Z is appended
_MINUTE = 60_000
_SECONDS = [f"{number:02}." for number in range(60)]
_MILLISECONDS = [f"{number:03}Z" for number in range(1000)]


class Reading(Struct, frozen=True):
    """Shared by the routes of this module: the use cases, and authorization."""

    access: AccessControl
    queries: Queries
    projections: ProjectionWatch

    @classmethod
    def of(cls, use_cases: UseCases) -> Reading:
        return cls(use_cases.access, use_cases.queries, use_cases.projections)

    def grant(self, request: AnyRequest, organization: str, team: str | None) -> Grant:
        """Raises MissingCredentials, and the errors of AccessControl.grant."""
        return self.access.grant(organization, team, token_in(request), Scope.READ)

    async def stale_headers(self, *projections: Projection) -> dict[str, str]:
        """Return the header `Cave-Stale` if one of the projections is stopped, else no header."""
        since = await self.projections.stale_since(*projections)
        return {} if since is None else {STALE: _iso(since)}


class MetricNameView(Struct, frozen=True, omit_defaults=True):
    """A metric's name, and all tag names it was ever published with, sorted.

    With `metadata=true`, also what is known of its type, unit, help text and temporality.
    """

    name: str
    tags: list[str]
    type: MetricType = MetricType.UNKNOWN
    unit: str = ""
    help: str = ""
    temporality: Temporality = Temporality.UNSPECIFIED

    @classmethod
    def of(cls, known: MetricName) -> MetricNameView:
        tags, described = list(known.tags), known.description
        if described is None:
            return cls(known.name, tags)
        return cls(
            known.name,
            tags,
            described.type,
            described.unit,
            described.help,
            described.temporality,
        )


class SampleView(Struct, frozen=True):
    """A point or a bucket. `time` is that of the point, or the bucket's start.

    `value` is null if it exceeds the range of a 64-bit float.
    """

    time: Annotated[
        str,
        Meta(extra_json_schema={"format": "date-time", "examples": ["2014-10-24T12:37:28.000Z"]}),
    ]
    value: float | None


@lru_cache(maxsize=1 << 14)
def _iso(time: int) -> str:
    """Return milliseconds since the epoch as ISO 8601. Formatting numbers would take longer.

    Panels ask for the same times again and again, of one series after another.
    """
    minute, milliseconds = divmod(time, _MINUTE)
    seconds, milliseconds = divmod(milliseconds, 1000)
    return _minute(minute) + _SECONDS[seconds] + _MILLISECONDS[milliseconds]


@lru_cache(maxsize=4096)
def _minute(number: int) -> str:
    """Return the text of a minute since the epoch. Points' times share few minutes."""
    return (_EPOCH + timedelta(minutes=number)).isoformat(timespec="minutes") + ":"


class MetricsView(Struct, frozen=True):
    """Points or buckets, oldest first."""

    metrics: list[SampleView]


@get(METRIC_NAMES_PATHS, name="list_metric_names")
async def list_metric_names(
    request: AnyRequest,
    organization: FromPath[str],
    reading: NamedDependency[Reading],
    team: FromPath[str | None] = None,
) -> Response[list[MetricNameView]]:
    grant = reading.grant(request, organization, team)
    metadata = flag(request.scope["query_string"], "metadata")
    projections = (METRIC_NAMES, METRIC_METADATA) if metadata else (METRIC_NAMES,)
    stale = await reading.stale_headers(*projections)
    found = await reading.queries.list_metric_names(grant, metadata=metadata)
    return Response(
        [MetricNameView.of(known) for known in found],
        headers={**NO_STORE, **stale},
    )


@get(METRICS_PATHS, name=READ_METRICS)
async def read_metrics(
    request: AnyRequest,
    organization: FromPath[str],
    reading: NamedDependency[Reading],
    team: FromPath[str | None] = None,
) -> Response[bytes]:
    grant = reading.grant(request, organization, team)
    query = read_metrics_query(grant, request.scope["query_string"])
    stale = await reading.stale_headers(POINTS)
    try:
        with _blamed_on_parameters():
            samples = await reading.queries.read_metrics(query)
    except UnknownMetric as error:
        answer = problem_answer(error)
        stale = await reading.stale_headers(POINTS, METRIC_NAMES)
        answer.headers.extend((name.lower().encode(), at.encode()) for name, at in stale.items())
        return ProblemResponse(answer)
    return Response(
        metrics_body(samples), media_type="application/json", headers={**NO_STORE, **stale}
    )


def read_metrics_query(grant: Grant, query_string: bytes) -> ReadMetrics:
    """Return the query in a URL. Raises InvalidParameters."""
    query = metrics_query(query_string)
    return ReadMetrics(
        grant=grant,
        metric=query.metric,
        tags=query.tags,
        start=query.start,
        end=query.end,
        aggregation=query.aggregation,
        limit=query.limit,
        receipt=query.receipt,
    )


def metrics_body(samples: Sequence[Sample]) -> bytes:
    """Return the JSON of a MetricsView."""
    # msgspec encodes infinity as null.
    return msgspec.json.encode(
        MetricsView([SampleView(_iso(each.time), each.value) for each in samples])
    )


@contextmanager
def _blamed_on_parameters() -> Iterator[None]:
    """Turn InvalidArgument into InvalidParameters: parameters have the names of the arguments."""
    try:
        yield
    except InvalidArgument as error:
        raise InvalidParameters([ParameterFault(error.field, str(error))]) from None
