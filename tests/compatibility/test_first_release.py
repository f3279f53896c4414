"""A data dir written by the first release is served, verified and rebuilt by this one.

`make_data_dir.py` created `first_release.tar.xz` with that release.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.eventsourcing.organizations import Organizations
from application.organizations.look_ups import LookUps
from tests.service import Service, running
from tests.waiting import wait_until

ARCHIVE = Path(__file__).with_name("first_release.tar.xz")
LABEL = "at-noon"
PROJECTIONS = {"points": "series", "metric_names": "catalog"}
"""The projections, and their names in the first release."""

Point = tuple[str, int, float, tuple[tuple[str, str], ...]]


class Opened:
    """A running service on the data dir, and what must be read back."""

    def __init__(self, service: Service, expected: dict[str, Any]) -> None:
        self.service = service
        self.expected = expected

    def records(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.service.cave(*arguments, "--json").splitlines()]

    def exported(self, owner: str, *arguments: str) -> Counter[Point]:
        organization, _, team = owner.partition("/teams/")
        for_team = ("--team", team) if team else ()
        text = self.service.cave("export", organization, *for_team, "--format", "jsonl", *arguments)
        return Counter(
            _point(p["name"], _milliseconds(p["timestamp"]), p["value"], p["tags"])
            for p in map(json.loads, text.splitlines())
        )


def _point(name: str, time: int, value: float, tags: dict[str, str]) -> Point:
    return name, time, value, tuple(sorted(tags.items()))


def _milliseconds(timestamp: int) -> int:
    """Return an exported timestamp in milliseconds; small ones are in seconds."""
    return timestamp * 1000 if timestamp <= 95617584000 else timestamp


def _epoch_milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def _points(events: Iterable[dict[str, Any]]) -> dict[str, Counter[Point]]:
    """Return the points of events by owner."""
    found: dict[str, Counter[Point]] = {}
    for event in events:
        points = (_point(p["name"], p["time"], p["value"], p["tags"]) for p in event["points"])
        found.setdefault(event["owner"], Counter()).update(points)
    return found


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    # The log server's socket is in the data dir, and its path must be short.
    with tempfile.TemporaryDirectory(prefix="cave-") as directory:
        place = Path(directory)
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(place, filter="data")
        expected = json.loads((place / "expected.json").read_text())
        with running(Service(place)) as service:
            yield Opened(service, expected)


def test_its_tokens_are_accepted_and_refused_as_before(opened: Opened) -> None:
    nothing: dict[str, Any] = {"metrics": []}
    service, expected = opened.service, opened.expected
    for owner, token in expected["tokens"].items():
        status, _ = service.answer("POST", f"/organizations/{owner}/metrics", nothing, token)
        assert status == 202
    for owner, token in expected["reading"].items():
        status, _ = service.answer("GET", f"/organizations/{owner}/metric-names", token=token)
        assert status == 200
    for owner, token in expected["refused"].values():
        status, _ = service.answer("POST", f"/organizations/{owner}/metrics", nothing, token)
        assert status == 403


def test_its_points_are_read_back(opened: Opened) -> None:
    for owner, points in _points(opened.expected["events"]).items():
        assert opened.exported(owner) == points


def test_its_log_is_read_event_by_event(opened: Opened) -> None:
    shown = {
        record["receipt"]: record
        for record in opened.records("events", "tail", "--from-start", "--no-follow")
    }
    unreadable = shown.pop(opened.expected["set_aside"])
    assert "is unknown" in str(unreadable)
    assert shown.keys() == {event["receipt"] for event in opened.expected["events"]}
    for event in opened.expected["events"]:
        organization, _, team = event["owner"].partition("/teams/")
        record = shown[event["receipt"]]
        assert (record["organization"], record["team"]) == (organization, team or None)
        logged = [{**p, "time": _epoch_milliseconds(p["time"])} for p in record["points"]]
        assert logged == event["points"]


def test_its_copy_is_listed_and_read(opened: Opened) -> None:
    listed = {record["name"]: record for record in opened.records("projections")}
    assert listed.pop("metric_metadata")["copies"] == [], "it is newer than that release"
    assert listed.keys() == PROJECTIONS.keys()
    for record in listed.values():
        assert record["state"] == "live"
        assert [copy["label"] for copy in record["copies"]] == [LABEL]
        assert [event["receipt"] for event in record["set_aside"]] == [opened.expected["set_aside"]]
    for owner, points in _points(opened.expected["events"][: opened.expected["copied"]]).items():
        assert opened.exported(owner, "--as", LABEL) == points


def test_its_organizations_are_read_by_the_persistence_module(opened: Opened) -> None:
    organizations = Organizations(
        {
            "PERSISTENCE_MODULE": "adapters.redis_streams",
            "REDIS_URL": opened.service.data_dir.url,
            "REDIS_KEY_PREFIX": "cave",
        }
    )
    try:
        look_ups = LookUps(organizations, organizations)
        assert [each.name for each in look_ups.organizations()] == ["acme.eu", "gilt"]
        assert "checkout" in look_ups.organization("gilt").teams
    finally:
        organizations.close()


@pytest.mark.parametrize(
    "projection", ["points", pytest.param("metric_names", marks=pytest.mark.slow)]
)
def test_its_projections_verify_and_are_rebuilt_the_same(opened: Opened, projection: str) -> None:
    [verified] = opened.records("verify", projection)
    before = opened.expected["digests"][PROJECTIONS[projection]]
    assert (verified["agrees"], verified["rows"]) == (True, before["rows"])
    opened.service.cave("replay", projection)
    [rebuilt] = opened.records("verify", projection)
    assert (rebuilt["agrees"], rebuilt["digest"]) == (True, verified["digest"])


def test_its_log_and_projections_can_still_be_written(opened: Opened) -> None:
    service, owner = opened.service, "acme.eu"
    before = opened.exported(owner)
    item = {"name": "orders", "timestamp": 1700000000, "value": 7, "tags": {"host": "new"}}
    path = f"/organizations/{owner}/metrics"
    service.ask("POST", path, {"metrics": [item]}, opened.expected["tokens"][owner])
    added = Counter([_point("orders", 1700000000000, 7.0, {"host": "new"})])
    wait_until(lambda: opened.exported(owner) == before + added)
