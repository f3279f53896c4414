"""Settings of the persistence module, and waiting on recorders."""

from collections.abc import Callable
from threading import Timer

import pytest
from eventsourcing.persistence import InfrastructureFactory, StoredEvent, Tracking
from eventsourcing.utils import Environment, get_topic
from redis import Redis

from adapters.redis_streams import Factory
from adapters.redis_streams.organizations.keys import Keys
from adapters.redis_streams.organizations.recorders import (
    RedisApplicationRecorder,
    RedisProcessRecorder,
)
from tests.servers import LogServer

NOWHERE = "unix:///nowhere/log.sock"
SECONDS = 20.0


class OtherApplicationRecorder(RedisApplicationRecorder):
    pass


class OtherProcessRecorder(RedisProcessRecorder):
    pass


def test_it_is_found_as_a_persistence_module_without_connecting() -> None:
    env = {"PERSISTENCE_MODULE": "adapters.redis_streams", "REDIS_URL": NOWHERE}
    with InfrastructureFactory.construct(env) as factory:
        assert type(factory) is Factory


def test_without_create_table_a_recorder_is_created_without_connecting() -> None:
    Factory({"REDIS_URL": NOWHERE, "CREATE_TABLE": "no"}).process_recorder()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"REDIS_URL": ""}, "ORGANIZATIONS_REDIS_URL, REDIS_URL"),
        ({"REDIS_URL": "http://example.org"}, "scheme"),
        ({"ORIGINATOR_ID_TYPE": "int"}, "ORIGINATOR_ID_TYPE 'int'"),
        ({"REDIS_SOCKET_TIMEOUT": "soon"}, "REDIS_SOCKET_TIMEOUT 'soon'"),
        ({"REDIS_SOCKET_TIMEOUT": "inf"}, "REDIS_SOCKET_TIMEOUT 'inf'"),
        ({"REDIS_SOCKET_TIMEOUT": "nan"}, "REDIS_SOCKET_TIMEOUT 'nan'"),
        ({"REDIS_SOCKET_TIMEOUT": "0"}, "REDIS_SOCKET_TIMEOUT '0'"),
        ({"REDIS_POOL_SIZE": "2.5"}, "REDIS_POOL_SIZE '2.5'"),
        ({"REDIS_KEY_PREFIX": "a}b"}, "braces"),
    ],
)
def test_a_missing_or_invalid_setting_is_named(settings: dict[str, str], message: str) -> None:
    with pytest.raises(OSError, match=message):
        Factory(Environment("Organizations", {"REDIS_URL": NOWHERE} | settings))


def test_settings_with_the_application_name_take_precedence() -> None:
    env = {"REDIS_URL": "http://no", "ORGANIZATIONS_REDIS_URL": NOWHERE}
    Factory(Environment("Organizations", env))


def test_recorder_classes_can_be_chosen() -> None:
    env = {
        "REDIS_URL": NOWHERE,
        "CREATE_TABLE": "n",
        "APPLICATION_RECORDER_TOPIC": get_topic(OtherApplicationRecorder),
        "PROCESS_RECORDER_TOPIC": get_topic(OtherProcessRecorder),
        "TRACKING_RECORDER_TOPIC": get_topic(OtherApplicationRecorder),
    }
    factory = Factory(env)
    assert type(factory.application_recorder()) is OtherApplicationRecorder
    assert type(factory.process_recorder()) is OtherProcessRecorder
    with pytest.raises(OSError, match="not a subclass of RedisTrackingRecorder"):
        factory.tracking_recorder()


def test_all_keys_of_an_application_are_different() -> None:
    events, snapshots = Keys("cave", "a"), Keys("cave", "a", "snapshots")
    names = ["x", "snapshots", "snapshots:x", "snapshots:log", "/snapshots:x", ""]
    keys = [events.log, events.tracking, snapshots.log]
    keys += [index(name) for index in (events.index, snapshots.index) for name in names]
    assert len({*keys}) == len(keys)
    assert all(key.startswith("{cave:a}") for key in keys)
    assert Keys("cave").log == "{cave}:log"


def test_settings_in_the_url_do_not_enable_retries_or_change_replies(
    server: LogServer, make_factory: Callable[..., Factory]
) -> None:
    url = f"{server.url}?protocol=3&decode_responses=true&retry_on_timeout=true&socket_timeout=9"
    factory = make_factory(server, REDIS_URL=url)
    recorder = factory.application_recorder()
    recorder.insert_events([StoredEvent("a", 1, "t", b"\xff")])
    assert recorder.select_events("a")[0].state == b"\xff"
    assert recorder.select_notifications(None, 1)[0].state == b"\xff"
    client = factory.datastore.client
    assert isinstance(client, Redis)
    connection = client.connection_pool.get_connection()
    assert connection.retry.get_retries() == 0
    assert connection.socket_timeout == 5.0


def test_waiting_for_tracking_ends_once_it_is_recorded(
    server: LogServer, make_factory: Callable[..., Factory]
) -> None:
    recorder = make_factory(server).tracking_recorder()
    recording = Timer(0.3, recorder.insert_tracking, [Tracking("up", 3)])
    recording.start()
    recorder.wait("up", 3, timeout=SECONDS)
    recording.join()
