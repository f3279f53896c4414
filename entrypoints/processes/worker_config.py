"""A worker's configuration: `cave serve` passes it as JSON in an environment variable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from entrypoints.program import READY
from entrypoints.settings import ServiceSettings

VARIABLE = "CAVE_WORKER"


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's settings and what it inherits.

    `url` is the log server's, `fd` a listening socket, and `ready_fd` a pipe for the line that
    reports the worker ready. Several workers share their counters in
    `metrics_dir`. Holds secrets.
    """

    settings: ServiceSettings
    url: str
    fd: int
    ready_fd: int
    metrics_dir: Path | None = None

    def encode(self) -> str:
        """Return the variable's value."""
        return msgspec.json.encode(self, enc_hook=encode_path).decode()

    @classmethod
    def from_environment(cls) -> WorkerConfig:
        """Decode the variable. Raises `KeyError` or `msgspec.DecodeError`."""
        return msgspec.json.decode(os.environ[VARIABLE], type=cls, dec_hook=decode_path)

    def say_ready(self) -> None:
        """Report to the supervisor that this worker is ready."""
        os.write(self.ready_fd, READY)

    def say_failed(self, reason: str) -> None:
        """Report to the supervisor why this worker cannot serve."""
        os.write(self.ready_fd, " ".join(reason.split()).encode()[:4000] + b"\n")


def encode_path(value: Any) -> str:
    """Encode paths as text, for msgspec."""
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} in a child's configuration")


def decode_path(kind: type, value: Any) -> Any:
    """Decode paths from text, for msgspec."""
    if issubclass(kind, Path):
        return kind(value)
    raise NotImplementedError(f"{kind.__name__} in a child's configuration")
