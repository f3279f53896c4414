"""The data dir: what lies where in it, who owns it and who uses it.

Two lock files, locked with `flock`, which the kernel frees when the last process that has them open
ends. Their content is for people: a lock that is not held means nothing.

- ``cave.lock``: the owner's, exclusive. The server that the owner starts inherits it, so that
  nobody starts a second one on the same files while a first, orphaned one still ends.
- ``users.lock``: shared by commands that use a server which they do not own. A command that owns
  one takes it exclusively before it stops the server.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

import msgspec

from adapters.embedded_valkey.errors import DataDirInUse, DataDirUnusable

Kind = Literal["serve", "command"]

RETRY_EVERY = 0.02


class Holder(msgspec.Struct, frozen=True):
    """Who took the owner lock last; meaningful only while the lock is held."""

    pid: int
    kind: Kind

    def __str__(self) -> str:
        """Words for an error message."""
        what = "`cave serve`" if self.kind == "serve" else "a `cave` command"
        return f"{what} with pid {self.pid}"

    def is_alive(self) -> bool:
        """Whether a process of that pid exists; a dead one's server may still be ending."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


class DataDir:
    """A data dir; the methods that need it there create it, readable by its owner alone.

    Raises `DataDirUnusable` where the directory or its lock files cannot be created or locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.socket_path = self.path / "valkey.sock"
        self.server_log_path = self.path / "valkey.log"
        self.log_path = self.path / "valkey"
        self._owner_lock = self.path / "cave.lock"
        self._users_lock = self.path / "users.lock"

    @property
    def url(self) -> str:
        """Where the server listens, as redis-py has it."""
        return f"unix://{quote(str(self.socket_path))}"

    def own(self, kind: Kind, patience: Callable[[Holder | None], float]) -> Ownership:
        """Take the owner lock; `patience` says how many seconds to wait for which holder.

        Raises `DataDirInUse` when they are over.
        """
        started = time.monotonic()
        while True:
            if (ownership := self.try_to_own(kind)) is not None:
                return ownership
            holder = self.holder()
            if time.monotonic() - started >= patience(holder):
                raise DataDirInUse(f"{self.path} is in use by {holder or 'another process'}")
            time.sleep(RETRY_EVERY)

    def try_to_own(self, kind: Kind) -> Ownership | None:
        """Take the owner lock, or return None where it is held."""
        if (fd := self._lock(self._owner_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)) is None:
            return None
        content = msgspec.json.encode(Holder(os.getpid(), kind))
        os.pwrite(fd, content, 0)
        os.ftruncate(fd, len(content))
        return Ownership(self, fd)

    def holder(self) -> Holder | None:
        """Return who took the owner lock last, None if that cannot be read (yet)."""
        try:
            return msgspec.json.decode(self._owner_lock.read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError):
            return None

    @contextmanager
    def used(self) -> Iterator[bool]:
        """Keep a command that owns the server from stopping it; False if it is about to."""
        fd = self._lock(self._users_lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        try:
            yield fd is not None
        finally:
            if fd is not None:
                os.close(fd)

    @contextmanager
    def unused(self) -> Iterator[None]:
        """Wait until nobody uses the server, and keep everybody from it."""
        fd = self._lock(self._users_lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if fd is not None:
                os.close(fd)

    def _lock(self, path: Path, operation: int) -> int | None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirUnusable(f"the data dir {self.path} cannot be used: {error}") from error
        try:
            fcntl.flock(fd, operation)
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError as error:
            os.close(fd)
            raise DataDirUnusable(f"{path} cannot be locked: {error}") from error
        except BaseException:  # Ctrl-C, while waiting
            os.close(fd)
            raise
        return fd


class Ownership:
    """The owner lock of a data dir, held until `release` and by any child that inherits `fd`."""

    def __init__(self, data_dir: DataDir, fd: int) -> None:
        self.data_dir = data_dir
        self.fd = fd

    def release(self) -> None:
        """Give the lock up. Not by LOCK_UN, which would take it from a child that inherited it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release it."""
        self.release()
