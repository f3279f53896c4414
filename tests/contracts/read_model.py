"""The contracts of reading: PointQueries, PointExport and ProjectionPositions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import pytest
from msgspec import Struct

from application.event_log.ports import (
    RecordedDescriptions,
    RecordedEvent,
    RecordedMetrics,
)
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionMissing
from application.reading.ports import (
    Aggregation,
    MetricName,
    PointExport,
    PointQueries,
    PointRow,
    ProjectionPositions,
    Sample,
    Selection,
)
from domain.metric_description import MetricDescription, MetricType, Temporality
from domain.values import bits_of
from tests.contracts.metric_log import DESCRIPTIONS, NOT_FINITE, Point, described, published

DAY = 86_400_000
NOW = 1414154248000
"""The time of the read model's clock, which stands still."""

LARGEST = 1.7976931348623157e308


TAGS: list[tuple[dict[str, str], list[float]]] = [
    ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
    ({"host": "svc5"}, [1, 2]),
    ({"host": "svc5", "env": "p"}, [2]),
    ({"host": "svc"}, []),
    ({"ost": "svc5"}, []),
    ({"host": "svc55"}, [3]),
    ({"host": '"svc5"'}, [4]),
    ({"host": "svc5\\"}, [5]),
    ({"host": "名%_前.*"}, [6]),
    ({"host": ""}, []),
    ({"env": "host"}, [7]),
    ({"x": '","host":"svc5'}, [8]),
    ({"svc5": "host"}, []),
]
"""Tags in a query, and the values of the points below that match it."""

BUCKETS: dict[str, list[float]] = {
    "count": [4, 1],
    "min": [-2, 7],
    "max": [5, 7],
    "mean": [1.75, 7],
    "mode": [2, 7],
    "median": [2, 7],
    "sum": [7, 7],
    "stddev": [2.8722813232690143, 0],
    "p90": [5, 7],
    "p95": [5, 7],
    "p99": [5, 7],
    "p999": [5, 7],
}
"""The result of each aggregator for the values 5, -2, 2, 2, and for 7."""

EXTREMES: list[tuple[str, list[float], float]] = [
    ("sum", [1e100, 1.0, -1e100], 1.0),
    ("sum", [0.1] * 10, 1.0),
    ("sum", [LARGEST, LARGEST, -LARGEST], LARGEST),
    ("sum", [LARGEST, LARGEST], float("inf")),
    ("sum", [-LARGEST, -LARGEST], float("-inf")),
    ("sum", [5e-324, 5e-324], 1e-323),
    ("mean", [LARGEST, LARGEST], LARGEST),
    ("mean", [1e16, 1e16, 1e16 + 2], 1e16),
    ("median", [LARGEST, LARGEST], LARGEST),
    ("median", [5e-324, 1e-323], 1e-323),
    ("stddev", [1e16, 1e16 + 2], 2**0.5),
    ("stddev", [LARGEST, LARGEST], 0.0),
    ("stddev", [LARGEST, -LARGEST], float("inf")),
    ("mode", [2.0, 1.0, 2.0, 1.0, 0.5], 1.0),
    *(
        (aggregator, [-0.0, 0.0, -0.0], 0.0)
        for aggregator in ("min", "max", "mean", "mode", "median", "sum", "p90")
    ),
    *((aggregator, [-0.0], 0.0) for aggregator in ("min", "max", "mode", "p999")),
]
"""Values of one bucket, and the aggregator's result."""


class ReadModelUnderTest(Struct):
    """The ports over one store.

    `add` lets its live generations hold more events, `copy` makes a copy.

    It may be shared by many tests: each has its own organizations, whose names have the `suffix`.
    """

    model: PointQueries
    export: PointExport
    progress: ProjectionPositions
    add: Callable[[Sequence[RecordedEvent]], None]
    copy: Callable[[str, Sequence[RecordedEvent]], None]
    suffix: str = ""

    def named(self, organization: str) -> str:
        return organization + self.suffix

    def recorded(
        self,
        *points: Point,
        position: int = 1,
        partition: int = 3,
        organization: str = "gilt",
        team: str | None = None,
    ) -> RecordedMetrics:
        event = published(self.named(organization), team, list(points))
        return RecordedMetrics(Receipt.at(partition, position), event, b"digest")

    def described(
        self,
        *descriptions: MetricDescription,
        position: int = 1,
        organization: str = "gilt",
        team: str | None = None,
    ) -> RecordedDescriptions:
        event = described(self.named(organization), team, descriptions)
        return RecordedDescriptions(Receipt.at(3, position), event, b"digest")

    def selection(self, *, organization: str = "gilt", **more: Any) -> Selection:
        return Selection(**{"organization": self.named(organization), "metric": "m", **more})


def point(at: int, value: float, name: str = "m", **tags: str) -> Point:
    return name, at, value, tags


class ReadModelContract(ABC):
    @pytest.fixture
    @abstractmethod
    def opened(self) -> ReadModelUnderTest:
        """Return a read model that has no points of the organizations it names."""

    def test_every_name_ever_published_is_listed_with_all_its_tag_names(
        self, opened: ReadModelUnderTest
    ) -> None:
        opened.add([
            opened.recorded(point(1, 1, "b", z="1"), point(1, 1, "a"), position=1),
            opened.recorded(point(1, 1, "b", y="1", x="2"), point(1, 1, "B"), position=2),
            opened.recorded(point(1, 1, "web", t="1"), team="web", position=3),
            opened.recorded(point(1, 1, "other"), organization="other", position=4),
        ])  # fmt: skip
        model = opened.model
        gilt, nobody = opened.named("gilt"), opened.named("nobody")
        assert list(map(as_pair, model.metric_names(gilt, None))) == [
            ("B", []), ("a", []), ("b", ["x", "y", "z"]),
        ]  # fmt: skip
        assert list(map(as_pair, model.metric_names(gilt, "web"))) == [("web", ["t"])]
        assert list(model.metric_names(gilt, "none")) == []
        assert list(model.metric_names(nobody, None)) == []
        assert model.knows(gilt, None, "b")
        assert model.knows(gilt, "web", "web")
        assert not model.knows(gilt, None, "web")
        assert not model.knows(gilt, "web", "b")
        assert not model.knows(nobody, None, "b")

    def test_a_metric_has_its_last_description(self, opened: ReadModelUnderTest) -> None:
        old, new = MetricDescription("m", help="old"), MetricDescription("m", MetricType.COUNTER)
        opened.add([opened.described(old, *DESCRIPTIONS, position=1)])
        opened.add([opened.recorded(point(1, 1)), opened.described(new, position=2)])
        opened.add([
            opened.described(old, team="web", position=3),
            opened.described(new, old, organization="other", position=4),
        ])  # fmt: skip
        find = opened.model.descriptions
        gilt = opened.named("gilt")
        assert find(gilt, None) == {"m": new} | {d.name: d for d in DESCRIPTIONS}
        assert find(gilt, "web") == {"m": old}
        assert find(gilt, "none") == find(opened.named("nobody"), None) == {}
        assert find(opened.named("other"), None) == {"m": old}, "the last of its event"

    def test_every_type_and_temporality_is_read_as_it_was_described(
        self, opened: ReadModelUnderTest
    ) -> None:
        sent = [
            MetricDescription(f"{kind}.{temporality}", kind, "é", "名\"'", temporality)
            for kind in MetricType
            for temporality in Temporality
        ]
        opened.add([opened.described(*sent)])
        assert opened.model.descriptions(opened.named("gilt"), None) == {d.name: d for d in sent}

    def test_points_are_the_latest_in_order_of_time_and_then_of_the_log(
        self, opened: ReadModelUnderTest
    ) -> None:
        opened.add([
            opened.recorded(point(7, 3), point(5, 1), point(7, 4), partition=1, position=9),
            opened.recorded(point(7, 5), point(7, 2, "n"), partition=1, position=10),
            opened.recorded(point(7, 6), partition=2, position=1),
            opened.recorded(point(6, 2), point(9, 7), point(8, 6.5), partition=2, position=2),
        ])  # fmt: skip
        read = opened.model.samples
        expected = [(5, 1), (6, 2), (7, 3), (7, 4), (7, 5), (7, 6), (8, 6.5), (9, 7)]
        assert pairs(read(opened.selection(), None, 100)) == expected
        for limit in range(1, 9):
            assert pairs(read(opened.selection(), None, limit)) == expected[-limit:]
        assert pairs(read(opened.selection(start=6, end=9), None, 5)) == expected[2:-1]

    def test_a_range_includes_its_start_but_not_its_end(self, opened: ReadModelUnderTest) -> None:
        opened.add([opened.recorded(*(point(at, at) for at in (0, 1, 2, 3)))])
        read = opened.model.samples
        assert pairs(read(opened.selection(start=1), None, 9)) == [(1, 1), (2, 2), (3, 3)]
        assert pairs(read(opened.selection(end=2), None, 9)) == [(0, 0), (1, 1)]
        assert pairs(read(opened.selection(start=1, end=2), None, 9)) == [(1, 1)]
        assert pairs(read(opened.selection(start=2, end=2), None, 9)) == []
        assert pairs(read(opened.selection(start=0, end=0), None, 9)) == []

    def test_owners_and_names_are_kept_apart(self, opened: ReadModelUnderTest) -> None:
        opened.add([
            opened.recorded(point(1, 1), point(1, 2, "M"), point(1, 3, "m.m"), position=1),
            opened.recorded(point(1, 4), team="web", position=2),
            opened.recorded(point(1, 5), organization="gil", position=3),
        ])  # fmt: skip
        read = opened.model.samples
        assert pairs(read(opened.selection(), None, 9)) == [(1, 1)]
        assert pairs(read(opened.selection(team="web"), None, 9)) == [(1, 4)]
        assert pairs(read(opened.selection(organization="gil"), None, 9)) == [(1, 5)]
        assert pairs(read(opened.selection(metric="none"), None, 9)) == []

    def test_a_point_matches_if_it_has_all_the_tags(self, opened: ReadModelUnderTest) -> None:
        opened.add([
            opened.recorded(
                point(1, 1, host="svc5"),
                point(2, 2, host="svc5", env="p"),
                point(3, 3, host="svc55"),
                point(4, 4, host='"svc5"'),
                point(5, 5, host="svc5\\"),
                point(6, 6, host="名%_前.*"),
                point(7, 7, env="host"),
                point(8, 8, x='","host":"svc5'),
            )
        ])  # fmt: skip
        for tags, values in TAGS:
            found = opened.model.samples(opened.selection(tags=tags), None, 9)
            assert [sample.value for sample in found] == values, tags

    def test_buckets_aggregate_all_matching_series_together(
        self, opened: ReadModelUnderTest
    ) -> None:
        opened.add([
            opened.recorded(point(60_000, 5, host="a"), point(119_999, -2), position=1),
            opened.recorded(point(60_000, 2, host="b"), point(60_000, 2, host="b"), position=2),
            opened.recorded(point(240_000, 7), point(60_000, 99, "n"), position=3),
        ])  # fmt: skip
        for aggregator, values in BUCKETS.items():
            found = opened.model.samples(opened.selection(), Aggregation(aggregator, 60_000), 9)
            assert pairs(found) == [(60_000, values[0]), (240_000, values[1])], aggregator

    def test_nothing_is_lost_in_a_bucket_and_minus_zero_is_zero(
        self, opened: ReadModelUnderTest
    ) -> None:
        opened.add([
            opened.recorded(*(point(i, value, f"m{case}") for i, value in enumerate(values)),
                            position=case)
            for case, (_, values, _) in enumerate(EXTREMES, 1)
        ])  # fmt: skip
        for case, (aggregator, values, result) in enumerate(EXTREMES, 1):
            asked = opened.selection(metric=f"m{case}"), Aggregation(aggregator, 1000), 9
            (found,) = opened.model.samples(*asked)
            assert repr(found.value) == repr(float(result)), (aggregator, values)

    def test_points_keep_their_values_bit_for_bit_except_for_the_sign_of_zero(
        self, opened: ReadModelUnderTest
    ) -> None:
        values = [-0.0, 0.0, 5e-324, LARGEST, 0.1 + 0.2]
        opened.add([opened.recorded(*(point(i, value) for i, value in enumerate(values)))])
        found = opened.model.samples(opened.selection(), None, 9)
        assert [(sample.value + 0.0).hex() for sample in found] == [
            (value + 0.0).hex() for value in values
        ]

    @pytest.mark.parametrize("aggregator", BUCKETS)
    def test_values_that_are_not_finite_are_left_out_of_buckets(
        self, opened: ReadModelUnderTest, aggregator: str
    ) -> None:
        """A bucket without any other is left out itself."""
        values = [5, *NOT_FINITE, -2, 2, *NOT_FINITE, 2]
        opened.add([
            opened.recorded(*(point(i, value, host="a") for i, value in enumerate(values))),
            opened.recorded(*(point(1000, value, host="a") for value in NOT_FINITE), position=2),
            opened.recorded(point(2000, 7, host="a"), point(2000, math.nan, host="b"), position=3),
        ])  # fmt: skip
        aggregation = Aggregation(aggregator, 1000)
        expected = list(zip((0, 2000), BUCKETS[aggregator], strict=True))
        for tags in ({}, {"host": "a"}):
            selection = opened.selection(tags=tags, start=0, end=3000)
            for limit in (9, 1):
                found = opened.model.samples(selection, aggregation, limit)
                assert pairs(found) == expected[-limit:]
                assert opened.model.cached_samples(selection, aggregation, limit) in (None, found)
        selection = opened.selection(tags={"host": "b"})
        assert list(opened.model.samples(selection, aggregation, 9)) == []

    def test_values_that_are_not_finite_are_no_samples_but_are_exported_bit_for_bit(
        self, opened: ReadModelUnderTest
    ) -> None:
        values = [1.0, *NOT_FINITE, 2.0, *NOT_FINITE, 3.0]
        points = [point(i, value, host="a") for i, value in enumerate(values)]
        opened.add([opened.recorded(*points), opened.recorded(point(1, 1, "n"), position=2)])
        for limit in (1, 2, 9):
            found = opened.model.samples(opened.selection(), None, limit)
            assert [sample.value for sample in found] == [1, 2, 3][-limit:]
        rows = list(chain.from_iterable(opened.export.rows(opened.named("gilt"), None, metric="m")))
        assert [bits_of(row.value) for row in rows] == [*map(bits_of, values)]
        assert {row.tags["host"] for row in rows} == {"a"}
        assert opened.model.knows(opened.named("gilt"), None, "m")

    @pytest.mark.parametrize("aggregator", ["count", "mean"])
    @pytest.mark.parametrize("period", [1, 7_000, 3_600_000, DAY, 7 * DAY])
    def test_the_latest_buckets_are_found_wherever_they_are(
        self, opened: ReadModelUnderTest, period: int, aggregator: str
    ) -> None:
        """Points years apart, around now and a day later, are found however small the limit is."""
        times = [
            *(0, 5, DAY - 1, DAY, 400 * DAY, NOW - 3 * DAY, NOW - DAY, NOW - 1, NOW),
            *(NOW + 1, NOW + DAY, 95617584000000),
        ]
        opened.add([opened.recorded(*(point(at, 1) for at in times))])
        buckets = sorted({at // period * period for at in times})
        for limit in (1, 2, 5, 60):
            found = opened.model.samples(opened.selection(), Aggregation(aggregator, period), limit)
            assert [sample.time for sample in found] == buckets[-limit:]
        found = opened.model.samples(opened.selection(end=NOW), Aggregation(aggregator, period), 3)
        assert [s.time for s in found] == sorted({t // period * period for t in times[:8]})[-3:]
        found = opened.model.samples(opened.selection(start=6), Aggregation(aggregator, period), 60)
        assert [s.time for s in found] == sorted({t // period * period for t in times[2:]})

    def test_the_latest_points_are_found_wherever_they_are(
        self, opened: ReadModelUnderTest
    ) -> None:
        times = [0, 5, 400 * DAY, NOW - 3 * DAY, NOW - 1, NOW, NOW + DAY, 95617584000000]
        opened.add([opened.recorded(*(point(at, 1) for at in times))])
        for limit in (1, 2, 5, 60):
            found = opened.model.samples(opened.selection(), None, limit)
            assert [sample.time for sample in found] == times[-limit:]

    def test_a_bucket_cut_by_the_range_has_only_the_points_in_the_range(
        self, opened: ReadModelUnderTest
    ) -> None:
        opened.add([opened.recorded(*(point(at, 1) for at in range(0, 30, 2)))])
        found = opened.model.samples(opened.selection(start=5, end=25), Aggregation("count", 10), 9)
        assert pairs(found) == [(0, 2), (10, 5), (20, 3)]

    def test_points_added_later_can_be_read(self, opened: ReadModelUnderTest) -> None:
        assert list(opened.model.samples(opened.selection(), None, 9)) == []
        opened.add([opened.recorded(point(1, 1), position=1)])
        assert pairs(opened.model.samples(opened.selection(), None, 9)) == [(1, 1)]
        opened.add([opened.recorded(point(1, 2), position=2)])
        assert pairs(opened.model.samples(opened.selection(), None, 9)) == [(1, 1), (1, 2)]

    def test_cached_samples_equal_samples(self, opened: ReadModelUnderTest) -> None:
        """There may be no cached samples at any time, but never different ones."""
        opened.add([opened.recorded(*(point(at, at, host=f"h{at % 3}") for at in range(200)))])
        model, buckets = opened.model, Aggregation("sum", 10)
        for tags in ({}, {"host": "h1"}, {"host": "h9"}):
            for selection in (opened.selection(start=20, end=95, tags=tags), opened.selection()):
                for aggregation in (buckets, None):
                    samples = model.samples(selection, aggregation, 5)
                    assert model.cached_samples(selection, aggregation, 5) in (None, samples)
        opened.add([opened.recorded(point(94, 1), position=2)])
        selection = opened.selection(start=20, end=95)
        cached = model.cached_samples(selection, buckets, 5)
        assert cached in (None, model.samples(selection, buckets, 5))

    @pytest.mark.parametrize("projection", ["points", "metric_names", "metric_metadata"])
    def test_positions_are_those_of_the_last_events(
        self, opened: ReadModelUnderTest, projection: str
    ) -> None:
        last = Receipt(7, 1414154248000, 5).position
        opened.add([
            opened.recorded(point(1, 1), partition=1, position=4),
            opened.recorded(point(1, 1), partition=7, position=last),
        ])  # fmt: skip
        positions = opened.progress.positions(projection)
        assert (positions[1], positions[7]) == (4, last)

    def test_rows_are_an_owners_points_sorted_by_name_time_and_log_order(
        self, opened: ReadModelUnderTest
    ) -> None:
        opened.add([
            opened.recorded(point(5, -0.0, "b", host="é"), point(3, 1, "b"), position=1),
            opened.recorded(point(9, 2, "a"), point(3, 3, "b", x="1", y="2"), position=2),
            opened.recorded(point(1, 4, "a"), team="web", position=3),
            opened.recorded(point(1, 5, "a"), organization="other", position=4),
        ])  # fmt: skip
        expected = [
            ("a", 9, 2.0, {}, 2, 0),
            ("b", 3, 1.0, {}, 1, 1),
            ("b", 3, 3.0, {"x": "1", "y": "2"}, 2, 1),
            ("b", 5, -0.0, {"host": "é"}, 1, 0),
        ]
        read, gilt = opened.export.rows, opened.named("gilt")
        assert all_rows(read(gilt, None)) == expected
        assert all_rows(read(gilt, None, metric="b")) == expected[1:]
        assert all_rows(read(gilt, None, start=5)) == [expected[0], expected[3]]
        assert all_rows(read(gilt, None, metric="b", start=3, end=5)) == expected[1:3]
        assert all_rows(read(gilt, "web")) == [("a", 1, 4.0, {}, 3, 0)]
        assert all_rows(read(gilt, None, metric="none")) == []
        assert all_rows(read(opened.named("nobody"), None)) == []

    def test_a_copy_is_read_by_its_label(self, opened: ReadModelUnderTest) -> None:
        opened.add([opened.recorded(point(1, 1), point(2, 2))])
        label = opened.named("before")
        opened.copy(label, [opened.recorded(point(1, 1))])
        assert pairs(opened.model.samples(opened.selection(), None, 9, label=label)) == [(1, 1)]
        assert len(all_rows(opened.export.rows(opened.named("gilt"), None, label=label))) == 1
        assert len(opened.model.samples(opened.selection(), None, 9)) == 2
        with pytest.raises(ProjectionMissing, match="other"):
            opened.model.samples(opened.selection(), None, 9, label="other")


def pairs(samples: Sequence[Sample]) -> list[tuple[int, float]]:
    return [(sample.time, sample.value) for sample in samples]


def as_pair(name: MetricName) -> tuple[str, list[str]]:
    return name.name, list(name.tags)


def all_rows(chunks: Iterator[Sequence[PointRow]]) -> list[tuple[Any, ...]]:
    return [
        (row.name, row.time, row.value, dict(row.tags), row.receipt.position, row.item)
        for row in chain.from_iterable(chunks)
    ]
