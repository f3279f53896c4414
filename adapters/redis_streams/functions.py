"""The server-side functions: naming, loading and calling them.

The names of libraries and functions contain a digest of the source, so that processes of two
versions of this code can share a server, each with its own functions. Functions of old versions
remain until someone deletes them (``FUNCTION DELETE``).

A server that is full takes no library, but still runs scripts that only read or that may exceed
its limit. So where a library cannot be loaded, its functions are sent as scripts.
"""

import hashlib
from contextlib import suppress
from functools import partial
from importlib.resources import files
from typing import Any

from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from adapters.redis_streams.clients import Client, server_of, servers_of

# A script has no library to register functions in: it collects them, and calls one.
_SCRIPT = """#!lua flags={flag}
local functions = {{}}
local redis = {{ call = redis.call, error_reply = redis.error_reply }}
function redis.register_function(name, callback)
  if type(name) == 'table' then
    name, callback = name.function_name, name.callback
  end
  functions[name] = callback
end
{source}
return functions['{function}'](KEYS, ARGV)
"""


class FunctionLibrary:
    """A library of functions from a file in this package, where it is declared as `name`."""

    def __init__(self, name: str, file: str) -> None:
        source = files(__package__).joinpath(file).read_text(encoding="utf-8")
        self.name = f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:12]}"
        self.source = source.replace(name, self.name)

    def function(self, name: str) -> str:
        """Return the full name of a function."""
        return f"{self.name}_{name}"

    def load(self, client: Client) -> None:
        """Load it on each server that lacks it; a server persists and replicates it like data.

        A server that is currently read-only or out of memory is left without it: `call` does
        there what can be done.
        """
        for server in servers_of(client).values():
            if not server.function_list(self.name):
                with suppress(OutOfMemoryError, ReadOnlyError):
                    server.function_load(self.source, replace=True)

    def call(
        self,
        client: Client,
        function: str,
        keys: list[str],
        args: list[str | bytes | int],
        *,
        reads_only: bool = False,
        allows_oom: bool = False,
    ) -> Any:
        """Call a function and return its reply, as redis-py decodes it. It has at least one key.

        `reads_only` and `allows_oom` are its flags no-writes and allow-oom. If the server does not
        have it (it was flushed, or replaced by another server), loads it and calls it once more;
        the first call executed nothing. A function with one of the flags is sent as a script if the
        server takes no library now.
        """
        fcall = client.fcall_ro if reads_only else client.fcall
        once = partial(fcall, self.function(function), len(keys), *keys, *args)
        try:
            return once()
        except ResponseError as error:
            if "function not found" not in str(error).lower():
                raise
        try:
            server_of(client, keys[0]).function_load(self.source, replace=True)
        except (OutOfMemoryError, ReadOnlyError):
            if not (reads_only or allows_oom):
                raise
            run = client.eval_ro if reads_only else client.eval
            script = self.script(function, "no-writes" if reads_only else "allow-oom")
            return run(script, len(keys), *keys, *args)
        return once()

    def script(self, function: str, flag: str) -> str:
        """Return a function as a script with that flag; its keys and arguments are the same."""
        _, _, source = self.source.partition("\n")
        return _SCRIPT.format(flag=flag, source=source, function=self.function(function))


EVENTS = FunctionLibrary("cave_events", "organizations/functions.lua")
METRICS = FunctionLibrary("cave_metrics", "metrics/functions.lua")
QUOTA = FunctionLibrary("cave_quota", "metrics/quota.lua")
SERIES = FunctionLibrary("cave_series", "metrics/series.lua")
