"""The files that the live projections refer to, compared with those in the object store."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3

from adapters.ducklake.database import Location, attach, connect
from adapters.ducklake.store.stored_names import lake_name
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.folds import PROJECTIONS
from application.projections.live import live_generation
from tests.hosts import Hosts


def missing_files(hosts: Hosts) -> set[str]:
    """Return the files of the live generations that are not in the object store."""
    with TemporaryDirectory() as directory:
        location = Location(root=Path(directory), catalog=hosts.catalog, files=hosts.files)
        return {
            file for projection in PROJECTIONS for file in _files(location, projection.name)
        } - {f"s3://{hosts.bucket}/{key}" for key in _keys(hosts)}


def _keys(hosts: Hosts) -> set[str]:
    with closing(
        boto3.client("s3", endpoint_url=hosts.s3.direct_url, region_name="us-east-1")
    ) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=hosts.bucket)
        return {each["Key"] for page in pages for each in page.get("Contents", [])}


def _files(location: Location, projection: str) -> set[str]:
    with closing(DuckLakeStores(location)) as stores:
        live = live_generation(stores, projection)
    assert live is not None
    with closing(connect(location)) as connection:
        attach(connection, location, lake_name(projection, live.number), "lake", read_only=True)
        tables = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'"
        ).fetchall()
        return {
            file
            for (table,) in tables
            for (file,) in connection.execute(
                f"SELECT data_file FROM ducklake_list_files('lake', '{table}')"
            ).fetchall()
        }
