"""A log server for the time a command needs one: the running server, or else its own."""

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
def reach_log_server(
    data_dir: Path, patience: float = PATIENCE, *, max_memory: int | None = None
) -> Iterator[str]:
    """Yield the URL of the log server on `data_dir`, to be used within the block only.

    If nobody owns the data dir, the caller owns it for the block and runs a server, which refuses
    writes at `max_memory` bytes, by default a quarter of the machine's memory. After the block
    it waits for other commands that use the server, then stops it. If the data dir has an owner,
    its server is used; one that is starting or restarting gets `patience` seconds, not counting the
    time while it reports that it is loading.

    Raises `LogServerUnreachable` after that time, and what `EmbeddedValkey.start` raises.
    """
    place = DataDir(data_dir)
    with ExitStack() as stack:
        yield _reach(place, patience, max_memory, stack)


def _reach(data_dir: DataDir, patience: float, max_memory: int | None, stack: ExitStack) -> str:
    heard = time.monotonic()
    while True:
        if (ownership := data_dir.try_to_own("command")) is not None:
            server = EmbeddedValkey(stack.enter_context(ownership), max_memory)
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
        server.stop()  # if the wait was interrupted
