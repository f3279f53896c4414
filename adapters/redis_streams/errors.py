"""Translation of redis-py's exceptions to those of `eventsourcing.persistence`.

The first word of a server's error message is its code. For codes with exception classes of their
own, redis-py moves the code to ``status_code``; all others remain in the message.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from eventsourcing.persistence import (
    IntegrityError,
    InternalError,
    OperationalError,
    PersistenceError,
    ProgrammingError,
)
from redis import exceptions as driver

from adapters.redis_streams.clients import DRIVER_ERRORS


class ConnectionLostError(OperationalError):
    """The connection failed or timed out.

    Whether the server executed the command is unknown, and may still be undecided: a stalled server
    executes what it has received once it resumes.
    """


class NotReplicatedError(OperationalError):
    """The events are on the server, but fewer replicas than required have them.

    They are lost if the server is lost before a replica has them.
    """


CODES: dict[str, type[PersistenceError]] = {
    # Raised by event_functions.lua.
    "CONFLICT": IntegrityError,
    "CORRUPT": InternalError,
    # The server cannot do it now; nothing was executed.
    "BUSY": OperationalError,
    "CLUSTERDOWN": OperationalError,
    "LOADING": OperationalError,
    "MASTERDOWN": OperationalError,
    "MISCONF": OperationalError,
    "MOVED": OperationalError,
    "ASK": OperationalError,
    "NOREPLICAS": OperationalError,
    "OOM": OperationalError,
    "READONLY": OperationalError,
    "TRYAGAIN": OperationalError,
    "UNBLOCKED": OperationalError,
    # Trying again will not help.
    "CROSSSLOT": ProgrammingError,
    "NOAUTH": ProgrammingError,
    "NOPERM": ProgrammingError,
    "WRONGPASS": ProgrammingError,
    "WRONGTYPE": ProgrammingError,
}


def translate(error: Exception) -> PersistenceError:
    """Return the library's exception for one of `DRIVER_ERRORS`, with the same message."""
    code = getattr(error, "status_code", None) or str(error).partition(" ")[0]
    if kind := CODES.get(code):
        return kind(str(error))
    match error:
        case driver.RedisClusterException() | driver.ClusterError():
            return OperationalError(str(error))
        case driver.AuthenticationError() | driver.AuthorizationError():
            return ProgrammingError(str(error))
        case driver.MaxConnectionsError() | driver.BusyLoadingError():
            return OperationalError(str(error))
        case driver.ConnectionError() | driver.TimeoutError():
            return ConnectionLostError(str(error))
    return PersistenceError(str(error))


@contextmanager
def translated() -> Iterator[None]:
    """Raise the library's exceptions in place of redis-py's, which become their causes."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translate(error) from error
