"""The projector's configuration: `cave serve` passes it as JSON in an environment variable."""

from __future__ import annotations

import os

import msgspec

from entrypoints.processes.worker_config import decode_path, encode_path
from entrypoints.program import READY
from entrypoints.settings import LogSettings

VARIABLE = "CAVE_PROJECTOR"


class ProjectorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The projector's settings and what it inherits.

    `url` is the log server's, and `ready_fd` a pipe for the line that reports it ready. Holds
    secrets.
    """

    settings: LogSettings
    url: str
    ready_fd: int

    def encode(self) -> str:
        """Return the variable's value."""
        return msgspec.json.encode(self, enc_hook=encode_path).decode()

    @classmethod
    def from_environment(cls) -> ProjectorConfig:
        """Decode the variable. Raises `KeyError` or `msgspec.DecodeError`."""
        return msgspec.json.decode(os.environ[VARIABLE], type=cls, dec_hook=decode_path)

    def say_ready(self) -> None:
        """Report to the supervisor that the projector is ready."""
        os.write(self.ready_fd, READY)
