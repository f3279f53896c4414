"""Publish in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct

from adapters.http.openapi.parts import ORGANIZATION, TEAM, TOKEN, Json, problems, ref
from adapters.http.publish.protocol import MAX_HEAD
from adapters.http.publish.routes import ANY_MEDIA, ROUTES, PublishRoute
from domain.idempotency import MAX_KEY_LENGTH
from domain.metric_point import MAX_TAGS
from domain.names import (
    MAX_NAME_LENGTH,
    MAX_TAG_VALUE_LENGTH,
    METRIC_NAME_PATTERN,
    TAG_NAME_PATTERN,
)
from domain.values import TEXTS

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

OTLP_EXAMPLE: Json = {
    "resourceMetrics": [
        {
            "resource": {
                "attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]
            },
            "scopeMetrics": [
                {
                    "metrics": [
                        {
                            "name": "http.server.active_requests",
                            "unit": "{request}",
                            "gauge": {
                                "dataPoints": [
                                    {"timeUnixNano": "1793491200000000000", "asInt": "3"}
                                ]
                            },
                        }
                    ]
                }
            ],
        }
    ]
}


LINES_EXAMPLE = "cpu,host=svc12,region=eu idle=97.5,user=2 1793491200000000000\n"
_TAGS_EXAMPLE: Json = {"host": "svc12"}
PUT_EXAMPLE = [
    {"metric": "sys.cpu.user", "timestamp": 1793491200, "value": 2, "tags": _TAGS_EXAMPLE}
]
KAIROS_EXAMPLE = [
    {"name": "cpu.user", "datapoints": [[1793491200000, 2]], "tags": _TAGS_EXAMPLE},
    {"name": "cpu.idle", "timestamp": 1793491200000, "value": 97.5, "tags": _TAGS_EXAMPLE},
]


def _name(pattern: str, description: str) -> Json:
    return {
        "type": "string",
        "description": description,
        "pattern": f"^{pattern}$",
        "minLength": 1,
        "maxLength": MAX_NAME_LENGTH,
    }


_TAG_VALUE: Json = {
    "type": "string",
    "description": "Any text without control characters.",
    "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
    "minLength": 1,
    "maxLength": MAX_TAG_VALUE_LENGTH,
}


def _one_or_several(description: str, properties: Json, required: list[str]) -> Json:
    """Describe an object, or an array of them."""
    item = {"type": "object", "properties": properties, "required": required}
    return {"description": description, "oneOf": [item, {"type": "array", "items": item}]}


SCHEMAS: Json = {
    "PublishBody": {
        "type": "object",
        "description": "A batch, which is stored as a whole or not at all.",
        "properties": {
            "metrics": {
                "type": "array",
                "description": "The data points. An empty array is accepted; nothing is stored.",
                "items": {"$ref": "#/components/schemas/PublishedPoint"},
            }
        },
        "required": ["metrics"],
        "additionalProperties": False,
    },
    "PublishedPoint": {
        "type": "object",
        "description": "A data point. Its name is in either `name` or `metric`.",
        "properties": {
            "name": _name(METRIC_NAME_PATTERN, "The metric's name."),
            "metric": _name(METRIC_NAME_PATTERN, "The metric's name, as an alternative to `name`."),
            "timestamp": {
                "type": "integer",
                "minimum": 0,
                "description": "Whole seconds since 1970-01-01T00:00Z. A value above 95617584000 "
                "is read as milli-, micro- or nanoseconds. At most 24 hours (configurable) in "
                "the future.",
            },
            "value": {
                "type": "number",
                "format": "double",
                "description": "A finite number, stored as a 64-bit float. With `values=any` also "
                f"one of the strings {', '.join(TEXTS)}.",
            },
            "tags": {
                "type": "object",
                "maxProperties": MAX_TAGS,
                "propertyNames": _name(TAG_NAME_PATTERN, "A tag's name."),
                "additionalProperties": _TAG_VALUE,
                "description": f"At most {MAX_TAGS} tags. May be empty, but must be present.",
            },
        },
        "required": ["timestamp", "value", "tags"],
        "oneOf": [{"required": ["name"]}, {"required": ["metric"]}],
        "additionalProperties": False,
    },
    "OtlpRequest": {
        "type": "object",
        "description": "An ExportMetricsServiceRequest in the JSON of OTLP.",
        "properties": {"resourceMetrics": {"type": ["array", "null"], "items": {"type": "object"}}},
    },
    "OtlpResponse": {
        "type": "object",
        "description": "An ExportMetricsServiceResponse.",
        "properties": {
            "partialSuccess": {
                "type": "object",
                "properties": {
                    "rejectedDataPoints": {"type": "string", "pattern": "^[0-9]+$"},
                    "errorMessage": {"type": "string"},
                },
                "required": ["rejectedDataPoints", "errorMessage"],
            }
        },
    },
    "OtlpStatus": {
        "type": "object",
        "description": "A google.rpc.Status.",
        "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
        "required": ["code", "message"],
    },
    "InfluxError": {
        "type": "object",
        "description": "`error` in versions 1 and 3, `code` and `message` in version 2. `data` has "
        "the first 100 lines that version 3 refused.",
        "properties": {
            **{name: {"type": "string"} for name in ("error", "code", "message")},
            "data": {"type": "array", "items": {"type": "object"}},
        },
    },
    "OpenTsdbPoints": _one_or_several(
        "Data points of OpenTSDB. A time has seconds, or milliseconds if it has over 10 digits.",
        {
            "metric": {"type": "string"},
            "timestamp": {"type": ["number", "string"]},
            "value": {"type": ["number", "string"]},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        ["metric", "timestamp", "value"],
    ),
    "OpenTsdbSummary": {
        "type": "object",
        "description": "The answer to `?summary` and, with `errors`, to `?details`.",
        "properties": {
            "success": {"type": "integer"},
            "failed": {"type": "integer"},
            "errors": {"type": "array", "items": {"type": "object"}},
        },
        "required": ["success", "failed"],
    },
    "OpenTsdbError": {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "integer"},
                    "message": {"type": "string"},
                    "details": {"type": "string"},
                },
                "required": ["code", "message", "details"],
            }
        },
        "required": ["error"],
    },
    "KairosMetrics": _one_or_several(
        "Metrics of KairosDB, each with a value, or with pairs of a time and a value. "
        "Times are in milliseconds.",
        {
            "name": {"type": "string"},
            "timestamp": {"type": "integer"},
            "value": {"type": "number"},
            "datapoints": {"type": "array", "items": {"type": "array", "minItems": 2}},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        ["name"],
    ),
    "KairosErrors": {
        "type": "object",
        "properties": {"errors": {"type": "array", "items": {"type": "string"}}},
        "required": ["errors"],
    },
}

_HEADERS: list[Json] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A batch sent again with the same key within 24 hours is stored only once "
        "and answered with the first receipt. Each organization has its own keys.",
        "schema": {
            "type": "string",
            "pattern": "^[!-~]*$",
            "minLength": 1,
            "maxLength": MAX_KEY_LENGTH,
        },
    },
]


def _content_encoding(route: PublishRoute) -> Json:
    implied = route.implied_coding
    missing = f"`{implied}` if missing" if implied else "if it is"
    return {
        "name": "Content-Encoding",
        "in": "header",
        "description": f"How the body is compressed, {missing}.",
        "schema": {"type": "string", "enum": [*([] if implied else ["identity"]), *route.codings]},
    }


_JSON_PARAMETERS: list[Json] = [
    {
        "name": "partial",
        "in": "query",
        "description": "`true` stores the good points of a batch and names the others in a body of "
        "the 202.",
        "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
    },
    {
        "name": "values",
        "in": "query",
        "description": "With `any`, a value that is not finite may be sent as a string: NaN, +Inf, "
        "-Inf, and stale for Prometheus' stale marker.",
        "schema": {"type": "string", "enum": ["any", "finite"], "default": "finite"},
    },
]

_ACCEPTED: Json = {
    "description": "The whole batch is stored durably. The answer has no body.",
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
            "description": "Present if the batch was stored before under the same key.",
            "schema": {"const": "true"},
        },
    },
}

_PROBLEMS = {
    401: "no usable credentials, or a scheme that is neither Basic nor Bearer.",
    403: "the token is unknown, revoked or expired, belongs to another owner, or lacks the scope "
    "`publish`.",
    404: "no such organization or team.",
    413: "the body is too large, as sent or decompressed, or has too many points.",
    422: "the idempotency key was used for another batch within the last 24 hours.",
    429: "the organization has exceeded its quota, or has no room for the batch's new series.",
    431: f"the request line and headers exceed {MAX_HEAD // 1024} KiB.",
    501: "the transfer coding is not `chunked`.",
    503: "the service cannot accept the batch at the moment, for example because its log is "
    "unreachable, full or saturated, or has no room for a new idempotency key. "
    "After `urn:cave:problem:outcome-unknown` the batch may be "
    "stored, so retry it with the same idempotency key; after any other type it is not stored.",
}


class Format(Struct, frozen=True):
    """Documentation of a protocol's bodies and answers.

    `name` is what a body is called in error texts, and `operation` is part of the operations' ids.
    `content` has the request's bodies by media type, `stored` the answers by status to one whose
    good points are stored, `failed` the bodies of errors by media type, None for problem documents,
    `parameters` those of the URL's query. `invalid` says when the content of a body makes a 400, if
    not as that of our JSON does.
    """

    name: str
    operation: str
    summary: str
    description: str
    content: Json
    stored: Json
    failed: Json | None = None
    parameters: list[Json] = []
    invalid: str = (
        "a field is missing, unknown or invalid; `errors` lists the first 100 invalid fields"
    )


_BINARY: Json = {}
"""The schema of a body that is not text (OpenAPI 3.1, "Considerations for File Uploads")."""

_STORED: Json = {
    "description": "The points are stored durably. The answer has no body.",
    "headers": _ACCEPTED["headers"],
}


def _influx(version: int) -> Format:
    return Format(
        name="line protocol",
        operation=f"Influx{version}",
        summary=f"Publish lines of InfluxDB {version} for",
        description="Stores the good points of lines in InfluxDB's line protocol, of any media "
        "type. Needs a token with the scope `publish`, which may also be in the parameters `p` or "
        "`u`. If points were refused the answer is a 400, and the others are stored.",
        content={"text/plain": {"schema": {"type": "string"}, "example": LINES_EXAMPLE}},
        stored={"204": _STORED},
        failed={"application/json": {"schema": ref("InfluxError")}},
    )


# By protocol, or by path where a protocol has several.
_FORMATS = {
    "json": Format(
        name="JSON",
        operation="Metrics",
        summary="Publish data points for",
        description="Stores the whole batch or nothing. Needs a token with the scope `publish`. "
        "Content-Type is `application/json`, with any parameters, or absent.",
        content={"application/json": {"schema": ref("PublishBody"), "example": EXAMPLE}},
        stored={"202": _ACCEPTED},
        parameters=_JSON_PARAMETERS,
    ),
    "otlp": Format(
        name="OTLP",
        operation="Otlp",
        summary="Publish OTLP metrics for",
        description="Takes an `ExportMetricsServiceRequest` of OTLP/HTTP and stores its good data "
        "points. Needs a token with the scope `publish`. The answer is in the media type of the "
        "request.",
        content={
            "application/x-protobuf": {"schema": _BINARY},
            "application/json": {"schema": ref("OtlpRequest"), "example": OTLP_EXAMPLE},
        },
        stored={
            "200": {
                "description": "The data points are stored durably, except those that "
                "`partialSuccess` counts.",
                "headers": _ACCEPTED["headers"],
                "content": {
                    "application/x-protobuf": {"schema": _BINARY},
                    "application/json": {"schema": ref("OtlpResponse")},
                },
            }
        },
        failed={
            "application/x-protobuf": {"schema": _BINARY},
            "application/json": {"schema": ref("OtlpStatus")},
        },
    ),
    "influx/write": _influx(1),
    "influx/api/v2/write": _influx(2),
    "influx/api/v3/write_lp": _influx(3),
    "opentsdb": Format(
        name="JSON of OpenTSDB",
        operation="OpenTsdb",
        summary="Publish OpenTSDB data points for",
        description="Stores the good data points. Needs a token with the scope `publish`. If "
        "points were refused the answer is a 400, and the others are stored. With the parameter "
        "`summary` or `details` the answer has the numbers.",
        content={"application/json": {"schema": ref("OpenTsdbPoints"), "example": PUT_EXAMPLE}},
        stored={
            "200": {
                "description": "The points are stored durably; `summary` or `details` was asked.",
                "headers": _ACCEPTED["headers"],
                "content": {"application/json": {"schema": ref("OpenTsdbSummary")}},
            },
            "204": _STORED,
        },
        failed={
            "application/json": {
                "schema": {"anyOf": [ref("OpenTsdbError"), ref("OpenTsdbSummary")]}
            }
        },
    ),
    "kairosdb": Format(
        name="JSON of KairosDB",
        operation="KairosDb",
        summary="Publish KairosDB data points for",
        description="Stores the good data points. Needs a token with the scope `publish`. If "
        "points were refused the answer is a 400, and the others are stored.",
        content={
            "application/json": {"schema": ref("KairosMetrics"), "example": KAIROS_EXAMPLE},
            "application/gzip": {"schema": _BINARY},
        },
        stored={"204": _STORED},
        failed={"application/json": {"schema": ref("KairosErrors")}},
    ),
    "remote_write": Format(
        name="remote write",
        operation="RemoteWrite",
        summary="Publish Prometheus remote write for",
        description="Takes a `prometheus.WriteRequest` (1.0) or an `io.prometheus.write.v2.Request`"
        " (2.0) and stores its good samples and histograms. Needs a token with the scope "
        "`publish`. Every answer to 2.0 has `X-Prometheus-Remote-Write-Samples-Written`, "
        "`-Histograms-Written` and `-Exemplars-Written`.",
        content={
            "application/x-protobuf": {"schema": _BINARY},
            "application/x-protobuf;proto=prometheus.WriteRequest": {"schema": _BINARY},
            "application/x-protobuf;proto=io.prometheus.write.v2.Request": {"schema": _BINARY},
        },
        stored={
            "204": {
                "description": "Everything is stored durably. The answer has no body.",
                "headers": _ACCEPTED["headers"],
            }
        },
        failed={"text/plain": {"schema": {"type": "string"}}},
        invalid="samples, histograms or, in 2.0, exemplars were refused; the others are stored, "
        "and `Cave-Receipt` is their place in the log",
    ),
}


def publish_problems(described: Format, media_types: Collection[str]) -> dict[int, str]:
    """Return when each error occurs, by status, for a format and the media types it accepts."""
    named = " or ".join(f"`{media_type}`" for media_type in media_types)
    wrong_media = "" if ANY_MEDIA in media_types else f"the media type is not {named}, or "
    special = {
        400: f"the body is not valid {described.name} or cannot be decompressed, the idempotency "
        f"key is invalid, or {described.invalid}.",
        415: f"{wrong_media}the content encoding is not supported.",
    }
    return dict(sorted({**_PROBLEMS, **special}.items()))


def _publish(route: PublishRoute, owner: str, whose: str, path_parameters: list[Json]) -> Json:
    described = _FORMATS.get(route.path) or _FORMATS[route.protocol]
    errors = problems(publish_problems(described, route.media_types))
    if described.failed is not None:
        errors = {status: {**each, "content": described.failed} for status, each in errors.items()}
    return {
        "post": {
            "operationId": f"publish{owner}{described.operation}",
            "tags": ["metrics"],
            "summary": f"{described.summary} {whose}",
            "description": described.description,
            "security": TOKEN,
            "parameters": [
                *path_parameters,
                *described.parameters,
                *_HEADERS,
                _content_encoding(route),
            ],
            "requestBody": {"required": True, "content": described.content},
            "responses": {**described.stored, **errors},
        }
    }


def _paths(routes: Iterable[PublishRoute]) -> Json:
    paths: Json = {}
    for route in routes:
        of_organization, of_team, *roots = route.templates()
        paths[of_organization] = _publish(route, "", "an organization", [ORGANIZATION])
        paths[of_team] = _publish(route, "Team", "a team", [ORGANIZATION, TEAM])
        for root in roots:
            paths[root] = _publish(route, "Own", "the owner of the token", [])
    return paths


PATHS = _paths(ROUTES)
