"""The units of systemd run the commands, and leave them time to stop."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from entrypoints.processes.stages import STOP_LIMIT
from tests.deployment.files import SYSTEMD, check_command, seconds

UNITS = sorted(SYSTEMD.glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_that_exists_and_lets_it_stop(unit: Path) -> None:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read_string(unit.read_text())
    service = parsed["Service"]
    _, *arguments = service["ExecStart"].split()
    check_command(arguments)
    assert service["Type"] == "notify"
    # A host on its own stops its workers, its projector and its log server.
    assert seconds(service["TimeoutStopSec"]) > 3 * STOP_LIMIT
    assert service["DynamicUser"] == "yes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    cave = Path(sys.executable).parent / "cave"
    for unit in UNITS:
        text = unit.read_text().replace("/opt/cave/bin/cave", str(cave))
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
