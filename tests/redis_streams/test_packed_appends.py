"""The commands that append events, as they are sent."""

import math

import hiredis
import pytest

from adapters.event_format.codec import MetricEventCodec
from adapters.event_format.compression import COMPRESS_FROM
from adapters.redis_streams.metrics.link import pack
from adapters.redis_streams.metrics.packed_appends import PackedAppends, is_appended_by
from application.event_log.partitioning import partition_of
from domain.events import MetricEvent, MetricsPublished
from domain.metric_point import MAX_TIMESTAMP, PointBatch, TagSet
from tests.contracts.metric_log import described

LOGS = [f"log:{number}" for number in range(16)]
NO_TAGS = TagSet(())


def one(time: int = 0, value: float = 1.0, tags: TagSet = NO_TAGS) -> PointBatch:
    return PointBatch(("a",), (time,), (value,), (tags,), known_finite=math.isfinite(value))


def sized(size: int) -> PointBatch:
    """Return a point whose payload has this many bytes."""
    for length in range(1, size):
        points = one(tags=TagSet((("host", "h" * length),)))
        if len(PackedAppends(LOGS)._encoder.payload(points)) == size:
            return points
    raise AssertionError(size)


def published(points: PointBatch, team: str | None = None) -> MetricsPublished:
    return MetricsPublished(organization="gilt", team=team, token_id="t1", points=points)


EVENTS: list[MetricEvent] = [
    published(one()),
    published(one(MAX_TIMESTAMP, -0.0, TagSet((("host", "ä"),)))),
    published(one(127), "ops"),
    published(one(value=math.nan)),
    published(sized(COMPRESS_FROM - 1)),
    published(sized(COMPRESS_FROM)),
    published(PointBatch(["a", "b"], [0, 1], [1.0, 2.0], [NO_TAGS] * 2, known_finite=True)),
    described("gilt"),
]


@pytest.mark.parametrize("event", EVENTS)
def test_a_command_is_that_of_the_events_fields_whatever_was_packed_before(
    event: MetricEvent,
) -> None:
    packed = PackedAppends(LOGS)
    partition = partition_of("gilt", len(LOGS))
    fields = MetricEventCodec().encode(event)
    parts = [part for field in fields.items() for part in field]
    expected = partition, pack(("XADD", LOGS[partition], "*", *parts))
    for before in EVENTS:
        packed.command(before)
        assert packed.command(event) == expected


def test_an_entry_is_told_from_those_of_other_commands() -> None:
    packed = PackedAppends(LOGS)
    commands = [packed.command(event)[1] for event in EVENTS]
    for command in commands:
        reader = hiredis.Reader()
        reader.feed(command)
        entry = reader.gets()[3:]
        assert [is_appended_by(each, entry) for each in commands].count(True) == 1
        assert is_appended_by(command, entry)
