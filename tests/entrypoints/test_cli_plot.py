"""`cave plot`."""

from __future__ import annotations

import pytest

from tests.entrypoints.cli_in_memory import CommandLine


@pytest.fixture(autouse=True)
def organization(cave: CommandLine) -> None:
    """Points in two seconds, in the log and readable."""
    cave.output("org", "create", "gilt")
    cave.output("team", "create", "gilt", "web")
    cave.publish("gilt", points=1500)


def test_a_metric_is_drawn_as_plain_text(cave: CommandLine) -> None:
    result = cave("plot", "gilt", "orders", "--period", "1s", COLUMNS="100")
    assert result.exit_code == 0
    output, lines = result.stdout, result.stdout.splitlines()
    assert "gilt orders, mean, 2014-04-29T16:23:45Z to 2014-04-29T16:23:46Z" in lines[0]
    assert lines[-1].split() == ["16:23:45", "16:23:46"]
    assert "\x1b" not in output
    assert max(map(len, lines)) <= 100


def test_points_are_selected_by_tags_time_and_limit(cave: CommandLine) -> None:
    arguments = ("--period", "1s", "--aggregator", "count", "--tags", "host:svc5")
    both = cave.output("plot", "gilt", "orders", *arguments)
    assert both.splitlines()[2].startswith("1000┤")
    assert "gilt orders, count, 2014-04-29T16:23:45Z to 2014-04-29T16:23:46Z" in both
    for narrower in [("--limit", "1"), ("--start", "1398788626")]:
        last = cave.output("plot", "gilt", "orders", *arguments, *narrower)
        assert "2014-04-29T16:23:46Z to 2014-04-29T16:23:46Z" in last
        assert "500┤" in last


def test_tags_are_written_as_in_a_query_over_http(cave: CommandLine) -> None:
    cave.publish("gilt", points=3, host="C:\\")
    cave.publish("gilt", points=5, host="a,b\\,c")
    arguments = ("plot", "gilt", "orders", "--aggregator", "count", "--tags")
    assert "3┤" in cave.output(*arguments, r"host:C:\\,env:production")
    assert "5┤" in cave.output(*arguments, r"env:production,host:a\,b\\\,c")


def test_an_empty_plot_is_reported(cave: CommandLine) -> None:
    message = "gilt has no points of orders with these tags in this time range\n"
    assert cave.output("plot", "gilt", "orders", "--tags", "host:svc6") == message
    assert cave.output("plot", "gilt", "orders", "--end", "0") == message


def test_an_unknown_owner_metric_or_copy_is_named(cave: CommandLine) -> None:
    assert cave.error("plot", "gilt", "sales") == "gilt has no metric 'sales'"
    assert cave.error("plot", "gilt", "orders", "--team", "web") == (
        "gilt/web has no metric 'orders'"
    )
    assert cave.error("plot", "zalando", "orders") == "there is no organization 'zalando'"
    assert cave.error("plot", "gilt", "orders", "--as", "x") == "there is no copy 'x'"


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--aggregator", "avg"), "p999"),
        (("--period", "0"), "30s, 5m, 1h, 1d"),
        (("--tags", "host"), "name:value"),
        (("--start", "now"), "ISO 8601"),
        (("--limit", "1441"), "1440"),
    ],
)
def test_invalid_values_are_errors_that_name_the_valid_ones(
    cave: CommandLine, arguments: tuple[str, str], allowed: str
) -> None:
    result = cave("plot", "gilt", "orders", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr
    assert allowed in result.stderr
