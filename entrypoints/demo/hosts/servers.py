"""The servers and hosts of the demo: what is installed, else what can stand in for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from entrypoints.demo.hosts.log_servers import LogServers, running_log_servers
from entrypoints.demo.hosts.object_store import is_installed, running_object_store
from entrypoints.demo.hosts.postgresql import NotInstalled, running_postgresql
from entrypoints.demo.service import Address, Cave

DURABILITY = "replicated:1"
LEASE = "2s"
OBJECT_STORE_MISSING = (
    "no object store: moto is not installed (pip install moto flask flask-cors); "
    "a directory that the hosts share takes its place"
)
CATALOG_MISSING = "{reason}. Each host keeps projections of its own, made from the same log"

Say = Callable[[str], None]


class Host(Struct, frozen=True):
    """A `cave serve` with its own data directory."""

    number: int
    address: Address
    cave: Cave


class Running(Struct, frozen=True):
    """All that runs."""

    log: LogServers
    hosts: list[Host]

    @property
    def cave(self) -> Cave:
        """The commands, beside the first host."""
        return self.hosts[0].cave


@contextmanager
def running_hosts(scratch: Path, count: int, say: Say) -> Iterator[Running]:
    """Run the servers and so many hosts for the block, and say what runs.

    Raises CommandFailed.
    """
    with ExitStack() as stack:
        log = stack.enter_context(running_log_servers(scratch))
        primary = log.primary()
        replicas = ", ".join(f":{port}" for port in log.replicas())
        say(f"log server :{primary}, its replicas {replicas} ({log.version()}), three Sentinels")
        variables = {
            "CAVE_REDIS_URL": log.url,
            "CAVE_DURABILITY": DURABILITY,
            **_shared_files(scratch, stack, say),
        }
        homes = {number: scratch / f"host-{number}" for number in range(1, count + 1)}
        caves = {
            number: Cave({**variables, "CAVE_DATA_DIR": str(home / "data")})
            for number, home in homes.items()
        }
        starting = {}
        for number, home in homes.items():
            home.mkdir()
            starting[number] = stack.enter_context(caves[number].starting_service(home))
        hosts = [Host(number, address(), caves[number]) for number, address in starting.items()]
        for host in hosts:
            say(f"host {host.number}: {host.address}")
        yield Running(log, hosts)


def _shared_files(scratch: Path, stack: ExitStack, say: Say) -> dict[str, str]:
    """Start what the hosts share beside the log; return the variables that say where it is."""
    variables: dict[str, str] = {}
    if is_installed():
        store = stack.enter_context(running_object_store(scratch))
        files, archive = f"{store.url}/projections", f"{store.url}/archive"
        variables.update(store.variables)
        say(f"object store {store.variables['AWS_ENDPOINT_URL']} (moto, which stands in for S3)")
    else:
        files, archive = str(scratch / "projections"), str(scratch / "archive")
        say(OBJECT_STORE_MISSING)
    variables["CAVE_ARCHIVE"] = archive
    try:
        catalog = stack.enter_context(running_postgresql())
    except NotInstalled as missing:
        say(CATALOG_MISSING.format(reason=missing))
        return variables
    say("PostgreSQL, for the catalogs of the projections")
    return variables | {
        "CAVE_PROJECTIONS_CATALOG": catalog,
        "CAVE_PROJECTIONS_FILES": files,
        "CAVE_PROJECTIONS_LEASE": LEASE,
    }
