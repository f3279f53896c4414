"""Projections whose files are in an object store."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from adapters.ducklake.database import Location
from adapters.ducklake.object_storage import checked, secret
from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.ducklake.store.generation import DuckLakeStore
from adapters.ducklake.store.stores import DuckLakeStores
from adapters.ducklake.store.upkeep import MERGE_FROM
from application.projections.errors import StoreUnavailable
from application.projections.folds import POINTS
from application.projections.ports import Role
from application.reading.ports import Aggregation, Selection
from tests.contracts.projection_store import commit, recorded
from tests.ducklake.support import live_store
from tests.s3 import bucket, s3
from tests.servers import free_port

__all__ = ["bucket", "s3"]

MINUTE = Aggregation("count", 60_000)
ALL = Selection(organization="gilt", team=None, metric="m", tags={}, start=None, end=None)

numbers = itertools.count(1)


@pytest.fixture
def location(database: str, bucket: str, tmp_path: Path) -> Location:
    return Location(root=tmp_path, catalog=database, files=bucket)


def objects(url: str, endpoint: str) -> set[str]:
    """Return the keys of the objects below a URL."""
    name, _, prefix = url.removeprefix("s3://").partition("/")
    with closing(boto3.client("s3", endpoint_url=endpoint)) as client:
        found = client.list_objects_v2(Bucket=name, Prefix=prefix).get("Contents", [])
        return {each["Key"] for each in found}


def publish(store: DuckLakeStore, count: int) -> None:
    """Commit an event with so many points of `m`."""
    number = next(numbers)
    commit(store, recorded(0, number, [("m", 60_000 * n, float(n), {}) for n in range(count)]))


def test_what_is_written_is_read_and_kept_small_and_removed(
    location: Location, s3: str, bucket: str
) -> None:
    with live_store(location) as (stores, live, store):
        for _ in range(MERGE_FROM + 1):
            publish(store, 5)
        assert objects(bucket, s3)
        before = stores.digests(live)
        merged_from = len(objects(bucket, s3))
        store._upkeep.merge(seconds=30)
        store._upkeep.expire(keep=0)
        store._upkeep.delete_orphans(keep=0)
        assert len(objects(bucket, s3)) < merged_from
        assert stores.digests(live) == before
        assert stores.info(live).bytes > 0
    with closing(DuckLakeStores(location)) as stores:
        building = stores.create(POINTS, Role.BUILDING)
        with stores.open(building) as store:
            commit(store, recorded(1, 1))
        kept = objects(bucket, s3)
        stores.drop(building)
        assert objects(bucket, s3) < kept


def test_queries_answer_from_the_store_and_then_from_memory(
    location: Location, s3: str, bucket: str
) -> None:
    with live_store(location) as (_, _, store), closing(DuckLakeReadModel(location)) as model:
        publish(store, 5)
        assert sum(bucket.value for bucket in model.samples(ALL, MINUTE, 60)) == 5
        publish(store, 2)
        assert [sample.value for sample in model.samples(ALL, None, 60)][-1] == 4
        assert sum(bucket.value for bucket in model.samples(ALL, MINUTE, 60)) == 7


@pytest.fixture
def own_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, ThreadedMotoServer]]:
    """A bucket on a server that the test may stop and start, its contents kept."""
    port = free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with closing(boto3.client("s3", endpoint_url=endpoint)) as client:
        client.create_bucket(Bucket="lost-and-found")
    yield "s3://lost-and-found", server
    server.stop()


def test_a_lost_store_is_unavailable_until_it_is_back(
    database: str, own_store: tuple[str, ThreadedMotoServer], tmp_path: Path
) -> None:
    url, server = own_store
    location = Location(root=tmp_path, catalog=database, files=url)
    with (
        live_store(location) as (stores, live, store),
        closing(DuckLakeReadModel(location)) as cold,
    ):
        publish(store, 5)
        server.stop()
        with pytest.raises(StoreUnavailable):
            publish(store, 3)
        with pytest.raises(StoreUnavailable):
            cold.samples(ALL, MINUTE, 60)
        restarted = ThreadedMotoServer("127.0.0.1", server._port, verbose=False)
        restarted.start()
        try:
            assert sum(bucket.value for bucket in cold.samples(ALL, MINUTE, 60)) == 5
            publish(store, 3)
            assert stores.info(live).rows == 8
        finally:
            restarted.stop()


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, set()),
        ({"AWS_REGION": "eu-west-1"}, {"REGION 'eu-west-1'"}),
        ({"AWS_DEFAULT_REGION": "it's"}, {"REGION 'it''s'"}),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000/"},
            {"ENDPOINT '127.0.0.1:9000'", "URL_STYLE 'path'", "USE_SSL false"},
        ),
        (
            {"AWS_ENDPOINT_URL_S3": "https://s3.example.com", "AWS_ENDPOINT_URL": "http://other"},
            {"ENDPOINT 's3.example.com'", "URL_STYLE 'path'", "USE_SSL true"},
        ),
        (
            {
                "AWS_ENDPOINT_URL": "https://s3.example.com",
                "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
            },
            {"ENDPOINT 's3.example.com'", "URL_STYLE 'vhost'", "USE_SSL true"},
        ),
    ],
)
def test_the_usual_variables_say_where_the_store_is(
    environment: dict[str, str], options: set[str]
) -> None:
    inside = secret(environment).removeprefix("CREATE SECRET (").removesuffix(")")
    always = {"TYPE s3", "PROVIDER credential_chain", "REFRESH auto"}
    assert set(inside.split(", ")) == always | options


@pytest.mark.parametrize("files", ["shared", "/srv/files", "file:///srv/files", "s3://bucket/p"])
def test_files_can_be_in_a_directory_or_in_s3(files: str) -> None:
    assert checked(files) == files


@pytest.mark.parametrize("files", ["gs://bucket", "az://x/y", "https://host/x", "s3://", "s3:///"])
def test_other_places_are_refused(files: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        checked(files)
