"""The version and settings a log server needs so that nothing acknowledged is lost."""

from __future__ import annotations

from redis import Redis
from redis.exceptions import RedisError

from application.errors import LogUnfit

MIN_VERSION = {"redis": (7, 0), "valkey": (8, 0)}

REQUIRED = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}


def check_version(client: Redis) -> None:
    """Raise LogUnfit for a server older than Redis 7.0 or Valkey 8."""
    server = client.info("server")
    kind = "valkey" if "valkey_version" in server else "redis"
    version = str(server[f"{kind}_version"])
    least = MIN_VERSION[kind]
    if tuple(int(part) for part in version.split(".")[:2]) < least:
        wanted = ".".join(map(str, least))
        raise LogUnfit(f"the log server is {kind} {version}; {kind} {wanted} or later is required")


def max_memory(client: Redis) -> int | None:
    """Return the bytes of memory at which the server refuses writes, None without a limit."""
    return int(client.info("memory").get("maxmemory", 0)) or None


def weaknesses(client: Redis) -> list[str]:
    """Describe the settings that could lose acknowledged events; empty if there are none."""
    found = []
    for setting, wanted in REQUIRED.items():
        try:
            actual = client.config_get(setting).get(setting)
        except RedisError as error:
            found.append(f"{setting} could not be read ({error}); {wanted!r} is required")
            continue
        if actual != wanted:
            found.append(f"{setting} is {actual!r}; {wanted!r} is required")
    return found
