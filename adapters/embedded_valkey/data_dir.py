"""The data dir: its layout, its owner and its users.

There are two lock files, locked with `flock`. The kernel releases a lock when the last process that
has the file open ends. The files' content is for people only and has no meaning unless the lock is
held.

- ``cave.lock``: the owner's, exclusive. The server that the owner starts inherits it, so that
  nobody starts a second one on the same files while an orphaned one is still ending.
- ``users.lock``: shared by commands that use a server they do not own. A command that owns the
  server takes it exclusively before it stops the server.
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
    """The last process to take the owner lock; meaningful only while the lock is held."""

    pid: int
    kind: Kind

    def __str__(self) -> str:
        """Describe the holder for an error message."""
        what = "`cave serve`" if self.kind == "serve" else "a `cave` command"
        return f"{what} with pid {self.pid}"

    def is_alive(self) -> bool:
        """Whether a process with that pid exists; its server may outlive it for a while."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


class DataDir:
    """A data dir; methods that need the directory create it, readable by its owner only.

    They raise `DataDirUnusable` if the directory or its lock files cannot be created or locked.
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
        """The server's URL, in redis-py's form."""
        return f"unix://{quote(str(self.socket_path))}"

    def own(self, kind: Kind, patience: Callable[[Holder | None], float]) -> Ownership:
        """Take the owner lock; `patience` returns how many seconds to wait for a given holder.

        Raises `DataDirInUse` after that time.
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
        """Take the owner lock, or return None if it is held."""
        if (fd := self._lock(self._owner_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)) is None:
            return None
        content = msgspec.json.encode(Holder(os.getpid(), kind))
        os.pwrite(fd, content, 0)
        os.ftruncate(fd, len(content))
        return Ownership(self, fd)

    def holder(self) -> Holder | None:
        """Return the last process to take the owner lock, None if that cannot be read (yet)."""
        try:
            return msgspec.json.decode(self._owner_lock.read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError):
            return None

    @contextmanager
    def used(self) -> Iterator[bool]:
        """Keep a command that owns the server from stopping it; yields False if it is about to."""
        fd = self._lock(self._users_lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        try:
            yield fd is not None
        finally:
            if fd is not None:
                os.close(fd)

    @contextmanager
    def unused(self) -> Iterator[None]:
        """Wait until nobody uses the server, and keep everybody from using it in the block."""
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
        """Release the lock, but not with LOCK_UN: a child that inherited it would lose it too."""
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
