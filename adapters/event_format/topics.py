"""The topics of the metric log."""

from __future__ import annotations

from collections.abc import Mapping

from application.event_log.versioned_topics import VersionedTopics

METRIC_TOPICS = VersionedTopics[Mapping[bytes, bytes]]()


def _unchanged(fields: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    return fields


# Version 2 has the fields of version 1; its values may be NaN and infinite.
METRIC_TOPICS.register("metrics.published", _unchanged)

TOPIC_OF_FINITE = "metrics.published.v1"
"""The topic of batches with finite values only. They are written with it, so that readers that do
not know version 2 can read them."""

METRIC_TOPICS.register("metrics.described")

TOPIC = METRIC_TOPICS.current("metrics.published")
DESCRIBED_TOPIC = METRIC_TOPICS.current("metrics.described")
