"""`cave query`."""

from __future__ import annotations

import math

import pytest

from application.reading.series import Owner
from tests.entrypoints.cli_in_memory import NOW, CommandLine

END = int(NOW.timestamp() * 1000)
MINUTE = 60_000


@pytest.fixture(autouse=True)
def organization(cave: CommandLine) -> None:
    """A gauge of two hosts for ten minutes until now, and one of the team web."""
    cave.output("org", "create", "gilt")
    cave.output("team", "create", "gilt", "web")
    for host, first in (("a", 1.0), ("b", 100.0)):
        cave.series.add(
            Owner("gilt"),
            {"__name__": "load", "host": host},
            [(END - ago * MINUTE, first + ago) for ago in range(10, -1, -1)],
        )
    cave.series.add(Owner("gilt", "web"), {"__name__": "load", "host": "w"}, [(END, 7.0)])


def rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()]


def test_an_instant_value_is_a_table_with_a_column_per_label(cave: CommandLine) -> None:
    assert rows(cave.output("query", "gilt", "load")) == [
        ["metric", "host", "value"],
        ["load", "a", "1"],
        ["load", "b", "100"],
    ]
    assert rows(cave.output("query", "gilt", "sum(load) / 2")) == [["value"], ["50.5"]]


def test_the_time_is_now_unless_an_end_is_given(cave: CommandLine) -> None:
    assert rows(cave.output("query", "gilt", "time()"))[1] == [str(END // 1000)]
    before = str(END // 1000 - 120)
    assert rows(cave.output("query", "gilt", "max(load)", "--end", before))[1] == ["102"]


def test_a_range_has_a_row_per_series_and_step(cave: CommandLine) -> None:
    start = str(END // 1000 - 120)
    found = rows(cave.output("query", "gilt", "load", "--start", start, "--step", "1m"))
    assert found[0] == ["metric", "host", "time", "value"]
    assert [(row[1], row[3]) for row in found[1:]] == [
        ("a", "3"), ("a", "2"), ("a", "1"), ("b", "102"), ("b", "101"), ("b", "100"),
    ]  # fmt: skip
    assert found[1][2] == "2014-10-24T12:35:28.000Z"


def test_without_a_step_a_range_has_some_hundred(cave: CommandLine) -> None:
    for seconds in (1, 119, 7200, 86_400 * 30):
        start = str(END // 1000 - seconds)
        found = cave.json("query", "gilt", "vector(1)", "--start", start)
        assert 2 <= len(found) <= 121


def test_json_has_a_record_per_sample(cave: CommandLine) -> None:
    assert cave.json("query", "gilt", 'load{host="a"}') == [
        {
            "labels": {"__name__": "load", "host": "a"},
            "time": "2014-10-24T12:37:28.000Z",
            "value": 1.0,
        }
    ]
    values = [cave.json("query", "gilt", text)[0]["value"] for text in ("0/0", "0 - 1/0", '"text"')]
    assert values == ["NaN", "-Inf", "text"]
    assert cave.json("query", "gilt", "nothing") == []


def test_a_team_has_its_own_series(cave: CommandLine) -> None:
    assert rows(cave.output("query", "gilt", "load", "--team", "web"))[1:] == [["load", "w", "7"]]


def test_a_plot_draws_series_by_marks_and_names_them(cave: CommandLine) -> None:
    output = cave.output("query", "gilt", "load", "--plot")
    assert output.splitlines()[-2:] == ["a  __name__=load, host=a", "b  __name__=load, host=b"]
    chart = output.rpartition("a  __name__")[0]
    assert "gilt load, 2014-10-24T12:27:28" in chart
    assert chart.count("b") > 10


def test_a_plot_of_one_series_is_drawn_in_dots(cave: CommandLine) -> None:
    output = cave.output("query", "gilt", 'load{host="a"}', "--plot")
    assert any("⠀" < character <= "⣿" for character in output)
    assert "__name__" not in output


def test_a_plot_says_how_many_series_it_leaves_out(cave: CommandLine) -> None:
    for host in range(20):
        labels = {"__name__": "many", "host": f"{host:02}"}
        cave.series.add(Owner("gilt"), labels, [(END, float(host))])
    output = cave.output("query", "gilt", "many", "--plot")
    assert output.splitlines()[-1] == "10 more series are not drawn"


def test_values_that_are_not_finite_are_not_drawn(cave: CommandLine) -> None:
    cave.series.add(Owner("gilt"), {"__name__": "odd"}, [(END, math.inf), (END - MINUTE, 1.0)])
    assert cave("query", "gilt", "odd", "--plot").exit_code == 0
    empty = "no series has a value that can be drawn\n"
    assert cave.output("query", "gilt", "odd / 0", "--plot") == empty


def test_no_series_is_said_so(cave: CommandLine) -> None:
    assert cave.output("query", "gilt", "nothing") == "no series has a value\n"


def test_warnings_go_to_standard_error(cave: CommandLine) -> None:
    result = cave("query", "gilt", "sum(rate(load[5m])) + quantile(2, load)", "--json")
    assert result.exit_code == 0
    assert "value" in result.stdout
    assert result.stderr.splitlines() == [
        "PromQL warning: quantile value should be between 0 and 1, got 2 (1:32)",
        "PromQL info: metric might not be a counter, name does not end in "
        '_total/_sum/_count/_bucket: "load" (1:10)',
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sum(",), "parse error"),
        (("nonsense(load)",), "nonsense"),
        (("load", "--step", "1m"), "--step needs --start"),
        (("load", "--start", "20", "--end", "10"), "--start is after --end"),
        (("load", "--start", "0", "--step", "1s"), "11,000"),
        (("load", "--plot", "--json"), "cannot be used together"),
    ],
)
def test_a_wrong_question_is_a_usage_error(
    cave: CommandLine, arguments: tuple[str, ...], words: str
) -> None:
    result = cave("query", "gilt", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_what_fails_is_one_line(cave: CommandLine) -> None:
    assert cave.error("query", "zalando", "load") == "there is no organization 'zalando'"
    assert "no team" in cave.error("query", "gilt", "load", "--team", "x")
    many = "load + on (nothing) group_left load"
    assert "many-to-many" in cave.error("query", "gilt", many)
