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

from adapters.http.api.administration import AnyRequest
from adapters.http.api.queries import Reading
from adapters.http.body import Receive, read_body
from adapters.http.compression import compressed
from adapters.http.credentials import presented_token
from adapters.http.failures import ProblemResponse, failure_answer
from adapters.http.header_fields import header_fields
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

    async def answer(
        self,
        scope: Any,
        receive: Receive,
        handler: Handler,
        organization: str | None,
        team: str | None,
    ) -> Answer:
        """Return a handler's answer to a request, also to one that fails, in Prometheus' form."""
        headers = header_fields(scope["headers"])
        try:
            token = presented_token(headers.get(b"authorization"))
            grant = self.grant(token, organization, team)
            asking = Asking(
                grant, await _parameters(scope, headers, receive), milliseconds(self.now)
            )
            found = await handler(self.reading.queries.promql, asking, scope.get("path_params", {}))
            found.headers.extend(await self.stale_headers())
        except PromqlError as error:
            found = answers.failed(error)
        except Exception as error:  # noqa: BLE001  answered, a defect with a 500
            found = _failed(failure_answer(error, scope["method"], scope["path"]))
        found.headers.extend(ANSWER_HEADERS)
        return await compressed(found, headers.get(b"accept-encoding", b"").decode("latin-1"))

    def grant(self, token: str, organization: str | None, team: str | None) -> Grant:
        """Return what a token may read. Raises the errors of AccessControl."""
        access = self.reading.access
        if organization is None:
            return access.owners_grant(token, Scope.READ)
        return access.grant(organization, team, token, Scope.READ)

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
        """Return for how long (ms) a sample counts; 0 and less are the default. Raises BadData."""
        found = self.parameters.duration("lookback_delta", LOOK_BACK)
        return found if found > 0 else LOOK_BACK


Handler = Callable[[PromqlQueries, Asking, Mapping[str, str]], Awaitable[Answer]]


class PlainQuery(Struct, frozen=True):
    """What is called for a path without parameters of its own, and its name among operations."""

    handler: Handler
    methods: Sequence[str]
    operation: str


_PLAIN: dict[str, PlainQuery] = {}


def find_query(method: str, path: str) -> tuple[PlainQuery, str | None, str | None] | None:
    """Return what a path asks for, with the organization and the team in it.

    None if it is not among the paths as documented, and for those with parameters in the path.
    """
    head, separator, rest = path.partition("/api/v1/")
    found = _PLAIN.get(rest)
    if found is None or not separator or method not in found.methods:
        return None
    match head.split("/"):
        case [""]:
            return found, None, None
        case ["", "organizations", organization, "prometheus"] if organization:
            return found, organization, None
        case ["", "organizations", organization, "teams", team, "prometheus"] if (
            organization and team
        ):
            return found, organization, team
    return None


def endpoint(path: str, methods: Sequence[HttpMethod] = GET_AND_POST) -> Callable[[Handler], Any]:
    """Make a handler the route of a path below each prefix, with errors in Prometheus' form."""

    def routed(handler: Handler) -> Any:
        operation = f"prometheus_{handler.__name__}"

        @route(
            [f"{prefix}/{path}" for prefix in PREFIXES],
            http_method=list(methods),
            status_code=200,
            name=operation,
        )
        async def answer(
            request: AnyRequest,
            prometheus: NamedDependency[PrometheusApi],
            organization: FromPath[str | None] = None,
            team: FromPath[str | None] = None,
        ) -> Response[bytes]:
            found = await prometheus.answer(
                request.scope, request.receive, handler, organization, team
            )
            return ProblemResponse(found)

        if "{" not in path:
            _PLAIN[path] = PlainQuery(handler, methods, operation)
        return answer

    return routed


async def _parameters(scope: Any, headers: Mapping[bytes, bytes], receive: Receive) -> Parameters:
    """Return the parameters of the URL, and those of a form. Raises BadData, BodyTooLarge."""
    query_string = scope["query_string"]
    content_type = headers.get(b"content-type", b"")
    if scope["method"] != "POST" or b"x-www-form-urlencoded" not in content_type.lower():
        return Parameters.of(query_string)
    return Parameters.of(query_string, await read_body(receive, MAX_FORM))


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
