"""`python -m tests.benchmarks.empty_application`: serves it and prints the port."""

from __future__ import annotations

import gc
from typing import Any

import uvicorn
import uvloop

from entrypoints.processes.listening import listen
from entrypoints.processes.worker import BACKLOG, SHUTDOWN_SECONDS

START = {"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]}
BODY = {"type": "http.response.body", "body": b""}


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and answer 202."""
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send(BODY)


async def serve() -> None:
    """Serve it on any free port with the settings of `entrypoints.processes.worker`."""
    config = uvicorn.Config(
        application,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    [listener], _ = listen("127.0.0.1", 0, 1)
    gc.collect()
    gc.freeze()
    with listener:
        print("port", listener.getsockname()[1], flush=True)
        await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    uvloop.run(serve())
