"""`eventsourcing`'s test cases for recorders, factories, applications and projections."""

import os

import pytest
from eventsourcing.persistence import IntegrityError, Tracking
from eventsourcing.tests import application, persistence, projection
from eventsourcing.utils import Environment, get_topic
from redis.client import Pipeline

from adapters.redis_streams import Factory
from adapters.redis_streams.organizations.recorders import (
    RedisAggregateRecorder,
    RedisApplicationRecorder,
    RedisProcessRecorder,
    RedisTrackingRecorder,
)
from tests.redis_streams.cases import ServerCase, on_every_server

pytestmark = pytest.mark.filterwarnings("default:'log' is deprecated:DeprecationWarning")


class AggregateRecorderOfEvents(ServerCase):
    def create_recorder(self) -> RedisAggregateRecorder:
        return self.make_factory().aggregate_recorder()


class AggregateRecorderOfSnapshots(ServerCase):
    def create_recorder(self) -> RedisAggregateRecorder:
        return self.make_factory().aggregate_recorder("snapshots")


class ApplicationRecorder(ServerCase):
    EXPECT_CONTIGUOUS_NOTIFICATION_IDS = True

    def create_recorder(self) -> RedisApplicationRecorder:
        return self.make_factory().application_recorder()


class ApplicationRecorderThatSubscribes(ApplicationRecorder):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()  # type: ignore[attr-defined]


class TrackingRecorder(ServerCase):
    def create_recorder(self) -> RedisTrackingRecorder:
        return self.make_factory().tracking_recorder()


class ProcessRecorder(ServerCase):
    def create_recorder(self) -> RedisProcessRecorder:
        return self.make_factory().process_recorder()


class OtherTrackingRecorder(RedisTrackingRecorder):
    """A subclass to be selected by its topic."""


class InfrastructureFactory(ServerCase):
    def setUp(self) -> None:
        self.env = Environment("Things", dict(os.environ))
        super().setUp()  # type: ignore[misc]

    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_aggregate_recorder_class(self) -> type[RedisAggregateRecorder]:
        return RedisAggregateRecorder

    def expected_application_recorder_class(self) -> type[RedisApplicationRecorder]:
        return RedisApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[RedisTrackingRecorder]:
        return RedisTrackingRecorder

    def tracking_recorder_subclass(self) -> type[RedisTrackingRecorder]:
        return OtherTrackingRecorder

    def expected_process_recorder_class(self) -> type[RedisProcessRecorder]:
        return RedisProcessRecorder


class ExampleApplication(ServerCase):
    expected_factory_topic = get_topic(Factory)


class EventCounters(RedisTrackingRecorder, projection.EventCountersView):
    """A view of two counters that change in the same transaction as the tracking."""

    def get_created_event_counter(self) -> int:
        return self._count("created")

    def get_subsequent_event_counter(self) -> int:
        return self._count("subsequent")

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self._increment("created", tracking)

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self._increment("subsequent", tracking)

    @property
    def _counters(self) -> str:
        return f"{self.log.keys.tracking}-counters"

    def _count(self, name: str) -> int:
        return int(self.log.datastore.client.hget(self._counters, name) or 0)

    def _increment(self, name: str, tracking: Tracking) -> None:
        def queue(pipe: Pipeline) -> None:
            tracked = self.max_tracking_id(tracking.application_name)
            if tracked is not None and tracked >= tracking.notification_id:
                raise IntegrityError(tracking)
            pipe.multi()
            pipe.hset(self.log.keys.tracking, tracking.application_name, tracking.notification_id)
            pipe.hincrby(self._counters, name, 1)

        self.log.datastore.client.transaction(queue, self.log.keys.tracking)


class EventCountersView(ServerCase):
    def construct_event_counters_view(self) -> EventCounters:
        view = self.make_factory().tracking_recorder(EventCounters)
        assert isinstance(view, EventCounters)
        return view


class Projection(ServerCase):
    view_class = EventCounters


for mixin, case in (
    (AggregateRecorderOfEvents, persistence.AggregateRecorderTestCase),
    (AggregateRecorderOfSnapshots, persistence.AggregateRecorderTestCase),
    (ApplicationRecorderThatSubscribes, persistence.ApplicationRecorderTestCase),
    (ApplicationRecorder, persistence.NonInterleavingNotificationIDsBaseCase),
    (TrackingRecorder, persistence.TrackingRecorderTestCase),
    (ProcessRecorder, persistence.ProcessRecorderTestCase),
    (InfrastructureFactory, persistence.InfrastructureFactoryTestCase),
    (ExampleApplication, application.ExampleApplicationTestCase),
    (ServerCase, application.ApplicationTestCase),
    (EventCountersView, projection.EventCountersViewTestCase),
    (Projection, projection.AggregateEventCountersProjectionTestCase),
    (Projection, projection.EventSourcedProjectionTestCase),
):
    globals().update(on_every_server(mixin, case))
del mixin, case
