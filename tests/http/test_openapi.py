"""The OpenAPI document is valid, has the routes' operations, and matches the answers."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from adapters.http.openapi import document
from adapters.http.openapi.publish import Format, publish_problems
from adapters.http.problems import STATUS_OF
from tests.http.conftest import OPERATOR, Service

PUBLISH = (
    "/organizations/{organization}/metrics",
    "/organizations/{organization}/teams/{team}/metrics",
)
POINT = {"name": "a", "timestamp": 1, "value": 1.5, "tags": {"host": "10.0.0.1:80"}}


def conforms(value: object, schema: dict[str, Any]) -> bool:
    """Return whether a JSON value conforms to a schema of the document."""
    resource = Resource.from_contents(document(), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:cave", resource)
    pointed = {"$ref": f"urn:cave{schema['$ref']}"} if "$ref" in schema else schema
    return cast("bool", OAS31Validator(pointed, registry=registry).is_valid(value))


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_it_has_exactly_the_operations_of_the_routes(service: Service) -> None:
    routed = cast("Litestar", service.app.routed)
    routes = {
        (re.sub(r":(str|path)\b", "", route.path), method.lower())
        for route in routed.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if method != "OPTIONS"
    }
    documented = {
        (path, method)
        for path, item in document()["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert documented == routes


def test_operations_have_unique_ids_and_all_path_parameters() -> None:
    seen: set[str] = set()
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            assert operation["operationId"] not in seen
            seen.add(operation["operationId"])
            parameters = item.get("parameters", []) + operation.get("parameters", [])
            named = {p["name"] for p in parameters if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))


@pytest.mark.parametrize("path", PUBLISH)
def test_publish_documents_every_answer_with_its_headers(path: str) -> None:
    operation = document()["paths"][path]["post"]
    answers = operation["responses"]
    assert set(answers) == {
        *("202", "400", "401", "403", "404", "413", "415", "422", "429", "431", "500", "501"),
        "503",
    }
    assert set(answers["202"]["headers"]) == {"Cave-Receipt", "Idempotent-Replayed"}
    assert "content" not in answers["202"]
    assert set(answers["401"]["headers"]) == {"WWW-Authenticate"}
    assert set(answers["429"]["headers"]) == set(answers["503"]["headers"]) == {"Retry-After"}
    assert operation["security"] == [{"basic": []}, {"bearer": []}]
    assert operation["requestBody"]["required"] is True
    headers = {p["name"] for p in operation["parameters"] if p["in"] == "header"}
    assert headers == {"Idempotency-Key", "Content-Encoding"}
    query = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
    assert query == {"partial", "values"}


def test_errors_of_publish_name_the_format_and_its_media_types() -> None:
    lines = Format("line protocol", "Lines", "Publish lines for", "Lines.", {}, {})
    texts = publish_problems(lines, ("text/plain", "text/x-lines"))
    assert "not valid line protocol" in texts[400]
    assert "not `text/plain` or `text/x-lines`" in texts[415]
    assert not any("json" in text.lower() for text in texts.values())


@pytest.mark.parametrize("path", PUBLISH)
def test_reading_documents_that_a_receipt_may_be_unknown(path: str) -> None:
    answer = document()["paths"][path]["get"]["responses"]["404"]
    assert "the log has no such receipt" in answer["description"]


def test_each_status_of_the_table_is_documented_somewhere() -> None:
    documented = {
        int(status)
        for item in document()["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
        for status in operation["responses"]
    }
    assert set(STATUS_OF.values()) <= documented


def test_examples_conform() -> None:
    for item in document()["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "requestBody" in operation:
                for content in operation["requestBody"]["content"].values():
                    if "example" in content:
                        assert conforms(content["example"], content["schema"])


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ({}, True),
        ({"name": None, "metric": "a"}, True),
        ({"metric": "a"}, False),
        ({"name": None}, False),
        ({"name": "7a"}, False),
        ({"name": "a" * 255}, True),
        ({"name": "job:_a/b"}, True),
        ({"name": "a" * 256}, False),
        ({"timestamp": -1}, False),
        ({"timestamp": 1.5}, False),
        ({"timestamp": None}, False),
        ({"value": True}, False),
        ({"value": "1"}, False),
        ({"tags": {}}, True),
        ({"tags": None}, False),
        ({"tags": {f"t{i}": "x" for i in range(40)}}, True),
        ({"tags": {f"t{i}": "x" for i in range(41)}}, False),
        ({"tags": {"a:b": "x"}}, False),
        ({"tags": {"a": "x" * 1024}}, True),
        ({"tags": {"a": "x" * 1025}}, False),
        ({"tags": {"a b": "x"}}, False),
        ({"tags": {"a": ""}}, False),
        ({"tags": {"a": "b\nc"}}, False),
        ({"tags": {"a": "42"}}, True),
        ({"tags": {"a": 42}}, False),
        ({"unit": "s"}, False),
    ],
)
def test_the_schema_of_a_point_matches_the_rules(change: dict[str, object], right: bool) -> None:
    point = {key: value for key, value in {**POINT, **change}.items() if value is not None}
    assert conforms({"metrics": [point]}, {"$ref": "#/components/schemas/PublishBody"}) is right


def test_answers_conform_to_their_schemas(service: Service) -> None:
    organization = {"name": "gilt", "scopes": ["admin"]}
    created = service.call("POST", "/organizations", OPERATOR, json=organization).json()
    admin = created["default_token"]["token"]
    calls = [
        ("POST", "/organizations/gilt/teams", {"name": "web"}),
        ("POST", "/organizations/gilt/teams", {"name": "web"}),
        ("GET", "/organizations/gilt/teams", None),
        ("GET", "/organizations/gilt/teams/web", None),
        ("GET", "/organizations/gilt/teams/nobody", None),
        ("GET", "/organizations/gilt", None),
        ("POST", "/organizations/gilt/tokens", {"expires_in": "1w"}),
        ("POST", "/organizations/gilt/tokens", {"expires": "1w"}),
        ("GET", "/organizations/gilt/tokens", None),
        ("GET", "/organizations/gilt/tokens/id1", None),
        ("DELETE", "/organizations/gilt/tokens/id1", None),
        ("GET", "/health/live", None),
        ("GET", "/health/ready", None),
    ]
    assert conforms(created, {"$ref": "#/components/schemas/RegisteredOrganizationView"})
    for method, path, body in calls:
        response = service.call(method, path, admin, json=body)
        answer = operation_of(method, path)["responses"][str(response.status_code)]
        if response.status_code == 204:
            assert "content" not in answer
        else:
            media = response.headers["content-type"]
            assert conforms(response.json(), answer["content"][media]["schema"]), response.text
        assert set(answer.get("headers", {})) <= {name.title() for name in response.headers}


def operation_of(method: str, path: str) -> dict[str, Any]:
    for template, item in document()["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) and method.lower() in item:
            return cast("dict[str, Any]", item[method.lower()])
    raise LookupError(path)
