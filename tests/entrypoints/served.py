"""`cave serve` with stand-in workers, as a process that tests query, disturb and stop."""

import json
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil

from adapters.embedded_valkey import DataDir
from tests.waiting import SECONDS, wait_until

SCRIPT = """
import sys
from pathlib import Path
from entrypoints.settings import LogSettings, ServiceSettings
from entrypoints.processes.supervisor import serve
place, workers, port, url = sys.argv[1:]
log = LogSettings(data_dir=Path(place), redis_url=url or None)
settings = ServiceSettings(log=log, workers=int(workers), operator_token="top-secret")
worker = [sys.executable, "-m", "tests.entrypoints.stand_in_worker"]
sys.exit(serve(settings, "127.0.0.1", int(port), worker, projector=()))
"""


class Served:
    """A supervisor process, in its own process group."""

    def __init__(
        self,
        data_dir: DataDir,
        *,
        workers: int = 1,
        port: int = 0,
        redis_url: str = "",
        ignored: signal.Signals | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._out = data_dir.path.parent / "out"
        self._errors = data_dir.path.parent / "err"
        with self._out.open("wb") as out, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    SCRIPT,
                    str(data_dir.path),
                    str(workers),
                    str(port),
                    redis_url,
                ],
                stdout=out,
                stderr=errors,
                process_group=0,
                preexec_fn=lambda: ignored and signal.signal(ignored, signal.SIG_IGN),
            )

    def wait_until_ready(self) -> re.Match[str]:
        """Return the match of the line that announces the address."""
        pattern = re.compile(r"CAVE serves (http://\S+) \((\d+) workers?, log (.*)\)\n")
        wait_until(lambda: pattern.fullmatch(self.output()) or self.process.poll() is not None)
        found = pattern.fullmatch(self.output())
        assert found, self.errors()
        return found

    def ask(self) -> int:
        """Return the pid of the worker that answers."""
        url = re.findall(r"http://\S+", self.output())[0]
        with urlopen(url, timeout=SECONDS) as answer:
            return int(answer.read())

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS * 2)

    def kill_all(self) -> None:
        """Kill it with all its children, and wait for it."""
        kill_with_children(self.process)

    def output(self) -> str:
        """Return its standard output so far."""
        return self._out.read_text()

    def errors(self) -> str:
        """Return its standard error so far."""
        return self._errors.read_text()

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the complete log records of one kind."""
        lines = self.errors().split("\n")[:-1]
        records = [json.loads(line) for line in lines if line.startswith("{")]
        return [record for record in records if record["event"] == event]

    def pids(self, child: str) -> list[int]:
        """Return the pids of a child's processes that became ready, oldest first."""
        return [record["pid"] for record in self.events("child ready") if record["child"] == child]


def kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its descendants, and wait for it. Does nothing if it has ended."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        process.kill()
    process.wait()


def is_running(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
