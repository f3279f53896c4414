"""Variables in texts, times and steps, by the rules of Grafana's documentation."""

from __future__ import annotations

import pytest

from tests.promql.dashboards.intervals import (
    TimeRange,
    duration_of,
    long,
    rate_interval,
    short,
    step_of,
    time_of,
)
from tests.promql.dashboards.templates import Chosen, interpolated

VALUES = {
    "one": Chosen(["a.b"]),
    "some": Chosen(["a.b", "c'd"], ["A", "C"], several=True),
    "single": Chosen(["a.b"], several=True),
    "all": Chosen(["a", "b"], ["All"], several=True, whole=".*"),
    "from": Chosen(["1594671549254"]),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$one", "a.b"),
        ("$some", r"(a\\.b|c\\'d)"),
        ("$single", r"a\\.b"),
        ("$all [[all]] ${all}", ".* .* .*"),
        ("$unknown ${unknown:csv}", "$unknown ${unknown:csv}"),
        ("$one_more", "$one_more"),
        ("${one}_more", "a.b_more"),
        ("[[one]] [[some:pipe]]", "a.b a.b|c'd"),
        ("${some:csv} ${some:raw} ${some:pipe}", "a.b,c'd a.b,c'd a.b|c'd"),
        ("${some:glob} ${one:glob}", "{a.b,c'd} a.b"),
        ("${some:regex} ${one:regex}", r"(a\.b|c'd) a\.b"),
        ("${some:json}", '["a.b", "c\'d"]'),
        ("${some:singlequote} ${some:doublequote}", r"""'a.b','c\'d' "a.b","c'd" """.strip()),
        ("${some:sqlstring}", "'a.b','c''d'"),
        ("${some:text} ${all:text}", "A + C All"),
        ("${some:queryparam}", "var-some=a.b&var-some=c%27d"),
        ("${some:percentencode}", "%7Ba.b%2Cc%27d%7D"),
        ("${some:lucene}", '("a.b" OR "c\'d")'),
        ("${some:distributed}", "a.b,some=c'd"),
        ("${from:date} ${from:date:seconds}", "2020-07-13T20:19:09.254Z 1594671549"),
        ("${from:date:YYYY-MM}", "2020-07"),
        ("${one.text:raw}", "a.b"),
    ],
)
def test_variables_in_texts(text: str, expected: str) -> None:
    assert interpolated(text, VALUES) == expected


def test_durations_and_times() -> None:
    assert [duration_of(text) for text in ("90", "1m30s", "500ms", ">10s")] == [
        90_000,
        90_000,
        500,
        10_000,
    ]
    assert [long(each) for each in (60_000, 75_000, 3_600_000)] == ["1m0s", "1m15s", "1h0m0s"]
    assert [short(each) for each in (500, 60_000, 90_000, 7_200_000)] == ["500ms", "1m", "1m", "2h"]
    assert [time_of(text, 10**10) for text in ("now", "now-1h", "now+1s", "now-1d/d")] == [
        10**10,
        10**10 - 3_600_000,
        10**10 + 1000,
        10**10 - 86_400_000,
    ]
    for wrong in ("", "x"):
        with pytest.raises(ValueError, match="not a duration"):
            duration_of(wrong)
        with pytest.raises(ValueError, match="not a time"):
            time_of(wrong, 0)


def test_a_step_gives_at_most_the_points_of_a_panel_and_of_a_query() -> None:
    for hours in (1, 6, 24, 24 * 30, 24 * 365 * 5):
        shown = TimeRange(0, hours * 3_600_000)
        for points in (100, 1000, 100_000):
            step = step_of(shown, points, 15_000)
            assert step >= 15_000
            assert shown.length / step <= min(points, 11_000)
    assert (rate_interval(15_000), rate_interval(300_000)) == (60_000, 315_000)
