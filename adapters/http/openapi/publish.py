"""Publish in the OpenAPI document."""

from __future__ import annotations

from adapters.http.body import ENCODINGS
from adapters.http.openapi.parts import ORGANIZATION, TEAM, TOKEN, Json, problems, takes
from domain.idempotency import MAX_KEY_LENGTH
from domain.metric_point import MAX_TAGS
from domain.names import MAX_NAME_LENGTH, NAME_PATTERN

EXAMPLE: Json = {
    "metrics": [
        {
            "name": "http.cache.hits",
            "timestamp": 1398788625,
            "value": 123,
            "tags": {"service": "svc-important", "host": "svc12.prod.iad"},
        },
        {
            "name": "http.cache.misses",
            "timestamp": 1398788625,
            "value": 12,
            "tags": {"service": "svc-important", "host": "svc12.prod.iad"},
        },
    ]
}

_NAME: Json = {
    "type": "string",
    "pattern": f"^{NAME_PATTERN}$",
    "minLength": 1,
    "maxLength": MAX_NAME_LENGTH,
}
_TAG_VALUE: Json = {
    "type": "string",
    "description": "Any text without control characters.",
    "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
    "minLength": 1,
    "maxLength": MAX_NAME_LENGTH,
}

SCHEMAS: Json = {
    "PublishBody": {
        "type": "object",
        "description": "A batch, taken as a whole or not at all.",
        "properties": {
            "metrics": {
                "type": "array",
                "description": "The data points. An empty array is accepted and appends nothing.",
                "items": {"$ref": "#/components/schemas/PublishedPoint"},
            }
        },
        "required": ["metrics"],
        "additionalProperties": False,
    },
    "PublishedPoint": {
        "type": "object",
        "description": "A data point. Its name is sent as `name` or as `metric`, one of the two.",
        "properties": {
            "name": {**_NAME, "description": "The metric's name."},
            "metric": {**_NAME, "description": "The metric's name, in its other spelling."},
            "timestamp": {
                "type": "integer",
                "minimum": 0,
                "description": "Whole seconds since 1970-01-01T00:00Z. A value above 95617584000 "
                "is taken for milli-, micro- or nanoseconds. At most 24 hours (configurable) in "
                "the future.",
            },
            "value": {
                "type": "number",
                "format": "double",
                "description": "A finite number, stored as a 64-bit float.",
            },
            "tags": {
                "type": "object",
                "maxProperties": MAX_TAGS,
                "propertyNames": _NAME,
                "additionalProperties": _TAG_VALUE,
                "description": f"At most {MAX_TAGS} tags. May be empty, may not be left out.",
            },
        },
        "required": ["timestamp", "value", "tags"],
        "oneOf": [{"required": ["name"]}, {"required": ["metric"]}],
        "additionalProperties": False,
    },
}

_HEADERS: list[Json] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and body within 24 hours are appended once only, and answered "
        "with the first receipt. Keys are an organization's own.",
        "schema": {
            "type": "string",
            "pattern": "^[!-~]*$",
            "minLength": 1,
            "maxLength": MAX_KEY_LENGTH,
        },
    },
    {
        "name": "Content-Encoding",
        "in": "header",
        "description": "How the body is compressed, if it is.",
        "schema": {"type": "string", "enum": ["identity", *ENCODINGS]},
    },
]

_ACCEPTED: Json = {
    "description": "The whole batch is durable. The body is empty.",
    "headers": {
        "Cave-Receipt": {
            "description": "The batch's place in the log; absent for an empty batch.",
            "schema": {
                "type": "string",
                "pattern": "^[0-9]+-[0-9]+-[0-9]+$",
                "examples": ["7-1793491200123-0"],
            },
        },
        "Idempotent-Replayed": {
            "description": "Present where the key was used before: nothing was appended again.",
            "schema": {"const": "true"},
        },
    },
}

_PROBLEMS = {
    400: "the body is no JSON, or a field is missing, unknown or out of its rule; `errors` lists "
    "the first hundred.",
    401: "no credentials, or a scheme that is neither Basic nor Bearer.",
    403: "the token is unknown, revoked, expired, another owner's or lacks the scope `publish`.",
    404: "no such organization or team.",
    413: "the body is over the limit, as sent or inflated, or has too many points.",
    415: "the media type is not JSON, or the encoding not supported.",
    422: "the idempotency key was used for another body within 24 hours.",
    429: "the organization is over its own quota.",
    503: "the service cannot take it now: its log is unreachable, full or saturated. Only after "
    "`type` outcome-unknown may the batch be in the log; send an idempotency key to retry safely.",
}


def _publish(operation: str, summary: str, path_parameters: list[Json]) -> Json:
    return {
        "post": {
            "operationId": operation,
            "tags": ["metrics"],
            "summary": summary,
            "description": "Appends the batch to the log, all or nothing. Needs a token with the "
            "scope `publish`. Content-Type is `application/json`, parameters allowed, or left out.",
            "security": TOKEN,
            "parameters": [*path_parameters, *_HEADERS],
            "requestBody": takes("PublishBody", EXAMPLE),
            "responses": {"202": _ACCEPTED, **problems(_PROBLEMS)},
        }
    }


PATHS: Json = {
    "/organizations/{organization}/metrics": _publish(
        "publishMetrics", "Publish data points of an organization", [ORGANIZATION]
    ),
    "/organizations/{organization}/teams/{team}/metrics": _publish(
        "publishTeamMetrics", "Publish data points of a team", [ORGANIZATION, TEAM]
    ),
}
