"""Queries in the OpenAPI document."""

from __future__ import annotations

from adapters.http.api.queries import MetricNameView, MetricsView
from adapters.http.openapi.parts import (
    NO_STORE,
    ORGANIZATION,
    STALE,
    TEAM,
    TOKEN,
    Json,
    answers,
    problems,
    ref,
)
from application.durations import UNITS
from application.reading.query_values import AGGREGATORS, DEFAULT_LIMIT, MAX_LIMIT
from domain.names import MAX_NAME_LENGTH, METRIC_NAME_PATTERN

_TIME = "ISO 8601 or RFC 3339 with a zone, or seconds since the epoch, with any number of decimals."
_UNITS = "".join(UNITS)


def _parameter(name: str, description: str, *, required: bool = False, **schema: object) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": {"type": "string", **schema},
    }


_PARAMETERS: list[Json] = [
    _parameter(
        "metric",
        "The metric's name.",
        required=True,
        pattern=f"^{METRIC_NAME_PATTERN}$",
        maxLength=MAX_NAME_LENGTH,
    ),
    _parameter(
        "tags",
        "Tags that a point must all have, as `name:value` separated by commas. In a value `\\,` is "
        "a comma and `\\\\` is a backslash.",
        examples=["host:svc5,env:production"],
    ),
    _parameter(
        "start", f"The earliest time, inclusive. {_TIME}", examples=["2014-10-24T12:37:28Z"]
    ),
    _parameter("end", f"The latest time, exclusive. {_TIME}", examples=["1414154248"]),
    _parameter(
        "aggregator",
        "How the points of a bucket, from all matching series, become one value. Without it the "
        "answer has raw points.",
        enum=list(AGGREGATORS),
    ),
    _parameter(
        "period",
        "The width of a bucket: a whole number of minutes, or a whole number followed by `s`, `m`, "
        "`h`, `d` or `w`. Required with an aggregator. Buckets start at multiples of it since the "
        "epoch.",
        pattern=f"^[0-9]{{1,12}}[{_UNITS}]?$",
        examples=["5", "30s", "1h"],
    ),
    _parameter(
        "limit",
        "The maximum number of points or buckets. The latest are returned.",
        type="integer",
        minimum=1,
        maximum=MAX_LIMIT,
        default=DEFAULT_LIMIT,
    ),
    _parameter(
        "receipt",
        "The `Cave-Receipt` of a batch. The answer waits up to 5 seconds for the batch to be "
        "readable.",
        pattern="^[0-9]+-[0-9]+-[0-9]+$",
        examples=["7-1793491200123-0"],
    ),
]

_METADATA = _parameter(
    "metadata",
    "Whether to return what is known of each metric's type, unit, help text and temporality. What "
    "is not known is left out.",
    type="boolean",
    default=False,
)

_PROBLEMS = {
    400: "a parameter is missing, unknown or invalid; `errors` lists the first 100 of these.",
    401: "no usable credentials, or a scheme that is neither Basic nor Bearer.",
    403: "the token is unknown, revoked or expired, belongs to another owner, or lacks the scope "
    "`read`.",
    404: "no such organization or team.",
    503: "the service cannot answer at the moment, for example because the data is not readable "
    "yet, too many queries are running, or this one takes too much time or memory.",
}
_HEADERS: Json = {"Cache-Control": NO_STORE, "Cave-Stale": STALE}


def _names(operation: str, summary: str, path_parameters: list[Json]) -> Json:
    answer = answers(MetricNameView, "All of them, by name.", _HEADERS)
    answer["content"]["application/json"]["schema"] = {
        "type": "array",
        "items": ref(MetricNameView),
    }
    return {
        "get": {
            "operationId": operation,
            "tags": ["metrics"],
            "summary": summary,
            "description": "Each name with all tag names it was ever published with. Metadata come "
            "from clients whose protocol has them; of each metric, the last ones are returned. "
            "Needs a token with the scope `read`.",
            "security": TOKEN,
            "parameters": [*path_parameters, _METADATA],
            "responses": {"200": answer, **problems(_PROBLEMS)},
        }
    }


def _stale_404(answers: Json) -> Json:
    """Add the header to the 404, which may come from a stopped projection too."""
    refused = answers["404"]
    return {**answers, "404": {**refused, "headers": {**refused["headers"], "Cave-Stale": STALE}}}


def _metrics(operation: str, summary: str, path_parameters: list[Json]) -> Json:
    return {
        "get": {
            "operationId": operation,
            "tags": ["metrics"],
            "summary": summary,
            "description": "An acknowledged batch can be read within 2 seconds. Needs a token "
            "with the scope `read`.",
            "security": TOKEN,
            "parameters": [*path_parameters, *_PARAMETERS],
            "responses": {
                "200": answers(
                    MetricsView,
                    "The latest points or buckets, oldest first; an empty list if the range has "
                    "none.",
                    _HEADERS,
                ),
                **_stale_404(
                    problems(
                        {
                            **_PROBLEMS,
                            404: "no such organization or team, it has no such metric, or the log "
                            "has no such receipt.",
                        }
                    )
                ),
            },
        }
    }


PATHS: Json = {
    "/organizations/{organization}/metric-names": _names(
        "listMetricNames", "List the metric names of an organization", [ORGANIZATION]
    ),
    "/organizations/{organization}/teams/{team}/metric-names": _names(
        "listTeamMetricNames", "List the metric names of a team", [ORGANIZATION, TEAM]
    ),
    "/organizations/{organization}/metrics": _metrics(
        "readMetrics", "Read a metric of an organization", [ORGANIZATION]
    ),
    "/organizations/{organization}/teams/{team}/metrics": _metrics(
        "readTeamMetrics", "Read a metric of a team", [ORGANIZATION, TEAM]
    ),
}
