"""Recording and refusing events, beyond the library's own test cases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    OperationalError,
    PersistenceError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from redis import Redis

from adapters.redis_streams import Factory
from adapters.redis_streams.organizations.codec import MAX_VERSION
from adapters.redis_streams.organizations.event_log import MAX_EVENTS, MAX_POSITION
from adapters.redis_streams.organizations.recorders import (
    RedisApplicationRecorder,
    RedisProcessRecorder,
)
from tests.redis_streams.support import event, history
from tests.servers import LogServer


@pytest.fixture
def process(factory: Factory) -> RedisProcessRecorder:
    return factory.process_recorder()


def test_the_layout_is_as_documented(recorder: RedisApplicationRecorder, raw: Redis) -> None:
    recorder.insert_events([event("organization:gilt", 1, "created", b"\x00\xff")])
    recorder.insert_events([event("organization:gilt", 2), event("é", 0)])

    entry = {b"id": b"organization:gilt", b"version": b"1", b"topic": b"created"}
    log: Any = raw.xrange("{cave:organizations}:log")
    assert [name for name, _ in log] == [b"0-1", b"0-2", b"0-3"]
    assert log[0][1] == {**entry, b"state": b"\x00\xff"}
    index = raw.zrange("{cave:organizations}:organization:gilt", 0, -1, withscores=True)
    assert [tuple(pair) for pair in index] == [(b"1", 1.0), (b"2", 2.0)]
    assert sorted(map(bytes.decode, raw.scan_iter())) == [
        "{cave:organizations}:log",
        "{cave:organizations}:organization:gilt",
        "{cave:organizations}:é",
    ]


def test_ids_are_contiguous_over_originators_and_refused_calls(
    recorder: RedisApplicationRecorder,
) -> None:
    assert recorder.insert_events([event("a", 1), event("b", 1), event("a", 2)]) == [1, 2, 3]
    with pytest.raises(IntegrityError):
        recorder.insert_events([event("a", 2)])
    assert recorder.insert_events([event("b", 2)]) == [4]


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param([event("a", 5)], id="a gap"),
        pytest.param([event("a", 3)], id="the last version again"),
        pytest.param([event("a", 0)], id="a version before the first"),
        pytest.param([event("a", 4), event("a", 6)], id="a gap in the call"),
        pytest.param([event("a", 5), event("a", 4)], id="the wrong order"),
        pytest.param([event("a", 4), event("a", 4)], id="the same twice"),
        pytest.param([event("new", 2)], id="a first version of 2"),
        pytest.param([event("a", 4), event("new", 1), event("b", 9)], id="one of three"),
    ],
)
def test_a_call_with_a_version_that_is_not_the_next_stores_nothing(
    recorder: RedisApplicationRecorder, raw: Redis, refused: list[StoredEvent]
) -> None:
    recorder.insert_events([*history("a", 3), event("b", 1)])
    with pytest.raises(IntegrityError):
        recorder.insert_events(refused)
    assert recorder.max_notification_id() == 4
    assert recorder.select_events("new") == []
    assert not raw.exists("{cave:organizations}:new")


def test_one_of_several_racing_writers_of_a_version_wins(
    recorder: RedisApplicationRecorder,
) -> None:
    gate = Barrier(8)

    def contend(number: int) -> bool:
        gate.wait()
        try:
            recorder.insert_events(
                [event("a", 1, state=str(number).encode()), event(f"b{number}", 1)]
            )
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(contend, range(8)))
    assert won.count(True) == 1
    [winner] = recorder.select_events("a")
    assert winner.state == b"%d" % won.index(True)
    assert recorder.max_notification_id() == 2


@pytest.mark.parametrize("name", ["log", "tracking"])
def test_reserved_originator_ids_are_refused(recorder: RedisApplicationRecorder, name: str) -> None:
    with pytest.raises(ProgrammingError, match=f"'{name}' is reserved"):
        recorder.insert_events([event("a", 1), event(name, 1)])
    with pytest.raises(ProgrammingError, match=f"'{name}' is reserved"):
        recorder.select_events(name)
    assert recorder.max_notification_id() is None


def test_the_number_of_events_per_call_is_limited(recorder: RedisApplicationRecorder) -> None:
    with pytest.raises(ProgrammingError, match="10001 events in one call"):
        recorder.insert_events(history("a", MAX_EVENTS + 1))
    recorder.insert_events(history("a", MAX_EVENTS))
    assert recorder.max_notification_id() == MAX_EVENTS


def test_the_largest_versions_are_distinguished(factory: Factory) -> None:
    snapshots = factory.aggregate_recorder("snapshots")
    last = [event("a", MAX_VERSION - 1, state=b"1"), event("a", MAX_VERSION, state=b"2")]
    snapshots.insert_events(last)
    assert snapshots.select_events("a", gt=MAX_VERSION - 1) == last[1:]
    with pytest.raises(IntegrityError):
        snapshots.insert_events(last[1:])
    for version in (-1, MAX_VERSION + 1):
        with pytest.raises(DataError):
            snapshots.insert_events([event("a", version)])


def test_ids_that_could_not_be_read_back_are_refused(
    server: LogServer, make_factory: Callable[..., Factory]
) -> None:
    recorder = make_factory(server, ORIGINATOR_ID_TYPE="uuid").application_recorder()
    with pytest.raises(ProgrammingError, match="ORIGINATOR_ID_TYPE"):
        recorder.insert_events([StoredEvent(uuid4(), 1, "t", b""), event("a", 1)])
    assert recorder.max_notification_id() is None


def test_snapshots_have_versions_in_any_order_and_separate_keys(
    factory: Factory, recorder: RedisApplicationRecorder, raw: Redis
) -> None:
    recorder.insert_events(history("a", 3))
    snapshots = factory.aggregate_recorder("snapshots")
    assert snapshots.insert_events([event("a", 30)]) is None
    snapshots.insert_events([event("a", 10), event("a", 20)])
    for again in ([event("a", 20)], [event("a", 40), event("a", 40)]):
        with pytest.raises(IntegrityError):
            snapshots.insert_events(again)

    assert [e.originator_version for e in snapshots.select_events("a")] == [10, 20, 30]
    assert snapshots.select_events("a", desc=True, limit=1) == [event("a", 30)]
    assert recorder.max_notification_id() == 3
    assert recorder.select_events("a") == history("a", 3)
    assert {b"{cave:organizations}/snapshots:a", b"{cave:organizations}/snapshots:log"} < {
        *raw.scan_iter()
    }


def test_applications_and_prefixes_are_separate(
    server: LogServer, make_factory: Callable[..., Factory]
) -> None:
    for settings in ({}, {"name": "Other"}, {"REDIS_KEY_PREFIX": "copper"}):
        recorder = make_factory(server, **settings).application_recorder()
        assert recorder.insert_events([event("a", 1)]) == [1]


def test_the_aggregate_recorder_of_events_writes_the_same_log(
    factory: Factory, recorder: RedisApplicationRecorder
) -> None:
    factory.aggregate_recorder().insert_events([event("a", 1)])
    assert recorder.insert_events([event("a", 2)]) == [2]


def test_events_and_tracking_are_recorded_together_or_not_at_all(
    process: RedisProcessRecorder,
) -> None:
    assert process.insert_events([event("a", 1)], tracking=Tracking("up", 5)) == [1]
    with pytest.raises(IntegrityError, match="tracking of up is at 5"):
        process.insert_events([event("a", 2)], tracking=Tracking("up", 5))
    with pytest.raises(IntegrityError, match="version 1 of a"):
        process.insert_events([event("a", 1)], tracking=Tracking("up", 6))
    assert process.max_notification_id() == 1
    assert process.max_tracking_id("up") == 5
    assert process.insert_events([event("a", 2)], tracking=Tracking("other", 1)) == [2]
    assert process.insert_events([], tracking=Tracking("up", 6)) == []
    assert process.max_tracking_id("up") == 6


def test_tracking_is_exact_over_64_bits(process: RedisProcessRecorder) -> None:
    """Positions of other logs may exceed the integers that a Lua number can hold."""
    for position in (9, 10, 2**60, 2**60 + 1, MAX_POSITION):
        process.insert_tracking(Tracking("up", position))
        with pytest.raises(IntegrityError):
            process.insert_tracking(Tracking("up", position))
        assert process.max_tracking_id("up") == position
    for position in (-1, MAX_POSITION + 1):
        with pytest.raises(DataError):
            process.insert_tracking(Tracking("other", position))


@pytest.mark.parametrize("key", ["log", "a", "tracking"])
def test_keys_that_hold_something_else_are_a_programming_error(
    process: RedisProcessRecorder, raw: Redis, key: str
) -> None:
    raw.set(f"{{cave:organizations}}:{key}", "something else")
    with pytest.raises(ProgrammingError):
        process.insert_events([event("b", 1), event("a", 1)], tracking=Tracking("up", 1))
    assert raw.dbsize() == 1


def test_a_stream_of_another_kind_is_refused(
    recorder: RedisApplicationRecorder, raw: Redis
) -> None:
    raw.xadd("{cave:organizations}:log", {"a": "b"})
    with pytest.raises(PersistenceError):
        recorder.insert_events([event("a", 1)])
    with pytest.raises(PersistenceError, match="was not written by this module"):
        recorder.max_notification_id()
    assert raw.dbsize() == 1


def test_a_server_out_of_memory_refuses_the_whole_call(
    own_server: LogServer, make_factory: Callable[..., Factory]
) -> None:
    process = make_factory(own_server).process_recorder()
    process.insert_events([event("a", 1)])
    with Redis.from_url(own_server.url) as raw:
        raw.config_set("maxmemory", 1)
        with pytest.raises(OperationalError):
            process.insert_events([event("a", 2), event("b", 1)], tracking=Tracking("up", 1))
        restarted = make_factory(own_server).process_recorder()
        assert restarted.select_events("a") == [event("a", 1)], "reading still works"
        raw.config_set("maxmemory", 0)
    assert process.max_notification_id() == 1
    assert process.max_tracking_id("up") is None
    assert process.insert_events([event("a", 2), event("b", 1)]) == [2, 3]
