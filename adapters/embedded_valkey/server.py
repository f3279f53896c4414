"""The server process: starting it, which may involve cutting a torn tail, and stopping it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from datetime import UTC, datetime
from typing import BinaryIO

import structlog

from adapters.embedded_valkey import torn_tail
from adapters.embedded_valkey.answers import Answer, ask
from adapters.embedded_valkey.child_process import tied_to_parent
from adapters.embedded_valkey.command_line import (
    command_line,
    default_max_memory,
    environment,
)
from adapters.embedded_valkey.data_dir import Ownership
from adapters.embedded_valkey.errors import DataDirUnusable, LogCorrupt, LogServerFailed

START_LIMIT = 3600.0
STOP_LIMIT = 30.0
POLL_EVERY = 0.01
LAST_WORDS = 1 << 16  # bytes of the server's log

END = signal.SIGINT
HELD_BACK = (signal.SIGTERM, signal.SIGHUP)
"""Either of two signals stops the server cleanly. A process manager may send SIGTERM to all
processes of a service, but the log has to outlast its writers. So only SIGINT gets through: nobody
but the owner sends it to a session without a terminal."""

_log = structlog.get_logger(__name__)

_CUT_SHORT = re.compile(r"Unexpected end of file reading the append only file (\S+?)\. You can")
_BAD_BYTES = re.compile(r"Bad file format reading the append only file (\S+?):")
_REFUSED_FILES = re.compile(r"append only file|AOF|RDB|manifest|loading the DB|signature")


class EmbeddedValkey:
    """A Valkey server on the files of a data dir, for the owner of that data dir.

    The process inherits the owner lock and ends with the thread that launched it. Either `start`
    it, which waits, or `launch` it and poll `is_ready`. Not thread-safe.

    At `max_memory` bytes, by default a quarter of the machine's memory, it refuses writes. A log
    that is larger is loaded all the same.
    """

    def __init__(self, ownership: Ownership, max_memory: int | None = None) -> None:
        self._ownership = ownership
        self._data_dir = ownership.data_dir
        self._max_memory = default_max_memory() if max_memory is None else max_memory
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._tail_cut = False

    @property
    def url(self) -> str:
        """Its URL, in redis-py's form; the same after every start."""
        return self._data_dir.url

    @property
    def pid(self) -> int | None:
        """The process's id, None before the first launch."""
        return None if self._process is None else self._process.pid

    def start(self, limit: float = START_LIMIT) -> None:
        """Launch it and wait until it answers; loading a long log takes a while.

        Raises what `launch` and `is_ready` raise, and `LogServerFailed` after `limit` seconds. In
        either case the server is not left running.
        """
        self.launch()
        try:
            self._wait_until_ready(limit)
        except BaseException:
            self.stop()
            raise

    def launch(self) -> None:
        """Start the process without waiting for it; any launched before must have ended.

        Raises `SocketPathTooLong`, and `DataDirUnusable` if its files cannot be created.
        """
        self._tail_cut = False
        self._spawn()

    def is_ready(self) -> bool:
        """Whether it answers, after `launch`. Cuts a torn tail and launches the server again.

        Raises `LogCorrupt` if it refuses its files, `LogServerFailed` if it ended for another
        reason.
        """
        if self.poll() is None:
            return ask(self._data_dir.socket_path) is Answer.READY
        words = self._last_words()
        if found := _CUT_SHORT.search(words):
            self._cut_tail(found[1])
            self._spawn()
            return False
        raise self._failure(words)

    def poll(self) -> int | None:
        """Return the exit status of the last process, None while it runs."""
        return None if self._process is None else self._process.poll()

    def terminate(self) -> None:
        """Ask it to write pending data and exit."""
        if self._process is not None:
            self._process.send_signal(END)

    def kill(self) -> None:
        """End it immediately. Everything it acknowledged is on disk."""
        if self._process is not None:
            self._process.kill()

    def stop(self, limit: float = STOP_LIMIT) -> None:
        """Stop it and wait; kills it after `limit` seconds. Does nothing if it is not running."""
        if self._process is None:
            return
        self.terminate()
        try:
            self._process.wait(limit)
        except subprocess.TimeoutExpired:
            _log.warning("log server killed", pid=self.pid, seconds_waited=limit)
            self._process.kill()
            self._process.wait()

    def why_ended(self) -> str:
        """Return the last warning in its log since it was launched; empty if there is none."""
        words = self._last_words()
        complaints = [line.partition(" # ")[2] for line in words.splitlines() if " # " in line]
        return complaints[-1] if complaints else words.strip().rpartition("\n")[2]

    def _wait_until_ready(self, limit: float) -> None:
        deadline = time.monotonic() + limit
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise LogServerFailed(f"the log server did not answer within {limit:g} s")
            time.sleep(POLL_EVERY)

    def _spawn(self) -> None:
        command = command_line(self._data_dir, self._max_memory)
        try:
            self._data_dir.log_path.mkdir(mode=0o700, exist_ok=True)
            for leftover in self._data_dir.log_path.glob("temp-rewriteaof-*.aof"):
                leftover.unlink()
            with self._open_server_log() as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(  # noqa: S603 - our own binary
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment(os.environ),
                    pass_fds=[self._ownership.fd],
                    process_group=0,
                    preexec_fn=tied_to_parent(END, blocked=HELD_BACK),
                )
        except OSError as error:
            raise DataDirUnusable(f"the log server cannot be started: {error}") from error

    def _open_server_log(self) -> BinaryIO:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        return os.fdopen(os.open(self._data_dir.server_log_path, flags, 0o600), "ab")

    def _last_words(self) -> str:
        with self._data_dir.server_log_path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - LAST_WORDS))
            return log.read().decode(errors="replace")

    def _cut_tail(self, name: str) -> None:
        file = self._data_dir.log_path / "appendonlydir" / name
        if self._tail_cut:
            raise LogCorrupt(f"{file} still ends too early after its torn end was cut off")
        try:
            tail = torn_tail.cut(file, datetime.now(UTC))
        except OSError as error:
            raise LogServerFailed(f"the torn end of {file} cannot be cut: {error}") from error
        self._tail_cut = True
        _log.warning(
            "torn end of the log cut: a write that was never acknowledged",
            file=str(tail.file),
            bytes=tail.size,
            copy=str(tail.copy),
        )

    def _failure(self, words: str) -> LogServerFailed:
        why = self.why_ended()
        if found := _BAD_BYTES.search(words):
            file = self._data_dir.log_path / "appendonlydir" / found[1]
            sound, complaint = torn_tail.check(file)
            return LogCorrupt(
                f"{file} is damaged after byte {sound} ({complaint or why}); nothing was changed"
            )
        where = f"more in {self._data_dir.server_log_path}"
        if _REFUSED_FILES.search(why):
            return LogCorrupt(f"the log server refuses its files: {why}; {where}")
        return LogServerFailed(
            f"the log server ended with {self.poll()}: {why or 'no reason in its log'}; {where}"
        )
