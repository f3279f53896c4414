"""Prometheus' HTTP API in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from adapters.http.openapi.parts import (
    HEADERS_OF,
    NO_STORE,
    ORGANIZATION,
    STALE,
    TEAM,
    TOKEN,
    Json,
    problems,
    ref,
)


class Operation(Struct, frozen=True):
    """A path below the prefix, what it answers, its parameters by name, and whether it has POST."""

    path: str
    id: str
    summary: str
    parameters: tuple[str, ...] = ()
    post: bool = True


_PARAMETERS: dict[str, str] = {
    "query": "The expression in PromQL.",
    "time": "When it is evaluated: seconds since the epoch or RFC 3339; now if absent.",
    "start": "The first time: seconds since the epoch or RFC 3339.",
    "end": "The last time, inclusive.",
    "step": "The distance between two times: seconds, or a duration such as `30s`.",
    "timeout": "The most time that the evaluation may take.",
    "lookback_delta": "For how long a sample counts: seconds or a duration; 5 minutes if absent.",
    "match[]": 'A selector such as `up{job="a"}`; may be given several times.',
    "metric": "The name of one metric; all if absent.",
    "limit": "The most entries of the answer.",
}
_SELECTING = ("match[]", "start", "end", "limit")

OPERATIONS = (
    Operation(
        "query",
        "Query",
        "Evaluate PromQL at one time",
        ("query", "time", "timeout", "lookback_delta", "limit"),
    ),
    Operation(
        "query_range",
        "QueryRange",
        "Evaluate PromQL over a range of time",
        ("query", "start", "end", "step", "timeout", "lookback_delta", "limit"),
    ),
    Operation("series", "Series", "Find series by their labels", _SELECTING),
    Operation("labels", "Labels", "List the names of labels", _SELECTING),
    Operation(
        "label/{name}/values", "LabelValues", "List the values of a label", _SELECTING, post=False
    ),
    Operation(
        "metadata", "Metadata", "Show types, units and help texts", ("metric", "limit"), post=False
    ),
    Operation("format_query", "FormatQuery", "Format PromQL", ("query",)),
    Operation("status/buildinfo", "BuildInfo", "Show whose rules are followed", post=False),
    Operation("query_exemplars", "QueryExemplars", "List exemplars, of which there are none"),
    *(
        Operation(path, name, f"{words}, of which there are none", post=False)
        for path, name, words in (
            ("rules", "Rules", "List rules"),
            ("alerts", "Alerts", "List alerts"),
            ("alertmanagers", "Alertmanagers", "List Alertmanagers"),
            ("targets", "Targets", "List targets that are scraped"),
            ("targets/metadata", "TargetsMetadata", "List descriptions of targets' metrics"),
            ("scrape_pools", "ScrapePools", "List groups of targets"),
            ("status/config", "Config", "Show the settings of a Prometheus"),
            ("status/flags", "Flags", "Show the flags of a Prometheus"),
        )
    ),
)

_PREFIXES: tuple[tuple[str, str, str, list[Json]], ...] = (
    ("/organizations/{organization}/prometheus/api/v1", "", "an organization", [ORGANIZATION]),
    (
        "/organizations/{organization}/teams/{team}/prometheus/api/v1",
        "Team",
        "a team",
        [ORGANIZATION, TEAM],
    ),
    ("/api/v1", "Own", "the owner of the token", []),
)

SCHEMAS: Json = {
    "PrometheusAnswer": {
        "type": "object",
        "description": "An answer in the form of Prometheus' HTTP API.",
        "properties": {
            "status": {"const": "success"},
            "data": {},
            "warnings": {"type": "array", "items": {"type": "string"}},
            "infos": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["status", "data"],
    },
    "PrometheusError": {
        "type": "object",
        "properties": {
            "status": {"const": "error"},
            "errorType": {"type": "string", "examples": ["bad_data", "execution", "timeout"]},
            "error": {"type": "string"},
        },
        "required": ["status", "errorType", "error"],
    },
}

_FAILURES = {
    400: "a parameter or the expression is invalid.",
    401: "no usable credentials.",
    403: "the token is unknown, another owner's, or lacks the scope `read`.",
    404: "no such organization or team.",
    413: "the form is too large.",
    422: "the expression cannot be evaluated on these series, or takes more than it may.",
    500: "a defect of the service.",
    503: "the query took too long, or the service cannot answer at the moment.",
}

_READ_FAILURES = {
    400: "the body is invalid, or its queries take more than they may.",
    413: "the body is too large.",
    415: "the body has a content coding other than snappy.",
    503: "the queries took too long, or the service cannot answer at the moment.",
}


def _parameter(name: str) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": _PARAMETERS[name],
        "schema": {"type": "string"},
    }


def _content(schema: str) -> Json:
    return {"application/json": {"schema": ref(schema)}}


def _operation(operation: Operation, owner: str, whose: str, method: str) -> Json:
    by = "By" + method.capitalize() if method != "get" else ""
    return {
        "operationId": f"prometheus{owner}{operation.id}{by}",
        "tags": ["promql"],
        "summary": f"{operation.summary}, for {whose}",
        "description": "As in Prometheus' HTTP API. Needs a token with the scope `read`."
        + (" The parameters may be in a form." if method == "post" else ""),
        "security": TOKEN,
        "parameters": [_parameter(name) for name in operation.parameters],
        "responses": {
            "200": {
                "description": "The data.",
                "headers": {"Cache-Control": NO_STORE, "Cave-Stale": STALE},
                "content": _content("PrometheusAnswer"),
            },
            **{
                str(status): {
                    "description": words,
                    "headers": HEADERS_OF.get(status, {}),
                    "content": _content("PrometheusError"),
                }
                for status, words in _FAILURES.items()
            },
        },
    }


_CHECKS = (
    ("", "Base", "Check a connection to PromQL"),
    ("/-/healthy", "Healthy", "Check that PromQL is served"),
    ("/-/ready", "Ready", "Check that the service is ready"),
)


def _check(id: str, summary: str) -> Json:  # noqa: A002  the field's name in OpenAPI
    return {
        "operationId": id,
        "tags": ["promql"],
        "summary": summary,
        "description": "As clients of Prometheus check it. Needs a token with the scope `read`.",
        "security": TOKEN,
        "responses": {
            "200": {
                "description": "It is.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **problems({401: _FAILURES[401], 403: _FAILURES[403], 404: _FAILURES[404]}),
            "503": {
                "description": "the service cannot answer at the moment.",
                "headers": HEADERS_OF.get(503, {}),
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
        },
    }


def _remote_read(owner: str, whose: str) -> Json:
    protobuf = {"schema": {"type": "string", "format": "binary"}}
    return {
        "operationId": f"prometheus{owner}RemoteRead",
        "tags": ["promql"],
        "summary": f"Read series for a Prometheus, for {whose}",
        "description": "Prometheus' remote read. Needs a token with the scope `read`.",
        "security": TOKEN,
        "requestBody": {
            "required": True,
            "description": "A `prometheus.ReadRequest` as a block of snappy.",
            "content": {"application/x-protobuf": protobuf},
        },
        "responses": {
            "200": {
                "description": "The series of each query. `application/x-protobuf` is a "
                "`prometheus.ReadResponse` as a block of snappy. "
                "`application/x-streamed-protobuf` are frames, each with the length of a "
                "`prometheus.ChunkedReadResponse` (a varint), its CRC-32C (4 bytes, big-endian), "
                "and the message.",
                "headers": {"Cache-Control": NO_STORE},
                "content": {
                    "application/x-protobuf": protobuf,
                    "application/x-streamed-protobuf": protobuf,
                },
            },
            **{
                str(status): {
                    "description": words,
                    "headers": HEADERS_OF.get(status, {}),
                    "content": {"text/plain": {"schema": {"type": "string"}}},
                }
                for status, words in (_FAILURES | _READ_FAILURES).items()
                if status != 422
            },
        },
    }


def _paths() -> Iterator[tuple[str, Json]]:
    for prefix, owner, whose, parameters in _PREFIXES:
        for operation in OPERATIONS:
            named = [*parameters]
            if "{name}" in operation.path:
                named.append(
                    {
                        "name": "name",
                        "in": "path",
                        "required": True,
                        "description": "The label's name.",
                        "schema": {"type": "string"},
                    }
                )
            methods = ("get", "post") if operation.post else ("get",)
            item: Json = {m: _operation(operation, owner, whose, m) for m in methods}
            yield f"{prefix}/{operation.path}", {"parameters": named, **item}
        base = prefix.removesuffix("/api/v1")
        for path, name, words in _CHECKS:
            if base + path:
                check = _check(f"prometheus{owner}{name}", f"{words}, for {whose}")
                yield base + path, {"parameters": parameters, "get": check}
        yield f"{prefix}/read", {"parameters": parameters, "post": _remote_read(owner, whose)}


PATHS: Json = dict(_paths())
