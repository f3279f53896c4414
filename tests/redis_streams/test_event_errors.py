"""Every error of redis-py is translated to one of the library's."""

from typing import Any

import pytest
from eventsourcing.persistence import (
    IntegrityError,
    InternalError,
    OperationalError,
    PersistenceError,
    ProgrammingError,
)
from redis import exceptions as driver
from redis._parsers.base import BaseParser

from adapters.redis_streams.errors import ConnectionLostError, translate, translated


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("CONFLICT version 2 of a cannot be recorded", IntegrityError),
        ("CORRUPT a names entry 0-2, which is not in b", InternalError),
        ("READONLY You can't write against a read only replica.", OperationalError),
        ("OOM command not allowed when used memory > 'maxmemory'.", OperationalError),
        ("LOADING the server is loading the dataset in memory", OperationalError),
        ("NOREPLICAS Not enough good replicas to write.", OperationalError),
        ("MISCONF Errors writing to the AOF file: No space left on device", OperationalError),
        ("CLUSTERDOWN The cluster is down", OperationalError),
        ("TRYAGAIN Multiple keys request during rehashing of slot", OperationalError),
        ("MASTERDOWN Link with MASTER is down", OperationalError),
        ("MOVED 3999 127.0.0.1:6381", OperationalError),
        ("ASK 3999 127.0.0.1:6381", OperationalError),
        ("BUSY the server is busy running a script.", OperationalError),
        ("UNBLOCKED force unblock from blocking operation", OperationalError),
        ("ERR max number of clients reached", ConnectionLostError),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", ProgrammingError),
        ("NOPERM this user has no permissions to run the 'fcall' command", ProgrammingError),
        ("NOAUTH Authentication required.", ProgrammingError),
        ("WRONGPASS invalid username-password pair or user is disabled.", ProgrammingError),
        ("CROSSSLOT Keys in request don't hash to the same slot", ProgrammingError),
        ("ERR syntax error", PersistenceError),
        ("", PersistenceError),
    ],
)
def test_error_replies_of_the_server_are_translated(
    answer: str, expected: type[PersistenceError]
) -> None:
    parse: Any = BaseParser.parse_error
    assert type(translate(parse(answer))) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (driver.ConnectionError("Connection refused"), ConnectionLostError),
        (driver.TimeoutError("Timeout reading from socket"), ConnectionLostError),
        (driver.MaxConnectionsError("Too many connections"), OperationalError),
        (driver.BusyLoadingError("loading"), OperationalError),
        (driver.AuthenticationError("invalid password"), ProgrammingError),
        (driver.AuthorizationError("no"), ProgrammingError),
        (driver.DataError("not bytes"), PersistenceError),
        (driver.InvalidResponse("protocol"), PersistenceError),
    ],
)
def test_errors_of_the_client_are_translated(
    error: driver.RedisError, expected: type[PersistenceError]
) -> None:
    with pytest.raises(expected, match=str(error)) as caught, translated():
        raise error
    assert type(caught.value) is expected
    assert caught.value.__cause__ is error


def test_a_lost_connection_is_an_operational_error() -> None:
    assert issubclass(ConnectionLostError, OperationalError)
