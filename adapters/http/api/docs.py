"""`/docs`: the OpenAPI document, as JSON and as an HTML page.

The page is generated here, without scripts: it works offline, and runs no third-party code on the
service's own origin.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

import msgspec
from litestar import Response, get

from adapters.http.api.administration import AnyRequest
from adapters.http.openapi import document

METHODS = ("get", "post", "put", "patch", "delete")
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#8881;padding:.7rem;"
    "overflow:auto}h2{border-top:1px solid #8884;padding-top:1rem}dt{font-weight:600}"
)


@get("/docs", name="docs")
async def docs(request: AnyRequest) -> Response[bytes]:
    if request.accept.best_match(["application/json", "text/html"]) == "text/html":
        return Response(_page(), media_type="text/html", headers={"Vary": "Accept"})
    return Response(_json(), media_type="application/json", headers={"Vary": "Accept"})


@get("/docs/openapi.json", name="openapi_json")
async def openapi_json() -> Response[bytes]:
    return Response(_json(), media_type="application/json")


@cache
def _json() -> bytes:
    return msgspec.json.encode(document())


@cache
def _page() -> bytes:
    info = document()["info"]
    return "".join(
        [
            "<!doctype html><html lang='en'><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width'>",
            f"<title>{escape(info['title'])}</title><style>{STYLE}</style>",
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
            *(f"<p>{escape(part)}</p>" for part in info["description"].split("\n\n")),
            "<p>For programs: <a href='/docs/openapi.json'>openapi.json</a></p>",
            *_operations(),
            "<h2>Schemas</h2>",
            *(
                f"<h3 id='{escape(name)}'>{escape(name)}</h3>{_source(schema)}"
                for name, schema in document()["components"]["schemas"].items()
            ),
            "</html>",
        ]
    ).encode()


def _operations() -> Iterator[str]:
    for path, item in document()["paths"].items():
        for method in METHODS:
            if operation := item.get(method):
                yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
                yield f"<p>{escape(operation['summary'])}. "
                yield f"{escape(operation.get('description', ''))}</p>"
                yield from _parameters(item.get("parameters", []) + operation.get("parameters", []))
                yield from _request(operation.get("requestBody"))
                yield from _answers(operation["responses"])


def _parameters(parameters: list[dict[str, Any]]) -> Iterator[str]:
    yield "<dl>"
    for parameter in parameters:
        yield f"<dt><code>{escape(parameter['name'])}</code> ({escape(parameter['in'])})</dt>"
        yield f"<dd>{escape(parameter['description'])}</dd>"
    yield "</dl>"


def _request(body: dict[str, Any] | None) -> Iterator[str]:
    if body is not None:
        for media_type, content in body["content"].items():
            yield f"<p>Takes <code>{escape(media_type)}</code> {_link(content['schema'])}</p>"
            if "example" in content:
                yield _source(content["example"])


def _answers(responses: dict[str, Any]) -> Iterator[str]:
    yield "<dl>"
    for status, answer in responses.items():
        yield f"<dt>{status}</dt><dd>{escape(answer['description'])}"
        for header, described in answer.get("headers", {}).items():
            yield f" <code>{escape(header)}</code>: {escape(described['description'])}"
        for content in answer.get("content", {}).values():
            yield f" {_link(content['schema'])}"
        yield "</dd>"
    yield "</dl>"


def _link(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f"<a href='#{escape(name)}'>{escape(name)}</a>" if name else ""


def _source(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
