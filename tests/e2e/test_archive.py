"""The log in two tiers behind a real service: nobody sees the seam, and a gap is an error."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from application.event_log.receipts import Receipt
from tests.s3 import bucket, s3
from tests.service import CAVE, SECONDS, Service, clean_environment, running
from tests.waiting import wait_until

__all__ = ["bucket", "s3"]

# They run up to twenty commands, which take seconds each on a busy machine.
pytestmark = pytest.mark.timeout(600)

PATH = "/organizations/gilt/metrics"
PATIENCE = 90.0
"""Seconds: a machine may be busy with other tests."""

SOON: dict[str, Any] = {"ARCHIVE_EVERY": "1s", "HOT_AGE": "1s"}


def publish(service: Service, token: str, count: int, start: int = 0, name: str = "a") -> None:
    for number in range(start, start + count):
        item = {"name": name, "timestamp": 1398788625 + number, "value": number, "tags": {}}
        service.ask("POST", PATH, {"metrics": [item] * 3}, token)


def keyed(service: Service, token: str) -> tuple[str, str | None]:
    """Publish always the same batch with a key; return its receipt, and whether it was replayed."""
    item = {"name": "a", "timestamp": 1398788600, "value": -1, "tags": {}}
    status, headers, _ = service.answer_with_headers(
        "POST", PATH, {"metrics": [item]}, token, {"Idempotency-Key": "k"}
    )
    assert status == 202
    return headers["cave-receipt"], headers.get("idempotent-replayed")


def failing(service: Service, *arguments: str) -> str:
    """Run a command that must fail, and return its last line."""
    done = subprocess.run(
        [*CAVE, *arguments, "--data-dir", str(service.data_dir.path)],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    return done.stderr.strip().splitlines()[-1]


def status(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(service.cave("log", "status", "--json"))
    return found


def moved(service: Service) -> tuple[int, int]:
    """Return how many events are in the archive, and how many on the server."""
    return archived(service), int(service.gauge("cave_log_events", tier="server"))


def archived(service: Service) -> int:
    return int(service.gauge("cave_log_events", tier="archive"))


def wait_for_rows(service: Service, token: str, receipt: Receipt | str) -> None:
    """Wait until an event's points can be queried."""
    asked = f"{PATH}?metric=a&receipt={receipt}"
    wait_until(lambda: service.answer("GET", asked, token=token)[0] == 200, PATIENCE)


@pytest.fixture
def directory() -> Iterator[Path]:
    with TemporaryDirectory(prefix="cave-") as name:
        yield Path(name)


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.slow)])
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "directory":
        return SOON
    return {**SOON, "ARCHIVE": request.getfixturevalue("bucket")}


def test_nobody_sees_the_seam_and_a_log_is_restored_from_its_archive(
    directory: Path, settings: dict[str, Any]
) -> None:
    service = Service(directory, **settings)
    with running(service):
        token = service.register("gilt", "publish", "read")
        kept, _ = keyed(service, token)
        publish(service, token, 19)
        wait_until(lambda: moved(service) == (20, 1), PATIENCE)
        assert keyed(service, token) == (kept, "true"), "the event is in the archive only"
        publish(service, token, 5, start=19)
        receipts = sorted(map(Receipt.parse, receipts_of(service)))
        assert len(receipts) == 25
        for receipt in (receipts[0], receipts[-1]):
            asked = f"{PATH}?metric=a&limit=1440&receipt={receipt}"
            assert len(service.ask("GET", asked, token=token)["metrics"]) >= 60
            assert service.cave("events", "show", str(receipt))
        digest = service.cave("verify", "points")
        assert service.cave("replay", "points").endswith("is live")
        assert service.cave("verify", "points") == digest
        assert "verified" in service.cave("log", "verify")
        # The archiver may have looked at the generation that the replay replaced.
        wait_until(lambda: not json.loads(service.text("/health/ready"))["warnings"], PATIENCE)
        assert 'cave_log_events{tier="archive"}' in service.text("/metrics")
        service.cave("log", "archive", "--now")
        reached = status(service)
        assert sum(each["archive"]["events"] for each in reached["partitions"]) == 25
        archive = reached["archive"]
        assert service.stop() == 0

    restored = Service(directory / "new")
    (directory / "new").mkdir()
    environment = [f"--archive={archive}"]
    assert "25 events in the archive" in restored.cave("log", "restore", *environment)
    with running(restored):
        wait_for_rows(restored, token, receipts[-1])
        assert restored.cave("verify", "points") == digest
        publish(restored, token, 3, start=25)
        new = receipts_of(restored)
        assert len(new) == 28
        assert "verified" in restored.cave("log", "verify")
        wait_for_rows(restored, token, max(map(Receipt.parse, new)))
        assert restored.cave("replay", "points").endswith("is live")
    assert "already has a log" in failing(restored, "log", "restore", *environment)


def rows(service: Service, token: str) -> int:
    code, found = service.answer("GET", f"{PATH}?metric=a&limit=1440", token=token)
    return len(found["metrics"]) if code == 200 else 0


def receipts_of(service: Service) -> list[str]:
    lines = service.cave("events", "tail", "--from-start", "--no-follow", "--json").splitlines()
    return [json.loads(line)["receipt"] for line in lines]


def test_events_trimmed_by_hand_are_a_gap_for_everyone(directory: Path) -> None:
    service = Service(directory, ARCHIVE="off")
    with running(service):
        token = service.register("gilt", "publish", "read")
        publish(service, token, 10)
        receipts = sorted(map(Receipt.parse, receipts_of(service)))
        wait_for_rows(service, token, receipts[-1])
        key = f"{{cave:metrics:{receipts[0].partition}}}:log"
        with service.log() as client:
            first_left = f"{receipts[5].milliseconds}-{receipts[5].sequence}"
            client.xtrim(key, minid=first_left, approximate=False)
        last = Receipt.at(receipts[0].partition, receipts[5].position - 1)
        for command in (
            ("replay", "points"),
            ("verify", "points"),
            ("log", "verify"),
            ("events", "tail", "--from-start", "--no-follow"),
        ):
            said = failing(service, *command)
            assert "5 events are missing from the log" in said
            assert f"to {last}" in said
        rows = service.ask("GET", f"{PATH}?metric=a&limit=1440", token=token)["metrics"]
        assert len(rows) == 30, "what was projected is still read"
        wait_until(lambda: str(last) in service.text("/health/ready"))
        asked = f"{PATH}?metric=a&receipt={receipts[0]}"
        code, problem = service.answer("GET", asked, token=token)
        assert (code, problem["type"]) == (404, "urn:cave:problem:unknown-receipt")
        asked = f"{PATH}?metric=a&receipt={receipts[7]}"
        assert service.answer("GET", asked, token=token)[0] == 200
        service.cave("replay", "points", "--accept-loss")
        rows = service.ask("GET", f"{PATH}?metric=a&limit=1440", token=token)["metrics"]
        assert len(rows) == 15


def test_a_log_without_an_archive_is_warned_about(directory: Path) -> None:
    service = Service(directory, ARCHIVE="off")
    with running(service):
        warnings = json.loads(service.text("/health/ready"))["warnings"]
        assert any("--archive" in warning for warning in warnings)
        assert "no archive" in failing(service, "log", "archive", "--archive", "off")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_archive_that_cannot_be_written_is_warned_about(directory: Path) -> None:
    """It is in use again as soon as it can be written."""
    service = Service(directory, **SOON)
    with running(service):
        token = service.register("gilt", "publish", "read")
        archive = service.data_dir.path / "archive"
        archive.chmod(0o500)
        publish(service, token, 3)
        wait_until(lambda: "archive" in service.text("/health/ready"))
        archive.chmod(0o700)
        wait_until(lambda: archived(service) == 3, PATIENCE)


def test_an_erased_organization_is_gone_and_the_chain_still_verifies(directory: Path) -> None:
    service = Service(directory, **SOON)
    with running(service):
        token = service.register("gilt", "publish", "read")
        other = service.register("acme", "publish", "read")
        publish(service, token, 8)
        point = {"name": "kept", "timestamp": 1398788625, "value": 1.0, "tags": {}}
        service.ask("POST", "/organizations/acme/metrics", {"metrics": [point]}, other)
        wait_until(lambda: rows(service, token) == 24, PATIENCE)
        service.cave("replay", "points", "--as", "before")
        mine = [r for r, e in service.stored().items() if e.event.organization == "gilt"]
        publish(service, token, 4, start=8, name="very.secret")
        wait_until(lambda: beside_the_log(service, "gilt") == {"points", "token-uses"})

        [erased] = [json.loads(service.cave("org", "erase", "gilt", "--yes", "--json"))]
        assert (erased["events"], erased["copies"]) == (12, ["points before"])
        assert service.answer("POST", PATH, {"metrics": [point]}, token)[0] == 403
        assert "verified" in service.cave("log", "verify")
        left = service.cave("events", "tail", "--from-start", "--no-follow", "--json")
        assert '"acme"' in left
        assert '"gilt"' not in left
        assert "no event has the receipt" in failing(service, "events", "show", mine[0])
        asked = "/organizations/acme/metrics?metric=kept"
        assert len(service.ask("GET", asked, token=other)["metrics"]) == 1
        assert service.cave("verify", "points")
        assert service.cave("replay", "points").endswith("is live")
        assert not json.loads(service.cave("projections", "--json").splitlines()[0])["copies"]
        shown = json.loads(service.cave("org", "show", "gilt", "--json"))
        assert shown["active_tokens"] == 0
        repeated = json.loads(service.cave("org", "erase", "gilt", "--yes", "--json"))
        assert (repeated["events"], repeated["at"]) == (12, erased["at"])
        assert beside_the_log(service, "gilt") == set()
        wait_until(lambda: not found_in(service.data_dir.path / "valkey", b"very.secret"))
        for file in (service.data_dir.path / "archive").rglob("*.seg"):
            assert b"gilt" not in file.read_bytes() or "organizations" in str(file)


def beside_the_log(service: Service, organization: str) -> set[str]:
    """Return the kinds of keys that are kept for an organization beside the log."""
    with service.log() as log:
        names = [key.decode() for key in log.scan_iter(f"{{cave:metrics:*}}:*:{organization}")]
    return {name.split("}:")[1].split(":")[0] for name in names}


def found_in(directory: Path, text: bytes) -> bool:
    return any(text in file.read_bytes() for file in directory.rglob("*") if file.is_file())
