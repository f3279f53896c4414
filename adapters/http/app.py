"""The service over HTTP as one ASGI application."""

from __future__ import annotations

from typing import Any, Protocol

from litestar import HttpMethod, Litestar, Response, post, route
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, SkipValidation
from litestar.types import ASGIApp, Receive, Scope, Send

from adapters.http.api import (
    docs,
    health,
    influx,
    operations,
    organizations,
    queries,
    refused,
    teams,
    tokens,
    whoami,
)
from adapters.http.api.administration import Administration, AnyRequest
from adapters.http.failures import EXCEPTION_HANDLERS, allowed_methods
from adapters.http.pages import routes as pages
from adapters.http.problems import send_answer
from adapters.http.prometheus import api as prometheus
from adapters.http.prometheus import checks, empty
from adapters.http.prometheus.api import PrometheusApi, find_query
from adapters.http.prometheus.browsers import PREFLIGHT_HEADERS
from adapters.http.prometheus.remote_read.api import remote_read
from adapters.http.publish.routes import ROUTES, Destination, PublishRoute, find_destination
from adapters.http.telemetry import record_request
from application.clock import Clock, utc_now
from application.use_cases import UseCases

PUBLISH = "publish"
"""The operation of every publish route, in the service's own metrics."""


class Publish(Protocol):
    """Answers a publish request on the bare ASGI connection, errors included, and counts it."""

    async def __call__(
        self, scope: Any, receive: Any, send: Any, destination: Destination
    ) -> None: ...


def create_app(
    use_cases: UseCases,
    publish: Publish,
    *,
    operator_token: str | None = None,
    clock: Clock = utc_now,
) -> ASGIApp:
    """Wire the application. It opens and closes nothing: its arguments must be open."""
    administration = Administration.of(use_cases, operator_token, clock)
    reading = queries.Reading.of(use_cases)
    promql = PrometheusApi(reading, clock)
    routed = _routed(publish, promql, administration, reading, use_cases)
    return HttpService(publish, promql, routed)


class HttpService:
    """Routes publish requests and PromQL's itself, and all others through Litestar.

    Routing a request through Litestar costs several times as much as accepting a batch, or as
    evaluating an expression of a few series. So these paths are recognized here if they are spelled
    as documented. Other spellings that Litestar accepts (a slash at the end, a prefix) go through
    its routes.
    """

    def __init__(self, publish: Publish, promql: PrometheusApi, routed: Litestar) -> None:
        self.routed = routed
        self._publish = publish
        self._promql = promql

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.routed(scope, receive, send)
            return
        if scope["method"] == "POST" and (destination := find_destination(scope["path"])):
            await self._publish(scope, receive, send, destination)
        elif found := find_query(scope["method"], scope["path"]):
            query, organization, team = found
            answer = await self._promql.answer(scope, receive, query.handler, organization, team)
            record_request(query.operation, answer.status)
            await send_answer(send, answer)
        else:
            await self._route(scope, receive, send)

    async def _route(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a request to Litestar, HEAD as GET without its body, and count it."""
        head = scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}

        async def observed_send(message: Any) -> None:
            if message["type"] == "http.response.start":
                handler = scope.get("route_handler")
                if handler is None or handler.name != PUBLISH:
                    record_request(_operation(handler), message["status"])
            elif head:
                message = {**message, "body": b""}
            await send(message)

        await self.routed(scope, receive, observed_send)


def _operation(handler: Any) -> str:
    return handler.name if handler is not None else "unrouted"


def _publish_handler(route: PublishRoute) -> Any:
    paths = [template.replace("}", ":str}") for template in route.templates()]

    @post(paths, name=PUBLISH)
    async def publish_points(
        publish: NamedDependency[SkipValidation[Publish]],
        organization: FromPath[str | None] = None,
        team: FromPath[str | None] = None,
    ) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await publish(scope, receive, send, Destination(route, organization, team))

        return answer

    return publish_points


ROUTE_HANDLERS = (
    *map(_publish_handler, ROUTES),
    queries.list_metric_names,
    queries.read_metrics,
    *prometheus.ROUTE_HANDLERS,
    *empty.ROUTE_HANDLERS,
    remote_read,
    checks.healthy,
    checks.ready,
    organizations.register_organization,
    organizations.show_organization,
    teams.list_teams,
    teams.create_team,
    teams.show_team,
    health.show_health,
    refused.list_refused,
    tokens.list_tokens,
    tokens.issue_token,
    tokens.show_token,
    tokens.revoke_token,
    whoami.whoami,
    operations.live,
    operations.ready,
    operations.prometheus_metrics,
    influx.ping,
    influx.health,
    influx.query,
    docs.docs,
    docs.openapi_json,
    *pages.ROUTE_HANDLERS,
)


FOR_BROWSERS = {
    path.replace(":str}", "}")
    for handler in (*prometheus.ROUTE_HANDLERS, *empty.ROUTE_HANDLERS)
    for path in handler.paths
}
"""Templates of the paths that programs in browsers may ask for, from pages of any origin."""


# Litestar's own answer to OPTIONS lists the methods of a path's first handler only. Litestar does
# not add it to a path that has one, so this one is registered before the other handlers.
@route(
    sorted({path for handler in ROUTE_HANDLERS for path in handler.paths}),
    http_method=HttpMethod.OPTIONS,
    status_code=204,
    name="options",
)
async def options(request: AnyRequest) -> Response[None]:
    template = request.scope["path_template"]
    found = next(known for known in request.app.routes if known.path_format == template)
    allow = allowed_methods(map(str, found.methods))
    headers = {"Allow": allow}
    if template in FOR_BROWSERS:
        headers |= {"Access-Control-Allow-Methods": allow, **PREFLIGHT_HEADERS}
    return Response(None, status_code=204, headers=headers)


def _routed(
    publish: Publish,
    promql: PrometheusApi,
    administration: Administration,
    reading: queries.Reading,
    use_cases: UseCases,
) -> Litestar:
    return Litestar(
        route_handlers=[options, *ROUTE_HANDLERS],
        dependencies={
            "publish": _provide(publish),
            "administration": _provide(administration),
            "reading": _provide(reading),
            "prometheus": _provide(promql),
            "readiness": _provide(use_cases.readiness),
            "projections": _provide(use_cases.projections),
            "log": _provide(use_cases.log),
            "refused_points": _provide(use_cases.refused_points),
            "token_uses": _provide(use_cases.token_uses),
            "organization_health": _provide(use_cases.organization_health),
            "log_health": _provide(use_cases.log_health),
        },
        exception_handlers=EXCEPTION_HANDLERS,
        logging_config=None,
        openapi_config=None,
        debug=False,
        pdb_on_exception=False,
    )


def _provide(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)
