"""The infrastructure factory and its settings.

Each setting is looked up as ``<APPLICATION NAME>_<KEY>`` first, then as ``<KEY>``:

- ``REDIS_URL``: ``redis://``, ``rediss://`` or ``unix://``, or ``redis+sentinel://`` for the
  primary that Sentinels name (see `adapters.redis_streams.sentinel`), or ``redis+cluster://`` (see
  `adapters.redis_streams.cluster`); required.
- ``REDIS_KEY_PREFIX`` (``cave``): prefix of all keys, before the application's name.
- ``REDIS_SOCKET_TIMEOUT`` (5): limit in seconds for each wait: for a free connection, for
  connecting, for a reply.
- ``REDIS_POOL_SIZE`` (20): maximum number of connections, not counting subscriptions.
- ``REDIS_DURABILITY`` (``local``): or ``replicated:N``, to record events only once N replicas have
  them.
- ``ORIGINATOR_ID_TYPE`` (``uuid``): or ``text``.
- ``CREATE_TABLE`` (``yes``): whether creating a recorder loads the server-side functions. A call
  that finds them missing always loads them.
- ``TOPICS_WHEN_FULL`` (none): topics, separated by commas, whose events are recorded even if the
  server is out of memory.
- ``APPLICATION_RECORDER_TOPIC``, ``TRACKING_RECORDER_TOPIC``, ``PROCESS_RECORDER_TOPIC``: a
  subclass to use instead of the recorder in `recorders`.
"""

from collections.abc import Callable
from math import inf
from typing import TypeVar, cast

from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

from adapters.redis_streams.organizations.codec import Codec, OriginatorIdType
from adapters.redis_streams.organizations.datastore import Datastore
from adapters.redis_streams.organizations.event_log import EventLog
from adapters.redis_streams.organizations.keys import EVENTS, Keys
from adapters.redis_streams.organizations.recorders import (
    RedisAggregateRecorder,
    RedisApplicationRecorder,
    RedisProcessRecorder,
    RedisRecorder,
    RedisTrackingRecorder,
)
from application.event_log.durability import LOCAL, Durability

_Number = TypeVar("_Number", int, float)
_Recorder = TypeVar("_Recorder", bound=RedisRecorder)


class Factory(InfrastructureFactory[RedisTrackingRecorder]):
    """Creates recorders that share one pool of connections.

    Raises `OSError` for a missing or invalid setting. Creating a recorder raises `OperationalError`
    if the functions cannot be loaded.
    """

    REDIS_URL = "REDIS_URL"
    REDIS_KEY_PREFIX = "REDIS_KEY_PREFIX"
    REDIS_SOCKET_TIMEOUT = "REDIS_SOCKET_TIMEOUT"
    REDIS_POOL_SIZE = "REDIS_POOL_SIZE"
    REDIS_DURABILITY = "REDIS_DURABILITY"
    ORIGINATOR_ID_TYPE = "ORIGINATOR_ID_TYPE"
    CREATE_TABLE = "CREATE_TABLE"
    TOPICS_WHEN_FULL = "TOPICS_WHEN_FULL"

    aggregate_recorder_class = RedisAggregateRecorder
    application_recorder_class = RedisApplicationRecorder
    tracking_recorder_class = RedisTrackingRecorder
    process_recorder_class = RedisProcessRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        self._codec = Codec(self._originator_id_type())
        url = self.env.get(self.REDIS_URL)
        if not url:
            names = ", ".join(self.env.create_keys(self.REDIS_URL))
            raise OSError(f"Redis URL not found in environment with keys: {names}")
        try:
            self._keys(EVENTS)
            self.datastore = Datastore(
                url,
                timeout=self._positive(self.REDIS_SOCKET_TIMEOUT, float, 5.0),
                pool_size=self._positive(self.REDIS_POOL_SIZE, int, 20),
                durability=Durability.parse(self.env.get(self.REDIS_DURABILITY) or LOCAL),
            )
        except ValueError as error:
            raise OSError(str(error)) from error

    def aggregate_recorder(self, purpose: str = EVENTS) -> RedisAggregateRecorder:
        """Return a recorder of the application's events, or for another purpose.

        For other purposes, such as ``snapshots``, versions need not be consecutive.
        """
        return self._recorder(self.aggregate_recorder_class, purpose)

    def application_recorder(self) -> RedisApplicationRecorder:
        """Return a recorder of the application's events as a sequence."""
        return self._recorder(
            self._class(self.APPLICATION_RECORDER_TOPIC, self.application_recorder_class)
        )

    def tracking_recorder(
        self, tracking_recorder_class: type[RedisTrackingRecorder] | None = None
    ) -> RedisTrackingRecorder:
        """Return a recorder of tracking: of the given class, else the configured or default one."""
        return self._recorder(
            tracking_recorder_class
            or self._class(self.TRACKING_RECORDER_TOPIC, self.tracking_recorder_class)
        )

    def process_recorder(self) -> RedisProcessRecorder:
        """Return a recorder of the application's events and its tracking."""
        return self._recorder(self._class(self.PROCESS_RECORDER_TOPIC, self.process_recorder_class))

    def close(self) -> None:
        """Close the connections of all recorders. Idempotent."""
        self.datastore.close()

    def _recorder(self, cls: type[_Recorder], purpose: str = EVENTS) -> _Recorder:
        if strtobool(self.env.get(self.CREATE_TABLE) or "yes"):
            self.datastore.load_functions()
        consecutive = purpose == EVENTS
        return cls(
            EventLog(
                self.datastore,
                self._keys(purpose),
                self._codec,
                consecutive=consecutive,
                when_full=self._topics_when_full(),
            )
        )

    def _class(self, setting: str, default: type[_Recorder]) -> type[_Recorder]:
        topic = self.env.get(setting)
        if not topic:
            return default
        cls = resolve_topic(topic)
        if not issubclass(cls, default):
            raise OSError(f"{setting} '{topic}' is not a subclass of {default.__name__}")
        return cast("type[_Recorder]", cls)

    def _topics_when_full(self) -> set[str]:
        topics = (self.env.get(self.TOPICS_WHEN_FULL) or "").split(",")
        return {topic.strip() for topic in topics if topic.strip()}

    def _keys(self, purpose: str) -> Keys:
        prefix = self.env.get(self.REDIS_KEY_PREFIX) or "cave"
        return Keys(prefix, self.env.name.lower(), purpose)

    def _originator_id_type(self) -> OriginatorIdType:
        value = self.env.get(self.ORIGINATOR_ID_TYPE, "uuid").lower()
        if value not in ("uuid", "text"):
            raise OSError(f"Invalid {self.ORIGINATOR_ID_TYPE} '{value}', must be 'uuid' or 'text'")
        return cast("OriginatorIdType", value)

    def _positive(
        self, setting: str, convert: Callable[[str], _Number], default: _Number
    ) -> _Number:
        text = (self.env.get(setting) or "").strip()
        if not text:
            return default
        try:
            number = convert(text)
        except ValueError:
            number = None
        if number is None or not 0 < number < inf:
            raise OSError(f"Invalid {setting} '{text}', must be a positive number")
        return number
