"""The service and the `cave` commands as processes, run as a user would run them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from msgspec import Struct

from adapters.embedded_valkey import tied_to_parent
from entrypoints.errors import CommandFailed
from entrypoints.program import python_module
from entrypoints.stop_signals import on_stop

START_SECONDS = 20.0
STOP_SECONDS = 15.0
COMMAND_SECONDS = 20.0
POLL_SECONDS = 0.02

_ready = re.compile(r"^CAVE serves http://(?P<host>\S+):(?P<port>\d+)", re.MULTILINE).search


class Address(Struct, frozen=True):
    host: str
    port: int

    def __str__(self) -> str:
        return f"http://{self.host}:{self.port}"


@contextmanager
def running_service(log_flags: Sequence[str], output: Path) -> Iterator[Address]:
    """Run `cave serve` on a free port for the block; its output goes to files.

    Raises CommandFailed with its last error line if it does not start.
    """
    stdout, stderr = output / "serve.out", output / "serve.err"
    with (
        stdout.open("wb") as out,
        stderr.open("wb") as err,
        _started(["serve", "--port", "0", *log_flags], out, err) as process,
    ):
        yield _wait_until_ready(process, stdout, stderr)


def run_command(*arguments: str) -> str:
    """Run `cave` with arguments and return its output. Raises CommandFailed."""
    with _started(arguments, subprocess.PIPE, subprocess.PIPE) as process:
        stdout, stderr = process.communicate(timeout=COMMAND_SECONDS)
    if process.returncode:
        raise CommandFailed(_last_words(stderr.decode()).removeprefix("Error: "))
    return stdout.decode().strip("\n")


@contextmanager
def _started(
    arguments: Sequence[str], stdout: IO[bytes] | int, stderr: IO[bytes] | int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `cave` for the block, and make sure that it has ended afterwards."""
    with _signals_held() as release:
        process = subprocess.Popen(  # noqa: S603  our own program
            [*python_module("entrypoints.cli"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=_environment(),
            start_new_session=True,
            preexec_fn=tied_to_parent(),
        )
        with process:
            try:
                release()
                yield process
            finally:
                _stop(process)


@contextmanager
def _signals_held() -> Iterator[Callable[[], None]]:
    """Hold back signals that ask to stop until `release` is called or the block ends.

    Otherwise a signal might come after the process has started and before it can be stopped.
    """
    held: list[int] = []
    holding = ExitStack()
    holding.enter_context(on_stop(held.append))

    def release() -> None:
        holding.close()
        while held:
            signal.raise_signal(held.pop())

    try:
        yield release
    finally:
        release()


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _environment() -> dict[str, str]:
    """Return our environment without the settings of the user's own service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CAVE_")}


def _wait_until_ready(process: subprocess.Popen[bytes], stdout: Path, stderr: Path) -> Address:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        exited = process.poll() is not None
        if match := _ready(stdout.read_text()):
            return Address(match["host"].strip("[]"), int(match["port"]))
        if exited:
            raise CommandFailed(_last_words(stderr.read_text()))
        time.sleep(POLL_SECONDS)
    raise CommandFailed(f"cave serve is not ready after {START_SECONDS:.0f} s")


def _last_words(text: str) -> str:
    """Return the last line that is not a log record: the reason why a command failed."""
    lines = [line for line in text.splitlines() if line and not line.startswith("{")]
    return lines[-1] if lines else "it ended without an error message"
