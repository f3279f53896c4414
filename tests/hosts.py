"""Two hosts of one service: two `cave serve` on one log server, PostgreSQL and S3 server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import boto3
from msgspec import Struct

from tests.ducklake.postgres import PostgresServer, running_postgres
from tests.faulty_s3 import FaultyS3, running_faulty_s3
from tests.servers import LogServer, free_port, valkey_binary
from tests.service import CAVE, Service, running


class Hosts(Struct, frozen=True):
    """The hosts, and what they share."""

    services: Sequence[Service]
    log: LogServer
    postgres: PostgresServer
    s3: FaultyS3
    catalog: str
    bucket: str

    @property
    def files(self) -> str:
        """The URL of the projections' files."""
        return files_in(self.bucket)


@contextmanager
def running_hosts(
    program: Sequence[str] = CAVE, replicas: int = 0, **settings: str | int
) -> Iterator[Hosts]:
    """Run two hosts for the block, with these settings; skip the test without PostgreSQL.

    `program` is what runs `serve`, and `replicas` is how many the log server has.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="cave-")))
        postgres = stack.enter_context(running_postgres())
        s3 = stack.enter_context(running_faulty_s3())
        stack.enter_context(mock.patch.dict(os.environ, credentials(s3)))
        bucket = make_bucket(s3)
        log = LogServer(valkey_binary(), directory / "log", port=free_port())
        replication = ("--replicaof", f"{log.host} {log.port}")
        copies = [
            LogServer(valkey_binary(), directory / f"log{number}", options=replication)
            for number in range(1, replicas + 1)
        ]
        for server in (log, *copies):
            stack.callback(server.kill)
            server.start()
        catalog = postgres.new_database()
        shared: dict[str, str | int] = {
            "REDIS_URL": log.url,
            "PROJECTIONS_CATALOG": catalog,
            "PROJECTIONS_FILES": files_in(bucket),
            "ARCHIVE": f"s3://{bucket}/archive",
            **settings,
        }
        services = []
        for name in ("one", "two"):
            (directory / name).mkdir()
            services.append(Service(directory / name, (), None, **shared))
            services[-1].program = program
            stack.enter_context(running(services[-1]))
        yield Hosts(services, log, postgres, s3, catalog, bucket)


def credentials(s3: FaultyS3) -> dict[str, str]:
    """Return the variables by which the S3 server is found."""
    return {
        "AWS_ENDPOINT_URL": s3.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }


def files_in(bucket: str) -> str:
    return f"s3://{bucket}/projections"


def make_bucket(s3: FaultyS3) -> str:
    """Make a bucket of a new name, as all S3 servers of a process share their buckets."""
    name = f"metrics-{free_port()}"
    client = boto3.client("s3", endpoint_url=s3.direct_url, region_name="us-east-1")
    client.create_bucket(Bucket=name)
    client.close()
    return name
