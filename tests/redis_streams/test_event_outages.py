"""Servers that restart, stall, die or lose our functions are handled."""

from collections.abc import Callable
from threading import Timer
from time import monotonic
from typing import Any

import pytest
from eventsourcing.persistence import (
    ConnectionPoolClosedError,
    IntegrityError,
    OperationalError,
    StoredEvent,
    Tracking,
)
from redis import Redis
from redis.exceptions import ConnectionError as DriverConnectionError

from adapters.redis_streams import Factory
from adapters.redis_streams.errors import ConnectionLostError
from adapters.redis_streams.functions import EVENTS
from adapters.redis_streams.organizations.recorders import RedisProcessRecorder
from tests.embedded_valkey.support import wait_until
from tests.redis_streams.support import connections, event, history
from tests.servers import LogServer

TIMEOUT = 0.4


@pytest.fixture
def process(own_server: LogServer, make_factory: Callable[..., Factory]) -> RedisProcessRecorder:
    return make_factory(own_server, REDIS_SOCKET_TIMEOUT=str(TIMEOUT)).process_recorder()


@pytest.mark.parametrize("end", [LogServer.stop, LogServer.kill])
def test_a_restarted_server_has_all_events_and_accepts_more(
    own_server: LogServer, process: RedisProcessRecorder, end: Callable[[LogServer], None]
) -> None:
    process.insert_events(history("a", 3), tracking=Tracking("up", 7))
    end(own_server)
    own_server.start()
    assert process.select_events("a") == history("a", 3)
    assert process.max_tracking_id("up") == 7
    assert process.insert_events([event("a", 4)]) == [4]


def test_functions_that_were_flushed_are_loaded_again(
    server: LogServer, make_factory: Callable[..., Factory], raw: Redis
) -> None:
    recorder = make_factory(server).application_recorder()
    raw.function_flush()
    assert recorder.select_events("a") == []
    raw.function_flush()
    assert recorder.insert_events([event("a", 1)]) == [1]


def test_without_create_table_functions_are_loaded_by_the_first_call(
    server: LogServer, make_factory: Callable[..., Factory], raw: Redis
) -> None:
    raw.function_flush()
    recorder = make_factory(server, CREATE_TABLE="no").application_recorder()
    assert raw.function_list() == []
    assert recorder.insert_events([event("a", 1)]) == [1]
    assert len(raw.function_list()) == 1


def test_a_dead_server_is_immediately_an_operational_error(
    own_server: LogServer, make_factory: Callable[..., Factory], process: RedisProcessRecorder
) -> None:
    own_server.kill()
    started = monotonic()
    for call in (
        lambda: process.insert_events([event("a", 1)]),
        lambda: process.insert_tracking(Tracking("up", 1)),
        lambda: process.select_events("a"),
        lambda: process.select_notifications(None, 1),
        process.max_notification_id,
        lambda: process.max_tracking_id("up"),
        lambda: next(process.subscribe()),
        make_factory(own_server).process_recorder,
    ):
        with pytest.raises(OperationalError):
            call()
    assert monotonic() - started < 2 * TIMEOUT, "all of them together"


def test_a_stalled_server_stores_an_event_once_although_the_caller_gets_an_error(
    own_server: LogServer, process: RedisProcessRecorder
) -> None:
    process.insert_events([event("a", 1)])
    own_server.pause()
    started = monotonic()
    with pytest.raises(OperationalError):
        process.insert_events([event("a", 2)])
    assert TIMEOUT < monotonic() - started < 4 * TIMEOUT
    own_server.resume()
    assert [e.originator_version for e in process.select_events("a")] == [1, 2]
    assert process.max_notification_id() == 2


def test_a_stall_that_ends_in_time_for_the_reread_is_a_success(
    own_server: LogServer, process: RedisProcessRecorder
) -> None:
    process.insert_events([event("a", 1)])
    own_server.pause()
    Timer(1.5 * TIMEOUT, own_server.resume).start()
    assert process.insert_events([event("a", 2), event("b", 1)]) == [2, 3]
    assert process.max_notification_id() == 3


class LostReply:
    """Stands in for `EVENTS.call`: the next call of `record` loses the connection."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._call = EVENTS.call
        self._after: Callable[[], object] | None = None
        self._executed = False
        monkeypatch.setattr(EVENTS, "call", self)

    def arm(self, *, executed: bool, after: Callable[[], object] = lambda: None) -> None:
        """Call `after`, then lose the connection, with the call executed or not."""
        self._after, self._executed = after, executed

    def __call__(self, client: Redis, function: str, *arguments: Any, **options: Any) -> Any:
        after, self._after = self._after, None
        if after is None:
            return self._call(client, function, *arguments, **options)
        if self._executed:
            self._call(client, function, *arguments, **options)
        after()
        raise DriverConnectionError("lost")


@pytest.fixture
def lost_reply(monkeypatch: pytest.MonkeyPatch) -> LostReply:
    return LostReply(monkeypatch)


@pytest.fixture
def shared(server: LogServer, make_factory: Callable[..., Factory]) -> RedisProcessRecorder:
    return make_factory(server).process_recorder()


OURS = [event("a", 1, state=b"ours"), event("b", 1), event("a", 2)]


def test_events_found_stored_after_a_lost_reply_are_a_success(
    lost_reply: LostReply, shared: RedisProcessRecorder
) -> None:
    shared.insert_events([event("c", 1)])
    lost_reply.arm(executed=True)
    assert shared.insert_events(OURS, tracking=Tracking("up", 1)) == [2, 3, 4]
    assert shared.max_notification_id() == 4
    assert shared.max_tracking_id("up") == 1


def test_events_not_found_after_a_lost_connection_are_not_sent_again(
    lost_reply: LostReply, shared: RedisProcessRecorder
) -> None:
    lost_reply.arm(executed=False)
    with pytest.raises(ConnectionLostError):
        shared.insert_events(OURS)
    assert shared.max_notification_id() is None


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param([event("a", 1, state=b"theirs")], id="another event"),
        pytest.param([event("b", 1)], id="a part of ours"),
        pytest.param([OURS[0], OURS[2], OURS[1]], id="all of ours in another order"),
    ],
)
def test_other_events_found_after_a_lost_connection_are_a_conflict(
    lost_reply: LostReply, shared: RedisProcessRecorder, theirs: list[StoredEvent]
) -> None:
    lost_reply.arm(executed=False, after=lambda: shared.insert_events(theirs))
    with pytest.raises(IntegrityError) as conflict:
        shared.insert_events(OURS)
    assert isinstance(conflict.value.__cause__, ConnectionLostError)
    assert shared.max_notification_id() == len(theirs)


def test_a_reread_that_fails_is_an_operational_error(
    own_server: LogServer, process: RedisProcessRecorder, lost_reply: LostReply
) -> None:
    lost_reply.arm(executed=True, after=own_server.kill)
    with pytest.raises(OperationalError):
        process.insert_events(OURS)
    own_server.start()
    assert process.max_notification_id() == 3


@pytest.mark.parametrize(
    ("executed", "theirs", "error"),
    [(True, None, None), (False, None, ConnectionLostError), (False, 6, IntegrityError)],
)
def test_tracking_is_reread_after_a_lost_connection_too(
    lost_reply: LostReply,
    shared: RedisProcessRecorder,
    executed: bool,
    theirs: int | None,
    error: type[Exception] | None,
) -> None:
    def overtake() -> None:
        if theirs is not None:
            shared.insert_tracking(Tracking("up", theirs))

    lost_reply.arm(executed=executed, after=overtake)
    if error is None:
        shared.insert_tracking(Tracking("up", 5))
    else:
        with pytest.raises(error):
            shared.insert_tracking(Tracking("up", 5))


def test_a_closed_factory_stays_closed(
    server: LogServer, make_factory: Callable[..., Factory], raw: Redis
) -> None:
    factory = make_factory(server)
    recorder = factory.application_recorder()
    recorder.insert_events([event("a", 1)])
    before = connections(raw)
    factory.close()
    factory.close()
    wait_until(lambda: connections(raw) == before - 1)
    for call in (recorder.max_notification_id, lambda: recorder.insert_events([event("a", 2)])):
        with pytest.raises(ConnectionPoolClosedError):
            call()
