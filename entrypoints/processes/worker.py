"""A worker process of `cave serve`: the HTTP service on a socket that it inherits."""

from __future__ import annotations

import gc
import socket
import sys
from functools import partial
from typing import Any, cast

import uvicorn
import uvloop

from adapters.http.app import create_app
from adapters.http.publish.endpoint import LARGE, PublishEndpoint
from adapters.http.publish.plain_heads import PlainHeads
from adapters.http.publish.protocol import PublishProtocol
from adapters.point_formats.json.format import JsonFormat
from application.errors import LogError
from entrypoints.logging import configure_logging
from entrypoints.processes.worker_config import WorkerConfig
from entrypoints.wiring import open_use_cases

SHUTDOWN_SECONDS = 20
"""How long requests in flight may take after SIGTERM."""

BACKLOG = 2048

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be idle: applications send their metrics once a minute or oftener."""


async def work(config: WorkerConfig) -> None:
    """Serve until SIGTERM or SIGINT: then stop accepting, finish what is in flight, close."""
    settings = config.settings
    limits = settings.limits
    async with open_use_cases(settings, config.url) as (use_cases, readiness):
        publish = PublishEndpoint(
            use_cases.access,
            use_cases.publish_metrics,
            {"json": JsonFormat(limits.max_points)},
            max_body=limits.max_body,
            max_inflated=limits.max_inflated,
            max_body_memory=limits.max_body_memory,
        )
        heads = PlainHeads(min(LARGE, limits.max_body))
        app = create_app(use_cases, publish, readiness, operator_token=settings.operator_token)
        server = _Server(
            uvicorn.Config(
                app,
                loop="none",
                # uvicorn asks for a class; it only ever calls it.
                http=cast("Any", partial(PublishProtocol, heads, publish)),
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            ),
            config,
        )
        # What is there now stays: collections need not look at it again and again.
        gc.collect()
        gc.freeze()
        with socket.socket(fileno=config.fd) as listener:
            await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, server_config: uvicorn.Config, config: WorkerConfig) -> None:
        super().__init__(server_config)
        self._worker_config = config

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._worker_config.say_ready()


def main() -> int:
    configure_logging()
    config = WorkerConfig.from_environment()
    try:
        uvloop.run(work(config))
    except (LogError, ValueError) as error:
        config.say_failed(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
