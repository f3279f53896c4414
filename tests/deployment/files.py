"""The files, parsed, and what they have to agree with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml  # type: ignore[import-untyped]

from adapters.http.api.operations import live, ready
from entrypoints.cli.environment import settings_of
from entrypoints.cli.root import main
from tests.docs.markdown import ROOT

DEPLOYMENT = ROOT / "examples" / "deployment"
COMPOSE = DEPLOYMENT / "compose"
SYSTEMD = DEPLOYMENT / "systemd"
KUBERNETES = DEPLOYMENT / "kubernetes"
CONTAINERFILE = ROOT / "Containerfile"
FILES = [CONTAINERFILE, *(path for path in sorted(DEPLOYMENT.rglob("*")) if path.is_file())]

SETTINGS = {name: {*settings_of(main.commands[name])} for name in ("serve", "projector")}
"""The variables of the settings of each command that runs for ever."""

[LIVE], [READY] = live.paths, ready.paths
DATA_DIR = "/var/lib/cave"
USER = "10001"


def objects() -> Iterator[dict[str, Any]]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return parsed


def check_command(arguments: list[str]) -> None:
    """Check that a command line exists: `serve` or `projector`, with its options."""
    name, *options = arguments
    assert name in SETTINGS, arguments
    context = main.commands[name].make_context(name, list(options), resilient_parsing=False)
    assert context.params


def seconds(text: str) -> float:
    """Return a time span as systemd and compose write it, such as `75s` or `10min`."""
    return sum(
        float(number) * {"": 1, "s": 1, "min": 60, "m": 60}[unit]
        for number, unit in re.findall(r"(\d+) *([a-z]*)", text)
    )
