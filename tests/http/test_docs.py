from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from adapters.http.openapi import document
from adapters.http.problems import TYPE_OF
from adapters.http.telemetry import exposition
from application.publishing.ports import IdempotencyRecords
from tests.http.conftest import Service
from tests.http.log_status import LOG_STATUS

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html;q=0.5"])
def test_docs_are_json_by_default(service: Service, accept: str) -> None:
    response = service.call("GET", "/docs", headers={"Accept": accept})
    assert response.headers["content-type"] == "application/json"
    assert response.headers["vary"] == "Accept"
    assert response.json() == document()


def test_docs_are_an_html_page_for_a_browser(service: Service) -> None:
    response = service.call("GET", "/docs", headers={"Accept": BROWSER})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    for path in document()["paths"]:
        assert path in response.text


def test_the_page_loads_no_external_resources_and_its_links_have_targets(
    service: Service,
) -> None:
    page = service.call("GET", "/docs", headers={"Accept": BROWSER}).text
    links: set[str] = set()
    ids: set[str | None] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in ("script", "link", "img", "iframe")
            for name, value in attrs:
                if name == "href":
                    links.add(value or "")
                if name == "id":
                    ids.add(value)

    Reader().feed(page)
    assert not re.search(r"url\(|@import", page)
    assert {link for link in links if not link.startswith("#")} == {"/docs/openapi.json"}
    assert {link[1:] for link in links if link.startswith("#")} <= ids


def test_the_document_is_always_json_at_its_own_path(service: Service) -> None:
    response = service.call("GET", "/docs/openapi.json", headers={"Accept": BROWSER})
    assert response.headers["content-type"] == "application/json"
    assert response.json()["openapi"].startswith("3.1")


def test_the_manual_lists_every_type_of_problem() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    table = manual.partition("| status | `type`")[2].partition("\n\n")[0]
    listed = {name for name in re.findall(r"`([a-z-]+)`", table) if name != "type"}
    assert listed == {kind.rpartition(":")[2] for kind in TYPE_OF.values()} | {"not-ready"}


def test_the_manual_lists_every_metric() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    for name in (
        "cave_http_requests_total",
        "cave_publish_seconds",
        "cave_points_accepted_total",
        "cave_publish_body_bytes_total",
        "cave_projection_state",
        "cave_projection_lag_events",
        "cave_projection_lag_seconds",
    ):
        assert name in exposition(None, LOG_STATUS, IdempotencyRecords(7, 10)).decode()
        assert f"`{name}" in manual
