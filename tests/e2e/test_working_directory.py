"""The service reads nothing from its working directory."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.markdown import ROOT
from tests.e2e.tenant import point
from tests.service import Service, clean_environment, running

SCRIPT = Path(sys.executable).with_name("cave")
MODULES = {*sys.stdlib_module_names, *packages_distributions(), "sitecustomize", "usercustomize"}
OURS = ("domain", "application", "adapters", "entrypoints")
SETTINGS = {
    ".env": "CAVE_PORT=nowhere\nCAVE_DATA_DIR=/dev/null\n",
    "valkey.conf": "nonsense yes\n",
    "redis.conf": "nonsense yes\n",
    ".duckdbrc": "nonsense;\n",
}


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A directory with a module of every importable name, each recording that it was run."""
    directory = tmp_path / "hostile"
    directory.mkdir()
    for name in (*MODULES, *OURS):
        module = directory / f"{name}.py"
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(
            f"open({str(tmp_path / 'run')!r}, 'a').write({name!r}); raise SystemExit(9)"
        )
    for name, content in SETTINGS.items():
        (directory / name).write_text(content)
    return directory


def test_python_runs_the_modules_unless_prevented(hostile: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "entrypoints.cli"], cwd=hostile, check=False)
    assert done.returncode == 9


def test_service_and_commands_run_nothing_from_the_working_directory(hostile: Path) -> None:
    before = sorted(hostile.rglob("*"))
    with TemporaryDirectory(prefix="cave-") as place:
        with running(Service(Path(place), cwd=hostile, WORKERS=2)) as service:
            token = service.register("gilt", "publish", "read")
            metrics = "/organizations/gilt/metrics"
            service.ask("POST", metrics, {"metrics": [point(value=1.0)]}, token)
            (receipt,) = service.stored()
            query = f"{metrics}?metric=http.cache.hits&receipt={receipt}"
            assert len(service.ask("GET", query, token=token)["metrics"]) == 1
            service.cave("projections")
            assert service.stop() == 0
        alone = subprocess.run(
            [SCRIPT, "org", "list"],
            cwd=hostile,
            env=clean_environment() | {"CAVE_DATA_DIR": str(service.data_dir.path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert alone.stdout.splitlines()[1].startswith("gilt ")
    assert not (hostile.parent / "run").exists()
    assert sorted(hostile.rglob("*")) == before


def test_all_our_processes_are_started_by_the_function_that_prevents_it() -> None:
    starting = [
        file.relative_to(ROOT)
        for package in OURS
        for file in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.executable"
    ]
    compiling = Path("adapters/compiled_code")
    assert sorted(starting) == [
        compiling / "building.py",
        compiling / "program.py",
        Path("entrypoints/program.py"),
    ]
