"""wrk with one thread on its own cores, and its results."""

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
    """wrk could not be run, or its output could not be read."""


class Load(Struct, frozen=True):
    """The results of wrk. Latencies are in microseconds, from sending a request to its answer.

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
        """Requests per second."""
        return self.requests / self.seconds

    def fault(self) -> str | None:
        """Return why the result is invalid: a request was not accepted. None if it is valid."""
        if self.refused or self.broken or self.late:
            return f"{self.refused} refused, {self.broken} broken, {self.late} late"
        return None if self.requests else "nothing was answered"


def missing() -> str | None:
    """Return a message if wrk is not installed, else None."""
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
    """Send the requests of a prepared file for `seconds`, as fast as they are answered.

    `rate` limits the requests per second, on an even schedule to the millisecond.
    Raises LoadFailed.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={TIMEOUT_SECONDS}s"]
    command += ["-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--", str(requests), f"{rate:.3f}"]
    done = subprocess.run(pinned(command, cores), capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadFailed(done.stderr or done.stdout)
    return parsed(done.stdout)


def parsed(output: str) -> Load:
    """Find the result of `load.lua` in wrk's output. Raises LoadFailed."""
    for line in output.splitlines():
        if line.startswith(MARK):
            try:
                return msgspec.json.decode(line.removeprefix(MARK), type=Load)
            except msgspec.DecodeError as error:
                raise LoadFailed(f"cannot read wrk's result: {error}: {line}") from error
    raise LoadFailed(f"wrk printed no result: {output}")
