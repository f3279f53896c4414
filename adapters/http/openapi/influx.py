"""What InfluxDB's clients ask before they write, in the OpenAPI document."""

from __future__ import annotations

from adapters.http.openapi.parts import (
    NO_TOKEN,
    ORGANIZATION,
    RETRY_AFTER,
    TEAM,
    TOKEN,
    Json,
    problems,
    ref,
)
from adapters.http.publish.routes import ORGANIZATION_PATH, TEAM_PATH

_OBJECT: Json = {"application/json": {"schema": {"type": "object"}}}
_ERROR: Json = {"application/json": {"schema": ref("InfluxError")}}


def _operation(name: str, summary: str, responses: Json, security: list[Json]) -> Json:
    return {
        "operationId": name,
        "tags": ["operations"],
        "summary": summary,
        "security": security,
        "responses": responses,
    }


def _ping(owner: str) -> Json:
    answer: Json = {
        "description": "It runs. The answer has no body.",
        "headers": {
            "X-Influxdb-Version": {
                "description": "The version of the API that is served.",
                "schema": {"type": "string"},
            }
        },
    }
    responses = {"204": answer, **problems({})}
    return {
        "get": _operation(f"influxPing{owner}", "Check that InfluxDB is there", responses, NO_TOKEN)
    }


def _health(owner: str) -> Json:
    responses = {
        "200": {"description": "It takes writes.", "content": _OBJECT},
        "503": {
            "description": "It takes none; `message` says why.",
            "headers": {"Retry-After": RETRY_AFTER},
            "content": _OBJECT,
        },
        **problems({}),
    }
    summary = "Check that InfluxDB takes writes"
    return {"get": _operation(f"influxHealth{owner}", summary, responses, NO_TOKEN)}


def _query(owner: str) -> Json:
    when = {
        400: "the query is another one.",
        401: "no usable credentials.",
        403: "the token lacks the scope `publish`, or is another owner's.",
        404: "no such organization or team.",
        413: "the body is too large.",
        503: "the service cannot check the token at the moment.",
    }
    errors = {status: {**each, "content": _ERROR} for status, each in problems(when).items()}
    done: Json = {"description": "There is nothing to create.", "content": _OBJECT}
    summary = "Answer CREATE DATABASE"
    return {
        method: _operation(
            f"influx{method.title()}Query{owner}", summary, {"200": done, **errors}, TOKEN
        )
        for method in ("get", "post")
    }


def _paths() -> Json:
    owners: tuple[tuple[str, str, list[Json]], ...] = (
        (f"{ORGANIZATION_PATH}/influx", "OfOrganization", [ORGANIZATION]),
        (f"{TEAM_PATH}/influx", "OfTeam", [ORGANIZATION, TEAM]),
        ("", "", []),
    )
    operations = {"/ping": _ping, "/health": _health, "/query": _query}
    return {
        owner + path: {"parameters": parameters, **describe(name)}
        for owner, name, parameters in owners
        for path, describe in operations.items()
    }


PATHS = _paths()
