"""The service and the `cave` commands as processes, run as a user would run them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from entrypoints.demo.processes import last_line, started, wait_until_ready
from entrypoints.errors import CommandFailed
from entrypoints.program import python_module

COMMAND_SECONDS = 60.0
CAVE = python_module("entrypoints.cli")

_ready = re.compile(r"^CAVE serves http://(?P<host>\S+):(?P<port>\d+)", re.MULTILINE).search


class Address(Struct, frozen=True):
    host: str
    port: int

    def __str__(self) -> str:
        return f"http://{self.host}:{self.port}"


class Cave(Struct, frozen=True):
    """The settings of a service and of the commands beside it, as variables.

    So passwords in them are not in a command's arguments, which other users can read.
    """

    variables: Mapping[str, str]

    @contextmanager
    def running_service(self, output: Path) -> Iterator[Address]:
        """Run `cave serve` on a free port for the block; its output goes to files.

        Raises CommandFailed with its last error line if it does not start.
        """
        with self.starting_service(output) as address:
            yield address()

    @contextmanager
    def starting_service(self, output: Path) -> Iterator[Callable[[], Address]]:
        """Run it, too, but yield a function that waits until it is ready."""
        stdout, stderr = output / "serve.out", output / "serve.err"
        command = [*CAVE, "serve", "--port", "0"]
        with (
            stdout.open("wb") as out,
            stderr.open("wb") as err,
            started(command, out, err, environment=self._environment()) as process,
        ):

            def address() -> Address:
                announced = wait_until_ready(
                    "cave serve",
                    process,
                    lambda: _ready(stdout.read_text()),
                    lambda: _last_words(stderr.read_text()),
                )
                return Address(announced["host"].strip("[]"), int(announced["port"]))

            yield address

    def run(self, *arguments: str) -> str:
        """Run `cave` with arguments and return its output. Raises CommandFailed."""
        command = [*CAVE, *arguments]
        with started(
            command, subprocess.PIPE, subprocess.PIPE, environment=self._environment()
        ) as process:
            stdout, stderr = process.communicate(timeout=COMMAND_SECONDS)
        if process.returncode:
            raise CommandFailed(_last_words(stderr.decode()).removeprefix("Error: "))
        return stdout.decode().strip("\n")

    def _environment(self) -> dict[str, str]:
        return {**without_settings(), **self.variables}


def without_settings() -> dict[str, str]:
    """Return our environment without the settings of the user's own service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CAVE_")}


def _last_words(text: str) -> str:
    """Return the last line that is not a log record: the reason why a command failed."""
    return last_line("\n".join(line for line in text.splitlines() if not line.startswith("{")))
