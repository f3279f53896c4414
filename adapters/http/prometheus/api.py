"""The routes of Prometheus' HTTP API, for organizations, for teams and, at the root, for the owner
of the token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from litestar import HttpMethod, Response, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Struct

from adapters.http.api.administration import AnyRequest, token_in
from adapters.http.api.queries import Reading
from adapters.http.body import read_body
from adapters.http.compression import compressed
from adapters.http.failures import ProblemResponse, failure_answer
from adapters.http.problems import Answer, Headers, kept_headers
from adapters.http.prometheus import answers
from adapters.http.prometheus.browsers import ANSWER_HEADERS
from adapters.http.prometheus.escaping import unescaped
from adapters.http.prometheus.parameters import MAX_TIME, Parameters
from application.clock import Clock, milliseconds
from application.organizations.access import Grant
from application.projections.folds import POINTS
from application.reading.annotations import Annotations
from application.reading.promql import LOOK_BACK, InstantResult
from application.reading.promql_errors import BadData, PromqlError
from application.reading.promql_queries import PromqlQueries
from domain.token import Scope

MAX_FORM = 1 << 20
"""Bytes of a form."""

PREFIXES = (
    "/organizations/{organization:str}/prometheus/api/v1",
    "/organizations/{organization:str}/teams/{team:str}/prometheus/api/v1",
    "/api/v1",
)
SPOKEN_VERSION = "3.0.0"
"""The release of Prometheus whose rules are followed; Grafana asks for it."""

GET_AND_POST = [HttpMethod.GET, HttpMethod.POST]


class PrometheusApi(Struct, frozen=True):
    """Shared by the routes: the use cases, and authorization."""

    reading: Reading
    now: Clock

    def grant(self, request: AnyRequest, organization: str | None, team: str | None) -> Grant:
        """Raises MissingCredentials, and the errors of AccessControl."""
        if organization is None:
            return self.reading.access.owners_grant(token_in(request), Scope.READ)
        return self.reading.grant(request, organization, team)

    async def stale_headers(self) -> Headers:
        """Return the header `Cave-Stale` if the points are not kept up to date, else none."""
        found = await self.reading.stale_headers(POINTS)
        return [(name.lower().encode(), value.encode()) for name, value in found.items()]


class Asking(Struct, frozen=True):
    """A request that may read."""

    grant: Grant
    parameters: Parameters
    now: int

    def range(self) -> tuple[int, int]:
        """Return `start` and `end`, by default all of the time until now. Raises BadData."""
        return self.parameters.time("start", 0), self.parameters.time("end", MAX_TIME)

    def listed(self, found: Sequence[object]) -> Answer:
        """Return the answer with a list, of as many as `limit` allows. Raises BadData."""
        return answers.listed(found, self.parameters.limit())

    def result(self, found: InstantResult, annotations: Annotations) -> Answer:
        """Return the answer to a query, of as many series as `limit` allows. Raises BadData."""
        return answers.result(found, annotations, self.parameters.limit())

    def look_back(self) -> int:
        """Return for how long (ms) a sample counts. Raises BadData."""
        return self.parameters.duration("lookback_delta", LOOK_BACK)


Handler = Callable[[PromqlQueries, Asking, Mapping[str, str]], Awaitable[Answer]]


def endpoint(path: str, methods: Sequence[HttpMethod] = GET_AND_POST) -> Callable[[Handler], Any]:
    """Make a handler the route of a path below each prefix, with errors in Prometheus' form."""

    def routed(handler: Handler) -> Any:
        @route(
            [f"{prefix}/{path}" for prefix in PREFIXES],
            http_method=list(methods),
            status_code=200,
            name=f"prometheus_{handler.__name__}",
        )
        async def answer(
            request: AnyRequest,
            prometheus: NamedDependency[PrometheusApi],
            organization: FromPath[str | None] = None,
            team: FromPath[str | None] = None,
        ) -> Response[bytes]:
            try:
                grant = prometheus.grant(request, organization, team)
                parameters = await _parameters(request)
                asking = Asking(grant, parameters, milliseconds(prometheus.now))
                queries = prometheus.reading.queries.promql
                found = await handler(queries, asking, request.path_params)
                found.headers.extend(await prometheus.stale_headers())
            except PromqlError as error:
                found = answers.failed(error)
            except Exception as error:  # noqa: BLE001  answered, a defect with a 500
                found = _failed(failure_answer(error, request.method, request.scope["path"]))
            found.headers.extend(ANSWER_HEADERS)
            accept_encoding = request.headers.get("accept-encoding", "")
            return ProblemResponse(await compressed(found, accept_encoding))

        return answer

    return routed


async def _parameters(request: AnyRequest) -> Parameters:
    """Return the parameters of the URL, and those of a form. Raises BadData, BodyTooLarge."""
    query_string = request.scope["query_string"]
    content_type = request.headers.get("content-type", "")
    if request.method != "POST" or "x-www-form-urlencoded" not in content_type.lower():
        return Parameters.of(query_string)
    return Parameters.of(query_string, await read_body(request.receive, MAX_FORM))


def _failed(problem: Answer) -> Answer:
    """Return a problem in Prometheus' form."""
    words = problem.problem.detail if problem.problem else ""
    error_type = answers.ERROR_TYPES.get(problem.status, "bad_data")
    found = answers.error(problem.status, error_type, words)
    found.headers.extend(kept_headers(problem))
    return found


@endpoint("query")
async def query(queries: PromqlQueries, asking: Asking, _: Mapping[str, str]) -> Answer:
    parameters = asking.parameters
    return await queries.instant(
        asking.grant,
        parameters.text("query"),
        parameters.time("time", asking.now),
        asking.result,
        look_back=asking.look_back(),
        seconds=parameters.duration("timeout", MAX_TIME) / 1000,
    )


@endpoint("query_range")
async def query_range(queries: PromqlQueries, asking: Asking, _: Mapping[str, str]) -> Answer:
    parameters = asking.parameters
    start, end = parameters.time("start"), parameters.time("end")
    if end < start:
        raise BadData('invalid parameter "end": end timestamp must not be before start time')
    step = parameters.duration("step")
    if step <= 0:
        raise BadData(
            'invalid parameter "step": zero or negative query resolution step widths are not '
            "accepted. Try a positive integer"
        )
    return await queries.range(
        asking.grant,
        parameters.text("query"),
        start,
        end,
        step,
        asking.result,
        look_back=asking.look_back(),
        seconds=parameters.duration("timeout", MAX_TIME) / 1000,
    )


@endpoint("series")
async def series(queries: PromqlQueries, asking: Asking, _: Mapping[str, str]) -> Answer:
    selectors = asking.parameters.all("match[]")
    if not selectors:
        raise BadData("no match[] parameter provided")
    return await queries.series(asking.grant, selectors, *asking.range(), asking.listed)


@endpoint("labels")
async def labels(queries: PromqlQueries, asking: Asking, _: Mapping[str, str]) -> Answer:
    selectors = asking.parameters.all("match[]")
    return await queries.label_names(asking.grant, selectors, *asking.range(), asking.listed)


@endpoint("label/{name:str}/values", [HttpMethod.GET])
async def label_values(queries: PromqlQueries, asking: Asking, path: Mapping[str, str]) -> Answer:
    selectors = asking.parameters.all("match[]")
    name = unescaped(path["name"])
    if not name:
        raise BadData('invalid label name: ""')
    return await queries.label_values(asking.grant, name, selectors, *asking.range(), asking.listed)


@endpoint("metadata", [HttpMethod.GET])
async def metadata(queries: PromqlQueries, asking: Asking, _: Mapping[str, str]) -> Answer:
    found = await queries.metadata(asking.grant)
    wanted = asking.parameters.text("metric")
    chosen = [each for each in found.values() if wanted in ("", each.name)]
    described = {
        each.name: [{"type": each.type, "help": each.help, "unit": each.unit}]
        for each in chosen[: asking.parameters.limit()]
    }
    return answers.success(described)


@endpoint("format_query")
async def format_query(queries: PromqlQueries, asking: Asking, _: Mapping[str, str]) -> Answer:
    return answers.success(queries.formatted(asking.parameters.text("query")))


@endpoint("status/buildinfo", [HttpMethod.GET])
async def build_info(_: PromqlQueries, __: Asking, ___: Mapping[str, str]) -> Answer:
    return answers.success(
        {
            "version": SPOKEN_VERSION,
            "revision": f"cave {version('cave')}",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }
    )


ROUTE_HANDLERS = (
    query,
    query_range,
    series,
    labels,
    label_values,
    metadata,
    format_query,
    build_info,
)
