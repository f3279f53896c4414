"""Parts shared by the operations of the document."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from adapters.http.api import operations, queries, views
from adapters.http.problems import CONTENT_TYPE, Problem
from domain.names import MAX_OWNER_NAME_LENGTH, OWNER_NAME_PATTERN

Json = dict[str, Any]

SECURITY_SCHEMES: Json = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The token as user name, with an empty password.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token."},
}
TOKEN: list[Json] = [{"basic": []}, {"bearer": []}]
NO_TOKEN: list[Json] = []

WWW_AUTHENTICATE: Json = {
    "description": "The accepted schemes, one header each.",
    "required": True,
    "schema": {"type": "string", "examples": ['Basic realm="CAVE"', 'Bearer realm="CAVE"']},
}
RETRY_AFTER: Json = {
    "description": "Seconds to wait before trying again.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
LOCATION: Json = {
    "description": "The path of the new resource.",
    "required": True,
    "schema": {"type": "string", "format": "uri-reference"},
}
STALE: Json = {
    "description": "Present if the answer comes from a stopped projection: the time when the last "
    "event that it has was recorded. Points published later are missing.",
    "required": False,
    "schema": {"type": "string", "format": "date-time", "examples": ["2026-11-24T02:00:00.000Z"]},
}
NO_STORE: Json = {
    "description": "Always `no-store`.",
    "required": True,
    "schema": {"const": "no-store"},
}
HEADERS_OF: dict[int, Json] = {
    401: {"WWW-Authenticate": WWW_AUTHENTICATE},
    429: {"Retry-After": RETRY_AFTER},
    503: {"Retry-After": RETRY_AFTER},
}


def view_schemas() -> Json:
    """Return the schemas of JSON bodies and answers, by name."""
    types = [
        Problem,
        views.NewOrganization,
        views.NewTeam,
        views.NewToken,
        views.OrganizationView,
        views.RegisteredOrganizationView,
        views.TeamView,
        views.TeamsView,
        views.TokenView,
        views.TokensView,
        views.RefusedPointsView,
        views.IssuedTokenView,
        views.WhoamiView,
        views.HealthView,
        queries.MetricNameView,
        queries.MetricsView,
        queries.SampleView,
        operations.Live,
        operations.Ready,
        operations.NotReady,
    ]
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return schemas


def ref(schema: type | str) -> Json:
    name = schema if isinstance(schema, str) else schema.__name__
    return {"$ref": f"#/components/schemas/{name}"}


def takes(schema: type | str, example: Json) -> Json:
    """Describe a required JSON request body."""
    return {
        "required": True,
        "content": {"application/json": {"schema": ref(schema), "example": example}},
    }


def answers(schema: type, when: str, headers: Json | None = None) -> Json:
    """Describe an answer with a JSON body."""
    answer: Json = {
        "description": when,
        "content": {"application/json": {"schema": ref(schema)}},
    }
    if headers:
        answer["headers"] = headers
    return answer


def problems(when: Mapping[int, str]) -> Json:
    """Describe error answers by status. `when` says when each occurs; a 500 is always added."""
    return {
        str(status): {
            "description": f"{HTTPStatus(status).phrase}: {words}",
            "headers": HEADERS_OF.get(status, {}),
            "content": {CONTENT_TYPE.decode(): {"schema": ref(Problem)}},
        }
        for status, words in {**when, 500: "a defect of the service."}.items()
    }


def path_parameter(name: str, description: str, schema: Json | None = None) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema
        or {
            "type": "string",
            "pattern": f"^{OWNER_NAME_PATTERN}$",
            "minLength": 1,
            "maxLength": MAX_OWNER_NAME_LENGTH,
        },
    }


ORGANIZATION = path_parameter("organization", "The organization's name.")
TEAM = path_parameter("team", "The team's name.")
