"""The domain and its tests need few packages: `make quick` installs no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("options", [["--collect-only"], pytest.param([], marks=pytest.mark.slow)])
def test_the_tests_of_domain_and_application_need_quick_packages_only(options: list[str]) -> None:
    """Collecting them imports everything but what a function imports when it is called."""
    plugins = ["tests.architecture.quick_packages", "no:anyio", "no:pytest_cov", "no:cacheprovider"]
    running = [
        *(sys.executable, "-m", "pytest", "-q", "-m", "not compressed"),
        *(f"-p{plugin}" for plugin in plugins),
        *("tests/domain", "tests/application"),
        *options,
    ]
    done = subprocess.run(
        running,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
