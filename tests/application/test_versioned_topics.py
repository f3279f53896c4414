"""Versioned topics and their upcasts."""

from __future__ import annotations

import pytest

from application.event_log.versioned_topics import UnknownTopic, VersionedTopics


@pytest.fixture
def topics() -> VersionedTopics[list[str]]:
    topics = VersionedTopics[list[str]]()
    topics.register("thing.made")
    topics.register("thing.sold", lambda s: [*s, "to v2"], lambda s: [*s, "to v3"])
    topics.register("thing.kept", lambda s: [*s, "to v4"], first=3)
    return topics


def test_the_current_version_is_that_after_all_steps(
    topics: VersionedTopics[list[str]],
) -> None:
    assert topics.current("thing.made") == "thing.made.v1"
    assert topics.current("thing.sold") == "thing.sold.v3"
    assert topics.current("thing.kept") == "thing.kept.v4"


@pytest.mark.parametrize(
    ("topic", "steps"),
    [
        ("thing.made.v1", []),
        ("thing.sold.v1", ["to v2", "to v3"]),
        ("thing.sold.v2", ["to v3"]),
        ("thing.sold.v3", []),
        ("thing.kept.v3", ["to v4"]),
        ("thing.kept.v4", []),
    ],
)
def test_older_versions_go_through_the_missing_steps(
    topics: VersionedTopics[list[str]], topic: str, steps: list[str]
) -> None:
    state = ["as stored"]
    assert topics.upcast(topic, state) == (topic[:-3], ["as stored", *steps])
    assert state == ["as stored"]


@pytest.mark.parametrize(
    "topic",
    [
        *("thing.made.v2", "thing.sold.v4", "thing.kept.v2", "thing.kept.v5"),
        *("thing.lost.v1", "thing.made", "thing.made.v0", "", ".v1"),
    ],
)
def test_an_unknown_topic_is_named(topics: VersionedTopics[list[str]], topic: str) -> None:
    with pytest.raises(UnknownTopic, match="the topic '"):
        topics.upcast(topic, [])


def test_a_name_can_be_registered_only_once(topics: VersionedTopics[list[str]]) -> None:
    with pytest.raises(ValueError, match=r"thing\.made"):
        topics.register("thing.made")
