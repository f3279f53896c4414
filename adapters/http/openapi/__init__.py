"""The OpenAPI document of the service.

It is written by hand rather than derived from the handlers: publish is not a framework handler,
bodies are decoded only after authorization, and every answer has its headers. A test checks that it
and the routes have the same operations.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from adapters.http.openapi import influx, management, operations, prometheus, publish, queries
from adapters.http.openapi.parts import SECURITY_SCHEMES, view_schemas

DESCRIPTION = """\
Publishing metrics for organizations and their teams, reading them, and managing their tokens.

Errors are problem documents (RFC 9457): `type` identifies the error for programs, `detail` explains
it to people, and `errors` lists the invalid fields of a body or parameters of a URL."""


@cache
def document() -> dict[str, Any]:
    """Return the document (OpenAPI 3.1) as JSON values. It must not be changed."""
    parts = {
        "openapi": "3.1.0",
        "info": {
            "title": "CAVE",
            "summary": "An event-sourced metrics service",
            "description": DESCRIPTION,
            "version": version("cave"),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "metrics", "description": "Publishing data points and reading them."},
            {"name": "promql", "description": "Prometheus' HTTP API, for Grafana and others."},
            {"name": "organizations", "description": "Organizations and their teams."},
            {"name": "tokens", "description": "Credentials of applications."},
            {"name": "operations", "description": "Health, metrics and documentation."},
        ],
        "paths": {
            **queries.PATHS,
            **{
                path: {**item, **queries.PATHS.get(path, {})}
                for path, item in publish.PATHS.items()
            },
            **influx.PATHS,
            **prometheus.PATHS,
            **management.PATHS,
            **operations.PATHS,
        },
        "components": {
            "schemas": {**publish.SCHEMAS, **prometheus.SCHEMAS, **view_schemas()},
            "securitySchemes": SECURITY_SCHEMES,
        },
    }
    as_json: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(parts))
    return as_json
