"""The server-side functions: naming, loading and calling them.

The names of libraries and functions contain a digest of the source, so that processes of two
versions of this code can share a server, each with its own functions. Functions of old versions
remain until someone deletes them (``FUNCTION DELETE``).
"""

import hashlib
from functools import partial
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError


class FunctionLibrary:
    """A library of functions from a file in this package, where it is declared as `name`."""

    def __init__(self, name: str, file: str) -> None:
        source = files(__package__).joinpath(file).read_text(encoding="utf-8")
        self.name = f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:12]}"
        self.source = source.replace(name, self.name)

    def function(self, name: str) -> str:
        """Return the full name of a function."""
        return f"{self.name}_{name}"

    def load(self, client: Redis) -> None:
        """Load it unless the server has it; the server persists and replicates it like data.

        Checking first lets a process start on a server that is currently read-only or out of
        memory.
        """
        if not client.function_list(self.name):
            client.function_load(self.source, replace=True)

    def call(
        self,
        client: Redis,
        function: str,
        keys: list[str],
        args: list[str | bytes | int],
        *,
        reads_only: bool = False,
    ) -> Any:
        """Call a function and return its reply, as redis-py decodes it.

        If the server does not have it (it was flushed, or replaced by another server), loads it and
        calls it once more; the first call executed nothing.
        """
        fcall = client.fcall_ro if reads_only else client.fcall
        once = partial(fcall, self.function(function), len(keys), *keys, *args)
        try:
            return once()
        except ResponseError as error:
            if "function not found" not in str(error).lower():
                raise
        self.load(client)
        return once()


EVENTS = FunctionLibrary("cave_events", "organizations/functions.lua")
METRICS = FunctionLibrary("cave_metrics", "metrics/functions.lua")
