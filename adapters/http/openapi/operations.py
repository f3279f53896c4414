"""Health, metrics and documentation in the OpenAPI document."""

from __future__ import annotations

from adapters.http.api.operations import Live, NotReady, Ready
from adapters.http.openapi.parts import (
    NO_TOKEN,
    RETRY_AFTER,
    Json,
    answers,
    path_parameter,
    problems,
    ref,
)
from adapters.http.problems import CONTENT_TYPE


def _get(name: str, summary: str, responses: Json) -> Json:
    return {
        "get": {
            "operationId": name,
            "tags": ["operations"],
            "summary": summary,
            "security": NO_TOKEN,
            "responses": {**responses, **problems({})},
        }
    }


def _text(when: str, *media_types: str) -> Json:
    return {
        "description": when,
        "content": {media_type: {"schema": {"type": "string"}} for media_type in media_types},
    }


_JSON: Json = {"application/json": {"schema": {"type": "object"}}}

PATHS: Json = {
    "/health/live": _get(
        "live", "Check whether the process runs", {"200": answers(Live, "It runs.")}
    ),
    "/health/ready": _get(
        "ready",
        "Check whether the worker is ready",
        {
            "200": answers(Ready, "It is ready."),
            "503": {
                "description": "It is not ready; `problems` says why.",
                "headers": {"Retry-After": RETRY_AFTER},
                "content": {CONTENT_TYPE.decode(): {"schema": ref(NotReady)}},
            },
        },
    ),
    "/metrics": _get(
        "prometheusMetrics",
        "Get the service's own metrics",
        {"200": _text("Prometheus text format.", "text/plain")},
    ),
    "/docs": _get(
        "docs",
        "Get this documentation",
        {
            "200": {
                "description": "An HTML page if `text/html` is preferred, else this document.",
                "content": {**_JSON, **_text("", "text/html")["content"]},
            }
        },
    ),
    "/docs/openapi.json": _get(
        "openapiJson",
        "Get this document",
        {"200": {"description": "OpenAPI 3.1.", "content": _JSON}},
    ),
    "/": _get("page", "Get the page to explore metrics", {"200": _text("HTML.", "text/html")}),
    "/static/{digest}/{file}": {
        "get": {
            **_get(
                "pageFile",
                "Get a file of the page",
                {
                    "200": _text(
                        "A script, style sheet or image. It never changes.",
                        "text/javascript",
                        "text/css",
                        "image/svg+xml",
                    ),
                    **problems({404: "the page has no such file, or is of another version."}),
                },
            )["get"],
            "parameters": [
                path_parameter("digest", "A hash of all files.", {"type": "string"}),
                path_parameter(
                    "file", "The file's path, which may have slashes.", {"type": "string"}
                ),
            ],
        }
    },
}
