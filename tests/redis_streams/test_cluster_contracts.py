"""The contracts of all that a log server keeps, on a cluster of three masters."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from typing import Any
from unittest import TestCase
from uuid import UUID, uuid4

import pytest
from eventsourcing.tests import persistence
from eventsourcing.utils import Environment

from adapters.eventsourcing.organizations import Organizations
from adapters.redis_streams import Factory
from adapters.redis_streams.clients import Client
from adapters.redis_streams.connections import Connections
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.quota_buckets import RedisQuotaBuckets
from adapters.redis_streams.metrics.refused_points import RedisRefusedPoints
from adapters.redis_streams.metrics.settings import settle_partitions
from adapters.redis_streams.metrics.usage import RedisUsageStore
from adapters.redis_streams.organizations.recorders import (
    RedisApplicationRecorder,
    RedisProcessRecorder,
)
from application.event_log.receipts import Receipt
from application.publishing.quota import QuotaBuckets
from application.publishing.refused_points import RefusedPoints
from application.usage.ports import UsageStore
from tests.clusters import Cluster, cluster
from tests.contracts.entry_log import EntryLogContract, Fields, RawLog
from tests.contracts.metric_log import PARTITIONS, MetricLogContract, MetricLogPorts
from tests.contracts.organizations import OrganizationPorts, OrganizationsContract
from tests.contracts.quota_buckets import QuotaBucketsContract
from tests.contracts.refused_points import RefusedPointsContract
from tests.contracts.usage_store import UsageStoreContract
from tests.redis_streams.support import entries_of

KEYS = MetricKeys("cave")


@pytest.fixture(scope="module")
def started() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


class OnCluster:
    """Mixed in before a contract: each test begins with an empty cluster."""

    cluster: Cluster

    @pytest.fixture(autouse=True)
    def on_a_cluster(self, started: Cluster) -> None:
        started.clear()
        self.cluster = started

    @contextmanager
    def client(self) -> Iterator[Client]:
        with (
            closing(Connections(self.cluster.url)) as connections,
            closing(connections.client(timeout=5)) as client,
        ):
            yield client


class TestTieredLogOnACluster(OnCluster, EntryLogContract):
    @contextmanager
    def open_entries(self) -> Iterator[RawLog]:
        with self.client() as client:

            def add(partition: int, fields: Fields) -> Receipt:
                entry: Any = dict(fields)
                event_id: Any = client.xadd(KEYS.log(partition), entry)
                return Receipt.parse(f"{partition}-{event_id.decode()}")

            yield RawLog(entries_of(client, KEYS, PARTITIONS), add)


class TestMetricLogOnACluster(OnCluster, MetricLogContract):
    @asynccontextmanager
    async def open_log(self, **limits: Any) -> AsyncIterator[MetricLogPorts]:
        with self.client() as client:
            settle_partitions(client, KEYS, PARTITIONS)
            log = RedisMetricLog(self.cluster.url, KEYS, PARTITIONS, **limits)
            await log.open()
            try:
                yield MetricLogPorts(log, entries_of(client, KEYS, PARTITIONS))
            finally:
                await log.close()


class TestOrganizationsOnACluster(OnCluster, OrganizationsContract):
    def open_organizations(self) -> AbstractContextManager[OrganizationPorts]:
        self.cluster.clear()
        return closing(
            Organizations(
                {"PERSISTENCE_MODULE": "adapters.redis_streams", "REDIS_URL": self.cluster.url}
            )
        )


class TestQuotaBucketsOnACluster(OnCluster, QuotaBucketsContract):
    @contextmanager
    def open_buckets(self) -> Iterator[tuple[QuotaBuckets, Callable[[float], None]]]:
        self.cluster.clear()
        with self.client() as client:
            yield RedisQuotaBuckets(client, KEYS, PARTITIONS), time.sleep


class TestRefusedPointsOnACluster(OnCluster, RefusedPointsContract):
    @contextmanager
    def open_refused(self) -> Iterator[RefusedPoints]:
        with self.client() as client:
            yield RedisRefusedPoints(client, KEYS, PARTITIONS)


class TestUsageStoreOnACluster(OnCluster, UsageStoreContract):
    @contextmanager
    def open_usage(self) -> Iterator[UsageStore]:
        with self.client() as client:
            yield RedisUsageStore(client, KEYS, PARTITIONS)

    def current_minute(self, usage: UsageStore) -> int:
        return int(time.time()) // 60


class LibraryCase(OnCluster):
    """Mixed in before a test case of `eventsourcing`'s."""

    def new_originator_id(self) -> UUID:
        return uuid4()

    def make_factory(self) -> Factory:
        assert isinstance(self, TestCase)
        factory = Factory(Environment("Things", {"REDIS_URL": self.cluster.url}))
        self.addCleanup(factory.close)
        return factory


class TestApplicationRecorderOnACluster(LibraryCase, persistence.ApplicationRecorderTestCase):
    EXPECT_CONTIGUOUS_NOTIFICATION_IDS = True

    def create_recorder(self) -> RedisApplicationRecorder:
        return self.make_factory().application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestProcessRecorderOnACluster(LibraryCase, persistence.ProcessRecorderTestCase):
    def create_recorder(self) -> RedisProcessRecorder:
        return self.make_factory().process_recorder()
