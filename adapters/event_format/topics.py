"""The topics of the metric log."""

from __future__ import annotations

from collections.abc import Mapping

from application.event_log.versioned_topics import VersionedTopics

METRIC_TOPICS = VersionedTopics[Mapping[bytes, bytes]]()
METRIC_TOPICS.register("metrics.published")
TOPIC = METRIC_TOPICS.current("metrics.published")
