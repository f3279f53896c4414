"""The topics of the metric log."""

from __future__ import annotations

from collections.abc import Mapping

from application.event_log.versioned_topics import VersionedTopics

METRIC_TOPICS = VersionedTopics[Mapping[bytes, bytes]]()

POINTS = "p"
"""The topic's name of points from version 3 on. It is short because every event carries it, and
events of one point are small."""

METRIC_TOPICS.register(POINTS, first=3)

EARLIER_POINTS = "metrics.published"
"""The topic's name of points up to version 2, whose payload has the columns of version 1."""


def _unchanged(fields: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    return fields


# Version 2 has the fields of version 1; its values may be NaN and infinite.
METRIC_TOPICS.register(EARLIER_POINTS, _unchanged)

TOPIC_OF_FINITE = "metrics.published.v1"
"""The topic of events with finite values only."""

DESCRIPTIONS = "metrics.described"
METRIC_TOPICS.register(DESCRIPTIONS)

TOPIC = METRIC_TOPICS.current(POINTS)
DESCRIBED_TOPIC = METRIC_TOPICS.current(DESCRIPTIONS)
