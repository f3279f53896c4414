"""wrk, from one thread on cores of its own, and what it tells."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.benchmarks.processes import pinned

SCRIPT = Path(__file__).with_name("load.lua")
MARK = "RESULT "
TIMEOUT_SECONDS = 30


class LoadFailed(Exception):
    """wrk could not be run, or said nothing that is understood."""


class Load(Struct, frozen=True):
    """What wrk measured. Latencies in microseconds, from the sending of a request to its answer.

    `refused` counts answers of 400 and above, `broken` connections, `late` requests that took
    longer than `TIMEOUT_SECONDS`.
    """

    requests: int
    microseconds: int
    refused: int
    broken: int
    late: int
    p50: float
    p90: float
    p99: float
    p999: float
    max: float

    @property
    def seconds(self) -> float:
        return self.microseconds / 1e6

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def fault(self) -> str | None:
        """Say why this does not count: every request must have been accepted."""
        if self.refused or self.broken or self.late:
            return f"{self.refused} refused, {self.broken} broken, {self.late} late"
        return None if self.requests else "nothing was answered"


def missing() -> str | None:
    """Say that wrk is missing, if it is."""
    return None if shutil.which("wrk") else "wrk is not installed"


def version() -> str:
    """Return wrk's version."""
    done = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return " ".join(done.stdout.split()[1:2])


def load(
    port: int,
    requests: Path,
    *,
    connections: int,
    seconds: int,
    cores: Sequence[int],
    rate: float = 0.0,
) -> Load:
    """Send the requests of a prepared file for so many seconds, as fast as they are answered.

    With `rate` only so many a second are sent, by an even schedule of a millisecond's grain.
    Raises LoadFailed.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={TIMEOUT_SECONDS}s"]
    command += ["-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--", str(requests), f"{rate:.3f}"]
    done = subprocess.run(pinned(command, cores), capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadFailed(done.stderr or done.stdout)
    return parsed(done.stdout)


def parsed(output: str) -> Load:
    """Find what `load.lua` tells in wrk's output. Raises LoadFailed."""
    for line in output.splitlines():
        if line.startswith(MARK):
            try:
                return msgspec.json.decode(line.removeprefix(MARK), type=Load)
            except msgspec.DecodeError as error:
                raise LoadFailed(f"wrk's result is not understood: {error}: {line}") from error
    raise LoadFailed(f"wrk told no result: {output}")
