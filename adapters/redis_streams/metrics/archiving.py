"""What archiving needs of the log server, besides reading.

The scripts may run while the server is out of memory (`allow-oom`), since archiving is what makes
room. They are sent with each call: a full server refuses to load functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from adapters.redis_streams.clients import DRIVER_ERRORS, Client, servers_of
from adapters.redis_streams.metrics.hot_log import WRITING, translated
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.server import max_memory, named
from application.archiving.ports import ArchiverState
from application.errors import LogUnavailable
from application.event_log.receipts import Receipt

SAMPLES = 100
"""Nodes of a stream that the server looks at to estimate its memory."""

_LEASE = """#!lua flags=allow-oom
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and ARGV[3] ~= '1' then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

_TRIM = """#!lua flags=allow-oom
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first or first[1] ~= ARGV[2] then
  return 0
end
return redis.call('XTRIM', KEYS[1], 'MINID', ARGV[3])
"""

_SET = """#!lua flags=allow-oom
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""

_SET_IF_NEW = """#!lua flags=allow-oom
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1])
"""


class RedisArchivedLogServer:
    """Implements the port ArchivedLogServer. The caller owns the client and closes it."""

    def __init__(self, client: Client, keys: MetricKeys, partitions: int) -> None:
        self._client = client
        self._keys = keys
        self._partitions = partitions

    def lease(self, partition: int, owner: str, seconds: float, *, take_over: bool = False) -> bool:
        milliseconds, keys = int(seconds * 1000), [self._keys.archiver(partition)]
        return bool(self._run(_LEASE, keys, owner, milliseconds, int(take_over)))

    def trim(self, partition: int, owner: str, first: Receipt, keep: Receipt) -> int:
        keys = [self._keys.log(partition), self._keys.archiver(partition)]
        return int(self._run(_TRIM, keys, owner, first.event_id, keep.event_id))

    def memory(self) -> Sequence[int]:
        with translated():
            pipeline = self._client.pipeline(transaction=False)
            for partition in range(self._partitions):
                pipeline.memory_usage(self._keys.log(partition), samples=SAMPLES)
            return [size or 0 for size in pipeline.execute()]

    def memory_limit(self) -> int | None:
        with translated():
            return max_memory(self._client)

    def compact(self) -> None:
        for name, server in servers_of(self._client).items():
            try:
                server.bgrewriteaof()
            except DRIVER_ERRORS as error:
                if "in progress" not in str(error):
                    raise LogUnavailable(
                        f"the file of {named(name)} is not rewritten: {error}"
                    ) from error

    def report(self, state: ArchiverState) -> None:
        self._run(_SET, [self._keys.settings], "archiver", msgspec.json.encode(state))

    def reported(self) -> ArchiverState | None:
        with translated():
            found: Any = self._client.hget(self._keys.settings, "archiver")
        return None if found is None else msgspec.json.decode(found, type=ArchiverState)

    def _run(self, script: str, keys: list[str], *arguments: str | bytes | int) -> Any:
        with translated(WRITING):
            return self._client.eval(script, len(keys), *keys, *arguments)


class LogIdentity:
    """The log's id, and the place of its archive, both kept in the log itself."""

    def __init__(self, client: Client, keys: MetricKeys) -> None:
        self._client = client
        self._keys = keys

    def settle(self, new: str) -> str:
        """Return the log's id; if it has none, it gets this one. Raises LogUnavailable."""
        with translated(WRITING):
            found: Any = self._client.hget(self._keys.settings, "id")
            if found is None:
                found = self._client.eval(_SET_IF_NEW, 1, self._keys.settings, "id", new)
        return str(found.decode())

    def archive(self) -> str | None:
        """Return the URL of the archive that the log was given, or None."""
        with translated():
            found: Any = self._client.hget(self._keys.settings, "archive")
        return None if found is None else str(found.decode())

    def set_archive(self, url: str) -> None:
        """Keep the archive's URL, for processes that have no setting for it."""
        with translated(WRITING):
            self._client.eval(_SET, 1, self._keys.settings, "archive", url)
