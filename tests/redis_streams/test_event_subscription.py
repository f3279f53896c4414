"""Subscriptions: delivery, stopping, connections, and their load on the server."""

from collections.abc import Callable
from threading import Timer
from time import monotonic

import pytest
from eventsourcing.persistence import OperationalError, ProgrammingError
from redis import Redis

from adapters.redis_streams import Factory
from adapters.redis_streams.organizations.event_log import PAGE
from adapters.redis_streams.organizations.recorders import RedisApplicationRecorder
from tests.redis_streams.support import calls, connections, event, history
from tests.servers import LogServer
from tests.waiting import wait_until

STOP_SECONDS = 0.35
"""250 ms, plus a margin for a busy machine."""


def test_recorded_events_then_new_ones_are_delivered_in_order(
    recorder: RedisApplicationRecorder,
) -> None:
    recorder.insert_events(history("a", PAGE + 10))
    with recorder.subscribe() as subscription:
        assert [next(subscription).id for _ in range(PAGE + 10)] == [*range(1, PAGE + 11)]
        Timer(0.3, recorder.insert_events, [[event("b", 1, "late")]]).start()
        late = next(subscription)
    assert (late.id, late.topic) == (PAGE + 11, "late")
    assert late in recorder.select_notifications(PAGE + 11, 1)


@pytest.mark.parametrize(("gt", "first"), [(None, 1), (-5, 1), (0, 1), (1, 2), (3, 4)])
def test_it_begins_after_the_given_position(
    recorder: RedisApplicationRecorder, gt: int | None, first: int
) -> None:
    recorder.insert_events(history("a", 4))
    with recorder.subscribe(gt) as subscription:
        assert next(subscription).id == first


def test_stopping_ends_a_waiting_iteration_and_closes_the_connection(
    recorder: RedisApplicationRecorder, raw: Redis
) -> None:
    recorder.insert_events([event("a", 1)])
    before = connections(raw)
    subscription = recorder.subscribe(gt=1)
    stopped: list[float] = []

    def stop() -> None:
        assert connections(raw) == before + 1
        stopped.append(monotonic())
        subscription.stop()

    Timer(0.3, stop).start()
    assert list(subscription) == []
    assert monotonic() - stopped[0] < STOP_SECONDS
    assert connections(raw) == before
    with pytest.raises(StopIteration):
        next(subscription)
    assert connections(raw) == before


def test_leaving_the_context_closes_the_connection(
    recorder: RedisApplicationRecorder, raw: Redis
) -> None:
    recorder.insert_events(history("a", 3))
    before = connections(raw)
    with recorder.subscribe() as subscription:
        next(subscription)
        assert connections(raw) == before + 1
    wait_until(lambda: connections(raw) == before)  # the server notices in its own time
    with pytest.raises(StopIteration):
        next(subscription)


def test_it_can_be_stopped_before_it_is_entered_and_entered_once(
    recorder: RedisApplicationRecorder,
) -> None:
    recorder.insert_events([event("a", 1)])
    subscription = recorder.subscribe()
    subscription.stop()
    with subscription:
        assert list(subscription) == []
        with pytest.raises(ProgrammingError):
            subscription.__enter__()


def test_entries_of_other_topics_are_skipped_once(
    recorder: RedisApplicationRecorder, raw: Redis
) -> None:
    """If the position did not advance over them, each wake would read all their pages again."""
    recorder.insert_events(history("a", 6 * PAGE, "other"))
    with recorder.subscribe(topics=["wanted"]) as subscription:
        recorder.insert_events([event("b", 1, "wanted")])
        assert next(subscription).id == 6 * PAGE + 1
        raw.config_resetstat()
        for version in range(2, 12):
            recorder.insert_events(
                [event("c", version - 1, "other"), event("b", version, "wanted")]
            )
            assert next(subscription).originator_version == version
        assert calls(raw, "xread") <= 20


def test_a_lost_connection_is_an_operational_error_and_iteration_can_continue(
    own_server: LogServer, make_factory: Callable[..., Factory]
) -> None:
    recorder = make_factory(own_server).application_recorder()
    recorder.insert_events(history("a", 2))
    with recorder.subscribe() as subscription:
        assert next(subscription).id == 1
        assert next(subscription).id == 2
        own_server.kill()
        with pytest.raises(OperationalError):
            next(subscription)
        own_server.start()
        recorder.insert_events([event("a", 3)])
        assert next(subscription).id == 3


def test_waiting_costs_a_few_reads_per_second(
    recorder: RedisApplicationRecorder, raw: Redis
) -> None:
    raw.config_resetstat()
    subscription = recorder.subscribe()
    Timer(1.0, subscription.stop).start()
    assert list(subscription) == []
    assert 2 <= calls(raw, "xread") <= 10
