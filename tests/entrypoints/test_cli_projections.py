"""`cave projections`, `cave replay`, `cave verify` and `cave projector`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from application.event_log.ports import Entry, Extent, RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections.folds import METRIC_NAMES, POINTS, PROJECTIONS, Projection
from application.projections.live import live_generation
from application.projections.ports import Role, SetAside
from domain.metric_description import MetricDescription
from entrypoints.settings import LogSettings
from tests.entrypoints.cli_in_memory import NOW, CommandLine


def shown(cave: CommandLine, name: str = "points") -> dict[str, object]:
    [record] = [record for record in cave.json("projections") if record["name"] == name]
    found: dict[str, object] = record
    return found


def teams_only(events: Sequence[RecordedMetrics]) -> Sequence[RecordedMetrics]:
    """A fold with a defect."""
    return [recorded for recorded in events if recorded.event.team]


class Interrupted:
    """Simulates Ctrl-C after a number of reads of the log."""

    def __init__(self, cave: CommandLine, monkeypatch: pytest.MonkeyPatch, reads: int) -> None:
        self._read = cave.metrics.read
        self._left = reads
        monkeypatch.setattr(cave.metrics, "read", self.read)

    def read(self, partition: int, after: int, limit: int) -> tuple[Extent, Sequence[Entry]]:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        return self._read(partition, after, limit)


def test_a_projection_that_was_never_built_is_missing(cave: CommandLine) -> None:
    receipt = Receipt.parse(cave.publish("gilt"))
    cave.now += timedelta(seconds=90)
    record = shown(cave)
    assert (record["state"], record["generation"], record["rows"]) == ("missing", None, 0)
    assert (record["lag_events"], record["lag_seconds"]) == (1, 90.0)
    partitions = record["partitions"]
    assert isinstance(partitions, list)
    assert len(partitions) == cave.metrics.partitions()
    assert partitions[receipt.partition] == {
        "partition": receipt.partition,
        "position": None,
        "lag_events": 1,
        "lag_seconds": 90.0,
    }


def test_a_live_projection_shows_its_lag(cave: CommandLine) -> None:
    read = Receipt.parse(cave.publish("gilt", points=3))
    cave.project()
    record = shown(cave)
    assert (record["state"], record["version"], record["rows"]) == ("live", POINTS.version, 3)
    assert (record["lag_events"], record["lag_seconds"]) == (0, 0.0)
    for _ in range(2):
        cave.now += timedelta(seconds=1)
        cave.publish("gilt")
    cave.now += timedelta(seconds=2)
    record = shown(cave)
    assert (record["lag_events"], record["lag_seconds"]) == (2, 3.0)
    partitions = record["partitions"]
    assert isinstance(partitions, list)
    assert partitions[read.partition] == {
        "partition": read.partition,
        "position": str(read),
        "lag_events": 2,
        "lag_seconds": 3.0,
    }
    output = cave.output("projections")
    assert "state       live\n" in output
    assert "lag         2 events, 3.0 s\n" in output
    assert output.count(str(read)) == len(PROJECTIONS)
    assert output.count("15 partitions without events") == len(PROJECTIONS)


def test_a_stopped_projection_shows_the_reason_and_the_remedy(cave: CommandLine) -> None:
    cave.project()
    live = live_generation(cave.stores, "points")
    assert live is not None
    cave.stores.stop(live, "the event 1-2-3, read before, is not in the log any more")
    record = shown(cave)
    assert record["state"] == "stopped"
    assert record["reason"] == "the event 1-2-3, read before, is not in the log any more"
    assert record["help"] == "rebuild it: cave replay points"
    assert "stopped: the event 1-2-3" in cave.output("projections")


def test_a_projection_of_another_version_has_to_be_rebuilt(cave: CommandLine) -> None:
    older = Projection(POINTS.name, POINTS.version - 1, POINTS.fold)
    cave.stores.create(older, Role.LIVE)
    record = shown(cave)
    assert (record["state"], record["version"]) == ("stopped", POINTS.version - 1)
    assert record["help"] == "rebuild it: cave replay points"


def test_a_replay_is_live_when_it_is_done(cave: CommandLine) -> None:
    cave.publish("gilt", points=3)
    cave.project()
    cave.publish("zalando", points=2)
    output = cave.output("replay", "points")
    assert output.startswith("points: 5 points of 2 events in ")
    assert output.endswith("generation 2 is live\n")
    record = shown(cave)
    assert (record["state"], record["generation"], record["rows"]) == ("live", 2, 5)


def test_a_replay_reports_its_result(cave: CommandLine) -> None:
    cave.publish("gilt", points=3)
    [record] = cave.json("replay", "metric_names")
    assert record.pop("seconds") >= 0
    assert record == {
        "projection": "metric_names",
        "generation": 1,
        "label": None,
        "until": None,
        "events": 1,
        "points": 3,
    }


def test_descriptions_of_metrics_are_replayed_and_verified(cave: CommandLine) -> None:
    cave.publish("gilt", points=3)
    cave.describe("gilt", MetricDescription("a"), MetricDescription("b"))
    cave.describe("gilt", MetricDescription("a", help="another"))
    [record] = cave.json("replay", "metric_metadata")
    assert (record["projection"], record["events"], record["points"]) == ("metric_metadata", 3, 3)
    [verified] = cave.json("verify", "metric_metadata")
    assert (verified["agrees"], verified["rows"]) == (True, 3)
    cave.project()
    assert (shown(cave)["rows"], shown(cave, "metric_metadata")["rows"]) == (3, 3)
    assert shown(cave, "metric_metadata")["lag_events"] == 0


def test_a_copy_is_as_of_its_time(cave: CommandLine) -> None:
    cave.publish("gilt", points=3)
    cave.now += timedelta(hours=1)
    cave.publish("gilt", points=2)
    output = cave.output("replay", "points", "--until", "2014-10-24T13:00:00Z")
    assert "points: 3 points of 1 event " in output
    assert output.endswith("generation 1 is the copy points@2014-10-24T13:00:00Z\n")
    [named] = cave.json(
        *("replay", "points", "--until", str(NOW.timestamp() + 0.5), "--as", "before")
    )
    assert (named["label"], named["until"]) == ("before", "2014-10-24T12:37:28.500Z")
    [now] = cave.json("replay", "points", "--as", "now")
    assert (now["until"], now["points"]) == (None, 5)
    record = shown(cave)
    copies = record["copies"]
    assert isinstance(copies, list)
    assert [(copy["label"], copy["until"], copy["rows"]) for copy in copies] == [
        ("points@2014-10-24T13:00:00Z", "2014-10-24T13:00:00.000Z", 3),
        ("before", "2014-10-24T12:37:28.500Z", 3),
        ("now", None, 5),
    ]
    assert record["state"] == "missing"
    assert "before" in cave.output("projections")


def test_a_copy_stays_until_it_is_dropped(cave: CommandLine) -> None:
    cave.output("replay", "points", "--as", "before")
    assert "a copy 'before' of points already" in cave.error("replay", "points", "--as", "before")
    assert cave.output("replay", "points", "--drop", "--as", "before") == (
        "copy 'before' of points dropped\n"
    )
    assert cave.error("replay", "points", "--drop", "--as", "before") == (
        "there is no copy 'before' of points"
    )
    assert shown(cave)["copies"] == []


def test_an_interrupted_replay_leaves_the_live_one_and_can_be_continued(
    cave: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cave.publish("gilt", points=3)
    cave.project()
    with monkeypatch.context() as patched:
        Interrupted(cave, patched, reads=1)
        assert cave.error("replay", "points") == (
            "interrupted: the live projection is untouched; continue with cave replay points, "
            "or drop the rebuild with cave replay points --drop"
        )
    record = shown(cave)
    assert (record["state"], record["generation"], record["rows"]) == ("live", 1, 3)
    rebuilds = record["rebuilds"]
    assert isinstance(rebuilds, list)
    assert [rebuild["generation"] for rebuild in rebuilds] == [2]
    assert "unfinished rebuild: 0 rows" in cave.output("projections")
    assert "generation 2 is live" in cave.output("replay", "points")
    assert shown(cave)["rebuilds"] == []


def test_an_unfinished_replay_can_be_dropped_or_restarted(cave: CommandLine) -> None:
    cave.publish("gilt")
    cave.stores.create(POINTS, Role.BUILDING)
    assert cave.output("replay", "points", "--drop") == "unfinished rebuild of points dropped\n"
    assert cave.error("replay", "points", "--drop") == "there is no unfinished rebuild of points"
    cave.stores.create(POINTS, Role.BUILDING)
    assert "generation 3 is live" in cave.output("replay", "points", "--restart")


def test_an_interrupted_copy_leaves_nothing(
    cave: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cave.publish("gilt")
    with monkeypatch.context() as patched:
        Interrupted(cave, patched, reads=1)
        assert cave.error("replay", "points", "--as", "before") == (
            "interrupted: the copy was removed, the live projection is untouched"
        )
    assert shown(cave)["copies"] == []


def test_a_rebuilt_projection_matches_the_log(cave: CommandLine) -> None:
    cave.publish("gilt", points=3)
    cave.publish("gilt", "web")
    cave.project()
    first = cave.output("verify", "points")
    assert len(first.strip()) == 64
    cave.output("replay", "points")
    assert cave.output("verify", "points") == first
    [record] = cave.json("verify", "metric_names")
    assert (record["agrees"], record["differences"], record["set_aside"]) == (True, [], [])
    assert shown(cave)["copies"] == []


def test_verify_reports_the_differences(cave: CommandLine) -> None:
    cave.publish("gilt", points=3)
    cave.publish("gilt", "web")
    cave.project(Projection("points", POINTS.version, teams_only))
    failed = cave("verify", "points")
    assert failed.exit_code == 1
    assert failed.stderr == (
        "Error: the projection points does not match the log: the rows of 1 owner differ; "
        "rebuild it: cave replay points\n"
    )
    assert [line.split() for line in failed.stdout.splitlines()[1:]] == [["gilt", "-", "0", "3"]]
    reported = cave("verify", "points", "--json")
    assert reported.exit_code == 1
    assert '"agrees":false' in reported.stdout
    assert '{"organization":"gilt","team":null,"live":0,"replayed":3}' in reported.stdout


def test_a_projection_not_built_yet_cannot_be_verified(cave: CommandLine) -> None:
    assert cave.error("verify", "points") == "the projection points was not built yet"


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay",),
        ("replay", "orders"),
        ("replay", "points", "--until", "yesterday"),
        ("replay", "points", "--drop", "--restart"),
        ("replay", "points", "--drop", "--until", "0"),
        ("replay", "points", "--restart", "--as", "x"),
        ("replay", "points", "--as", ""),
        ("replay", "points", "--as", "verify"),
        ("verify", "orders"),
    ],
)
def test_contradictory_or_invalid_arguments_are_usage_errors(
    cave: CommandLine, arguments: tuple[str, ...]
) -> None:
    assert cave(*arguments).exit_code == 2


@pytest.mark.parametrize("command", ["replay", "verify"])
@pytest.mark.parametrize(("former", "name"), [("series", "points"), ("catalog", "metric_names")])
def test_a_former_name_is_refused_naming_the_present_one(
    cave: CommandLine, command: str, former: str, name: str
) -> None:
    refused = cave(command, former)
    assert refused.exit_code == 2
    assert f"the projection '{former}' is now called '{name}'" in refused.stderr


def test_events_set_aside_are_shown(cave: CommandLine) -> None:
    receipt = Receipt.parse(cave.publish("gilt"))
    live = cave.stores.create(METRIC_NAMES, Role.LIVE)
    with cave.stores.open(live) as store:
        store.commit([], [SetAside(receipt, "unknown topic")], [])
    record = shown(cave, "metric_names")
    assert record["set_aside"] == [{"receipt": str(receipt), "reason": "unknown topic"}]
    assert f"{receipt}  unknown topic" in cave.output("projections")
    assert "1 event set aside" in cave("verify", "metric_names").stderr


def test_the_projector_uses_the_log_in_its_settings(cave: CommandLine) -> None:
    assert cave("projector", CAVE_KEY_PREFIX="metrics").exit_code == 0
    assert cave.projected == [LogSettings(key_prefix="metrics")]
