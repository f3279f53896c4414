"""The projections' folds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from application.event_log.ports import RecordedDescriptions, RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections.folds import metric_metadata, metric_names, points
from domain.events import MetricsDescribed, MetricsPublished
from domain.metric_description import MetricDescription
from domain.metric_point import PointBatch, TagSet

Point = tuple[str, list[str], str]

any_point = st.tuples(
    st.sampled_from(["orders", "cache.hits", "x"]),
    st.lists(st.sampled_from(["host", "env", "zone"]), unique=True, max_size=3),
    st.sampled_from(["a", "b"]),
)
batches = st.tuples(
    st.sampled_from(["gilt", "acme"]),
    st.sampled_from([None, "web"]),
    st.lists(any_point, min_size=1, max_size=8),
)


def recorded(number: int, owner: str, team: str | None, rows: list[Point]) -> RecordedMetrics:
    made = [
        (name, TagSet(tuple((tag, value) for tag in sorted(tags)))) for name, tags, value in rows
    ]
    batch = PointBatch(
        [name for name, _ in made], [0] * len(made), [1.0] * len(made), [tags for _, tags in made]
    )
    event = MetricsPublished(organization=owner, team=team, token_id="t", points=batch)
    return RecordedMetrics(Receipt(0, 1, number), event)


@given(st.lists(batches, max_size=8))
def test_metric_names_has_each_name_and_tag_name_once_with_its_first_event(
    batches: list[tuple[str, str | None, list[Point]]],
) -> None:
    events = [recorded(number, *each) for number, each in enumerate(batches)]
    expected: dict[tuple[str, str | None, str, str | None], Receipt] = {}
    for each in events:
        event = each.event
        for point in event.points.points():
            for tag in (None, *point.tags):
                key = (event.organization, event.team, point.name, tag)
                expected.setdefault(key, each.receipt)
    rows = metric_names(events)
    found = {(row.organization, row.team, row.name, row.tag): row.receipt for row in rows}
    assert found == expected
    assert len(rows) == len(found)


def test_metric_names_looks_at_columns_that_events_share_once_per_owner() -> None:
    rows: list[Point] = [("orders", ["host"], "a")]
    gilt = recorded(0, "gilt", None, rows)
    others = [
        RecordedMetrics(
            Receipt(0, 1, number),
            MetricsPublished(organization=owner, team=team, token_id="t", points=gilt.event.points),
        )
        for number, (owner, team) in enumerate([("gilt", None), ("gilt", "web"), ("acme", None)], 1)
    ]
    found = [
        (row.organization, row.team, row.tag, row.receipt) for row in metric_names([gilt, *others])
    ]
    assert found == [
        (owner, team, tag, receipt)
        for owner, team, receipt in [
            ("gilt", None, gilt.receipt),
            ("gilt", "web", others[1].receipt),
            ("acme", None, others[2].receipt),
        ]
        for tag in (None, "host")
    ]


@given(st.lists(batches, max_size=3))
def test_points_returns_the_events_unchanged(
    batches: list[tuple[str, str | None, list[Point]]],
) -> None:
    events = [recorded(number, *each) for number, each in enumerate(batches)]
    assert points(events) == events


described = st.tuples(
    st.sampled_from(["gilt", "acme"]),
    st.sampled_from([None, "web"]),
    st.lists(
        st.builds(
            MetricDescription, st.sampled_from("abc"), help=st.sampled_from(["one", "another"])
        ),
        min_size=1,
        max_size=5,
    ),
)


@given(st.lists(described, max_size=6))
def test_metric_metadata_has_each_events_last_description_of_a_name(
    sent: list[tuple[str, str | None, list[MetricDescription]]],
) -> None:
    events = [
        RecordedDescriptions(
            Receipt(0, 1, number),
            MetricsDescribed(
                organization=owner, team=team, token_id="t", descriptions=tuple(descriptions)
            ),
        )
        for number, (owner, team, descriptions) in enumerate(sent)
    ]
    expected = {}
    for event in events:
        for description in event.event.descriptions:
            key = (event.event.organization, event.event.team, description.name, event.receipt)
            expected[key] = description
    rows = metric_metadata(events)
    found = {
        (row.organization, row.team, row.description.name, row.receipt): row.description
        for row in rows
    }
    assert found == expected
    assert len(rows) == len(found)
