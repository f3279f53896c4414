"""The raw entries of the organizations' log, for its copy in the archive and for restoring it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from redis import Redis

from adapters.redis_streams.clients import Client, on_one_connection
from adapters.redis_streams.metrics.hot_log import translated
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.organizations.keys import Keys
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

APPLICATION = "organizations"


def organization_keys(prefix: str) -> Keys:
    """Return the names of the keys of the organizations' log."""
    return Keys(prefix, APPLICATION)


class RedisOrganizationEntries:
    """Implements the port OrganizationEntries. The caller owns the client and closes it."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def read_organizations(self, after: int, limit: int) -> Sequence[Entry]:
        with translated():
            found: Any = self._client.xrange(self._keys.log, f"(0-{after}", "+", count=limit)
        entries = cast("list[tuple[bytes, Mapping[bytes, bytes]]]", found)
        return [Entry(Receipt.of(0, name), fields) for name, fields in entries]


class RedisRestorableLog:
    """Implements the port RestorableLog. The caller owns the client and closes it."""

    def __init__(self, client: Client, metrics: MetricKeys, organizations: Keys) -> None:
        self._client = client
        self._metrics = metrics
        self._organizations = organizations

    def is_empty(self) -> bool:
        with translated():
            # Not in one command: they are on different servers of a cluster.
            keys = self._metrics.settings, self._organizations.log
            return not any(self._client.exists(key) for key in keys)

    def begin(self, log: str, partitions: int) -> None:
        with translated():
            self._client.hset(
                self._metrics.settings, mapping={"partitions": str(partitions), "id": log}
            )

    def put_organizations(self, entries: Sequence[Entry]) -> None:
        def put(server: Redis) -> None:
            with server.pipeline(transaction=True) as pipeline:
                for entry in entries:
                    number = entry.receipt.sequence
                    fields: Any = dict(entry.fields)
                    pipeline.xadd(self._organizations.log, fields, id=f"0-{number}")
                    index = self._organizations.index(fields[b"id"].decode())
                    pipeline.zadd(index, {str(number): int(fields[b"version"])})
                pipeline.execute()

        with translated():
            on_one_connection(self._client, self._organizations.log, put)

    def resume_after(self, last: Receipt, entries: int) -> None:
        log = self._metrics.log(last.partition)
        name = last.event_id

        def resume(server: Redis) -> None:
            with server.pipeline(transaction=True) as pipeline:
                # A stream exists only once it has had an entry.
                pipeline.xadd(log, {"": ""}, id=name)
                pipeline.xtrim(log, maxlen=0, approximate=False)
                pipeline.execute_command("XSETID", log, name, "ENTRIESADDED", entries)  # type: ignore[no-untyped-call]
                pipeline.execute()

        with translated():
            on_one_connection(self._client, log, resume)
