"""Replay, verification, copies, export, import and plots on a real service.

Each command is a process of its own.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

import pytest

from adapters.ducklake.database import Location
from adapters.ducklake.store.stores import DuckLakeStores
from application.event_log.receipts import Receipt
from application.projections.live import live_generation
from tests.service import CAVE, SECONDS, Service, clean_environment, running
from tests.waiting import wait_until

StartService = Callable[..., Service]

BASE = 1398788640000
BATCHES, POINTS = 6, 200


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service with BATCHES of POINTS for gilt and one batch for its team, all readable."""
    with TemporaryDirectory(prefix="cave-") as directory:
        service = Service(Path(directory))
        with running(service):
            token = service.register("gilt", "publish", "read")
            service.cave("team", "create", "gilt", "web")
            for batch in range(BATCHES):
                items = [item(batch, place) for place in range(POINTS)]
                service.ask("POST", "/organizations/gilt/metrics", {"metrics": items}, token)
            path = "/organizations/gilt/teams/web/metrics"
            wait_until(
                lambda: service.answer("POST", path, {"metrics": [item(0, 0)]}, token)[0] == 202
            )
            wait_until(lambda: caught_up(service))
            yield service


def item(batch: int, place: int) -> dict[str, Any]:
    return {
        "name": "orders" if place % 2 else "sales",
        "timestamp": BASE + batch * 60_000 + place // 3,
        "value": batch + place / 7,
        "tags": {"host": f"svc{place % 5}", "place": "Berlin, Germany"},
    }


def records(service: Service, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.cave(*arguments, "--json").splitlines()]


def shown(service: Service) -> dict[str, Any]:
    return next(record for record in records(service, "projections") if record["name"] == "points")


def caught_up(service: Service) -> bool:
    found = records(service, "projections")
    return all(r["state"] == "live" and r["lag_events"] == 0 for r in found)


def exported(service: Service, *arguments: str) -> list[str]:
    return service.cave("export", *arguments, "--format", "jsonl").splitlines()


def start(service: Service, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CAVE, *arguments, "--data-dir", str(service.data_dir.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )


def test_every_projection_is_live_and_complete(service: Service) -> None:
    found = {record["name"]: record for record in records(service, "projections")}
    assert sorted(found) == ["metric_metadata", "metric_names", "points"]
    assert {record["state"] for record in found.values()} == {"live"}
    assert found["points"]["rows"] == BATCHES * POINTS + 1
    assert found["metric_names"]["rows"] == 9
    assert found["metric_metadata"]["rows"] == 0
    for record in found.values():
        positions = [p["position"] for p in record["partitions"] if p["position"]]
        assert positions == [max(service.stored(), key=Receipt.parse)]
        assert record["bytes"] > 0


def test_a_replay_gives_the_same_projection(service: Service) -> None:
    digest, before = service.cave("verify", "points"), shown(service)
    [replayed] = records(service, "replay", "points")
    assert replayed["points"] == before["rows"]
    after = shown(service)
    assert after["generation"] == replayed["generation"] > before["generation"]
    assert (after["rows"], after["copies"], after["rebuilds"]) == (before["rows"], [], [])
    assert service.cave("verify", "points") == digest
    assert service.cave("replay", "metric_names").endswith("is live")
    assert len(service.cave("verify", "metric_names")) == 64


def test_the_projector_continues_with_the_rebuilt_projection(service: Service) -> None:
    service.cave("replay", "points")
    rows = shown(service)["rows"]
    token = service.cave("token", "issue", "gilt", "--team", "web", "--quiet")
    path = "/organizations/gilt/teams/web/metrics"
    wait_until(lambda: service.answer("POST", path, {"metrics": []}, token)[0] == 202)
    service.ask("POST", path, {"metrics": [item(0, 1), item(0, 2)]}, token)
    wait_until(lambda: shown(service)["rows"] == rows + 2)


def test_a_copy_has_the_points_of_its_time(service: Service) -> None:
    third = sorted(service.stored(), key=Receipt.parse)[2]
    until = int(third.split("-")[1]) / 1000
    service.cave("replay", "points", "--until", f"{until:.3f}", "--as", "before")
    assert len(exported(service, "gilt", "--as", "before")) < BATCHES * POINTS
    drawn = service.cave("plot", "gilt", "orders", "--as", "before")
    assert "gilt orders, mean" in drawn
    service.cave("replay", "points", "--drop", "--as", "before")
    assert shown(service)["copies"] == []


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=pytest.mark.slow) for form in ("jsonl", "csv", "parquet")]
)
def test_an_export_is_imported_unchanged_and_only_once(
    service: Service, tmp_path: Path, form: str
) -> None:
    file = tmp_path / f"points.{form}"
    service.cave("export", "gilt", "--output", str(file))
    token = service.register(f"{form}-back")
    arguments = ("import", f"{form}-back", str(file), "--token", token, "--url", service.url)
    for stored_before in (0, 3):
        done = subprocess.run(
            [*CAVE, *arguments, "--batch", "500", "--json"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=clean_environment(),
            check=True,
        )
        record = json.loads(done.stdout)
        assert record["points"] == BATCHES * POINTS
        assert (record["batches"], record["stored_before"]) == (3, stored_before)
    wait_until(lambda: caught_up(service))
    assert exported(service, f"{form}-back") == exported(service, "gilt")


def test_a_plot_has_the_buckets(service: Service) -> None:
    drawn = service.cave("plot", "gilt", "orders", "--aggregator", "count", "--tags", "host:svc1")
    assert "gilt orders, count, 2014-04-29T16:24Z to 2014-04-29T16:29Z" in drawn
    assert "16:24" in drawn.splitlines()[-1]


def test_an_interrupted_replay_leaves_the_live_one(service: Service) -> None:
    """Whether the signal comes during the replay or after it."""
    before = shown(service)
    with start(service, "replay", "points") as process:
        wait_until(lambda: shown(service)["rebuilds"] or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode in (0, 1)
    if "is live" not in out:
        assert process.returncode == 1
        message = "interrupted: the live projection is untouched; continue with cave replay points"
        assert message in err
        assert shown(service)["generation"] == before["generation"]
        service.cave("replay", "points")
    after = shown(service)
    assert (after["rebuilds"], after["rows"]) == ([], before["rows"])
    assert after["generation"] > before["generation"]


def test_a_stopped_projection_is_reported_everywhere(service: Service) -> None:
    token = service.cave("token", "issue", "gilt", "--scope", "read", "--quiet")
    query = "/organizations/gilt/metrics?metric=orders&aggregator=count&period=1h"
    wait_until(lambda: service.answer("GET", query, token=token)[0] == 200)
    assert service.ask("GET", "/health/ready")["warnings"] == []
    root = service.data_dir.path / "projections"
    with closing(DuckLakeStores(Location(root=root))) as stores:
        live = live_generation(stores, "points")
        assert live is not None
        stores.stop(live, "a test stopped it")
    stopped = "the projection points is stopped: a test stopped it; rebuild it: cave replay points"
    wait_until(lambda: service.ask("GET", "/health/ready")["warnings"] == [stopped])
    _, metrics = got(service, "/metrics", token)
    assert 'cave_projection_state{projection="points",state="stopped"} 1.0' in metrics
    last = Receipt.parse(max(service.stored(), key=Receipt.parse)).milliseconds
    expected = datetime.fromtimestamp(last / 1000, UTC).isoformat(timespec="milliseconds")
    wait_until(lambda: "Cave-Stale" in got(service, query, token)[0])
    headers, _ = got(service, query, token)
    assert headers["Cave-Stale"] == expected.replace("+00:00", "Z")
    service.cave("replay", "points")
    wait_until(lambda: service.ask("GET", "/health/ready")["warnings"] == [])
    wait_until(lambda: "Cave-Stale" not in got(service, query, token)[0])


def got(service: Service, path: str, token: str) -> tuple[Message, str]:
    """Return the headers and text of a GET that must succeed."""
    request = Request(service.url + path, headers={"Authorization": f"Bearer {token}"})
    with urlopen(request, timeout=SECONDS) as answer:
        return answer.headers, answer.read().decode()


def test_a_projector_on_its_own_keeps_projections_up_to_date(start_service: StartService) -> None:
    service = start_service()
    token = service.register("gilt")
    service.ask("POST", "/organizations/gilt/metrics", {"metrics": [item(0, 0)]}, token)
    assert service.stop() == 0
    with start(service, "projector") as process:
        assert process.stderr is not None
        try:
            # From then on it owns the data directory; a command that came first would make it wait.
            while '"projector runs"' not in process.stderr.readline():
                assert process.poll() is None
            wait_until(lambda: shown(service)["rows"] == 1)
        finally:
            process.terminate()
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (0, "")
    assert '"projector stopped"' in err
    assert exported(service, "gilt")
