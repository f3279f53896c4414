"""Owners of leases: each is a file that its process keeps locked.

So a process on the same machine that was killed is known to be dead at once. Owners on other
machines have no file here, and are given up when their leases expire.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from adapters.ducklake.database import Location, translated


class Owners:
    """The owners with a file in the projections' local directory. Every method may raise
    StoreUnavailable."""

    def __init__(self, location: Location) -> None:
        self._directory = location.root / "locks"

    @contextmanager
    def new(self) -> Iterator[str]:
        """Be a new owner for the block: `host-process-random`."""
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}".replace("/", "_")
        path = self._directory / owner
        with translated():
            self._directory.mkdir(parents=True, exist_ok=True)
            file = _locked(path)
        with file:
            try:
                yield owner
            finally:
                path.unlink(missing_ok=True)

    def is_here(self, owner: str) -> bool:
        """Return whether an owner is a process on this machine, with the same directory."""
        return (self._directory / owner).exists()

    def forget(self, owner: str) -> None:
        """Remove the file of a dead owner."""
        (self._directory / owner).unlink(missing_ok=True)

    def dead(self) -> list[str]:
        """Return the owners that are known to be dead: their files are here, but not locked."""
        with translated():
            if not self._directory.exists():
                return []
            return [path.name for path in self._directory.iterdir() if _unlocked(path)]


def _locked(path: Path) -> IO[str]:
    """Create and lock a file; begin again if it was taken for a dead one's and removed."""
    while True:
        file = path.open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():
            return file
        file.close()


def _unlocked(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except (BlockingIOError, FileNotFoundError):
        return False
