"""Reading in pages gives the same result as reading everything in one reply."""

import pytest
from eventsourcing.persistence import InternalError, StoredEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from adapters.redis_streams.organizations.event_log import PAGE
from adapters.redis_streams.organizations.recorders import RedisApplicationRecorder
from tests.redis_streams.support import calls, event, history

LENGTH = 2 * PAGE + 1
EXAMPLES = settings(max_examples=60)

near = st.sampled_from((-1, 0, 1, 2, PAGE - 1, PAGE, PAGE + 1, LENGTH - 1, LENGTH, LENGTH + 1))
limits = st.sampled_from((0, 1, PAGE - 1, PAGE, PAGE + 1, LENGTH, LENGTH + 1))


def test_select_events_agrees_with_a_list(recorder: RedisApplicationRecorder) -> None:
    stored = history("a", LENGTH)
    recorder.insert_events([*history("b", 3), *stored])

    @EXAMPLES
    @given(st.none() | near, st.none() | near, st.booleans(), st.none() | limits)
    def agrees(gt: int | None, lte: int | None, desc: bool, limit: int | None) -> None:
        expected = [
            e
            for e in (reversed(stored) if desc else stored)
            if (gt is None or e.originator_version > gt)
            and (lte is None or e.originator_version <= lte)
        ][:limit]
        assert recorder.select_events("a", gt=gt, lte=lte, desc=desc, limit=limit) == expected

    agrees()


def test_select_notifications_agrees_with_a_list(recorder: RedisApplicationRecorder) -> None:
    stored = [event("a", n, f"topic{n % 3}") for n in range(1, LENGTH + 1)]
    recorder.insert_events(stored)
    topics = st.sampled_from(((), ("topic0",), ("topic1", "topic2"), ("none",)))

    @EXAMPLES
    @given(st.none() | near, limits, st.none() | near, topics, st.booleans())
    def agrees(
        start: int | None, limit: int, stop: int | None, topics: tuple[str, ...], inclusive: bool
    ) -> None:
        found = recorder.select_notifications(
            start, limit, stop, topics, inclusive_of_start=inclusive
        )
        expected = [
            (n, e.originator_version)
            for n, e in enumerate(stored, 1)
            if (start is None or n > start or (inclusive and n == start))
            and (stop is None or n <= stop)
            and (not topics or e.topic in topics)
        ][:limit]
        assert [(n.id, n.originator_version) for n in found] == expected

    agrees()


def test_a_long_history_is_read_in_pages(recorder: RedisApplicationRecorder, raw: Redis) -> None:
    recorder.insert_events(history("a", LENGTH))
    raw.config_resetstat()
    assert len(recorder.select_events("a")) == LENGTH
    assert calls(raw, "fcall_ro") == 3
    assert len(recorder.select_notifications(None, LENGTH)) == LENGTH
    assert calls(raw, "xrange") == LENGTH + 3, "one per event in the function, then three pages"


def test_an_index_that_names_a_missing_entry_is_reported(
    recorder: RedisApplicationRecorder, raw: Redis
) -> None:
    recorder.insert_events(history("a", 3))
    raw.xdel("{cave:organizations}:log", "0-2")
    with pytest.raises(InternalError, match="names entry 0-2"):
        recorder.select_events("a")
    assert recorder.max_notification_id() == 3


def test_the_empty_log_reads_as_empty(recorder: RedisApplicationRecorder) -> None:
    nothing: list[StoredEvent] = []
    assert recorder.select_events("a") == nothing
    assert recorder.select_notifications(None, 10) == nothing
    assert recorder.max_notification_id() is None
