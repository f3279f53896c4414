"""What InfluxDB's clients ask before they write: whether it is there, and for a database.

Sources: InfluxDB 1.8 "InfluxDB API reference", `/ping` and `/query`; InfluxDB 2 API, `/health`.
"""

from __future__ import annotations

import re

import msgspec
from litestar import HttpMethod, Response, get, route
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from adapters.http.api.administration import Administration, AnyRequest
from adapters.http.api.operations import NO_CACHE
from adapters.http.body import read_body
from adapters.http.credentials import influx_token
from adapters.http.failures import ProblemResponse, failure_answer
from adapters.http.header_fields import header_fields
from adapters.http.problems import RETRY_AFTER, Answer
from adapters.http.publish.answers.influx import VERSION_1, InfluxAnswers
from adapters.http.publish.answers.ports import Asked
from adapters.http.publish.url_parameters import url_parameters
from application.organizations.access import AccessControl
from application.readiness import ReadinessHandler
from domain.errors import InvalidArgument
from domain.token import Scope

VERSION = "1.8.10"
"""The version of InfluxDB's API in answers to clients, since some ask before they write."""

MAX_QUERY = 64 * 1024
"""Bytes of a query in a body."""

_creates_database = re.compile(r"\s*CREATE\s+DATABASE\s+[^;]*;?\s*", re.IGNORECASE).fullmatch
_DONE = {"results": [{"statement_id": 0}]}


def _paths(path: str) -> list[str]:
    """Return a path below organizations and teams, and at the root."""
    owner = "/organizations/{organization:str}"
    return [f"{owner}/influx{path}", f"{owner}/teams/{{team:str}}/influx{path}", path]


@get(_paths("/ping"), name="influx_ping", status_code=204)
async def ping() -> Response[None]:
    headers = {"X-Influxdb-Version": VERSION, "X-Influxdb-Build": "CAVE", **NO_CACHE}
    return Response(None, status_code=204, headers=headers)


@get(_paths("/health"), name="influx_health")
async def health(readiness: NamedDependency[SkipValidation[ReadinessHandler]]) -> Response[bytes]:
    problems = (await readiness()).problems
    said: dict[str, object] = {
        "name": "influxdb",
        "status": "fail" if problems else "pass",
        "message": "; ".join(problems) or "ready for writes",
        "checks": [],
        "version": VERSION,
    }
    return Response(
        msgspec.json.encode(said),
        status_code=503 if problems else 200,
        media_type="application/json",
        headers={**NO_CACHE, **({"Retry-After": str(RETRY_AFTER)} if problems else {})},
    )


@route(
    _paths("/query"),
    name="influx_query",
    http_method=[HttpMethod.GET, HttpMethod.POST],
    status_code=200,
)
async def query(
    request: AnyRequest,
    administration: NamedDependency[Administration],
    organization: FromPath[str | None] = None,
    team: FromPath[str | None] = None,
) -> Response[bytes]:
    """Answer `CREATE DATABASE`, which there is no need for, and no other query."""
    scope = request.scope
    try:
        parameters = dict(url_parameters(scope["query_string"]))
        if request.method == "POST":
            parameters |= url_parameters(await read_body(request.receive, MAX_QUERY))
        token = influx_token(header_fields(scope["headers"]).get(b"authorization"), parameters)
        _require_publish(administration.access, organization, team, token)
        _check_query(parameters.get("q", ""))
    except Exception as error:  # noqa: BLE001  answered, a defect with a 500
        problem = failure_answer(error, request.method, scope["path"])
        return ProblemResponse(InfluxAnswers().failed(problem, Asked(VERSION_1)))
    body = msgspec.json.encode(_DONE)
    return ProblemResponse(Answer(200, [(b"content-type", b"application/json")], body))


def _check_query(text: str) -> None:
    """Raises InvalidArgument."""
    if not _creates_database(text):
        raise InvalidArgument(
            "only CREATE DATABASE is answered, since databases need not be created; "
            "read by the service's own API or by PromQL",
            "q",
        )


def _require_publish(
    access: AccessControl, organization: str | None, team: str | None, token: str
) -> None:
    """Raises the errors of AccessControl.grant."""
    if organization is None:
        access.owners_grant(token, Scope.PUBLISH)
    else:
        access.grant(organization, team, token, Scope.PUBLISH)
