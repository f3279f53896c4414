"""A PostgreSQL server for tests (Debian's), with its own directory and a Unix socket in it."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

START_SECONDS = 30.0


def postgres_binaries() -> Path | None:
    """Return the folder of the newest installed PostgreSQL, None if none can be run."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found or (os.getuid() == 0 and _account() is None):
        return None
    return found[-1].parent


class PostgresServer:
    """A server that its owner starts and stops. Under root it runs as another user."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._directory = Path(tempfile.mkdtemp(prefix="cave-postgres-"))
        self._user = _account() if os.getuid() == 0 else None
        if self._user is not None:
            shutil.chown(self._directory, self._user, self._user)
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def new_database(self) -> str:
        """Create a database and return its connection string."""
        name = f"test{next(self._numbers)}"
        self._run("createdb", "-h", self._directory, "-U", "cave", name)
        return f"host={self._directory} user=cave dbname={name}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        data = self._directory / "data"
        if not data.exists():
            self._run("initdb", "-D", data, "-U", "cave", "-A", "trust", "--no-sync", "--no-locale")
        log = (self._directory / "server.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    *(self._binaries / "postgres", "-D", data, "-k", self._directory),
                    *("-c", "listen_addresses=", "-c", "fsync=off"),
                ],
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError((self._directory / "server.log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server immediately, including its clients' sessions, and wait for it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """Kill the server with all its sessions, as a crash would. Does nothing if it is down."""
        if self._process is not None:
            for child in psutil.Process(self._process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            self._process.kill()
            self._process.wait()
            self._process = None

    def sessions(self) -> list[int]:
        """Return the processes that serve clients."""
        if self._process is None:
            return []
        children = psutil.Process(self._process.pid).children()
        return [child.pid for child in children if _serves_client(child)]

    def doing(self, session: int) -> str:
        """Return the title of a session's process, which ends with its statement's first words."""
        try:
            title = Path(f"/proc/{session}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return title.rstrip(b"\0").decode(errors="replace").rstrip()

    def remove(self) -> None:
        """Stop the server and remove its data."""
        self.stop()
        shutil.rmtree(self._directory)

    def _answers(self) -> bool:
        ready = self._binaries / "pg_isready"
        return subprocess.run([ready, "-q", "-h", self._directory], check=False).returncode == 0

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self._binaries / program, *arguments],
            check=True,
            capture_output=True,
            cwd=self._directory,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )


def _serves_client(child: psutil.Process) -> bool:
    try:
        return str(child.cmdline()[0]).startswith("postgres: cave ")
    except (psutil.NoSuchProcess, IndexError):
        return False


def _account() -> str | None:
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return None


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server for the block; skip the test if PostgreSQL is not installed."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed, or its account is missing")
    server = PostgresServer(binaries)
    try:
        server.start()
        yield server
    finally:
        server.remove()
