"""`cave events`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from application.organizations.access import Grant
from application.publishing.refusals import Reason, Refusals
from domain.metric_description import MetricDescription, MetricType, Temporality
from domain.values import TEXTS
from entrypoints.cli import events
from tests.entrypoints.cli_in_memory import CommandLine


def published(cave: CommandLine, count: int) -> list[str]:
    """Publish for `count` organizations, a millisecond apart; return the receipts."""
    receipts = []
    for number in range(count):
        cave.now += timedelta(milliseconds=1)
        receipts.append(cave.publish(f"org{number}"))
    return receipts


def tailed(cave: CommandLine, *arguments: str) -> list[str]:
    return [record["receipt"] for record in cave.json("events", "tail", "--no-follow", *arguments)]


def test_show_prints_every_point(cave: CommandLine) -> None:
    receipt = cave.publish("gilt", "web", points=2)
    [record] = cave.json("events", "show", receipt)
    assert (record["organization"], record["team"], record["count"]) == ("gilt", "web", 2)
    assert (record["receipt"], record["time"]) == (receipt, "2014-10-24T12:37:28.000Z")
    assert record["points"][1] == {
        "name": "orders",
        "time": "2014-04-29T16:23:45.001Z",
        "value": 1.5,
        "tags": {"env": "production", "host": "svc5"},
    }
    output = cave.output("events", "show", receipt)
    assert "orders  2014-04-29T16:23:45.001Z  1.5    env=production,host=svc5" in output


def test_show_prints_values_that_are_not_finite_as_texts(cave: CommandLine) -> None:
    receipt = cave.publish("gilt", values=list(TEXTS.values()))
    [record] = cave.json("events", "show", receipt)
    assert [point["value"] for point in record["points"]] == list(TEXTS)
    output = cave.output("events", "show", receipt)
    assert all(f"Z  {text} " in output for text in TEXTS)


def test_show_and_tail_print_descriptions_of_metrics(cave: CommandLine) -> None:
    orders = MetricDescription("orders", MetricType.COUNTER, "1", "Paid ones.", Temporality.DELTA)
    one = cave.describe("gilt", orders)
    two = cave.describe("gilt", MetricDescription("hits"), orders)
    [record] = cave.json("events", "show", one)
    assert record == {
        "receipt": one,
        "time": "2014-10-24T12:37:28.000Z",
        "organization": "gilt",
        "team": None,
        "token_id": "t1",
        "count": 1,
        "descriptions": [
            {
                "name": "orders",
                "type": "counter",
                "unit": "1",
                "help": "Paid ones.",
                "temporality": "delta",
            }
        ],
    }
    assert record in cave.json("events", "tail", "--no-follow")
    assert "orders  counter  1     delta        Paid ones." in cave.output("events", "show", one)
    time = "2014-10-24T12:37:28.000Z"
    assert cave.output("events", "tail", "--no-follow").splitlines() == [
        f"{time}  {one}  gilt  1 description  orders counter 1 delta",
        f"{time}  {two}  gilt  2 descriptions  hits unknown …",
    ]


def test_show_of_an_unknown_receipt_fails(cave: CommandLine) -> None:
    assert cave.error("events", "show", "1-2-3") == "no event has the receipt 1-2-3"


def test_show_of_an_invalid_receipt_is_a_usage_error(cave: CommandLine) -> None:
    assert cave("events", "show", "abc").exit_code == 2


def test_tail_starts_with_the_last_events_in_log_order(cave: CommandLine) -> None:
    receipts = published(cave, 15)
    assert tailed(cave) == receipts[-10:]
    assert tailed(cave, "-n", "3") == receipts[-3:]
    assert tailed(cave, "-n", "0") == []
    assert tailed(cave, "-n", "100") == tailed(cave, "--from-start") == receipts


def test_tail_of_an_organization_has_only_its_events(cave: CommandLine) -> None:
    cave.output("org", "create", "org3")
    receipts = published(cave, 40)
    assert tailed(cave, "--org", "org3") == [receipts[3]]
    assert tailed(cave, "--org", "org3", "--from-start") == [receipts[3]]


def test_tail_prints_one_line_per_event(cave: CommandLine) -> None:
    first, second = cave.publish("gilt"), cave.publish("gilt", "web", points=2)
    time, tags = "2014-10-24T12:37:28.000Z", "env=production,host=svc5"
    assert cave.output("events", "tail", "--no-follow").splitlines() == [
        f"{time}  {first}  gilt  1 point  orders=0.5 {tags}",
        f"{time}  {second}  gilt/web  2 points  orders=0.5 {tags} …",
    ]


def test_tail_of_an_empty_log_prints_nothing(cave: CommandLine) -> None:
    assert tailed(cave) == tailed(cave, "--from-start") == []


def test_tail_follows_until_interrupted(cave: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    receipts = [cave.publish("zalando")]

    def wait() -> bool:
        if len(receipts) == 3:
            raise KeyboardInterrupt
        receipts.append(cave.publish("gilt"))
        return True

    monkeypatch.setattr(events, "_wait_for_more", wait)
    assert [record["receipt"] for record in cave.json("events", "tail")] == receipts
    assert len(receipts) == 3


def test_refused_points_are_listed_oldest_first(cave: CommandLine) -> None:
    cave.output("org", "create", "gilt")
    refusals = Refusals()
    refusals.add("line 3", Reason.UNSUPPORTED, "the field is a string", 2)
    asyncio.run(cave.refused_points.record(Grant("gilt", "web", "t1"), "influx", refusals))
    [record] = cave.json("events", "refused", "gilt")
    assert record == {
        "time": "2014-10-24T12:37:28.000Z",
        "team": "web",
        "token_id": "t1",
        "protocol": "influx",
        "reason": "unsupported",
        "place": "line 3",
        "detail": "the field is a string",
        "points": 2,
    }
    assert "line 3" in cave.output("events", "refused", "gilt")


def test_refused_points_of_an_unknown_organization_are_an_error(cave: CommandLine) -> None:
    assert "no organization" in cave.error("events", "refused", "unknown")
