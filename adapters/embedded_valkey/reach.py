"""A log server for as long as a command needs one: the running one, else one of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from adapters.embedded_valkey.answers import Answer, ask
from adapters.embedded_valkey.data_dir import RETRY_EVERY, DataDir
from adapters.embedded_valkey.errors import LogServerUnreachable
from adapters.embedded_valkey.server import EmbeddedValkey

PATIENCE = 10.0


@contextmanager
def reach_log_server(data_dir: Path, patience: float = PATIENCE) -> Iterator[str]:
    """Yield the URL of the log server on `data_dir`, to be used within the block only.

    Where nobody owns the data dir, the caller does for the block, and runs a server; it then waits
    for commands that came to use it before it stops it. Where somebody does, their server is used,
    `patience` seconds being granted to one that is starting or restarting; while it says that it is
    loading, time does not count.

    Raises `LogServerUnreachable` when they are over, and what `EmbeddedValkey.start` raises.
    """
    place = DataDir(data_dir)
    with ExitStack() as stack:
        yield _reach(place, patience, stack)


def _reach(data_dir: DataDir, patience: float, stack: ExitStack) -> str:
    heard = time.monotonic()
    while True:
        if (ownership := data_dir.try_to_own("command")) is not None:
            server = EmbeddedValkey(stack.enter_context(ownership))
            server.start()
            stack.callback(_stop_unused, data_dir, server)
            return server.url
        attachment = ExitStack()
        with attachment:
            if attachment.enter_context(data_dir.used()):
                answer = ask(data_dir.socket_path)
                if answer is Answer.READY:
                    stack.push(attachment.pop_all())
                    return data_dir.url
                if answer is Answer.LOADING:
                    heard = time.monotonic()
        if time.monotonic() - heard > patience:
            raise LogServerUnreachable(
                f"{data_dir.path} is in use by {data_dir.holder() or 'another process'}, "
                f"but no log server answers on {data_dir.socket_path}"
            )
        time.sleep(RETRY_EVERY)


def _stop_unused(data_dir: DataDir, server: EmbeddedValkey) -> None:
    try:
        with data_dir.unused():
            server.stop()
    finally:
        server.stop()  # where the wait was interrupted
