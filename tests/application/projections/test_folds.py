"""The projections' folds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from application.event_log.ports import RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections.folds import metric_names, points
from domain.events import MetricsPublished
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


@given(st.lists(batches, max_size=3))
def test_points_returns_the_events_unchanged(
    batches: list[tuple[str, str | None, list[Point]]],
) -> None:
    events = [recorded(number, *each) for number, each in enumerate(batches)]
    assert points(events) == events
