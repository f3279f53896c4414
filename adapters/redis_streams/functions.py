"""The server-side functions: their names, and loading them.

The library's and the functions' names carry a digest of the source, so that processes of two
versions of this code can use one server, each with its own functions. Those of a version that is
gone stay until someone deletes them (``FUNCTION DELETE``).
"""

import hashlib
from functools import partial
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError


class FunctionLibrary:
    """A library of functions in a file below this package, in which it is called `name`."""

    def __init__(self, name: str, file: str) -> None:
        source = files(__package__).joinpath(file).read_text(encoding="utf-8")
        self.name = f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:12]}"
        self.source = source.replace(name, self.name)

    def function(self, name: str) -> str:
        """Return the full name of one of its functions."""
        return f"{self.name}_{name}"

    def load(self, client: Redis) -> None:
        """Load it unless it is there; the server persists and replicates it as data.

        Looking first lets a process start on a server that is read-only or out of memory for now.
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

        If the server does not know it (it was flushed, or is another server than before) it is
        loaded first, and called once more: nothing was executed.
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
